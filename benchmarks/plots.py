"""The figures as SVG: one picture of all targets, and one of each benchmark that compares seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

OVERVIEW = "targets.svg"
OURS, THEIRS, MET, MISSED, GREY = "#2a6f97", "#a9b4bd", "#2b8a5b", "#c0392b", "#6b7780"
BAR = 0.34  #: inches
WIDTH = 8.0
LABELS = 3.2  #: inches left of the bars
LABEL_MAX = 46  #: characters
TITLE_MAX = 100
FLOOR = 0.01  #: of a target: what is below is drawn there
SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "eisenmp",  # the same figures give the same file
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}


def write(folder: Path, contents: Sequence[dict[str, Any]]) -> list[Path]:
    """The pictures of what the JSON files hold. Raises ImportError without matplotlib."""
    from matplotlib import rc_context

    written = []
    with rc_context(SETTINGS):
        if marks := [mark for content in contents for mark in _marks(content)]:
            written.append(_targets(folder / OVERVIEW, marks))
        for content in contents:
            panels = [panel for figure in content["figures"] if len((panel := _seconds(figure))[1]) > 1]
            if panels:
                written.append(_bars(folder / f"{content['benchmark']}.svg", content["about"], panels))
    return written


def _marks(content: dict[str, Any]) -> list[tuple[str, float, float, float]]:
    """(label, value, least, most) of each figure with a target above 0, in targets."""
    found = []
    for figure in content["figures"]:
        if target := figure["target"]:
            low, high = figure["low"], figure["high"]
            known = [figure["value"] if end is None else end for end in (low, high)]
            values = [max(FLOOR, end / target) for end in (figure["value"], *known)]
            found.append((f"{content['benchmark']}: {figure['name']}", values[0], values[1], values[2]))
    return found


def _targets(path: Path, marks: list[tuple[str, float, float, float]]) -> Path:
    figure, axes = _drawing(len(marks), "Each figure in parts of its target: up to 1 it is met")
    for place, (_, value, low, high) in enumerate(marks):
        color = MET if value <= 1 else MISSED
        axes.plot([low, high], [place, place], color=color, linewidth=1, alpha=0.6)
        axes.plot([value], [place], "o", color=color, markersize=5)
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("times the target; the line is from the least to the most of all pairs")
    axes.set_yticks(range(len(marks)), [_short(label) for label, *_ in marks])
    return _saved(path, figure)


def _seconds(figure: dict[str, Any]) -> tuple[str, list[tuple[str, float, float, float]]]:
    """(name, bars) of a figure: (who, median, least, most) in seconds, ours first."""
    bars = [(side["side"], side["median"], side["low"], side["high"]) for side in figure["sides"]]
    for peer, text in figure["peers"].items():
        number, _, rest = text.partition(" ")
        if rest == "s" or rest.startswith("s,"):
            bars.append((peer, float(number), float(number), float(number)))
    return figure["name"], bars


def _bars(path: Path, about: str, panels: list[tuple[str, list[tuple[str, float, float, float]]]]) -> Path:
    rows: list[tuple[str, tuple[str, float, float, float] | None, bool]] = []
    for name, bars in panels:
        rows.append((name, None, False))
        rows += [(bar[0], bar, place == 0) for place, bar in enumerate(bars)]
    figure, axes = _drawing(len(rows), about)
    for place, (_, bar, is_ours) in enumerate(rows):
        if bar is not None:
            _, median, low, high = bar
            axes.barh(place, median, 0.7, color=OURS if is_ours else THEIRS)
            axes.plot([low, high], [place, place], color="black", linewidth=1)
            axes.annotate(
                f"{median:.3g}",
                (max(median, high), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
            )
    axes.set_xlabel("seconds, median; the line is from the least to the most")
    axes.set_yticks(range(len(rows)), [_short(label) for label, *_ in rows])
    for label, (_, bar, _) in zip(axes.get_yticklabels(), rows, strict=True):
        if bar is None:
            label.set_fontweight("bold")
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    return _saved(path, figure)


def _short(label: str) -> str:
    return label if len(label) <= LABEL_MAX else label[: LABEL_MAX - 1].rstrip() + "…"


def _drawing(rows: int, title: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    height = rows * BAR * 0.72 + 1.1
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((LABELS / WIDTH, 0.6 / height, 1 - LABELS / WIDTH - 0.03, 1 - 1.05 / height))
    axes.set_ylim(rows - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e3e7ea")
    axes.set_axisbelow(True)
    figure.suptitle(
        "\n".join(wrap(title, TITLE_MAX)), x=0.02, y=1 - 0.12 / height, ha="left", va="top", fontsize=10
    )
    return figure, axes


def _saved(path: Path, figure: Any) -> Path:
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    return path
