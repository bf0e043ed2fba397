"""The rows of the benchmarks, from generator functions, and the chunks that peers want made for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Row = TypeVar("Row")

WORDS = tuple(f"word{number:05}" for number in range(10_007))
WORD_LENGTH = 9


def numbers(count: int, first: int = 0) -> Iterator[int]:
    """`count` whole numbers from `first`."""
    for number in range(count):
        yield first + number


def words(count: int) -> Iterator[str]:
    """Short strings, WORD_LENGTH characters each, no two alike in a chunk."""
    known = len(WORDS)
    for number in range(count):
        yield WORDS[number % known]


def distinct(count: int) -> list[str]:
    """Strings as long as those of `words`, no two of them alike, up to 10 ** WORD_LENGTH of them."""
    return [f"{number:0{WORD_LENGTH}}" for number in range(count)]


def lists(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Lists of `size` rows, for peers whose functions take a chunk."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk
