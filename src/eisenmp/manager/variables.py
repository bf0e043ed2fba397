"""The variables of the configuration on their way to the workers."""

from __future__ import annotations

import sys

from ..core.record import NamedTuple
from ..errors import SettingsError
from ..wire.pickles import Unpicklable, dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..engine.base import Engine


class Packed(NamedTuple):
    """The pickle, and descriptors that workers have to inherit; the receiver closes them."""

    body: bytes
    descriptors: tuple[int, ...] = ()


def pack_variables(variables: dict[str, Any], engine: Engine) -> Packed:
    """Pickle them. SettingsError names the variable, and the path in it, that cannot be sent."""
    body, failed = b"", None
    try:
        body = dumps(variables, "variables")
    except Unpicklable as error:
        failed = error
    if "multiprocessing" in sys.modules and getattr(engine, "inherits", False):
        from . import spawning

        if failed is not None or spawning.needed(body):
            try:
                return Packed(*spawning.dumps_inherited(variables, "variables"))
            except Unpicklable as error:
                failed = error
    if failed is not None:
        raise SettingsError(str(failed)) from failed
    return Packed(body)
