"""Requests one after the other in several threads, over connections that are kept or new ones each time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import httpx

PAUSE = 0.01  #: seconds between two requests of a thread


class Load:
    """Runs from `with` to its end; counts who answered, and keeps every error."""

    def __init__(self, places: Sequence[str], *, kept: int = 3, fresh: int = 1) -> None:
        self.answers: Counter[str] = Counter()
        self.errors: list[str] = []
        self._places = places
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._keep, args=(number,)) for number in range(kept)]
        self._threads += [threading.Thread(target=self._renew, args=(number,)) for number in range(fresh)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _keep(self, number: int) -> None:
        with httpx.Client(timeout=20, trust_env=False, verify=False) as client:
            while not self._over.wait(PAUSE):
                self._ask(client, number)

    def _renew(self, number: int) -> None:
        while not self._over.wait(PAUSE):
            with httpx.Client(timeout=20, trust_env=False, verify=False) as client:
                self._ask(client, number)

    def _ask(self, client: httpx.Client, number: int) -> None:
        try:
            answer = client.get(f"http://{self._places[number % len(self._places)]}/")
            text = answer.text if answer.status_code == 200 else f"status {answer.status_code}"
        except httpx.HTTPError as error:
            with self._lock:
                self.errors.append(f"{type(error).__name__}: {error}")
            return
        with self._lock:
            self.answers[text.partition(" ")[0]] += 1


def get(place: str, path: str = "/") -> str:
    """The text of one answer."""
    with httpx.Client(timeout=20, trust_env=False, verify=False) as client:
        return client.get(f"http://{place}{path}").raise_for_status().text
