"""Whose a container is, and the removal of those whose keeper has died.

An engine's containers do not end with the process that asked for them. So each has a label that tells which
process keeps it; whoever starts containers first removes those whose keeper is dead.
"""

from __future__ import annotations

import os
import socket

import psutil

from ..errors import ContainerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .engine import Engine

OWNER = "eisenmp.keeper"  #: the label; its value: host, boot, process namespace, pid, start time
ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)  #: what waits to be reaped, and what is being reaped
CLOSE = 2.0  #: seconds by which two readings of a start time may differ: the clock may be set


def owner() -> str:
    """The value of the label for containers of this process."""
    return " ".join((*_home(), str(os.getpid()), f"{psutil.Process().create_time():.2f}"))


def _home() -> tuple[str, str, str]:
    """What tells which process a pid means, as far as the system knows."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        boot = namespace = "-"
    return socket.gethostname() or "-", boot, namespace


def is_dead(label: str) -> bool:
    """Whether the keeper has ended, beyond doubt: of another machine or namespace nothing is known."""
    parts = label.split()
    host, boot, namespace = _home()
    if len(parts) != 5 or parts[0] != host:
        return False
    if parts[1] != boot:
        return True  # this machine has been started since
    if parts[2] != namespace:
        return False
    try:
        pid, started = int(parts[3]), float(parts[4])
        process = psutil.Process(pid)
        return abs(process.create_time() - started) > CLOSE or process.status() in ENDED
    except psutil.NoSuchProcess:
        return True
    except (ValueError, psutil.Error):
        return False


def sweep(engine: Engine) -> list[str]:
    """Remove the containers of dead keepers; returns their names."""
    found = engine.ask("the list of containers", engine.api.containers, all=True, filters={"label": OWNER})
    removed = []
    for each in found:
        labels, number = _facts(each)
        if not is_dead(labels.get(OWNER, "")):
            continue
        try:
            engine.ask("its removal", engine.api.remove_container, number, force=True, v=True)
        except ContainerError:
            continue  # another keeper is about to, or whoever starts next
        removed.append(labels.get("eisenmp.slot", number[:12]))
    return removed


def _facts(each: object) -> tuple[dict[str, str], str]:
    try:
        return dict(each["Labels"] or {}), str(each["Id"])  # type: ignore[index]
    except (TypeError, KeyError, ValueError):
        raise ContainerError("the list of containers cannot be read") from None
