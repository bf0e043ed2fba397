"""What a worker makes of multiprocessing objects that came with its variables; imported only by their pickles."""

from __future__ import annotations


class Inherited:
    """A descriptor that this process was started with, under the number that it has in the manager."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def detach(self) -> int:
        """The number, for whoever owns the descriptor from now on."""
        return self.descriptor


def with_tracker(descriptor: int, variables: object) -> object:
    """The variables; segments and semaphores that they name stay in the care of the manager's tracker.

    One of this process would unlink them when the process ends.
    """
    from multiprocessing import resource_tracker

    tracker = resource_tracker._resource_tracker
    if tracker._fd is None:
        tracker._fd = descriptor
    return variables
