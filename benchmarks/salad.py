"""All orders of ten letters against 264,000 words, from a generator that the workers run."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from math import factorial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import eisenmp
from benchmarks import whole
from benchmarks.clean import clean_environment
from benchmarks.figure import Figure
from benchmarks.pairs import times
from benchmarks.ratio import Way, ratio
from benchmarks.retried import Retried
from benchmarks.scale import Scale
from benchmarks.side import WARM_RUNS_MAX, WORKERS, Idle, Wrong
from benchmarks.works import salad
from eisenmp.examples.word_lists import english_words

OLD = "eisenmp==1.0"
OLD_LIMIT = 240.0  #: seconds after which a run of 1.0 counts as hung
OLD_ROWS = 5_000  #: in a chunk of 1.0, as in its own example
OLD_PAIRS = 3
LETTERS = "cfhhilorrs"
LETTERS_QUICK = "aegilnrt"
ROWS_MAX = 40_000
CHUNK_SIZES = (1_000, 5_000, 20_000, 40_000)


def run(scale: Scale) -> Iterator[Figure]:
    """Workers that are up and have the words, against a plain loop, a pool and 1.0."""
    letters = LETTERS_QUICK if scale.quick else LETTERS
    words = frozenset(str(word).casefold() for word in english_words().words)
    expected = sorted(salad.words_of(salad.orders(letters), words))
    size = ROWS_MAX if not scale.quick else 1_000

    def right(found: object) -> bool:
        return isinstance(found, list) and sorted(found) == expected

    plain = Way("one plain loop", lambda: salad.words_of(salad.orders(letters), words), right)
    context = multiprocessing.get_context("spawn")
    with eisenmp.Mp("benchmarks.works.salad:find", procs_max=WORKERS, rows_max=size) as emp:
        emp.broadcast(words=words)
        pids = warm(emp)

        def work() -> list[str]:
            answers = [value for _, value in emp.feed(eisenmp.replicate(salad.orders, letters))]
            if {pid for pid, _ in answers} != pids and not scale.quick:
                raise Wrong("a worker took no part")
            return [word for _, found in answers for word in found]

        ours = Way("eisenmp.replicate", work, right)
        note = f"{factorial(len(letters)):,} orders in chunks of {size:,}, {len(words):,} words"
        yield ratio("against a loop", ours, plain, scale, target=0.65, note=note)
        with context.Pool(WORKERS, salad.load, (words,)) as pool:
            pool.map(salad.word_of, list(salad.orders("abcdef")))

            def pooled(chunk_size: int) -> Way:
                def find() -> list[str]:
                    rows = pool.imap_unordered(salad.word_of, salad.orders(letters), chunk_size)
                    return [word for word in rows if word is not None]

                return Way(f"Pool.imap_unordered, chunksize={chunk_size}", find, right)

            ways = [pooled(chunk_size) for chunk_size in CHUNK_SIZES]
            best = min(ways, key=Way.seconds)
            yield ratio("against a pool", ours, best, scale, target=0.6, note=note)
        if not scale.quick:  # now and then 1.0 does not come to an end
            yield against_old(ours, letters, words, expected)


def warm(emp: eisenmp.Mp) -> frozenset[int]:
    """Both workers have looked a word up; returns their processes."""
    for _ in range(WARM_RUNS_MAX):
        pids = {pid for _, (pid, _) in emp.feed(eisenmp.replicate(salad.orders, "abcdefg"), rows_max=10)}
        if len(pids) == WORKERS:
            return frozenset(pids)
    raise Idle("only one of the workers took part")


def against_old(ours: Way, letters: str, words: frozenset[str], expected: list[str]) -> Figure:
    """1.0 counts from the first row on, as far as one can see from outside: its workers wait for them."""
    with clean_environment(OLD) as old, TemporaryDirectory(prefix="eisenmp-benchmark-") as folder:
        file = Path(folder, "words.txt")
        file.write_text("\n".join(sorted(words)), encoding="utf-8")
        retried = Retried()

        def theirs() -> float:
            program = (old, whole.PROGRAMS / "salad_old.py", letters, str(OLD_ROWS), file)
            finished = whole.run(program, limit=OLD_LIMIT)
            answer = json.loads(next((line for line in finished.lines if line.startswith('{"found"')), "{}"))
            if answer.get("found") != expected:
                raise Wrong(f"1.0: {answer!r:.200}")
            seconds: float = answer["seconds"]
            return seconds

        pairs = [(ours.seconds(), retried.seconds(theirs)) for _ in range(OLD_PAIRS)]
    ratios = sorted(mine / seconds for mine, seconds in pairs)
    return Figure(
        name="against 1.0",
        value=median(ratios),
        unit="times eisenmp 1.0",
        low=ratios[0],
        high=ratios[-1],
        target=0.25,
        sides=(
            times("eisenmp.replicate", [mine for mine, _ in pairs]),
            times("eisenmp 1.0", [seconds for _, seconds in pairs]),
        ),
        note=f"1.0 in chunks of {OLD_ROWS:,}"
        + (f"; {retried.hangs} runs of 1.0 hung, were ended and done again" if retried.hangs else ""),
    )
