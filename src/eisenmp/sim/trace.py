"""What a run did, one line for each step: virtual time, who, what, with which ticket."""

from __future__ import annotations

from ..core import messages as m
from ..wire.pickles import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.messages import Message

FLAGS = ("LAST", "LISTED", "FINAL", "HEADED", "NOWAIT", "CAREFUL", "LEAVING", "TITLED")
KINDS = {
    number: name
    for name, number in vars(m).items()
    if isinstance(number, int)
    and name not in FLAGS
    and not name.startswith(("ORDER_", "ASK_", "LEFT_", "FOR_"))
}
ORDERS = {number: name for name, number in vars(m).items() if name.startswith("ORDER_")}
QUESTIONS = {number: name for name, number in vars(m).items() if name.startswith("ASK_")}


class Trace:
    """Lines as they come; `feeds` tells what the serial numbers of feeds are called in this run."""

    def __init__(self, feeds: Mapping[int, str]) -> None:
        self.lines: list[str] = []
        self._feeds = feeds

    def add(self, now: float, who: str, what: str) -> None:
        self.lines.append(f"{now:14.6f}  {who:<10} {what}")

    def message(self, message: Message) -> str:
        """In words: what a message says."""
        kind, queue, a, b, c, flags, body = message
        name = KINDS.get(kind, str(kind))
        if kind == m.CHUNK:
            return f"{name} ticket {b} of {self._feeds.get(c, 'nothing')} (lease {a}, queue {queue})"
        if kind == m.CHUNKS:
            last = b + len(loads(body)) - 1
            return (
                f"{name} tickets {b} to {last} of {self._feeds.get(c, 'nothing')} (lease {a}, queue {queue})"
            )
        if kind == m.OUTPUTS:
            return f"{name} FINAL leases {a} to {a + b - 1}"
        if kind == m.CONTROL:
            return f"{ORDERS[a]} queue {queue} lease {b} count {c}"
        if kind == m.REQUEST:
            return f"{name} {ORDERS[a]}"
        if kind == m.WANT:
            return f"{name} {b} of queue {queue}"
        if kind == m.ASK:
            return f"{QUESTIONS[b]} (request {a}) queue {queue}"
        if kind in (m.DONE, m.BACK):
            return f"{name} queue {queue} leases {leases(body)}{_ends(flags)}"
        if kind == m.OUTPUT:
            return f"{name}{' FINAL' if flags & m.FINAL else ''} lease {a}{_ends(flags)}"
        return f"{name} queue {queue} a {a} b {b} c {c} flags {flags}"


def _ends(flags: int) -> str:
    return " LEAVING" if flags & m.LEAVING else ""


def leases(body: bytes) -> list[int]:
    """The leases in the body of DONE or BACK."""
    return [int.from_bytes(body[start : start + 8], "little") for start in range(0, len(body), 8)]
