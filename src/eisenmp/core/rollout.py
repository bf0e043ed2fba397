"""One slot after the other gets a new process; the first start that fails ends it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Rollout:
    """The slots that are still to be replaced, and the one that is being replaced.

    `next()` names the slot to replace now. `served(slot)` and `failed(slot, cause)` say how that went.
    """

    def __init__(self, slots: Iterable[int]) -> None:
        self.waiting = list(slots)
        self.running: int | None = None
        self.done: list[int] = []
        self.cause = ""  #: why it was broken off

    @property
    def over(self) -> bool:
        return self.running is None and not self.waiting

    def next(self) -> int | None:
        """The slot whose turn it is; None while one is running, and at the end."""
        if self.running is not None or not self.waiting:
            return None
        self.running = self.waiting.pop(0)
        return self.running

    def served(self, slot: int) -> bool:
        """A new process serves and the old one is gone; whether that was the slot waited for."""
        if slot != self.running:
            return False
        self.running = None
        self.done.append(slot)
        return True

    def failed(self, slot: int, cause: str) -> bool:
        """The new process has never served: the others keep theirs too."""
        if slot != self.running:
            return False
        self.running, self.waiting, self.cause = None, [], cause
        return True
