"""Every setting is an option, by the one rule; what it may not be is refused before anything starts."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from eisenmp import Settings
from eisenmp.cli.exitcodes import DONE, USAGE
from eisenmp.cli.options import NOT_HERE, spelling

from .conftest import Command

# name: (texts that are taken with their values, a text that is not)
TEXTS: dict[str, tuple[dict[str, Any], str]] = {
    "procs_max": ({"3": 3, "none": None}, "0"),
    "rows_max": ({"50": 50, "auto": "auto"}, "many"),
    "start_method": ({"spawn": "spawn", "forkserver": "forkserver", "fork": "forkserver"}, "thread"),
    "result_label": ({"my label": "my label"}, ""),
    "info_thread_max": ({"1e6": 1_000_000, "7": 7}, "-1"),
    "retries": ({"1": (1, 1, 1), "death=1": (0, 1, 0), "raise=3,timeout=1": (3, 2, 1)}, "often"),
    "start_timeout": ({"5": 5.0}, "soon"),
    "ready_timeout": ({"5": 5.0}, "0"),
    "grace": ({"0": 0.0}, "-1"),
    "variables": ({'{"factor": 3}': {"factor": 3}}, "[1]"),
    "on_error": ({"skip": "skip", "raise": "raise"}, "ignore"),
    "timeout": ({"5": 5.0, "none": None}, "soon"),
    "timeout_row": ({"0.5": 0.5, "none": None}, "0"),
    "ledger": ({"job.db": "job.db"}, " "),
    "memory_max": ({"512M": 536_870_912, "none": None}, "1K"),
    "shared_memory_max": ({"2G": 2 * 1024**3, "0": 0, "none": None}, "1K"),
    "chunks_max": ({"5": 5, "none": None}, "0"),
    "threads_max": ({"2": 2}, "none of them"),
    "pin": ({"core": "core", "0,2": (0, 2), "0-1": (0, 1)}, "somewhere"),
    "log_format": ({"json": "json", "text": "text"}, "xml"),
    "name": ({"nightly": "nightly"}, "a/b"),
}
FLAGS = {name for name, kind, _, _ in Settings.fields() if kind == "bool"} - NOT_HERE


class Seen(Exception):
    """The keywords with which a manager was to be made."""

    def __init__(self, keywords: Mapping[str, Any]) -> None:
        self.keywords = keywords


@pytest.fixture
def keywords_of(eisenmp: Command, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`keywords_of("--procs-max", 3)`: what Mp would get."""

    def see(_worker: object, **keywords: Any) -> None:
        raise Seen(keywords)

    monkeypatch.setattr("eisenmp.cli.run.Mp", see)

    def keywords(*options: object) -> Mapping[str, Any]:
        with pytest.raises(Seen) as seen:
            eisenmp("run", "workers.py:same", "--lines", "rows", *options)
        return seen.value.keywords

    return keywords


def test_the_tables_above_are_complete() -> None:
    names = {name for name, *_ in Settings.fields()}
    assert names == TEXTS.keys() | FLAGS | NOT_HERE
    assert not TEXTS.keys() & NOT_HERE


@pytest.mark.parametrize("name", TEXTS)
def test_each_setting_is_an_option(keywords_of: Any, name: str) -> None:
    for text, value in TEXTS[name][0].items():
        assert dict(keywords_of(spelling(name), text)) == {name: value}
        assert dict(keywords_of(f"{spelling(name)}={text}")) == {name: value}


@pytest.mark.parametrize("name", sorted(FLAGS))
def test_each_flag_can_be_set_and_unset(keywords_of: Any, name: str) -> None:
    assert dict(keywords_of(spelling(name))) == {name: True}
    assert dict(keywords_of(f"--no-{spelling(name)[2:]}")) == {name: False}


@pytest.mark.parametrize("name", TEXTS)
def test_a_wrong_value_is_refused_by_name(eisenmp: Command, name: str) -> None:
    bad = TEXTS[name][1]
    if name == "result_label":
        return  # any text will do
    outcome = eisenmp("run", "workers.py:same", "--lines", "rows", f"{spelling(name)}={bad}")
    assert (outcome.code, outcome.out) == (USAGE, "")
    assert outcome.error.startswith(f"{spelling(name)} must be ")
    assert repr(bad) in outcome.error


