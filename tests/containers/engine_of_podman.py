"""A podman service of its own for tests, with an image made of busybox, and nothing left of it afterwards.

    python -m tests.containers.engine_of_podman FOLDER

It says `ready` when the engine answers at FOLDER/engine.sock, and ends when its standard input does.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

IMAGE = "localhost/eisenmp-tests:1"
NETAVARK = (Path("/usr/lib/podman/netavark"), Path("/usr/libexec/podman/netavark"))
BUSYBOX = Path("/bin/busybox")
APPLETS = ("sh", "httpd", "sleep", "cat", "echo", "grep", "hostname", "kill")
PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 30.0
SETTINGS = """
[containers]
log_driver = "k8s-file"
[network]
network_backend = "netavark"
[engine]
runtime = "runc"
events_logger = "file"
cgroup_manager = "cgroupfs"
lock_type = "file"
"""


def missing() -> str:
    """Why there can be no podman service here; empty where there can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "a podman service with limits on cores and memory takes root"
    lacking = [name for name in ("podman", "runc", "iptables") if shutil.which(name) is None]
    lacking += [] if any(path.exists() for path in NETAVARK) else ["netavark"]
    lacking += [] if BUSYBOX.exists() else ["busybox-static"]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


def pack_image(folder: Path) -> str:
    """The files of an image of busybox alone, as a tar archive."""
    root = folder / "root"
    for name in ("bin", "www", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    for applet in APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    return shutil.make_archive(str(folder / "image"), "tar", root)


class Podman:
    """The engine; its files are in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "engine.sock"
        self.settings = folder / "containers.conf"
        self.settings.write_text(SETTINGS)
        self.environment = {**os.environ, "CONTAINERS_CONF": str(self.settings)}
        self.command = ["podman", "--root", f"{folder}/store", "--runroot", f"{folder}/run"]
        self.command += ["--tmpdir", f"{folder}/tmp", "--storage-driver", "vfs"]
        self.command += ["--runtime", "runc", "--cgroup-manager", "cgroupfs"]

    def bring_image(self) -> None:
        """No registry is asked for it."""
        self.run("import", "--change", "EXPOSE 8080", pack_image(self.folder), IMAGE)

    def run(self, *words: str) -> str:
        """What the command says."""
        done = subprocess.run(
            [*self.command, *words], env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    def serve(self) -> subprocess.Popen[bytes]:
        service = [*self.command, "system", "service", "--time", "0", f"unix://{self.socket}"]
        with open(self.folder / "service.log", "wb") as log:
            started = subprocess.Popen(
                service,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if started.poll() is not None or time.monotonic() > until:
                started.kill()
                started.wait()
                raise SystemExit(f"no podman service: {(self.folder / 'service.log').read_text()}")
            time.sleep(0.02)
        return started

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self.socket))
        except OSError:
            return False
        return True


def main(folder: Path) -> None:
    # what keeps a container is nobody's child otherwise
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # what containers may open and start: the machine may not let anybody have more
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 2048))
    resource.setrlimit(resource.RLIMIT_NPROC, (1000, 1000))
    podman = Podman(folder)
    podman.bring_image()
    service = podman.serve()
    print("ready", flush=True)
    sys.stdin.read()
    podman.run("rm", "--all", "--force", "--volumes", "--time", "0")
    service.terminate()
    reap()


def reap() -> None:
    """Until the service and all that it has started have ended."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
