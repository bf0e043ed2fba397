"""`python -m benchmarks [NAME …] [--quick]`: measure, show the figures, write the results."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from time import monotonic

from benchmarks import plots, report
from benchmarks.catalog import NAMES, Benchmark, benchmark
from benchmarks.figure import Figure
from benchmarks.machine import Machine, machine
from benchmarks.scale import FULL, PAIRS_LEAST, QUICK, Scale
from benchmarks.whole import ROOT

RESULTS = ROOT / "benchmarks" / "results"
QUICK_RESULTS = ROOT / "build" / "benchmarks"

DONE = 0
FAILED = 1
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks; exit code 1 when one fails to do its job, with --strict also when one is missed."""
    parser = ArgumentParser(prog="python -m benchmarks", description="How fast eisenmp is, beside its peers.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which of {', '.join(NAMES)} (default: all)"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything works")
    parser.add_argument("--pairs", type=int, help=f"pairs of runs for a ratio (default {FULL.pairs})")
    parser.add_argument("--output", type=Path, help="folder of the results")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a target is missed")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in NAMES]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    scale = QUICK if options.quick else FULL
    if options.pairs is not None:
        if options.pairs < 1:
            parser.error("--pairs is a number of at least 1")
        scale = scale._replace(pairs=options.pairs)
    folder = options.output or (QUICK_RESULTS if options.quick else RESULTS)
    if not options.quick and scale.pairs < PAIRS_LEAST:
        print(f"fewer than {PAIRS_LEAST} pairs: the targets are not judged", file=sys.stderr)
    where = machine()
    fine = []
    for name in options.names or NAMES:
        figures, error = measure(benchmark(name), scale, folder, where)
        missed = any(figure.met is False for figure in figures)
        fine.append(not error and not (options.strict and missed))
    found = report.read(folder)
    print(f"\n{shown_path(report.write_table(folder, found))}")
    try:
        print(*map(shown_path, plots.write(folder, found)))
    except ImportError:
        print("no pictures: they need matplotlib, which is not installed", file=sys.stderr)
    return DONE if all(fine) else FAILED


def measure(chosen: Benchmark, scale: Scale, folder: Path, where: Machine) -> tuple[list[Figure], str]:
    """Run one benchmark, show and write its figures; returns them, and what went wrong if anything did."""
    print(f"\n{chosen.name}: {chosen.about}", flush=True)
    started = monotonic()
    figures: list[Figure] = []
    error = ""
    try:
        for figure in chosen.run(scale):
            figures.append(figure)
            show(figure)
    except Exception as failure:  # a benchmark that fails is a result, and the others still run
        error = report.strip_paths(f"{type(failure).__name__}: {failure}")
        print(f"  failed: {error}", flush=True)
    print(f"  ({monotonic() - started:.0f} s)", flush=True)
    report.write(folder, chosen, figures, error, scale, where)
    return figures, error


def show(figure: Figure) -> None:
    """One figure in lines of text."""
    value = report.shown(figure.value, figure.low, figure.high, figure.unit).replace("*", "")
    target = (
        "" if figure.target is None else f", target {figure.target:g}: {'met' if figure.met else 'MISSED'}"
    )
    print(f"  {figure.name}: {value}{target}", flush=True)
    for side in figure.sides:
        print(f"    {side.side}: {side.median:.3f} s ({side.low:.3f}…{side.high:.3f}), {side.runs} runs")
    for peer, text in figure.peers.items():
        print(f"    {peer}: {text}")
    if figure.note:
        print(f"    {figure.note}")


def shown_path(file: Path) -> Path:
    """The path as seen from the repository, if it is in there."""
    return file.relative_to(ROOT) if file.is_relative_to(ROOT) else file


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
