"""Multiprocessing objects of the user among the variables: queues, locks, events, pipes, shared values.

They travel as they do to a `multiprocessing.Process` of the start method spawn: semaphores by name,
descriptors by inheritance under the same number. That takes the way in which Linux starts workers.

A semaphore of a 'fork' context has no name. It is given one, as long as nobody else can know it yet.
"""

from __future__ import annotations

import os
from _pickle import PicklingError
from io import BytesIO

from ..child.inherited import Inherited, adopt_tracker, after
from ..wire.pickles import MAIN, PROTOCOL, Unpicklable, blame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: what plain pickles name that needs more than to be unpickled elsewhere: a key, or the tracker
MARKS = (b"multiprocessing.connection", b"multiprocessing.managers", b"multiprocessing.shared_memory")


class Spawning:
    """What multiprocessing takes for the process that is being started: it is asked for descriptors."""

    DupFd = Inherited

    def __init__(self) -> None:
        self.descriptors: list[int] = []

    def duplicate_for_child(self, descriptor: int) -> int:
        """A copy, kept for workers that start later: the program may close its own."""
        from ..engine.process import high

        kept = high(os.dup(descriptor))
        self.descriptors.append(kept)
        return kept

    def close(self) -> None:
        while self.descriptors:
            os.close(self.descriptors.pop())


def needed(body: bytes) -> bool:
    """Whether a plain pickle that has worked would not do in another process."""
    return any(mark in body for mark in MARKS)


def dumps_inherited(obj: Any, what: str) -> tuple[bytes, tuple[int, ...]]:
    """Pickle for processes that are yet to be started; with it come descriptors that they have to inherit.

    The caller closes the descriptors in the end. Raises Unpicklable that names the path.
    """
    from importlib import import_module

    context: Any = import_module("multiprocessing.context")
    spawning = Spawning()
    tracked = Tracked(obj, spawning) if tracker_runs() else obj
    context.set_spawning_popen(spawning)
    try:
        body = _dumps(tracked, spawning)
    except Exception as error:  # a user's __reduce__ may raise anything
        path, reason = blame(obj, what, error, lambda part, protocol: _dumps(part, spawning))
        spawning.close()
        raise Unpicklable(f"{path} cannot be pickled: {reason}", path) from error
    finally:
        context.set_spawning_popen(None)
    return body, tuple(spawning.descriptors)


class Tracked:
    """The variables, behind the resource tracker."""

    def __init__(self, variables: Any, spawning: Spawning) -> None:
        self._variables = variables
        self._tracker = Tracker(spawning)

    def __reduce__(self) -> tuple[Any, ...]:
        return after, (self._tracker, self._variables)


class Tracker:
    """The resource tracker of this process, for the one that unpickles it."""

    def __init__(self, spawning: Spawning) -> None:
        self._spawning = spawning

    def __reduce__(self) -> tuple[Any, ...]:
        from multiprocessing import resource_tracker

        descriptor: Any = resource_tracker.getfd()
        return adopt_tracker, (self._spawning.duplicate_for_child(descriptor),)


def tracker_runs() -> bool:
    """Whether this process has a tracker of shared memory and named semaphores."""
    from multiprocessing import resource_tracker

    tracker: Any = resource_tracker._resource_tracker
    return tracker._fd is not None


def _dumps(obj: Any, spawning: Spawning) -> bytes:
    from multiprocessing.reduction import ForkingPickler

    try:
        body = _dump(obj, ForkingPickler)
    except (PicklingError, AttributeError) as error:
        if "__main__" not in str(error):
            raise
    else:
        if MAIN not in body:
            return body
    # with something in it that is defined in the program, which workers do not import
    from cloudpickle import Pickler

    spawning.close()
    return _dump(obj, Pickler)


def _dump(obj: Any, kind: Any) -> bytes:
    from collections import ChainMap
    from multiprocessing.reduction import ForkingPickler

    if kind is not ForkingPickler:
        # that one takes care of it in its __init__
        reducers = ChainMap(vars(ForkingPickler)["_extra_reducers"], kind.dispatch_table)
        kind = type("Pickler", (kind,), {"dispatch_table": reducers})
    buffer = BytesIO()
    pickler = kind(buffer, PROTOCOL)
    inner = getattr(pickler, "reducer_override", None)

    def reducer_override(part: Any) -> Any:
        _prepare(part)
        return NotImplemented if inner is None else inner(part)

    pickler.reducer_override = reducer_override
    pickler.dump(obj)
    return buffer.getvalue()


def _prepare(part: Any) -> None:
    """See to it that the semaphores of the object have names."""
    module = type(part).__module__
    if not module.startswith("multiprocessing."):
        return
    from multiprocessing.synchronize import Condition, SemLock

    if isinstance(part, SemLock):
        _name(part)
        return
    sleepers = vars(part)["_sleeping_count"] if isinstance(part, Condition) else None
    if sleepers is not None and sleepers._semlock._get_value():
        raise TypeError("a thread is waiting for it; start the manager before anything waits")
    wlock = getattr(part, "_wlock", None)
    if wlock is not None and wlock._semlock.name is None and getattr(part, "_thread", None) is not None:
        raise TypeError(f"something was put into it before the start; {ADVICE}")
    lock = getattr(part, "_lock", None)
    if isinstance(lock, SemLock):
        _name(lock)
        # a condition or a shared value has the methods of its lock as its own
        part.acquire, part.release = lock.acquire, lock.release


ADVICE = "make it with multiprocessing.get_context('spawn')"
RECURSIVE = 0  # the kind of an RLock


def _name(lock: Any) -> None:
    """Replace a semaphore that only this process and its forks can know by one that has a name."""
    old = lock._semlock
    if old.name is not None:
        return
    from multiprocessing import active_children, get_context
    from multiprocessing.synchronize import SemLock

    if active_children():
        raise TypeError(f"it may be shared with a forked process; {ADVICE}")
    if old.kind == RECURSIVE and not old._get_value():
        raise TypeError("it is held; release it before the manager starts")
    named: Any = SemLock(old.kind, old._get_value(), old.maxvalue, ctx=get_context("spawn"))
    lock._semlock = named._semlock
    lock._is_fork_ctx = False
    lock._make_methods()
    # its end unlinks the name: not before the end of the lock
    lock._named = named
