"""Who wants to know what happens."""

from __future__ import annotations

from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Subscribers:
    """Calls by event type. No event object is made for a type that nobody subscribed to."""

    def __init__(self) -> None:
        self._calls: dict[str, list[Callable[[Any], None]]] = {}  # the lists are replaced, never changed
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, event_type: type[Any], call: Callable[[Any], None]) -> None:
        name = event_type.__name__
        with self._lock:
            self._calls[name] = [*self._calls.get(name, ()), call]

    def remove(self, event_type: type[Any], call: Callable[[Any], None]) -> None:
        """It is not called any more."""
        name = event_type.__name__
        with self._lock:
            left = [each for each in self._calls.get(name, ()) if each != call]
            if left:
                self._calls[name] = left
            else:
                self._calls.pop(name, None)

    def emit(self, name: str, values: tuple[Any, ...]) -> None:
        """Make the event of that name and hand it to those who want it, or any event."""
        calls = [*self._calls.get(name, ()), *self._calls.get("Event", ())]
        if calls:
            from . import events

            event = getattr(events, name)(*values)
            for call in calls:
                call(event)
