"""Two processes share the tests of a run: what fails, leaks, is skipped or hangs is told as in one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import leaks

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = """
from tests import leaks
from tests.conftest import leak_guard, pytest_configure
leaks.GRACE = 0.1
"""
SHARED = ("-n", "2", "--dist", "worksteal", "-p", "no:cacheprovider")

MIXED = """
import os, pytest

@pytest.mark.parametrize("number", range(4))
def test_passes(number): pass

def test_fails(): assert 1 == 2
def test_leaks(): os.pipe()
def test_skips(): pytest.skip("no such thing")
"""

CARELESS = """
import os, pytest

@pytest.fixture(scope="module")
def careless():
    yield
    os.dup(1)

@pytest.mark.parametrize("number", range(4))
def test_passes(number, careless): pass
"""

HANGS = """
import signal, subprocess, sys
def test_hangs():
    child = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
    with open("child", "w") as file:
        file.write(str(child.pid))
    signal.pause()
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:anyio")
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeconftest(CONFTEST)
    return pytester


def test_what_fails_leaks_or_is_skipped_is_named(project: pytest.Pytester) -> None:
    project.makepyfile(test_it=MIXED)
    project.makepyfile(test_other="import pytest\npytest.skip('not here', allow_module_level=True)")
    result = project.runpytest_subprocess("-ra", *SHARED)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=5, failed=1, errors=1, skipped=2)
    result.stdout.fnmatch_lines_random(
        [
            "FAILED test_it.py::test_fails - assert 1 == 2",
            "ERROR test_it.py::test_leaks - Failed: left behind:",
            "descriptor: * -> pipe:*",
            "*skipped without leave*",
            "test_it.py::test_skips: *no such thing",
            "test_other.py: *not here",
        ]
    )


def test_skips_alone_turn_the_run_red(project: pytest.Pytester) -> None:
    project.makepyfile("import pytest\ndef test_skips(): pytest.skip('why')\ndef test_passes(): pass")
    result = project.runpytest_subprocess("-q", *SHARED)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.outlines[-1].startswith("1 passed, 1 skipped in "), "as in one process"
    result.stdout.fnmatch_lines(["*skipped without leave*", "*::test_skips: *why"])


def test_a_leak_of_a_fixture_of_wider_scope_turns_the_run_red(project: pytest.Pytester) -> None:
    project.makepyfile(CARELESS)
    result = project.runpytest_subprocess(*SHARED)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*left behind by fixtures of a module or session*", "gw?: descriptor: *"])


def test_a_test_that_hangs_is_named_with_its_stack_and_ended_with_its_children(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(test_it=HANGS)
    # the two settings of pyproject.toml, the first of which prints the stacks
    limits = ("-o", "faulthandler_timeout=1", "-o", "timeout=2", "-o", "timeout_method=thread")
    result = project.runpytest_subprocess(*limits, *SHARED, "-n", "1", "--max-worker-restart", "0")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["worker 'gw?' crashed while running 'test_it.py::test_hangs'"])
    result.stderr.fnmatch_lines(["Timeout (0:00:01)!", '*test_it.py", line * in test_hangs'])
    assert leaks.is_gone(int((project.path / "child").read_text()))
