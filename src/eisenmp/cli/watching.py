"""`eisenmp serve --reload`: a reload whenever a Python file of the application changes."""

from __future__ import annotations

import os
import threading

from ..errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

CALM = 50  #: milliseconds without a change: whoever saves several files means one reload
PATIENCE = 200  #: milliseconds; a change is told by then, and the first look takes as long


def folders_of(app: object) -> list[str]:
    """Where the files of an application are: beside 'file.py:name', and the working directory."""
    found = [os.getcwd()]
    path = str(app).rpartition(":")[0]
    if path.endswith(".py"):
        folder = os.path.dirname(os.path.abspath(path))
        if os.path.commonpath([folder, found[0]]) != found[0]:
            found.append(folder)
    return found


class Watching:
    """Calls, in a thread of its own, from `with` to its end. Raises SettingsError without watchfiles."""

    def __init__(self, folders: Sequence[str], changed: Callable[[list[str]], None]) -> None:
        try:
            import watchfiles
        except ImportError as error:
            raise SettingsError("--reload needs watchfiles: pip install 'eisenmp[servers]'") from error
        self._over = threading.Event()
        self._changed = changed
        self._changes = watchfiles.watch(
            *folders,
            watch_filter=watchfiles.PythonFilter(),
            stop_event=self._over,
            step=CALM,
            debounce=PATIENCE,
            rust_timeout=PATIENCE,
            yield_on_timeout=True,
            raise_interrupt=False,
        )
        self._thread = threading.Thread(target=self._watch, name="eisenmp-watching", daemon=True)
        # the folders are watched from the first turn on: what changes after this is seen
        next(self._changes)

    def _watch(self) -> None:
        for changes in self._changes:
            if changes:
                self._changed(sorted({path for _, path in changes}))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
