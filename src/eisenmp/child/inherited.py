"""What a worker makes of multiprocessing objects in its variables; imported only by their pickles."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Inherited:
    """A descriptor that this process was started with, under the number that it has in the manager."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def detach(self) -> int:
        """The number, for whoever owns the descriptor from now on."""
        return self.descriptor


def adopt_tracker(descriptor: int) -> None:
    """What is unpickled after this is in the care of the manager's tracker of segments and semaphores.

    One of this process would unlink them when the process ends.
    """
    from multiprocessing import resource_tracker

    tracker: Any = resource_tracker._resource_tracker
    if tracker._fd is None:
        tracker._fd = descriptor


def after(adopted: None, variables: object) -> object:
    """The variables, which are unpickled after the first argument."""
    return variables
