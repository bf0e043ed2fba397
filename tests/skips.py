"""A skipped or xfailed test fails the run unless the allow-list names it with a reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

LIST = Path(".ci/allowed-skips")


class Allowed(NamedTuple):
    """One line of the allow-list: `pattern  # reason`; in the pattern only `*` is special."""

    pattern: str
    reason: str

    def covers(self, nodeid: str) -> bool:
        # Not fnmatch: the brackets of a parameter are text.
        return re.fullmatch(".*".join(map(re.escape, self.pattern.split("*"))), nodeid) is not None


def read_allowed(path: Path) -> tuple[Allowed, ...]:
    """The lines of the allow-list; a line without a reason is a `pytest.UsageError`."""
    allowed = []
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else (), 1):
        pattern, _, reason = (part.strip() for part in line.partition("# "))
        if not pattern and (reason or line.strip() in {"", "#"}):
            continue  # a comment or an empty line
        if not pattern or not reason:
            raise pytest.UsageError(f"{path}:{number}: expected `node id pattern  # reason`, got {line!r}")
        allowed.append(Allowed(pattern, reason))
    return tuple(allowed)


class SkipGate:
    """Plugin that collects skips and turns the run red for each one that nobody allowed."""

    def __init__(self, allowed: tuple[Allowed, ...]) -> None:
        self.allowed = allowed
        self.refused: list[tuple[str, str]] = []

    def note(self, nodeid: str, reason: str) -> None:
        if not any(line.covers(nodeid) for line in self.allowed):
            self.refused.append((nodeid, reason))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.note(report.nodeid, _reason(report))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.note(report.nodeid, _reason(report))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.refused and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.refused:
            return
        terminalreporter.section(f"skipped without leave ({LIST})", red=True)
        for nodeid, reason in self.refused:
            terminalreporter.line(f"{nodeid}: {reason}", red=True)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if hasattr(report, "wasxfail"):
        return f"xfail: {report.wasxfail}"
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
