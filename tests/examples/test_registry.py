"""The list of the examples, and what their command lines have in common."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from eisenmp.examples import EXAMPLES

from .program import run, run_command


def test_the_list_is_there_without_importing_an_example() -> None:
    code = (
        "import sys, eisenmp.examples;"
        "examples = [name for name in sys.modules if name.startswith('eisenmp.examples.')];"
        "print(examples, 'argparse' in sys.modules)"
    )
    assert run_command([sys.executable, "-c", code]).out == "[] False\n"


def test_the_examples() -> None:
    workers = ["bruteforce", "prime", "csv_average", "double_queue", "watchdog"]
    servers = ["http_server", "flask_orm", "fastapi_groups"]
    assert list(EXAMPLES) == [*workers, *servers]


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_has_a_description_of_one_line(name: str) -> None:
    module, description = EXAMPLES[name]
    assert "\n" not in description
    assert 20 < len(description) <= 100
    assert (import_module(module).__doc__ or "").strip()


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = import_module(EXAMPLES[name][0])
    assert module.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: eisenmp examples {name} ")
    assert (module.__doc__ or "").splitlines()[0] in out


@pytest.mark.parametrize("name", EXAMPLES)
def test_bad_usage_is_exit_code_2(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_module(EXAMPLES[name][0]).main(["--nonsense", "1"]) == 2
    assert f"eisenmp examples {name}: error: " in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_number_of_workers_is_a_whole_number(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_module("eisenmp.examples.bruteforce").main(["REED", "--procs-max", text]) == 2
    assert "whole number of at least 1" in capsys.readouterr().err


def test_a_setting_of_the_environment_that_is_wrong_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EISENMP_PROCS_MAX", "many")
    ended = run("prime")
    assert ended.code == 2
    assert ended.err.startswith("eisenmp examples prime: EISENMP_PROCS_MAX must be a whole number")
    assert ended.err.count("\n") == 1
