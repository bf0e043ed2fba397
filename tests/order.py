"""Which tests begin first, so that none of the long ones is alone at the end.

Processes that share the tests get a run of them each, and who has done his takes from the end of another one's:
what takes long stands at the begin of each run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

#: Begins of names, the longest first. All of one entry stay together: they share a fixture that is dear.
LONG = (
    "tests/unit/test_shared_run.py::",
    "tests/faults/test_chaos.py::test_a_short_run[4]",
    "tests/faults/test_chaos.py::test_a_short_run[7]",
    "tests/contract/test_contract.py::test_in_an_interpreter_apart[stripped-",
    "tests/resume/test_killed.py::",
    "tests/containers/test_engines.py::",
    "tests/processes/test_bare_install.py::",
    "tests/examples/test_bruteforce.py::test_a_list_of_2_600_000_words",
    "tests/examples/test_csv_average.py::test_500_mb_over_http_are_streamed",
    *(
        f"tests/properties/test_ledger_machine.py::test_the_ledger_keeps_all_rules[{part}]"
        for part in range(4)
    ),
    "tests/faults/test_causes.py::test_a_start_that_hangs_says_where[forkserver",
    "tests/faults/test_causes.py::test_a_start_that_hangs_says_where[portable",
    "tests/faults/test_causes.py::test_a_start_that_hangs_says_where[spawn-sum",
    "tests/faults/test_causes.py::test_a_start_that_hangs_says_where[spawn-threading",
    "tests/sim/test_campaign.py::",
)


class Named(Protocol):
    @property
    def nodeid(self) -> str: ...


Test = TypeVar("Test", bound=Named)


def in_order(tests: Sequence[Test], processes: int, long: Sequence[str] = LONG) -> list[Test]:
    """All of them: for each process its share of the long ones, then its share of the others."""
    groups: dict[str, list[Test]] = {begin: [] for begin in long}
    others: list[Test] = []
    for test in tests:
        begin = next((begin for begin in long if test.nodeid.startswith(begin)), None)
        (others if begin is None else groups[begin]).append(test)
    found = [group for group in groups.values() if group]
    share = -(-len(others) // processes)
    order: list[Test] = []
    for number in range(processes):
        for group in found[number::processes]:
            order += group
        order += others[number * share : (number + 1) * share]
    return order
