"""`eisenmp serve`: an application on port groups, until it is told to stop."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import Annotated, Any

from cyclopts import Group, Parameter

from ..core.container import Container
from ..core.ports import PortGroup, read_group
from ..core.site import Site
from ..errors import SettingsError, SlotFailed
from ..manager.events import SlotServing, WorkerDied
from ..manager.mp import Mp
from .exitcodes import DONE, GAVE_UP, INTERRUPTED
from .failure import Refusal, report, reportable, say, warnings_in_one_line
from .inputs import import_from_here
from .options import taken, with_settings
from .watching import Watching, folders_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PORTS = Group("Ports", sort_key=1)
CONTAINERS = Group("Containers", sort_key=2)
FILE = "eisenmp.toml"
TABLE = "serve"  #: the table of the file
QUEUE_SIZE = 1000
SERVERS = "auto, uvicorn, waitress, aiohttp, http.server or function"


def serve(
    app: Annotated[
        str | None,
        Parameter(help="'file.py:name' or 'package.module:name'; by default the app of eisenmp.toml."),
    ] = None,
    /,
    *,
    ports: Annotated[
        list[str] | None,
        Parameter(
            help="A group: a port for each slot, and the cores that they take in turn. May be given again.",
            metavar="NAME=13000-13005@core0",
            group=PORTS,
        ),
    ] = None,
    port: Annotated[
        int | None, Parameter(help="One port that all slots share; 8000 without --ports.", group=PORTS)
    ] = None,
    slots: Annotated[
        str, Parameter(help="Processes on --port; auto: one for each usable CPU.", group=PORTS)
    ] = "auto",
    steer: Annotated[
        str,
        Parameter(help="Who gets a connection to --port: hash, random, cpu or client-ip.", group=PORTS),
    ] = "hash",
    adapter: Annotated[
        str | None, Parameter(help="The network adapter, such as eth0, to listen on.", group=PORTS)
    ] = None,
    address: Annotated[
        str | None, Parameter(help="The address to listen on; 127.0.0.1 by default.", group=PORTS)
    ] = None,
    servers_per_slot: Annotated[
        int, Parameter(help="Ports of --ports that each process serves.", group=PORTS)
    ] = 1,
    server: Annotated[str, Parameter(help=f"{SERVERS}.", metavar="NAME")] = "auto",
    factory: Annotated[bool, Parameter(help="The app is a function that makes it.", negative="")] = False,
    container: Annotated[
        str | None,
        Parameter(help="Containers of this image serve, not an app.", metavar="IMAGE", group=CONTAINERS),
    ] = None,
    container_port: Annotated[
        int | None,
        Parameter(help="Where the program in it listens; by default the port it exposes.", group=CONTAINERS),
    ] = None,
    container_memory: Annotated[
        str | None, Parameter(help="The most that one may use, such as 64M.", group=CONTAINERS)
    ] = None,
    queue: Annotated[
        list[str] | None,
        Parameter(
            help="A queue for servers and workers; =100 bounds it. May be given again.",
            metavar="NAME",
            negative="",
        ),
    ] = None,
    reload: Annotated[
        bool,
        Parameter(
            help="Reload when a Python file changes, here or beside the app; with watchfiles.", negative=""
        ),
    ] = False,
    config: Annotated[
        str | None, Parameter(help=f"A file with a table [{TABLE}] of these options.", metavar=FILE)
    ] = None,
    **settings: Any,
) -> int:
    """Serve an application: ASGI, WSGI, aiohttp, a handler of http.server, or @eisenmp.server.

    SIGHUP reloads: each slot gets a new process, one after the other, without a lost request. Ctrl-C and
    SIGTERM let running requests end. Where an option is not given, the file eisenmp.toml beside you decides.

    * `eisenmp serve app:create_app --factory --ports blue=13000-13005@core0 --ports yellow=14000-14005@core1`
    * `eisenmp serve site:app --port 8000 --slots 4 --steer client-ip`
    * `eisenmp serve --container shop:2 --ports shop=7000-7003@core0-1`
    """
    given = {name: value for name, value in locals().items() if name != "settings"}
    try:
        import_from_here()
        options = {**_defaults(), **_read(config), **_changed(given)}
        watched = folders_of(options.get("app")) if options.pop("reload") else []
        manager = _manager(options, taken(settings))
        with warnings_in_one_line(), _watching(watched, manager):
            return _serve(manager)
    except Exception as error:
        if not reportable(error):
            raise
        return report(error)


with_settings(serve, servers=True)


def _defaults() -> dict[str, Any]:
    return {
        "slots": "auto",
        "steer": "hash",
        "servers_per_slot": 1,
        "server": "auto",
        "factory": False,
        "reload": False,
    }


def _changed(given: dict[str, Any]) -> dict[str, Any]:
    """What was given on the command line, as far as that can be told from the defaults."""
    defaults = _defaults()
    return {
        name: value
        for name, value in given.items()
        if name != "config" and value is not None and defaults.get(name) != value
    }


def _read(config: str | None) -> dict[str, Any]:
    """The table of the file; its settings are those of the command line, with _ in place of -."""
    path = config or FILE
    if config is None and not os.path.exists(path):
        return {}
    from tomllib import TOMLDecodeError, load

    try:
        with open(path, "rb") as file:
            table = load(file).get(TABLE, {})
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}") from error
    except TOMLDecodeError as error:
        raise Refusal(f"{path}: {error}") from error
    if not isinstance(table, dict):
        raise Refusal(f"{path}: [{TABLE}] is no table")
    return {name.replace("-", "_"): value for name, value in table.items()}


def _manager(options: dict[str, Any], keywords: dict[str, Any]) -> Mp:
    app, groups, container = options.pop("app", None), _groups(options), _container(options)
    factory, server = options.pop("factory"), options.pop("server")
    if app is None and container is None:
        raise Refusal(f"what is to be served? Name it as 'file.py:app', or as app in {FILE}")
    if app is not None and container is not None:
        raise Refusal(f"an app or containers? Both are named: {app} and {container.recipe.image}")
    site = Site(app, factory=factory, server=server) if container is None else container
    queues = _queues(options)
    manager = Mp(site, port_groups=groups, **{**options, **keywords})
    for name, maxsize in queues:
        manager.queue(name, maxsize=maxsize)
    return manager


def _queues(options: dict[str, Any]) -> list[tuple[str, int]]:
    """Names and bounds."""
    given = options.pop("queue", None) or []
    queues = []
    for text in [given] if isinstance(given, str) else given:
        name, _, size = text.partition("=")
        if size and not (size.isdecimal() and int(size)):
            raise SettingsError(f"--queue is NAME or NAME=SIZE, a whole number of at least 1, not {text!r}")
        queues.append((name, int(size or QUEUE_SIZE)))
    return queues


def _container(options: dict[str, Any]) -> Container | None:
    """What `--container` and the like mean, or the name or table `container` of the file."""
    given = options.pop("container", None)
    port, memory = options.pop("container_port", None), options.pop("container_memory", None)
    if given is None:
        if port is not None or memory is not None:
            raise Refusal("which image? Name it with --container")
        return None
    table = dict(given) if isinstance(given, dict) else {"image": given}
    table = {name.replace("-", "_"): value for name, value in table.items()}
    table.update({name: value for name, value in (("port", port), ("memory", memory)) if value is not None})
    try:
        return Container(**table)
    except TypeError as error:
        raise Refusal(f"{FILE}: [{TABLE}.container]: {str(error).partition('() ')[2]}") from error


def _groups(options: dict[str, Any]) -> list[PortGroup]:
    ports, port = options.pop("ports", None) or [], options.pop("port", None)
    slots, steer = options.pop("slots"), options.pop("steer")
    adapter, address = options.pop("adapter", None), options.pop("address", None)
    per_slot = options.pop("servers_per_slot")
    if isinstance(ports, str):
        ports = [ports]
    groups = [read_group(text, adapter=adapter, address=address, servers_per_slot=per_slot) for text in ports]
    if port is not None or not groups:
        number = 8000 if port is None else port
        group = PortGroup(
            "web", port=number, slots=_slots(slots), steer=steer, adapter=adapter, address=address
        )
        groups.append(group)
    return groups


def _slots(text: object) -> int:
    if text == "auto":
        from ..engine.cpus import usable_cpus

        return usable_cpus()
    if not str(text).isdecimal():
        raise SettingsError(f"--slots is a number or auto, not {text!r}")
    return int(str(text))


def _serve(manager: Mp) -> int:
    manager.on(SlotServing, _say_serving)
    manager.on(WorkerDied, _say_died)
    try:
        manager.start()
        manager.join()
    except SlotFailed as error:
        say(error)
        return GAVE_UP
    except SystemExit:
        manager.stop_interrupted()
        return GAVE_UP if manager.fleet.failures else INTERRUPTED
    except BaseException:
        manager.stop_interrupted()
        raise
    return DONE


@contextmanager
def _watching(folders: list[str], manager: Mp) -> Iterator[None]:
    def changed(paths: list[str]) -> None:
        say(f"{', '.join(map(os.path.relpath, paths))} changed")
        manager.reload_soon()

    if not folders:
        yield
        return
    with Watching(folders, changed):
        yield


def _say_serving(event: SlotServing) -> None:
    say(f"{event.name} serves {' '.join(event.listens)} in process {event.pid}")


def _say_died(event: WorkerDied) -> None:
    say(f"{event.name}: {event.cause}")
    sys.stderr.flush()
