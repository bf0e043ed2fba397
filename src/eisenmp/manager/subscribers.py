"""Who wants to know what happens."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Subscribers:
    """Calls by event type. No event object is made for a type that nobody subscribed to."""

    def __init__(self) -> None:
        self._calls: dict[str, list[Callable[[Any], None]]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, event_type: type[Any], call: Callable[[Any], None]) -> None:
        self._calls.setdefault(event_type.__name__, []).append(call)

    def remove(self, event_type: type[Any], call: Callable[[Any], None]) -> None:
        """It is not called any more."""
        left = [each for each in self._calls.get(event_type.__name__, ()) if each != call]
        if left:
            self._calls[event_type.__name__] = left
        else:
            self._calls.pop(event_type.__name__, None)

    def emit(self, name: str, values: tuple[Any, ...]) -> None:
        """Make the event of that name and hand it to those who want it, or any event."""
        calls = [*self._calls.get(name, ()), *self._calls.get("Event", ())]
        if calls:
            from . import events

            event = getattr(events, name)(*values)
            for call in calls:
                call(event)
