"""Find the words in an alphabet salad: CFHHILORRS has the German word for a reed in it.

Up to 11 letters by brute force: every distinct arrangement of the letters is a row, and the words of that
length are a tool of the workers. More letters by list reduction: the words are the rows, and the letters are
the tool.

The words come from the packages english-words and german-nouns, or from files with a word per line (UTF-8).
Small and capital letters are the same, ß is SS, and a salad finds Äpfel by Ä and by AE.
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from os import path

import eisenmp

from . import command
from .bruteforce_worker import composed, keys
from .permutations import arrangements, arrangements_total
from .word_lists import WordList, all_words, open_lists

dir_name = path.dirname(__file__)
LETTERS = "CFHHILORRS"
BRUTE_FORCE_MAX = 11  #: letters; 12 different ones have 479,001,600 arrangements


class ModuleConfiguration:
    """What the manager functions need to know; changed by the command line."""

    def __init__(self) -> None:
        self.worker_path = path.join(dir_name, "bruteforce_worker.py")
        self.letters = LETTERS.casefold()
        self.rows_max = 5_000
        self.procs_max: int | None = None  # a worker for each usable CPU


modConf = ModuleConfiguration()


class Findings:
    """The words that were found, shown when they come, and who has done how much."""

    def __init__(self) -> None:
        self.words: set[str] = set()
        self.rows = 0
        self.tickets: Counter[str] = Counter()

    def add(self, worker: str, rows: int, words: Iterable[str]) -> None:
        """Take in the result of one ticket."""
        self.tickets[worker] += 1
        self.rows += rows
        for word in sorted({composed(word).upper() for word in words} - self.words):
            self.words.add(word)
            print(f"    ... {worker} ... {word}", flush=True)

    def show(self, letters: str, seconds: float) -> None:
        """Print the words and the summary."""
        print(f"\n--- Result for [{letters.upper()}] ---\n")
        for word in sorted(self.words):
            print(f"    {word}")
        if not self.words:
            print("    no word of these letters is in the lists")
        shares = ", ".join(f"{worker} {count:,}" for worker, count in sorted(self.tickets.items()))
        print("\n--- END ---\n")
        print(f"words    {len(self.words)}")
        print(f"tickets  {self.tickets.total():,}")
        print(f"rows     {self.rows:,}")
        print(f"workers  {len(self.tickets)} (tickets: {shares})")
        print(f"time     {seconds:.2f} s")


def manager(worker: str) -> eisenmp.Mp:
    """A manager of workers of that name."""
    return eisenmp.Mp(
        f"{modConf.worker_path}:{worker}", rows_max=modConf.rows_max, procs_max=modConf.procs_max
    )


def mp_brute_force(lists: list[WordList]) -> Findings:
    """Feed the arrangements; the words are a tool."""
    letters, findings = modConf.letters, Findings()
    words = words_of_length(lists, len(letters))
    total = arrangements_total(letters)
    print(f"    [BRUTE_FORCE]  {letters.upper()}: {total:,} arrangements, {len(words):,} words as long\n")
    with manager("brute_force") as emp:
        emp.broadcast(words=frozenset(words))
        for _, (worker, rows, found) in emp.feed(arrangements(letters), total=total):
            findings.add(worker, rows, chain.from_iterable(words[key] for key in found))
    return findings


def mp_reduce(lists: list[WordList]) -> Findings:
    """Feed the words; the letters are a tool."""
    letters, findings = modConf.letters, Findings()
    print(f"    [LIST_REDUCTION]  {letters.upper()}: {len(letters)} letters\n")
    with manager("list_reduction") as emp:
        emp.broadcast(letters=letters)
        for _, (worker, rows, found) in emp.feed(all_words(lists)):
            findings.add(worker, rows, found)
    return findings


def words_of_length(lists: list[WordList], length: int) -> dict[str, set[str]]:
    """The words that a salad of so many letters can find: by its key each, as the lists spell them."""
    words: dict[str, set[str]] = {}
    for word in all_words(lists):
        # the key of a word without umlauts and ß is as long as the word
        if len(word) == length or not word.isascii():
            for key in keys(word):
                if len(key) == length:
                    words.setdefault(key, set()).add(word)
    return words


def salad(text: str) -> str:
    """The letters as the workers compare them. Raises Refused when there is anything else."""
    letters = composed(composed(text).casefold())
    if not letters.isalpha():
        raise command.Refused(f"a salad consists of letters only, not {text!r}")
    return letters


def example(options: Namespace) -> int:
    """Run it with parsed options; returns the exit code."""
    begin = time.perf_counter()
    modConf.letters = salad(options.letters)
    modConf.procs_max = options.procs_max
    lists = open_lists(options.words)
    print(f"\n    word lists: {', '.join(name for name, _ in lists)}")
    findings = (mp_brute_force if len(modConf.letters) <= BRUTE_FORCE_MAX else mp_reduce)(lists)
    findings.show(modConf.letters, time.perf_counter() - begin)
    return command.DONE


def main(arguments: list[str]) -> int:
    """Entry of `eisenmp examples bruteforce`."""
    parser = command.parser("bruteforce", __doc__)
    parser.add_argument("letters", nargs="?", default=LETTERS, help=f"the salad (default {LETTERS})")
    parser.add_argument(
        "--words", nargs="+", default=[], metavar="FILE", help="word lists, instead of the packages"
    )
    parser.add_argument("--procs-max", type=command.whole, help="workers (default: one for each usable CPU)")
    return command.run(parser, arguments, example)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
