"""The listening sockets of port groups: the manager binds and keeps them, so that no port is ever lost."""

from __future__ import annotations

import errno
import socket
import sys

from ..errors import PortInUse, SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..core.ports import PortGroup, Seat

BACKLOG = 2048


def adapters() -> Mapping[str, Sequence[str]]:
    """The addresses of each network adapter; those that are good on one link only are left out."""
    from psutil import net_if_addrs

    found: dict[str, list[str]] = {}
    for name, entries in net_if_addrs().items():
        own = found.setdefault(name, [])
        for entry in entries:
            if entry.family in (socket.AF_INET, socket.AF_INET6) and not entry.address.startswith("fe80:"):
                own.append(entry.address)
    return found


def steers() -> bool:
    """Whether the kernel shares out the connections of a port among sockets, as we tell it."""
    return sys.platform == "linux"


class Listener:
    """The sockets of one group, on its addresses."""

    def __init__(self, group: PortGroup, addresses: Sequence[str]) -> None:
        self.group = group
        self.addresses = tuple(addresses)
        self.ports: dict[int, int] = {}  # that the system chose for the place of a 0, once and for all
        self.own = not group.shared or steers()  #: each slot has sockets of its own
        self._seats: dict[int, list[socket.socket]] = {}
        self._common: list[socket.socket] = []

    def open(self, seat: Seat) -> list[socket.socket]:
        """The sockets of the slot, which listen from now on. Raises PortInUse and SettingsError."""
        known = self._seats.get(seat.place)
        if known is not None:
            return known
        if not self.own:
            if not self._common:
                self._common = self._bind(seat, several=False)
            return self._common
        self._seats[seat.place] = sockets = self._bind(seat, several=self.group.shared)
        return sockets

    def _bind(self, seat: Seat, *, several: bool) -> list[socket.socket]:
        first = 0 if self.group.shared else seat.place * self.group.servers_per_slot
        sockets: list[socket.socket] = []
        try:
            for place, port in enumerate(seat.ports, first):
                for address in self.addresses:
                    wanted = self.ports.get(place, port)
                    if several and wanted and not self._seats:
                        # the kernel would let us share it with another program of the same user
                        self._listen(address, wanted, several=False).close()
                    made = self._listen(address, wanted, several=several)
                    sockets.append(made)
                    self.ports[place] = made.getsockname()[1]
        except BaseException:
            for each in sockets:
                each.close()
            raise
        return sockets

    def _listen(self, address: str, port: int, *, several: bool) -> socket.socket:
        where = f"group {self.group.name!r}: {address}"
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(
                address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except OSError as error:
            raise SettingsError(f"{where} is no address of this machine: {error}") from error
        made = socket.socket(family, kind, protocol)
        try:
            if sys.platform != "win32":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if several and sys.platform == "linux":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.setblocking(False)
            made.bind(place)
            made.listen(BACKLOG)
        except OSError as error:
            made.close()
            raise _refused(error, where, port) from error
        return made

    def close_seat(self, index: int) -> None:
        """The slot is no more: what waits in its sockets is refused."""
        for each in self._seats.pop(index, ()):
            each.close()

    def group_sockets(self, place: int) -> list[socket.socket]:
        """On a shared port, the sockets of all slots on the address at this place, in the kernel's order."""
        return [self._seats[index][place] for index in sorted(self._seats)]

    def close(self) -> None:
        for each in self._common:
            each.close()
        self._common = []
        for index in list(self._seats):
            self.close_seat(index)


def _refused(error: OSError, where: str, port: int) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return PortInUse(error.errno, f"{where} port {port} is in use{_by(port)}")
    if error.errno == errno.EACCES:
        return SettingsError(f"{where} port {port} is privileged: this user may not listen on it")
    if error.errno == errno.EADDRNOTAVAIL:
        return SettingsError(f"{where} is no address of this machine")
    return SettingsError(f"{where} port {port}: {error.strerror}")


def _by(port: int) -> str:
    """', process 4711 (nginx) listens there', as far as this user may know."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.pid
            if listens and connection.laddr and connection.laddr[1] == port:
                name = psutil.Process(connection.pid).name()
                return f": process {connection.pid} ({name}) listens there"
    except (psutil.Error, OSError):
        return ""
    return ""