def test_a_wrong_word_gets_a_hint(eisenmp: Command) -> None:
    outcome = eisenmp("run", "workers.py:same", "--lines", "rows", "--on-error", "skpi")
    assert outcome.error.endswith("did you mean 'skip'?")


def test_the_help_tells_every_setting(eisenmp: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    outcome = eisenmp("run", "--help")
    assert outcome.code == DONE
    for name, _, _, documentation in Settings.fields():
        told = name not in NOT_HERE
        assert (f"{spelling(name)} " in outcome.out) is told
        assert (documentation.replace("`", "") in outcome.out) is told
    assert "[default: 1000]" in outcome.out
    for option in ("--feed", "--lines", "--csv", "--column", "--jsonl", "--output", "--ordered", "--verbose"):
        assert f"{option} " in outcome.out


def test_the_help_fits_a_terminal(eisenmp: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for command in ("run", "examples", "cpus", "doctor"):
        assert max(map(len, eisenmp(command, "--help").out.splitlines())) <= 100


def test_the_environment_is_asked_too(
    eisenmp: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "rows").write_text("a\nb\nc\nd\n")
    monkeypatch.setenv("EISENMP_ROWS_MAX", "3")
    run = ["run", "workers.py:same", "--lines", "rows"]
    assert len(eisenmp(*run).out.splitlines()) == 2
    assert len(eisenmp(*run, "--rows-max", 4).out.splitlines()) == 1
    monkeypatch.setenv("EISENMP_ROWS_MAX", "few")
    outcome = eisenmp(*run)
    assert outcome.code == USAGE
    assert outcome.error.startswith("EISENMP_ROWS_MAX must be a whole number")


def test_options_reach_the_workers(eisenmp: Command, folder: Path) -> None:
    (folder / "rows").write_text("a\nb\nc\nd\n")
    run = ["run", "--lines", "rows", "--rows-max", 1]
    outcome = eisenmp(*run, "workers.py:variable", "--variables", '{"factor": [1, "x"]}')
    assert [json.loads(line)["value"] for line in outcome.out.splitlines()] == [[1, "x"]] * 4
    outcome = eisenmp(*run, "workers.py:pid", "--procs-max", 1)
    assert len({json.loads(line)["value"] for line in outcome.out.splitlines()}) == 1


@pytest.mark.parametrize(
    ("terminal", "options", "environment", "expected"),
    [
        (True, [], None, True),
        (True, ["--no-progress"], None, False),
        (True, [], "0", None),
        (False, [], None, None),
        (False, ["--progress"], None, True),
    ],
)
def test_a_bar_only_where_somebody_sees_it(
    keywords_of: Any,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    options: list[str],
    environment: str | None,
    expected: bool | None,
) -> None:
    if environment is not None:
        monkeypatch.setenv("EISENMP_PROGRESS", environment)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert keywords_of(*options).get("progress") is expected


def test_plain_progress_lines_when_asked_for(eisenmp: Command, folder: Path) -> None:
    (folder / "rows").write_text("a\nb\nc\nd\n")
    outcome = eisenmp("run", "workers.py:same", "--lines", "rows", "--progress", "--rows-max", 2)
    assert outcome.error.startswith("4 of 4 rows  100.0 %")
    assert len(outcome.out.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "parameter WORKER requires an argument"),
        (["run", "w.py:x", "--lines"], "parameter --lines requires an argument"),
        (["run", "w.py:x", "--procs-mx", "3"], "Unknown option: --procs-mx. Did you mean --procs-max?"),
        (["run", "w.py:x", "more", "--lines", "x"], "more"),
        (["rnu"], 'Unknown command "rnu". Did you mean "run"?'),
    ],
)
def test_usage(eisenmp: Command, arguments: list[str], said: str) -> None:
    outcome = eisenmp(*arguments)
    assert (outcome.code, outcome.out) == (USAGE, "")
    assert said in outcome.error
