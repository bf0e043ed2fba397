"""The stacks that `faulthandler` writes into the output of a process, told apart from its other lines."""

from __future__ import annotations

LINES_MAX = 400  #: kept of one dump; of threads besides the one that was running no more than that
TOP = 5  #: calls that a message shows

_TITLES = ("Fatal Python error: ", "Windows fatal exception: ")
_ASIDE = "<Cannot show all threads while the GIL is disabled>"
_HEAD_END = "(most recent call first):"
_CURRENT = ("Current thread ", "Current thread's C stack", "Stack (")
_INSIDE = ('  File "', "  ...", "  <", '  Binary file "', "  Garbage-collecting")
_BETWEEN = ("...", "Extension modules: ", "Python runtime state: ", "<tstate is freed>")


class Stack:
    """The last dump among the lines that it is given, one after the other.

    A dump has no end of its own: it is over with the first line that cannot be one of its lines.
    """

    __slots__ = ("_current", "_heads", "_lines", "_open", "_previous", "unasked")

    def __init__(self) -> None:
        self.unasked = (
            False  #: no signal asked for it: the process was about to end, or a timer of its own rang
        )
        self._lines: list[str] = []
        self._heads: set[str] = set()
        self._previous = ""
        self._open = False  # the next line may belong to it
        self._current = False  # inside the thread that was running

    @property
    def text(self) -> str:
        """All of it, as it was written; '' when there was none."""
        return "\n".join(self._lines).rstrip()

    def take(self, line: str) -> bool:
        """Whether the line, without its end, belongs to a dump: then it is kept here."""
        titled = line.startswith(_TITLES) or (line.startswith("Timeout (") and line.endswith(")!"))
        headed = not titled and _is_head(line)
        first = headed or line == _ASIDE  # the line may stand first in one that has no title
        if titled or (first and self._is_another(line)):
            self._begin(unasked=titled)
        elif not self._open:
            return False
        elif line and not first and not line.startswith(_INSIDE + _BETWEEN):
            self._open = False
            return False
        if headed:
            self._heads.add(line)
            self._current = line.startswith(_CURRENT)
        if self._current or len(self._lines) < LINES_MAX:
            self._lines.append(line)
        self._previous = line
        return True

    def _is_another(self, head: str) -> bool:
        """Whether a dump begins here: in one, threads stand apart, and none has two stacks."""
        return not self._open or head in self._heads or self._previous.startswith("  ")

    def _begin(self, *, unasked: bool) -> None:
        self._lines.clear()
        self._heads.clear()
        self._open, self._current, self.unasked = True, False, unasked


def _is_head(line: str) -> bool:
    return line.endswith(_HEAD_END) and line.startswith(("Thread 0x", *_CURRENT))


def top(text: str, count: int = TOP) -> list[str]:
    """The innermost calls of the running thread, such as 'File "a.py", line 5 in find'.

    Where none is said to have run, those of the last one: the main thread, since newer ones come first.
    """
    found: list[str] = []
    current = False
    for line in text.splitlines():
        if _is_head(line):
            if current:
                break
            found.clear()
            current = line.startswith(_CURRENT)
        elif line.startswith("  "):
            found.append(line.strip())
    return found[:count]
