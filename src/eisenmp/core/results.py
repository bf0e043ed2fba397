"""The results of one feed: by ticket, each once; as they come or in order; what is missing."""

from __future__ import annotations

from collections import deque

from .record import NamedTuple
from .ticket import Ticket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Result(NamedTuple):
    """What a worker made of a chunk: `for ticket, value in feed`."""

    ticket: Ticket
    value: Any


class Failure(NamedTuple):
    """A chunk that was given up: its rows, error, cause, how often it was tried; the worker's last words.

    `output_tail`: the last 20 lines that it printed. `stack`: where its threads were, if it could say.
    """

    ticket: Ticket
    rows: Any
    error: BaseException
    cause: str
    attempts: int
    output_tail: str = ""
    stack: str = ""


class Run(list["Any"]):
    """The outputs of consecutive tickets, one each."""


class Results:
    """Takes what finishes under its number and gives it out once.

    `ordered` holds back what comes early. One thread puts in, another one takes out: whoever finds that all
    are finished finds them ready, too.
    """

    __slots__ = (
        "_early", "_gaps", "_order_next", "_passed", "_popped", "_ready", "_seen_below", "failed",
        "finished", "kept", "ordered",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ordered = False
        self.kept = True  #: False: nobody will iterate, results are dropped as they come
        self.finished = 0
        self.failed: list[int] = []  #: numbers of chunks that were given up
        self._ready: deque[tuple[int, Any]] = deque()
        self._early: dict[int, Any] = {}
        self._order_next = 0
        # what is not finished is kept, not what is: one chunk may hang while millions pass it
        self._seen_below = 0  # every number below is finished, but for the gaps
        self._gaps: set[int] = set()
        # one is counted by the thread that iterates, the other by the dispatcher: no count has two writers
        self._popped = 0
        self._passed = 0

    @property
    def taken(self) -> int:
        """How many were given out, dropped or failed: the feeder stays a bounded number ahead of it."""
        return self._popped + self._passed

    def add(self, number: int, outputs: Any) -> bool:
        """A chunk is done; False when that number was finished before."""
        if not self._finish(number):
            return False
        if not self.kept:
            self._passed += 1
        elif self.ordered:
            self._early[number] = outputs
            self._advance()
        else:
            self._ready.append((number, outputs))
        self.finished += 1
        return True

    def add_all(self, first: int, outputs: list[Any]) -> bool:
        """Consecutive chunks are done, with one output each; False, and no change, if they are not new."""
        seen, end = self._seen_below, first + len(outputs)
        if first >= seen:
            if first > seen:
                self._gaps.update(range(seen, first))
            self._seen_below = end
        elif self._gaps.issuperset(range(first, end)):
            self._gaps.difference_update(range(first, end))
        else:
            return False
        if not self.kept:
            self._passed += len(outputs)
        elif self.ordered:
            self._early[first] = Run(outputs)
            self._advance()
        else:
            self._ready.append((first, Run(outputs)))
        self.finished += len(outputs)
        return True

    def fail(self, number: int) -> bool:
        """A chunk is given up; False when that number was finished before."""
        if not self._finish(number):
            return False
        self.failed.append(number)
        self._passed += 1
        if self.ordered and self.kept:
            self._early[number] = _SKIPPED
            self._advance()
        self.finished += 1
        return True

    def order(self) -> None:
        """From now on give out in order of the tickets. Raises RuntimeError once a result was given out."""
        if self.ordered:
            return
        if self._popped:
            raise RuntimeError("results were given out already, not in order")
        self.ordered = True
        for number, outputs in self._ready:
            self._early[number] = outputs
        for number in self.failed:
            self._early[number] = _SKIPPED
        self._ready.clear()
        self._advance()

    def open_window(self) -> None:
        """Nobody iterates: drop what waits and whatever comes."""
        self.kept = False
        self._passed += sum(_tickets(outputs) for _, outputs in self._ready)
        self._passed += sum(_tickets(outputs) for outputs in self._early.values())
        self._ready.clear()
        self._early.clear()

    def __contains__(self, number: int) -> bool:
        """Whether the chunk is finished."""
        return number < self._seen_below and number not in self._gaps

    @property
    def ready(self) -> bool:
        return bool(self._ready)

    def pop(self) -> tuple[int, Any]:
        """The next (number, outputs); raises IndexError when none is ready.

        The outputs of a Run, of this number and those that follow, are given out one by one: `gave` each.
        """
        entry = self._ready.popleft()
        if entry[1].__class__ is not Run:
            self._popped += 1
        return entry

    def gave(self) -> None:
        """Another output of the Run was given out."""
        self._popped += 1

    def cut_back(self, number: int) -> None:
        """There are no chunks from this number on, whatever was said of them; not for a feed with Runs."""
        behind = [known for known in range(number, self._seen_below) if known not in self._gaps]
        self._gaps = {known for known in self._gaps if known < number}
        self._seen_below = min(self._seen_below, number)
        self.finished -= len(behind)
        lost = [known for known in self.failed if known >= number]
        self.failed = [known for known in self.failed if known < number]
        self._passed -= len(lost)
        for known in [known for known in self._early if known >= number]:
            del self._early[known]
        for entry in list(self._ready):
            if entry[0] >= number:
                try:
                    self._ready.remove(entry)
                except ValueError:
                    pass  # it was given out meanwhile

    def close_gaps(self) -> None:
        """What is missing will not come: give out what was held back for it, in order."""
        self._ready.extend((n, self._early[n]) for n in sorted(self._early) if self._early[n] is not _SKIPPED)
        self._early.clear()

    def missing(self, cut: int) -> list[int]:
        """The numbers below `cut` that are not finished."""
        seen = self._seen_below  # first: other threads ask, while gaps come before it moves on
        return [*sorted(number for number in self._gaps.copy() if number < min(seen, cut)), *range(seen, cut)]

    def _finish(self, number: int) -> bool:
        seen = self._seen_below
        if number >= seen:
            if number > seen:
                self._gaps.update(range(seen, number))
            self._seen_below = number + 1
        elif number in self._gaps:
            self._gaps.remove(number)
        else:
            return False
        return True

    def _advance(self) -> None:
        early = self._early
        while self._order_next in early:
            outputs = early.pop(self._order_next)
            if outputs is not _SKIPPED:
                self._ready.append((self._order_next, outputs))
                if outputs.__class__ is Run:
                    self._order_next += len(outputs)
                    continue
            self._order_next += 1


def _tickets(outputs: Any) -> int:
    """How many tickets wait to be given out with these outputs."""
    if outputs.__class__ is Run:
        return len(outputs)
    return int(outputs is not _SKIPPED)


_SKIPPED = object()
