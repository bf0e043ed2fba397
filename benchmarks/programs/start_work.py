"""What the workers of the start-up programs do."""

from __future__ import annotations

import os
import time

PATIENCE = 0.005  #: seconds

answered = False


def who(row: int) -> int:
    """The process; at once the first time, later after a moment: the other worker is still starting."""
    global answered
    if answered:
        time.sleep(PATIENCE)
    answered = True
    return os.getpid()
