"""The collections that programs of eisenmp 1.0 read: boxes of messages, findings, the result dict."""

from __future__ import annotations

from _weakrefset import WeakSet  # which threading has imported
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, ClassVar

BOX_MAX = 1000  #: messages that a box of 1.0 keeps: the newest; 1.0 kept all and filled the memory

_live: WeakSet[Result] = WeakSet()
_lock = Lock()


class Result:
    """`{header key: [('_TID_n', row), …]}` in the order of arrival.

    Each manager has one of its own (`emp.e_utilsResult`). The class attribute is the union over all managers,
    a new dict when a manager starts and no other is alive; an empty one stays, since programs may hold it.
    """

    result_dict: ClassVar[dict[str, list[tuple[str, Any]]]] = {}

    def result_dict_update(self, key: str, id_result: tuple[str, Any]) -> None:
        """Append one (ticket id, row) under the key."""
        with _lock:
            union = Result.result_dict
            if self.result_dict is not union:
                self.result_dict.setdefault(key, []).append(id_result)
            union.setdefault(key, []).append(id_result)


def result_started() -> Result:
    """The results of a manager that starts now."""
    with _lock:
        if not len(_live) and Result.result_dict:
            Result.result_dict = {}
        result = Result()
        vars(result)["result_dict"] = {}
        _live.add(result)
    return result


def result_ended(result: Result) -> None:
    """The manager of these results is down; they stay readable."""
    with _lock:
        _live.discard(result)


class Box(list["Any"]):
    """A list that keeps the newest messages: at least BOX_MAX of them, and at most twice as many."""

    __slots__ = ()

    def append(self, message: Any) -> None:
        if len(self) >= 2 * BOX_MAX:
            del self[:BOX_MAX]
        list.append(self, message)


class Boxes:
    """What 1.0 collected, under its names."""

    def __init__(self) -> None:
        self.print_q_box = Box()
        self.info_q_box: dict[int, Any] = {}
        self.output_q_box: dict[int, Any] = {}
        self.result_lst: list[str] = []
        self.stop_list: list[str] = []
        self.result = Result()
        self.rows_reported = 0
        self._informed = 0
        self._outputs = 0

    def printed(self, message: Any) -> None:
        self.print_q_box.append(message)

    def informed(self, message: Any) -> None:
        """A message of mp_info_q; `['PERF_HEADER_ETA…', count]` counts rows that are done."""
        self.info_q_box[self._informed] = message
        self.info_q_box.pop(self._informed - BOX_MAX, None)
        self._informed += 1
        if isinstance(message, list | tuple) and len(message) > 1:
            head, count = message[0], message[1]
            if str(head).startswith("PERF_HEADER_ETA") and isinstance(count, int | float):
                self.rows_reported += int(count)

    def output(self, message: Any) -> None:
        self.output_q_box[self._outputs] = message
        self.output_q_box.pop(self._outputs - BOX_MAX, None)
        self._outputs += 1

    def store(self, key: str, ticket_id: str, row: Any) -> None:
        self.result.result_dict_update(key, (ticket_id, row))

    def found(self, lines: Iterable[str]) -> None:
        """Findings that RESULTS_PRINT shows at the end."""
        self.result_lst.extend(line + "\n" for line in lines if line)

    def findings(self, label: str) -> str:
        """The text of 1.0: '--- Result for [label]---', the findings, '--- END ---'."""
        lines = self.result_lst
        words = [line.split("...") for line in lines]
        if all(len(word) > 2 for word in words):
            # who reports '... proc Process-1 ... word' means the word, and each one once
            lines = list(dict.fromkeys(word[2] for word in words))
        return "\n".join([f"\n--- Result for [{label}]---\n", *lines, "    --- END ---\n"])
