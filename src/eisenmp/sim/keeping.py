"""Objects that a dead worker had taken: they wait for the next one in its slot, in order."""

from __future__ import annotations

from .violation import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..core.ledger import Ledger, Parcel
    from ..manager.crew import Slot


class Keeping:
    """What is kept for which slot."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], list[Parcel]] = {}  # slot, queue

    def died(self, slot: int, held: Iterable[Parcel]) -> None:
        """A worker of the slot is gone that nobody told to leave."""
        objects: dict[int, list[Parcel]] = {}
        for parcel in held:
            if not parcel.feed:
                objects.setdefault(parcel.queue, []).append(parcel)
        for queue, parcels in objects.items():
            self._kept[slot, queue] = parcels + self._kept.get((slot, queue), [])

    def closed(self, slot: int) -> None:
        """Nobody follows in the slot: what was kept for it is everybody's."""
        for key in [key for key in self._kept if key[0] == slot]:
            del self._kept[key]

    def given_up(self, parcel: Parcel) -> None:
        """It waits for nobody any more."""
        for key, kept in list(self._kept.items()):
            if parcel in kept:
                kept.remove(parcel)
                if not kept:
                    del self._kept[key]

    def leased(self, slot: int, parcel: Parcel, slots: list[Slot]) -> None:
        if not self._kept:
            return
        for key in [key for key in self._kept if slots[key[0]].retired]:
            del self._kept[key]
        mine = self._kept.get((slot, parcel.queue))
        if mine:
            check(parcel is mine[0], "kept for its slot, and comes first", f"slot {slot}")
            self.given_up(parcel)
        else:
            is_kept = any(parcel in kept for kept in self._kept.values())
            check(not is_kept, "kept for its slot", f"not slot {slot}")

    def check(self, ledger: Ledger, slots: list[Slot]) -> None:
        """Nothing is kept for a slot that will have no worker."""
        if not self._kept and not ledger._placement._kept:
            return
        for key in [key for key in self._kept if slots[key[0]].over]:
            del self._kept[key]
        for slot, _ in ledger._placement._kept:
            # one whose start was refused is closed when its next start would be due
            is_open = slot < len(slots) and (not slots[slot].over or slots[slot].start_failures)
            check(is_open, "kept for its slot", f"slot {slot} is closed")
