"""What a worker process is told at its start."""

from __future__ import annotations

from ..core.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..core.queues import QueueName
    from ..core.site import Serving
    from .loader import Source


class Warm(NamedTuple):
    """What the workers of a manager have in common, and a zygote loads once before it forks them."""

    sources: tuple[Source, ...]
    sys_path: tuple[str, ...]
    argv: tuple[str, ...] = ()


class Spec(NamedTuple):
    """Everything that a worker knows at its start; the user's variables are pickled inside the pickle.

    `sources`: the worker first, then its mates. `tools`: pickled {name: object}, in the order of broadcast.
    A worker that a zygote forks has neither here: they are loaded already.
    """

    manager: str
    wid: int
    slot: int
    name: str
    worker_id: int
    sources: tuple[Source, ...]
    queues: tuple[QueueName, ...]
    variables: bytes
    sys_path: tuple[str, ...]
    tools: tuple[bytes, ...] = ()
    cores: tuple[int, ...] = ()
    contract: str = ""  #: "row" when the worker is a function of one row
    argv: tuple[str, ...] = ()  #: of the manager: a worker module may read it like the program itself
    chunks_max: int = 0  #: after so many chunks the worker leaves; 0 for no limit
    reports_rows: bool = False  #: a function of one row says after each that it is done
    serving: Serving | None = None  #: the worker is a server, on these sockets
