"""What the pictures of the benchmarks show; that they can be drawn is seen where matplotlib is."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks import plots
from benchmarks.whole import ROOT

FIGURE = {
    "name": "generator",
    "value": 0.5,
    "unit": "times Pool",
    "low": 0.4,
    "high": None,
    "target": 0.8,
    "sides": [
        {"side": "eisenmp", "median": 1.0, "low": 0.9, "high": 1.2, "runs": 5},
        {"side": "Pool", "median": 2.0, "low": 1.9, "high": 2.2, "runs": 5},
    ],
    "peers": {"joblib": "0.482 s, 3 runs", "mpire": "not installed", "pebble": "all 100,000 rows"},
    "note": "",
    "met": True,
}
LATER = {"name": "later", "value": 0.0, "target": 0, "low": None, "high": None, "sides": [], "peers": {}}
CONTENT: dict[str, Any] = {"benchmark": "ints", "about": "Ints.", "figures": [FIGURE, LATER]}


def test_bars_are_what_has_seconds() -> None:
    name, bars = plots._seconds(FIGURE)
    assert name == "generator"
    assert bars == [("eisenmp", 1.0, 0.9, 1.2), ("Pool", 2.0, 1.9, 2.2), ("joblib", 0.482, 0.482, 0.482)]


def test_marks_are_parts_of_the_target() -> None:
    ((label, *values),) = plots._marks(CONTENT)
    assert label == "ints: generator"
    assert values == pytest.approx([0.625, 0.5, 0.625])


DRAW = """
import json, sys
from pathlib import Path
from benchmarks import plots
from benchmarks.whole import ROOT
folder, content = Path(sys.argv[1]), json.loads(sys.argv[2])
try:
    first = [path.read_bytes() for path in plots.write(folder, [content])]
except ImportError as error:
    print(error.name)
else:
    print(*sorted(path.name for path in folder.iterdir()))
    # the same figures give the same files
    assert [path.read_bytes() for path in plots.write(folder, [content])] == first
"""


def test_pictures_are_drawn_or_their_library_is_named(tmp_path: Path) -> None:
    """In a program of its own: matplotlib keeps its fonts open."""
    command = [sys.executable, "-c", DRAW, str(tmp_path), json.dumps(CONTENT)]
    drawn = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
    assert drawn.stdout == ("ints.svg targets.svg\n" if find_spec("matplotlib") else "matplotlib\n")
