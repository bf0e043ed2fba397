"""The source of a worker as a digest: whether a resumed job runs what the ledger was begun with."""

from __future__ import annotations

import os
from hashlib import sha256

from ..core.fingerprint import digest
from ..core.job import Imprint, Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from ..child.loader import Source

#: attributes of 1.0's door that are settings, or say where the workers are: both are compared elsewhere
NOT_VARIABLES = frozenset(("worker_modules", "NUM_PROCS", "NUM_ROWS", "store_result", "stop_msg_disable"))


def job_of(sources: Iterable[Source], contract: str, variables: Mapping[str, Any]) -> Job:
    """What the results of a manager depend on."""
    return Job(tuple(map(imprint, sources)), contract, variable_digests(variables))


def imprint(source: Source) -> Imprint:
    """The name of a worker module and the digest of the file that it stands in.

    Of a function that travels by value: of its code and of what it refers to in its module. What a file
    imports does not count.
    """
    if source.kind == "value":
        return Imprint(source.name, (_of_value(source.content),))
    name = f"{os.path.basename(source.path) or source.module}:{source.name}"
    content = source.content if source.kind == "remote" else _read(source)
    return Imprint(name, (sha256(content).hexdigest(),))


def variable_digests(variables: Mapping[str, Any]) -> dict[str, str]:
    """The digest of each variable of the user's by name."""
    from ..core.settings import FIELDS

    return {
        name: digest(value)
        for name, value in variables.items()
        if name not in NOT_VARIABLES and not (name.isupper() and name.lower() in FIELDS)
    }


def _read(source: Source) -> bytes:
    """The file of a module, or the zip that it is in; empty where it has none."""
    path = source.path
    while path and not os.path.isfile(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _of_value(content: bytes) -> str:
    from ..wire.pickles import loads

    function = loads(content)
    return digest(getattr(function, "__wrapped__", function))
