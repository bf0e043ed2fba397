"""What holds for every test: nothing is left behind, nothing is skipped in silence."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis.internal.conjecture import providers

from tests import leaks, surroundings
from tests.order import in_order
from tests.skips import LIST, SkipGate, read_allowed

LEFT = "left behind"  #: in what a process that runs some of the tests tells at its end

# A deadline is an upper bound on elapsed time, and so is the health check of slow data.
hypothesis.settings.register_profile(
    "eisenmp", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("eisenmp")
# Else its examples depend on the constants of all modules that happen to be there, and no seed repeats them.
vars(providers).update(_get_local_constants=lambda: providers._local_constants)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SkipGate(read_allowed(config.rootpath / LIST)), "skip-gate")
    config.pluginmanager.register(SessionGuard(), "session-guard")
    leaks.adopt_orphans()
    defaults = {signal.SIGINT: signal.default_int_handler}
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        default = defaults.get(number, signal.SIG_DFL)
        # ignored signals are inherited: a suite in the background, or under nohup, would run programs deaf to them
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)
    # Settings of whoever runs the tests must not change what they see; the portable path is chosen so.
    for name in [name for name in os.environ if name.startswith("EISENMP_")]:
        if name != "EISENMP_PORTABLE":
            del os.environ[name]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = in_order(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def pytest_collection_finish() -> None:
    # All that the tests are made of stays. The collector, which a look for leaks calls, need not look at it.
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def leak_guard() -> Iterator[None]:
    """After the test and its fixtures: no child, thread, descriptor or memory region may be new.

    Directory, environment, sys.path and signal handlers are as they were.
    """
    around = surroundings.look()
    before = leaks.snapshot()
    yield
    found = leaks.leaked(before, leaks.GRACE)
    changed = surroundings.changed(around)
    if found or changed:
        leaks.clean_up(before)
        surroundings.put_back(around)
        pytest.fail("\n".join(["left behind:", *map(str, found), *changed]), pytrace=False)


@pytest.fixture(autouse=True, scope="module")
def worker_files_are_forgotten() -> Iterator[None]:
    """What workers inside this process have imported is not found by the tests of another file."""
    before = surroundings.imports()
    yield
    surroundings.forget_worker_files(before)


class SessionGuard:
    """Plugin that sees what fixtures of a module or session leave behind; no single test is to blame.

    Of several processes that share the tests, each looks at itself and tells the one that started it.
    """

    def __init__(self) -> None:
        self.before = leaks.snapshot()
        self.found: list[str] = []

    def pytest_sessionstart(self) -> None:
        self.before = leaks.snapshot()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        # one that has crashed has no output
        told = getattr(node, "workeroutput", {}).get(LEFT, ())
        self.found += [f"{node.gateway.id}: {leak}" for leak in told]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # A test that failed by its own leak has said so; what could not be undone is not told twice.
        if session.exitstatus == pytest.ExitCode.OK:
            self.found += map(str, leaks.leaked(self.before, leaks.GRACE))
        # A process that was ended over a test that hangs leaves what it had started.
        leaks.clean_up(self.before)
        if self.found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[LEFT] = self.found

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.found:
            terminalreporter.section("left behind by fixtures of a module or session", red=True)
        for leak in self.found:
            terminalreporter.line(leak, red=True)
