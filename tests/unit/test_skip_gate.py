"""A skip that nobody allowed turns the run red; an allowed one does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.skips import Allowed, read_allowed

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = "from tests.conftest import pytest_configure\n"
SKIPPING = """
import pytest

@pytest.mark.parametrize("letter", ["a", "b"])
def test_skips(letter): pytest.skip("no such " + letter)

@pytest.mark.xfail(reason="known to be wrong")
def test_xfails(): assert False

def test_passes(): pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:anyio")
    pytester.makeconftest(CONFTEST)
    pytester.mkdir(".ci")
    return pytester


def allow(project: pytest.Pytester, *lines: str) -> None:
    (project.path / ".ci" / "allowed-skips").write_text("\n".join(lines) + "\n")


def test_what_is_not_allowed_is_refused_by_name_and_reason(project: pytest.Pytester) -> None:
    project.makepyfile(test_it=SKIPPING)
    project.makepyfile(test_module="import pytest\npytest.skip('not here', allow_module_level=True)")
    allow(
        project,
        "# a comment",
        "",
        "test_it.py::test_skips[[]a]  # no: brackets are text",
        "test_it.py::test_skips[b]  # why",
    )
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*skipped without leave*",
            "test_module.py: *not here",
            "test_it.py::test_skips[[]a]: *no such a",
            "test_it.py::test_xfails: xfail: known to be wrong",
        ]
    )
    result.stdout.no_fnmatch_line("test_it.py::test_skips[[]b]: *")


def test_what_is_allowed_passes(project: pytest.Pytester) -> None:
    project.makepyfile(test_it=SKIPPING)
    allow(project, "test_it.py::test_skips[*]  # needs the letters", "test_it.py::test_x*  # known")
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, skipped=2, xfailed=1)
    result.stdout.no_fnmatch_line("*without leave*")


def test_a_line_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "allowed"
    path.write_text("# fine\ntest_it.py::test_skips\n")
    with pytest.raises(pytest.UsageError, match=r"allowed:2: expected .*test_it\.py::test_skips"):
        read_allowed(path)


def test_the_list_of_this_project_can_be_read() -> None:
    assert all(line.reason for line in read_allowed(ROOT / ".ci" / "allowed-skips"))


def test_a_pattern_covers_whole_node_ids_only() -> None:
    line = Allowed("tests/a.py::test_x[*-1.5]", "why")
    assert line.covers("tests/a.py::test_x[linux-1.5]")
    assert not line.covers("tests/a.py::test_x[linux-1x5]")
    assert not line.covers("tests/a.py::test_x[linux-1.5]_more")
