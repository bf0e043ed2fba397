"""`eisenmp resume`: go on with a job that `eisenmp run … --ledger FILE` began."""

from __future__ import annotations

import os

from .failure import Refusal, file_refusal
from .invocation import Invocation, again
from .ledger import Ledger, opened

TYPE_CHECKING = False


def resume(ledger: Ledger, /) -> int:
    """Go on with a job that was begun by `eisenmp run … --ledger FILE`: the same call, in the same folder.

    Tickets that are done are not run again. The output is written anew and complete, with the recorded
    results at their places. Dead letters stay what they are; `eisenmp dlq retry` runs them.
    """
    from .app import run_command_line

    path = os.path.abspath(ledger)
    call = _call(path)
    try:
        os.chdir(call.folder)
    except OSError as error:
        raise file_refusal(f"the folder of the job, {call.folder}", error) from error
    os.environ.update(call.environment)
    return run_command_line(again(call, path))


def _call(path: str) -> Invocation:
    from ..wire.pickles import loads

    with opened(path) as archive:
        command = archive.facts().get("command")
    if command is None:
        raise Refusal(
            f"{path}: a Python program began this ledger, and only that can go on with it: run it again with "
            "Mp(…, ledger=…, resume=True)"
        )
    return Invocation(*loads(command))
