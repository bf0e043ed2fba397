"""A process that opens the rows of a chunk in the manager's stead, and cuts them: it may end or hang of it.

Argument: the number of its life line, or nothing. Standard input and output are files: request and answer.
"""

from __future__ import annotations

import os
import sys
from itertools import pairwise

from ..wire import platform
from ..wire.pickles import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

RAISED = 3  #: the exit code when the rows have raised an error


def cut_rows(body: bytes, points: Sequence[int], open_rows: Callable[[bytes], Any] = loads) -> list[bytes]:
    """The pickled rows in pieces, cut before the rows `points`. Raises whatever the user's rows do."""
    rows = open_rows(body)
    ends = (0, *points, len(rows))
    return [dumps(rows[first:end], "rows") for first, end in pairwise(ends)]


def main() -> None:
    """Entry of the process: it ends here."""
    code = 1
    try:
        platform.settle_signals()
        if len(sys.argv) > 1:
            platform.end_with_life_line(int(sys.argv[1]))
        with open(0, "rb", closefd=False) as request:
            sys_path, body, points = loads(request.read())
        sys.path[:] = sys_path
        answer = os.dup(1)
        # what the user's code prints is no part of the answer
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 1)
        bodies = cut_rows(body, points)
        with open(answer, "wb") as file:
            file.write(dumps(bodies))
        code = 0
    except Exception:  # a user's rows may raise anything when they are unpickled, sliced or pickled
        code = RAISED
    finally:
        os._exit(code)
