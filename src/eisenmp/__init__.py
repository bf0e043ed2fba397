"""A manager feeds any generator to worker processes on every core, and accounts for every chunk.

Names are imported when they are first used: this package is imported by every worker too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .child.contracts import server as server
    from .child.contracts import worker as worker
    from .child.here import current_toolbox as current_toolbox
    from .child.toolbox import ToolBox as ToolBox
    from .core.chunk import Chunk as Chunk
    from .core.container import Container as Container
    from .core.ports import PortGroup as PortGroup
    from .core.results import Failure as Failure
    from .core.results import Result as Result
    from .core.settings import Settings as Settings
    from .core.site import Site as Site
    from .core.ticket import Ticket as Ticket
    from .engine.cpus import usable_cpus as usable_cpus
    from .errors import ChunkTimeout as ChunkTimeout
    from .errors import ContainerError as ContainerError
    from .errors import EisenmpError as EisenmpError
    from .errors import FeedError as FeedError
    from .errors import LoadError as LoadError
    from .errors import PortInUse as PortInUse
    from .errors import QueueExists as QueueExists
    from .errors import QueueUnknown as QueueUnknown
    from .errors import RemoteTraceback as RemoteTraceback
    from .errors import SettingsError as SettingsError
    from .errors import SlotFailed as SlotFailed
    from .errors import Stopped as Stopped
    from .errors import TableError as TableError
    from .errors import TableKeyInvalid as TableKeyInvalid
    from .errors import WorkerDied as WorkerDied
    from .errors import WorkerFailed as WorkerFailed
    from .manager import events as events
    from .manager.feed import Feed as Feed
    from .manager.mapping import imap as imap
    from .manager.mapping import imap_unordered as imap_unordered
    from .manager.mp import Mp as Mp
    from .manager.parquet import parquet as parquet
    from .manager.parquet import parquet_column as parquet_column
    from .manager.queue import Queue as Queue
    from .manager.remote import Remote as Remote
    from .manager.replicate import replicate as replicate
    from .manager.textfile import csv_column as csv_column
    from .manager.textfile import lines as lines
    from .tables.table import SharedTable as SharedTable

__version__ = "2.0.0.dev0"

_WHERE = {
    "Chunk": "core.chunk",
    "ChunkTimeout": "errors",
    "Container": "core.container",
    "ContainerError": "errors",
    "EisenmpError": "errors",
    "Failure": "core.results",
    "Feed": "manager.feed",
    "FeedError": "errors",
    "LoadError": "errors",
    "Mp": "manager.mp",
    "PortGroup": "core.ports",
    "PortInUse": "errors",
    "Queue": "manager.queue",
    "QueueExists": "errors",
    "QueueUnknown": "errors",
    "Remote": "manager.remote",
    "RemoteTraceback": "errors",
    "Result": "core.results",
    "Settings": "core.settings",
    "SettingsError": "errors",
    "SharedTable": "tables.table",
    "Site": "core.site",
    "SlotFailed": "errors",
    "Stopped": "errors",
    "TableError": "errors",
    "TableKeyInvalid": "errors",
    "Ticket": "core.ticket",
    "ToolBox": "child.toolbox",
    "WorkerDied": "errors",
    "WorkerFailed": "errors",
    "csv_column": "manager.textfile",
    "current_toolbox": "child.here",
    "events": "manager.events",
    "imap": "manager.mapping",
    "imap_unordered": "manager.mapping",
    "lines": "manager.textfile",
    "parquet": "manager.parquet",
    "parquet_column": "manager.parquet",
    "replicate": "manager.replicate",
    "server": "child.contracts",
    "usable_cpus": "engine.cpus",
    "worker": "child.contracts",
}

__all__ = list(_WHERE)


def __getattr__(name: str) -> object:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module 'eisenmp' has no attribute {name!r}")
    # importing the package importlib costs more than most of what is imported here
    value: object = __import__(f"{__name__}.{where}", fromlist=(name,))
    if name != "events":
        value = getattr(value, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
