"""Which slots of a group get its connections: the sockets of all groups, and how the kernel shares them."""

from __future__ import annotations

from ..core.ports import check_groups
from ..engine.cpus import usable_cores
from ..errors import SettingsError
from ..servers.listening import Listener, adapters
from ..servers.steering import steer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

    from ..core.ports import PortGroup, Seat
    from .server_slot import ServerSlot


class Rotation:
    """The port groups of one manager. Raises SettingsError for groups that cannot be had."""

    def __init__(self, groups: Sequence[PortGroup]) -> None:
        self.groups = {group.name: group for group in groups}
        self._shares: dict[str, tuple[int, float]] = {}
        known = adapters() if any(group.adapter for group in groups) else {}
        check_groups(groups, known, usable_cores())
        self._listeners = {group.name: Listener(group, group.addresses(known)) for group in groups}

    def check(self, name: str) -> None:
        """Raise SettingsError where there is no such group."""
        if name not in self.groups:
            raise SettingsError(f"there is no port group {name!r}; there are {', '.join(self.groups)}")

    def open(self, seat: Seat) -> list[socket]:
        """The sockets of a slot, which listen from now on. Raises PortInUse and SettingsError."""
        return self._listeners[seat.group].open(seat)

    def close(self) -> None:
        """Nobody listens any more."""
        for listener in self._listeners.values():
            listener.close()

    def share(self, name: str, place: int, part: float) -> None:
        """From the next `steer` on, the slot at this place gets that part of the connections."""
        group = self.groups[name]
        if not (group.shared and 0 < part < 1):
            raise SettingsError(
                f"canary is a share between 0 and 1 of a shared port with several slots; "
                f"group {name!r} cannot give {part!r}"
            )
        self._shares[name] = (place, part)

    def share_alike(self, name: str) -> None:
        """No slot gets a part of its own any more."""
        self._shares.pop(name, None)

    def steer(self, name: str, members: Sequence[ServerSlot]) -> None:
        """Have connections to a shared port come to those of the group's slots that take them."""
        group, listener = self.groups[name], self._listeners[name]
        if not (group.shared and listener.own):
            return
        active = [place for place, server in enumerate(members) if server.takes]
        cores = [next(iter(server.seat.cores), None) for server in members]
        for place in range(len(listener.addresses)):
            steer(
                listener.group_sockets(place),
                group.steer,
                active,
                cores=cores,
                share=self._shares.get(name),
            )
