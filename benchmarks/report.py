"""A JSON file for each benchmark, and one Markdown table of all that there are. Pictures: plots."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from benchmarks.catalog import NAMES, Benchmark
from benchmarks.figure import Figure
from benchmarks.machine import Machine
from benchmarks.scale import PAIRS_LEAST, Scale
from benchmarks.whole import ROOT

TABLE = "table.md"
HEAD = """# Measured

`make bench` writes this table and the JSON files beside it. Ratios are medians of pairs of runs, the two
sides in turn in one run of the program; in brackets the least and the most. A target is met by at most that
much. Seconds are medians. What other peers took is there for context, by fewer runs.
"""


def write(
    folder: Path, benchmark: Benchmark, figures: Sequence[Figure], error: str, scale: Scale, where: Machine
) -> None:
    """The JSON file of one benchmark."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "benchmark": benchmark.name,
        "about": benchmark.about,
        "pairs": scale.pairs,
        "judged": not scale.quick and scale.pairs >= PAIRS_LEAST,
        "error": strip_paths(error),
        "figures": [figure.as_json() for figure in figures],
        "machine": asdict(where),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    Path(folder, f"{benchmark.name}.json").write_text(strip_paths(text) + "\n", encoding="utf-8")


def read(folder: Path) -> list[dict[str, Any]]:
    """What all JSON files in the folder hold."""
    files = [Path(folder, f"{name}.json") for name in NAMES]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]


def write_table(folder: Path, found: Sequence[dict[str, Any]]) -> Path:
    """The table of all of them."""
    lines = [
        HEAD,
        "| benchmark | figure | value | target | | seconds | others | measured |",
        "|---" * 8 + "|",
    ]
    for content in found:
        lines += rows(content)
    lines += ["", *machines(found)]
    table = Path(folder, TABLE)
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def rows(content: dict[str, Any]) -> list[str]:
    """A line for each figure of one benchmark."""
    name, about, date = content["benchmark"], content["about"], content["machine"]["date"]
    lines = []
    for place, figure in enumerate(content["figures"]):
        sides = "<br>".join(
            f"{side['side']} {side['median']:.3f} ({side['low']:.3f}…{side['high']:.3f}), {side['runs']} runs"
            for side in figure["sides"]
        )
        others = "<br>".join(f"{peer}: {text}" for peer, text in figure["peers"].items())
        value = shown(figure["value"], figure["low"], figure["high"], figure["unit"])
        lines.append(
            row(
                f"**{name}**: {about}" if place == 0 else "",
                figure["name"] + (f"<br>({figure['note']})" if figure["note"] else ""),
                value,
                "" if figure["target"] is None else f"{figure['target']:g}",
                verdict(figure["met"], content["judged"]),
                sides,
                others,
                date if place == 0 else "",
            )
        )
    if content["error"]:
        lines.append(
            row("" if lines else f"**{name}**: {about}", "failed", content["error"], *[""] * 4, date)
        )
    return lines


def row(*cells: str) -> str:
    """A line of the table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def shown(value: float, low: float | None, high: float | None, unit: str) -> str:
    """`0.71 times Pool (0.66…0.80)`."""
    spread = "" if low is None or high is None else f" ({number(low)}…{number(high)})"
    return f"**{number(value)}** {unit}{spread}"


def number(value: float) -> str:
    """Two decimals, more of what is small, none of what is counted."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.4f}"


def verdict(met: bool | None, judged: bool) -> str:
    """What is to be said about the target."""
    if met is None:
        return ""
    word = "met" if met else "**missed**"
    return word if judged else f"({word}, too short to judge)"


def machines(found: Sequence[dict[str, Any]]) -> list[str]:
    """What the benchmarks were measured with, once for those that agree."""
    names: dict[str, list[str]] = {}
    for content in found:
        where = content["machine"]
        versions = ", ".join(f"{package} {version}" for package, version in where["versions"].items())
        text = f"{where['cpu']}, {where['cpus']} CPUs, {where['system']}, {where['python']}; {versions}"
        load = "" if where["load"] is None else f" (load {where['load']})"
        names.setdefault(text, []).append(content["benchmark"] + load)
    return [f"* {', '.join(benchmarks)}: {text}" for text, benchmarks in names.items()]


def strip_paths(text: str) -> str:
    """The text without the folders of this machine."""
    for folder in sorted({str(ROOT), str(Path.home()), sys.prefix, sys.base_prefix, gettempdir()}, key=len)[
        ::-1
    ]:
        if len(folder) > 1:
            text = text.replace(folder, "…")
    return text
