"""A process that has loaded all that its worker needs, and waits for the slot that it is to take."""

from __future__ import annotations

import os
import sys

from ..core import messages as m
from ..core.messages import Message
from ..errors import Stopped
from ..wire.pickles import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..core.site import Posting
    from .channel import Channel
    from .spec import Spec


def stand_by(spec: Spec, channel: Channel) -> Spec:
    """The spec of the slot, once it is known; the sockets have come with it. Raises Stopped."""
    channel.post(Message(m.LOADED))
    channel.flush()
    channel.pump.wait_until(lambda: bool(channel.posting) or channel.stopping)
    if not channel.posting:
        raise Stopped("it was not needed")
    posting: Posting = loads(channel.posting)
    _bind(posting.cores)
    serving = posting.serving
    families = [family for _, family in serving.sockets]
    return spec._replace(
        slot=posting.slot,
        name=posting.name,
        worker_id=posting.worker_id,
        cores=posting.cores,
        serving=serving._replace(sockets=tuple(zip(channel.sockets, families, strict=True))),
    )


def _bind(cores: tuple[int, ...]) -> None:
    """Bind all threads to the cores: those that are there already do not follow the first one."""
    bind = getattr(os, "sched_setaffinity", None)
    if bind is None or not cores or sys.platform != "linux":
        return
    for thread in os.listdir("/proc/self/task"):
        try:
            bind(int(thread), cores)
        except ProcessLookupError:
            continue  # it has ended meanwhile
