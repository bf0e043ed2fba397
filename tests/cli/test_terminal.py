"""On a terminal: a line for each ticket, a bar below them, and Ctrl-C typed into it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eisenmp.cli.exitcodes import DONE, INTERRUPTED

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command in a terminal of its own, 100 columns wide."""

    def __init__(self, *arguments: object) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
        environment |= {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "eisenmp", *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            # a session of its own, whose terminal this becomes
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
        )
        os.close(slave)
        self.seen = ""

    def read_until(self, text: str | None) -> str:
        """What was shown without colours, up to `text` or to the end."""
        while text is None or text not in ESCAPES.sub("", self.seen):
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:  # so a terminal says that nobody writes any more
                break
            self.seen += data.decode()
        return ESCAPES.sub("", self.seen).replace("\r", "\n")

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@contextmanager
def terminal(*arguments: object) -> Iterator[Terminal]:
    opened = Terminal(*arguments)
    try:
        yield opened
    finally:
        opened.close()


def test_a_line_for_each_ticket_and_a_bar(folder: Path) -> None:
    (folder / "rows").write_text("".join(f"{number}\n" for number in range(10)))
    with terminal("run", "workers.py:same", "--lines", "rows", "--rows-max", 3, "--ordered") as shown:
        text = shown.read_until(None)
        assert shown.process.wait() == DONE
    lines = [line.rstrip() for line in text.splitlines() if line.startswith("       ")]
    assert lines == [
        f"{number:>8}  {[str(row) for row in range(first, min(first + 3, 10))]}"
        for number, first in enumerate(range(0, 10, 3))
    ]
    assert re.search(r"mp_input_q \(default\) .*100\.0 % +10/10 ", text)
    assert "\x1b[?25h" in shown.seen, "the cursor is back"


def test_no_bar_when_it_is_not_wanted(folder: Path) -> None:
    (folder / "rows").write_text("a\n")
    with terminal("run", "workers.py:same", "--lines", "rows", "--no-progress") as shown:
        assert shown.read_until(None).strip() == "0  ['a']"
        assert shown.process.wait() == DONE


def test_ctrl_c_in_a_terminal(folder: Path) -> None:
    with terminal("run", "workers.py:one", "--lines", "-", "--rows-max", 1) as shown:
        shown.type("a\n")
        shown.read_until("       0  a")
        shown.type("\x03")
        text = shown.read_until(None)
        assert shown.process.wait() == INTERRUPTED
    assert "Traceback" not in text and "Warning" not in text
    assert "\x1b[?25h" in shown.seen, "the cursor is back"
