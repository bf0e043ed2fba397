"""The end of a manager whose keepers have ended: a keeper that was killed could not remove its containers."""

from __future__ import annotations

from ..errors import ContainerError

PATIENCE = 10.0  #: seconds for an engine that hangs


def remove_what_is_left() -> None:
    """Remove the containers of dead keepers, where there is an engine; else the next start does."""
    try:
        from .engine import find_engine
        from .leftovers import sweep
    except ImportError:
        return  # then there were none
    try:
        engine = find_engine(patience=PATIENCE)
    except ContainerError:
        return
    try:
        sweep(engine)
    except ContainerError:
        return
    finally:
        engine.close()
