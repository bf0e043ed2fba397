"""Which engine a manager runs on."""

from __future__ import annotations

import sys

from ..errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.settings import Settings
    from ..engine.base import Engine


def make_engine(wanted: str | Engine) -> Engine:
    """The engine object; the module of a named one is imported when it is asked for."""
    if not isinstance(wanted, str):
        return wanted
    if wanted == "local":
        from ..wire.platform import portable

        if sys.platform != "win32" and not portable():
            from ..engine.local import LocalEngine

            return LocalEngine()
        from ..engine.portable import PortableEngine

        return PortableEngine()
    if wanted == "inline":
        from importlib import import_module

        engine: Engine = import_module("eisenmp.testing").InlineEngine()
        return engine
    raise SettingsError(f"engine must be 'local', 'inline' or an engine, not {wanted!r}")


def can_fork(engine: Engine, settings: Settings) -> bool:
    """Whether workers are to be forked; warns where that is wanted and not possible."""
    if settings.start_method != "forkserver":
        return False
    cannot_fork: Callable[[], str] | None = getattr(engine, "cannot_fork", None)
    reason = f"{type(engine).__name__} forks none" if cannot_fork is None else cannot_fork()
    if reason:
        import warnings

        warnings.warn(f"workers are not forked: {reason}", RuntimeWarning, stacklevel=4)
    return not reason
