"""One server slot: its seat, its sockets, and its state machine."""

from __future__ import annotations

from ..core import slots as s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

    from ..core.ports import Seat
    from .crew import Slot


class ServerSlot:
    """What stays while processes come and go; `processes` by the numbers of the machine."""

    def __init__(self, number: int, seat: Seat, sockets: Sequence[socket], policy: s.Policy) -> None:
        self.number = number  #: in the crew, START_SEQUENCE_NUM of its processes
        self.seat = seat
        self.sockets = sockets
        self.machine = s.SlotMachine(policy)
        self.processes: dict[int, Slot] = {}
        self.armed = float("inf")  #: when the timer of the machine rings
        self.restarts = 0
        self.takes = False  #: connections are to come to it
        self.tail: list[str] = []  #: what the process that ended last wrote last

    @property
    def name(self) -> str:
        """'blue/0'."""
        return self.seat.name

    @property
    def listens(self) -> tuple[str, ...]:
        """'127.0.0.1:13000', '[::1]:13000'."""
        places = [each.getsockname()[:2] for each in self.sockets]
        return tuple(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in places)

    @property
    def pid(self) -> int:
        current = self.machine.current
        slot = None if current is None else self.processes.get(current.number)
        return 0 if slot is None else slot.pid

    def is_coming(self, process: int) -> bool:
        """Whether the process has not served yet."""
        present = (self.machine.current, self.machine.successor)
        return any(each is not None and each.number == process and each.phase in s.COMING for each in present)
