"""A Docker Engine of its own for tests, with an image made of busybox, and nothing left of it afterwards.

    python -m tests.containers.engine_of_docker FOLDER

It says `ready` when the engine answers at FOLDER/engine.sock, and ends when its standard input does.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.containers.engine_of_podman import BUSYBOX, IMAGE, PR_SET_CHILD_SUBREAPER, pack_image, reap

PATIENCE = 60.0
BRIDGE, ADDRESS = "eisenmp-tests", "10.213.77.1/24"  # not the one of an engine that was here before
USUAL = (Path("/var/run/docker.sock"), Path("/run/docker.sock"))


def missing() -> str:
    """Why there can be no Docker Engine here; empty where there can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "a Docker Engine takes root"
    lacking = [name for name in ("dockerd", "containerd", "ip", "iptables") if shutil.which(name) is None]
    lacking += [] if BUSYBOX.exists() else ["busybox-static"]
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    if any(path.exists() for path in USUAL):
        return "a Docker Engine is here already, and two of them disturb each other"
    return ""


class Docker:
    """The engine; its files are in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "engine.sock"

    def serve(self) -> subprocess.Popen[bytes]:
        subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
        subprocess.run(["ip", "address", "add", ADDRESS, "dev", BRIDGE], check=True)
        subprocess.run(["ip", "link", "set", BRIDGE, "up"], check=True)
        settings = self.folder / "daemon.json"  # the machine's own does not count
        settings.write_text(json.dumps({"exec-opts": ["native.cgroupdriver=cgroupfs"]}))
        command = ["dockerd", "--config-file", str(settings), "--host", f"unix://{self.socket}"]
        command += ["--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"]
        command += ["--pidfile", f"{self.folder}/pid", "--storage-driver", "vfs", "--bridge", BRIDGE]
        with open(self.folder / "service.log", "wb") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def api(self, service: subprocess.Popen[bytes]) -> Any:
        """A client of it, once it answers."""
        from docker import APIClient
        from docker.errors import DockerException

        until = time.monotonic() + PATIENCE
        while True:
            try:
                return APIClient(f"unix://{self.socket}", version="auto")
            except DockerException as error:
                if service.poll() is not None or time.monotonic() > until:
                    service.kill()
                    log = (self.folder / "service.log").read_text()
                    raise SystemExit(f"no Docker Engine: {error}\n{log}") from error
            time.sleep(0.05)


def main(folder: Path) -> None:
    # what keeps a container is nobody's child otherwise
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    docker = Docker(folder)
    try:
        service = docker.serve()
        client = docker.api(service)
        repository, _, tag = IMAGE.rpartition(":")
        client.import_image(pack_image(folder), repository=repository, tag=tag, changes=["EXPOSE 8080"])
        print("ready", flush=True)
        sys.stdin.read()
        for container in client.containers(all=True):
            client.remove_container(container["Id"], force=True, v=True)
        client.close()
        service.terminate()
        reap()
    finally:
        subprocess.run(["ip", "link", "delete", BRIDGE], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
