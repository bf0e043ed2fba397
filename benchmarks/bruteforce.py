"""CFHHILORRS by brute force, end to end, against eisenmp 1.0 from PyPI."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import whole
from benchmarks.clean import clean_environment
from benchmarks.figure import Figure
from benchmarks.pairs import times
from benchmarks.retried import Retried
from benchmarks.scale import Scale
from benchmarks.side import WORKERS, Wrong
from eisenmp.examples import permutations
from eisenmp.examples.word_lists import all_words, open_lists

OLD = "eisenmp==1.0"
OLD_LIMIT = 60.0  #: seconds after which a run of 1.0 counts as hung


class Salad(NamedTuple):
    """Letters, and how many of their arrangements a chunk has."""

    letters: str
    rows_max: int


class Task(NamedTuple):
    """A salad, the file with the words, and those of them that are in the salad."""

    letters: str
    rows_max: int
    words: Path
    found: list[str]


FULL = Salad("cfhhilorrs", 5_000)
QUICK = Salad("aegilnrt", 100)


def run(scale: Scale) -> Iterator[Figure]:
    """The two versions in turn; then the example."""
    with TemporaryDirectory(prefix="eisenmp-benchmark-") as folder:
        task = prepared(QUICK if scale.quick else FULL, Path(folder, "words.txt"))
        if not scale.quick:  # now and then 1.0 does not come to an end
            yield against_old(task, scale)
        example = [example_seconds(task) for _ in range(scale.trials)]
    yield Figure(
        name=f"{task.letters.upper()}, the example itself",
        value=median(example),
        unit="s",
        low=min(example),
        high=max(example),
        note=f"{len(example)} runs on the same lists",
    )


def against_old(task: Task, scale: Scale) -> Figure:
    """The two versions, each a program of its own: the same words, arrangements and chunks."""
    with clean_environment(whole.ROOT) as new, clean_environment(OLD) as old:
        retried = Retried()

        def ours() -> float:
            return seconds(new, "bruteforce_new", task)

        def theirs() -> float:
            return retried.seconds(lambda: seconds(old, "bruteforce_old", task, limit=OLD_LIMIT))

        ours(), theirs()
        rounds = [(ours(), theirs()) for _ in range(scale.pairs)]
    ratios = [new_seconds / old_seconds for new_seconds, old_seconds in rounds]
    return Figure(
        name=f"{task.letters.upper()}, the same program",
        value=median(ratios),
        unit="times eisenmp 1.0",
        low=min(ratios),
        high=max(ratios),
        sides=(
            times("eisenmp", [pair[0] for pair in rounds]),
            times("eisenmp 1.0", [pair[1] for pair in rounds]),
        ),
        note=f"{permutations.arrangements_total(task.letters):,} arrangements in chunks of {task.rows_max:,}"
        + (
            f"; {retried.hangs} runs of 1.0 hung, were ended after {OLD_LIMIT:g} s and done again"
            if retried.hangs
            else ""
        ),
    )


def prepared(salad: Salad, file: Path) -> Task:
    """The words of the real lists in a file; what must be found is found by sorting letters."""
    words = {word.strip() for word in all_words(open_lists([]))}
    file.write_text("\n".join(sorted(words)), encoding="utf-8")
    wanted = sorted(salad.letters)
    found = sorted({word for word in map(str.casefold, words) if sorted(word) == wanted})
    return Task(*salad, file, found)


def seconds(python: Path, program: str, task: Task, *, limit: float = whole.LIMIT) -> float:
    """One run, from nothing to the end of the process. Raises Wrong unless it has found what there is."""
    source = Path(permutations.__file__)
    arguments = (task.letters, str(task.rows_max), task.words, source)
    finished = whole.run((python, whole.PROGRAMS / f"{program}.py", *arguments), limit=limit)
    answer = json.loads(next((line for line in finished.lines if line.startswith('{"found"')), "{}"))
    expected = {
        "found": task.found,
        "rows": permutations.arrangements_total(task.letters),
        "pids": WORKERS,
    }
    if answer != expected:
        raise Wrong(f"{program}: {answer}, expected {expected}")
    return finished.end


def example_seconds(task: Task) -> float:
    """One run of `eisenmp examples bruteforce`, which has its own way to read words and to print."""
    module = "eisenmp.examples.bruteforce"
    options = ("--procs-max", str(WORKERS), "--words", task.words)
    finished = whole.run((sys.executable, "-m", module, task.letters, *options))
    printed = " ".join(finished.lines).casefold()
    if missing := [word for word in task.found if word not in printed]:
        raise Wrong(f"the example has not found {missing}")
    return finished.end
