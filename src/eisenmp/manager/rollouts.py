"""Reloads of port groups: one slot after the other gets a new process."""

from __future__ import annotations

from ..core import slots as s
from ..core.rollout import Rollout
from ..errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .fleet import Fleet
    from .server_slot import ServerSlot


class Rollouts:
    """The last reload of each group. Under the lock of the loop."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._last: dict[str, Rollout] = {}
        self._again: set[str] = set()  # to be reloaded once more: what is loaded now may be old already

    def running(self, group: str) -> bool:
        """Whether the group is being reloaded."""
        last = self._last.get(group)
        return last is not None and not last.over

    def begin_or_repeat(self, group: str) -> None:
        """Reload the group, once more after the reload that is running."""
        if self.running(group):
            self._again.add(group)
        else:
            self._fleet.reload(group)

    def begin(self, group: str, canary: float | None = None) -> Rollout:
        """Replace the processes of the group; with `canary`, of one slot, which gets that share."""
        fleet = self._fleet
        members = [each for each in fleet.members(group) if each.machine.phase != s.STOPPED]
        if self.running(group):
            raise SettingsError(f"group {group!r} is being reloaded already")
        if canary is None:
            fleet.rotation.share_alike(group)
        else:
            if len(members) < 2:
                raise SettingsError(f"canary is a share of several slots; group {group!r} has {len(members)}")
            fleet.rotation.share(group, members[-1].seat.place, canary)
            members = members[-1:]
        fleet.steer(group)
        fleet.spares.renew(group)
        rollout = self._last[group] = Rollout([server.number for server in members])
        self._advance(rollout)
        return rollout

    def _advance(self, rollout: Rollout) -> None:
        number = rollout.next()
        if number is not None:
            self._fleet.handle(self._fleet.find(number), s.Replace("reload"))

    def broke(self, server: ServerSlot, cause: str) -> None:
        """The new process of the slot has never served."""
        for rollout in self._last.values():
            rollout.failed(server.number, f"{server.name}: {cause}")

    def look(self, server: ServerSlot) -> None:
        """The slot has changed: is the next one due?"""
        machine = server.machine
        if machine.phase == s.FAILED:
            self.broke(server, machine.cause)
        elif machine.settled:
            for rollout in list(self._last.values()):
                if rollout.served(server.number):
                    self._advance(rollout)
        for group in [group for group in self._again if not self.running(group)]:
            self._again.discard(group)
            self._fleet.reload(group)
