"""The settings as options, by the one rule: `procs_max` is `--procs-max`."""

from __future__ import annotations

import inspect
import os
from typing import Annotated, Any

from cyclopts import Group, Parameter

from ..core.later import LATER
from ..core.settings import FIELDS, PREFIX, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SETTINGS = Group(
    "Settings", help="Each can also be given as EISENMP_NAME, such as EISENMP_PROCS_MAX=4.", sort_key=9
)
OF_SERVERS = frozenset(
    (
        "port_groups",
        "lame_duck",
        "drain_timeout",
        "requests_max",
        "age_max",
        "health",
        "health_interval",
        "health_timeout",
        "health_failures_max",
        "restarts_max",
        "spare",
        "compute",
    )
)
OF_CHUNKS = frozenset(
    (
        "rows_max",
        "results_store",
        "results_print",
        "results_dict_print",
        "result_label",
        "info_enable",
        "info_thread_max",
        "stop_msg_disable",
        "progress",
        "on_error",
        "retries",
        "timeout",
        "timeout_row",
        "chunks_max",
        "ledger",
        "resume",
        "shared_memory_max",
    )
)
NOT_HERE = OF_SERVERS | frozenset(LATER)  #: of a command that runs chunks
NOT_OF_SERVERS = OF_CHUNKS | frozenset((*LATER, "port_groups"))
PLACEHOLDERS = {"int": "N", "float": "SECONDS", "str": "TEXT", "Retries": "N", "Mapping[str, object]": "JSON"}


def spelling(name: str) -> str:
    """`--procs-max` for `procs_max`."""
    return "--" + name.replace("_", "-")


def with_settings(command: Callable[..., int], *, servers: bool = False) -> Callable[..., int]:
    """Let the command's `**settings` be one keyword-only option for each setting.

    A flag arrives as a bool, everything else as its text, None where it was not given. `servers`: those of
    servers, and none that is about chunks.
    """
    signature = inspect.signature(command)
    own = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    # cyclopts, like the help of Python, goes by this.
    vars(command)["__signature__"] = signature.replace(parameters=[*own, *_parameters(servers)])
    return command


def _parameters(servers: bool) -> list[inspect.Parameter]:
    parameters = []
    for name, kind, default, documentation in Settings.fields():
        if name in (NOT_OF_SERVERS if servers else NOT_HERE):
            continue
        flag = kind == "bool"
        shown = Parameter(
            name=spelling(name),
            help=documentation,
            group=SETTINGS,
            show_default=_shown(default),
            metavar=None if flag else _placeholder(kind),
        )
        hint: Any = Annotated[bool | None if flag else str | None, shown]
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)
        )
    return parameters


def _shown(default: object) -> str | bool:
    if default is None or default is False or default == {}:
        return False
    return str(default)


def _placeholder(kind: str) -> str:
    return PLACEHOLDERS.get(kind.partition(" |")[0], "TEXT")


def taken(given: Mapping[str, str | bool | None]) -> dict[str, object]:
    """The settings that were given, checked, as keywords for Mp; SettingsError names the option."""
    return {
        name: FIELDS[name].take(value, spelling(name), text=True)
        for name, value in given.items()
        if value is not None
    }


def progress_default(settings: dict[str, object], *, terminal: bool) -> None:
    """A bar where somebody sees it, unless an option or the environment says otherwise."""
    if terminal and f"{PREFIX}PROGRESS" not in os.environ:
        settings.setdefault("progress", True)
