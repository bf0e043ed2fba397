"""Which engines the contract suite runs over: extend ENGINES, and the new one is held to all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import eisenmp

HERE = Path(__file__).parent
WORKERS = HERE / "workers.py"


class Contestant(NamedTuple):
    """An engine as the suite sees it."""

    name: str
    settings: Mapping[str, Any] = {}
    environment: Mapping[str, str] = {}
    processes: bool = True  #: its workers are processes: they can die, and print under their names
    apart: bool = False  #: run in an interpreter from which much of the system was taken away

    def mp(self, *workers: str, **settings: Any) -> eisenmp.Mp:
        """A manager of these functions of `workers.py`."""
        modules = [name if ":" in name else f"{WORKERS}:{name}" for name in workers or ("perform",)]
        return eisenmp.Mp(*modules, **{"procs_max": 2, **self.settings, **settings})

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """With its environment."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


LOCAL = Contestant("local", environment={"EISENMP_PORTABLE": "0"})
PORTABLE = Contestant("portable", environment={"EISENMP_PORTABLE": "1"})
ENGINES = (
    LOCAL,
    Contestant("inline", settings={"engine": "inline"}, processes=False),
    PORTABLE,
    Contestant("forkserver", {"start_method": "forkserver"}, environment={"EISENMP_PORTABLE": "0"}),
    Contestant("stripped", apart=True),
)
