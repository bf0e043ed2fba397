"""Brute force of a salad: which orders of its letters are words. The same loop on every side."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import permutations

import eisenmp

Order = tuple[str, ...]

_words: frozenset[str] = frozenset()


def orders(letters: str) -> Iterator[Order]:
    """Every order of the letters: rows of the feed."""
    return permutations(letters)


def words_of(rows: Iterable[Order], words: frozenset[str]) -> list[str]:
    """The plain loop."""
    found = []
    for row in rows:
        word = "".join(row)
        if word in words:
            found.append(word)
    return found


@eisenmp.worker
def find(toolbox: eisenmp.ToolBox, rows: Iterable[Order]) -> tuple[int, list[str]]:
    """The process, and the words in a chunk."""
    return os.getpid(), words_of(rows, toolbox.tools["words"])


def load(words: frozenset[str]) -> None:
    """Initializer of a pool."""
    global _words
    _words = words


def word_of(row: Order) -> str | None:
    """The function of a pool: the word that a row is, if it is one."""
    word = "".join(row)
    return word if word in _words else None


def pid_of(number: int) -> int:
    """Which process of a pool it is."""
    return os.getpid()
