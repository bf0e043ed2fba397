"""Objects to bytes and back, protocol 5; and which attribute it is that cannot be pickled."""

from __future__ import annotations

from _pickle import PicklingError, loads
from _pickle import dumps as _dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

PROTOCOL = 5
MAIN = b"\x8c\x08__main__"  #: how a pickle names the module of what it will look up there
LOOK_UP = 0x93  #: the opcode that does so; one byte, as a number, is found eight times as fast as bytes
DEPTH_MAX = 6

__all__ = ["Unpicklable", "blame", "by_value", "dumps", "loads"]


class Unpicklable(TypeError):
    """An object that cannot be sent; `path` names the attribute or item that is the reason."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path

    def __reduce__(self) -> tuple[type[Unpicklable], tuple[str, str]]:
        return Unpicklable, (str(self), self.path)


def dumps(obj: Any, what: str = "object") -> bytes:
    """Pickle; raises Unpicklable that says which part of `what` is the reason.

    What is defined in `__main__` goes by value, since workers do not import the program.
    """
    try:
        body = _dumps(obj, PROTOCOL)
    except Exception as error:  # a user's __reduce__ may raise anything
        if isinstance(error, PicklingError | AttributeError) and "__main__" in str(error):
            return by_value(obj, what)
        path, reason = blame(obj, what, error)
        raise Unpicklable(f"{path} cannot be pickled: {reason}", path) from error
    return by_value(obj, what) if LOOK_UP in body and MAIN in body and _refers_to_main(body) else body


def _refers_to_main(body: bytes) -> bool:
    """Whether the pickle looks something up in `__main__`; it may also hold the name as data."""
    from pickletools import genops

    texts: list[object] = []
    memo: dict[object, object] = {}
    for opcode, argument, _ in genops(body):
        if opcode.name == "STACK_GLOBAL" and "__main__" in texts[-2:-1]:
            return True
        if opcode.name == "MEMOIZE":
            memo[len(memo)] = texts[-1] if texts else None
        elif opcode.name in ("BINGET", "LONG_BINGET"):
            texts.append(memo.get(argument))
        else:
            texts.append(argument)
        del texts[:-2]
    return False


def by_value(obj: Any, what: str = "object") -> bytes:
    """Pickle with the code of all functions and classes that are defined in `__main__`."""
    try:
        from cloudpickle import dumps as pickle
    except ImportError as error:
        raise Unpicklable(
            f"{what} has something in it that is defined in __main__, which workers do not import: "
            "sending it takes the library cloudpickle, which is not installed; install it, "
            "or define it in a module"
        ) from error
    try:
        body: bytes = pickle(obj, PROTOCOL)
    except Exception as error:  # as above
        path, reason = blame(obj, what, error, pickle)
        raise Unpicklable(f"{path} cannot be pickled: {reason}", path) from error
    return body


def blame(
    obj: Any, what: str, error: BaseException, pickle: Callable[..., bytes] = _dumps
) -> tuple[str, str]:
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
    elif type(obj).__module__.startswith("multiprocessing."):
        return  # what its parts are called says nothing to a user
    elif not isinstance(obj, type) and hasattr(obj, "__dict__"):
        for name, value in vars(obj).items():
            yield f".{name}", value
