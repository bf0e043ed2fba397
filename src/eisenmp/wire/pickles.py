"""Objects to bytes and back, protocol 5; and which attribute it is that cannot be pickled."""

from __future__ import annotations

from _pickle import dumps as _dumps
from _pickle import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

PROTOCOL = 5
DEPTH_MAX = 6

__all__ = ["Unpicklable", "blame", "dumps", "loads"]


class Unpicklable(TypeError):
    """An object that cannot be sent; `path` names the attribute or item that is the reason."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path

    def __reduce__(self) -> tuple[type[Unpicklable], tuple[str, str]]:
        return Unpicklable, (str(self), self.path)


def dumps(obj: Any, what: str = "object") -> bytes:
    """Pickle; raises Unpicklable that says which part of `what` is the reason."""
    try:
        return _dumps(obj, PROTOCOL)
    except Exception as error:  # a user's __reduce__ may raise anything
        path, reason = blame(obj, what, error)
        raise Unpicklable(f"{path} cannot be pickled: {reason}", path) from error


def blame(obj: Any, what: str, error: BaseException, pickle: Callable[..., bytes] = _dumps) -> tuple[str, str]:
    """The path to the smallest part of `obj` that cannot be pickled, and the reason."""
    path = what
    for _ in range(DEPTH_MAX):
        for step, part in _parts(obj):
            try:
                pickle(part, PROTOCOL)
            except Exception as part_error:  # as above
                obj, path, error = part, path + step, part_error
                break
        else:
            break
    return path, f"{type(error).__name__}: {error}"


def _parts(obj: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(obj, dict):
        for key, value in obj.items():
            yield f"[{key!r}]", value
            yield f".key({key!r})", key
    elif isinstance(obj, list | tuple):
        for index, value in enumerate(obj):
            yield f"[{index}]", value
    elif isinstance(obj, set | frozenset):
        for value in obj:
            yield f".item({value!r})", value
    elif not isinstance(obj, type) and hasattr(obj, "__dict__"):
        for name, value in vars(obj).items():
            yield f".{name}", value
