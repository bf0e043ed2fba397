"""The word lists of the example bruteforce: of two packages, or files with a word per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from os import path
from typing import NamedTuple

from .command import Refused, package_folder

PACKAGES = ("english-words", "german-nouns")
LINES_READ = 1 << 20  #: bytes of lines that are decoded at once


class WordList(NamedTuple):
    """A name to show, and the words as the list spells them."""

    name: str
    words: Iterable[str]


def open_lists(files: list[str]) -> list[WordList]:
    """The files, or without any the lists of the packages. Raises Refused for what is not there."""
    if files:
        return [WordList(path.basename(file), file_words(checked(file))) for file in files]
    return [english_words(), german_nouns()]


def english_words() -> WordList:
    """About 340,000 words of Webster's second international and of the GCIDE."""
    package_folder("english_words")
    from english_words import get_english_words_set

    return WordList("english-words", get_english_words_set(["web2", "gcide"]))


def german_nouns() -> WordList:
    """About 270,000 nouns of the German Wiktionary in all their cases."""
    index = path.join(package_folder("german_nouns"), "index.txt")
    return WordList("german-nouns", (line.partition("\t")[0] for line in file_words(index)))


def checked(file: str) -> str:
    """The file, after a look that it can be opened. Raises Refused."""
    try:
        with open(file, "rb"):
            return file
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from error


def file_words(file: str) -> Iterator[str]:
    """The words of a UTF-8 file, one per line. Raises Refused with the number of a line that is not UTF-8."""
    number = 1
    with open(file, "rb") as stream:
        while lines := stream.readlines(LINES_READ):
            block = b"".join(lines)
            try:
                text = block.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                line = number + block.count(b"\n", 0, error.start)
                raise Refused(f"{file}:{line}: not UTF-8 text: byte 0x{block[error.start]:02x}") from error
            yield from map(str.strip, text.removesuffix("\n").split("\n"))
            number += len(lines)


def all_words(lists: Iterable[WordList]) -> Iterator[str]:
    """The words of all lists, one after the other."""
    return chain.from_iterable(words for _, words in lists)
