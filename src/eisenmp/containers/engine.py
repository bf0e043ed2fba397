"""The container engine of this machine: Docker Engine, or podman's service, which speaks as it does."""

from __future__ import annotations

import os
import socket
import sys
from urllib.parse import urlsplit

from docker import APIClient
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env
from requests.exceptions import RequestException

from ..errors import ContainerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

VARIABLES = ("DOCKER_HOST", "CONTAINER_HOST")
FIRST_VERSION = "1.41"  #: for the one question that every version answers
LOCAL = ("unix", "http+unix", "npipe")
LOOPBACKS = ("localhost", "127.0.0.1", "::1")
PATIENCE = 30.0  #: seconds for an answer
SHORT = 3.0  #: seconds to say that it is there


def places(environment: Mapping[str, str]) -> list[str]:
    """Where an engine may be: the one that a variable names, else the usual sockets."""
    for name in VARIABLES:
        if environment.get(name):
            return [environment[name]]
    own = environment.get("XDG_RUNTIME_DIR")
    home = environment.get("HOME")
    paths = ["/var/run/docker.sock", "/run/podman/podman.sock"]
    paths += [f"{own}/docker.sock", f"{own}/podman/podman.sock"] if own else []
    paths += [f"{home}/.docker/run/docker.sock"] if home else []
    return [f"unix://{path}" for path in paths]


def find_engine(environment: Mapping[str, str] = os.environ, patience: float = PATIENCE) -> Engine:
    """The first engine that answers. Raises ContainerError, which says who did not."""
    tried = []
    for place in places(environment):
        try:
            return Engine(place, environment, patience)
        except ContainerError as error:
            tried.append(str(error))
    raise ContainerError(
        f"no container engine answers ({'; '.join(tried)}); start Docker or `podman system service`, "
        "or say in DOCKER_HOST where it is"
    )


class Engine:
    """One engine, asked over one client: `engine.ask("what this is for", engine.api.start, number)`."""

    def __init__(self, place: str, environment: Mapping[str, str], patience: float) -> None:
        self.place = place
        parts = urlsplit(place)
        if parts.scheme not in LOCAL and parts.hostname not in LOOPBACKS:
            raise ContainerError(f"{place}: it is not on this machine, where the ports of the slots are")
        if parts.scheme == "unix":
            _knock(place, parts.path)
        secrets: dict[str, Any] = kwargs_from_env(dict(environment))
        secrets.pop("base_url", None)
        first = self._client(FIRST_VERSION, SHORT, secrets)
        try:
            version = self._version(first)
        finally:
            first.close()
        self.api = self._client(version, patience, secrets)

    def _client(self, version: str, patience: float, secrets: dict[str, Any]) -> Any:
        try:
            return APIClient(base_url=self.place, version=version, timeout=patience, **secrets)
        except (DockerException, ValueError) as error:
            raise ContainerError(f"{self.place}: {error}") from None

    def _version(self, client: Any) -> str:
        # the question after the version makes podman start half a dozen programs
        try:
            answer = client.get(f"{client.base_url}/_ping", timeout=SHORT)
        except (RequestException, DockerException, OSError, ValueError) as error:
            raise ContainerError(f"{self.place}: {_plain(error)}") from None
        version = str(answer.headers.get("Api-Version", ""))
        if not answer.ok or not version.replace(".", "").isdecimal():
            raise ContainerError(f"{self.place}: what answers is no container engine")
        return version

    def ask(self, what: str, call: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """The answer. Raises ContainerError, `Missing` for what is not there and `Gone` without an engine."""
        try:
            return call(*arguments, **keywords)
        except APIError as error:
            kind = Missing if error.status_code == 404 else ContainerError
            raise kind(f"{what}: {_plain(error.explanation or error)}") from None
        except RequestException as error:
            if isinstance(error, ValueError):
                raise ContainerError(f"{what}: the engine's answer cannot be read") from None
            raise Gone(f"{what}: {self.place} does not answer: {_plain(error)}") from None
        except OSError as error:
            raise Gone(f"{what}: {self.place} does not answer: {_plain(error)}") from None
        except (DockerException, ValueError, LookupError, TypeError, AttributeError) as error:
            raise ContainerError(f"{what}: the engine's answer cannot be read: {error!r}") from None

    def close(self) -> None:
        self.api.close()


class Missing(ContainerError):
    """The engine has no such image or container."""


class Gone(ContainerError):
    """The engine does not answer."""


def _knock(place: str, path: str) -> None:
    """The library leaves a socket open that nobody listens on."""
    if sys.platform == "win32":
        return
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(SHORT)
            probe.connect(path)
    except OSError as error:
        raise ContainerError(f"{place}: {error.strerror or error}") from None


def _plain(error: object) -> str:
    """The innermost cause, in one line: the library wraps it three times."""
    while isinstance(error, BaseException):
        inner = next((part for part in error.args if isinstance(part, BaseException)), None)
        inner = inner or getattr(error, "reason", None) or error.__cause__
        if not isinstance(inner, BaseException):
            break
        error = inner
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())
