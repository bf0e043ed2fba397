"""`eisenmp doctor`: what works on this machine, what is missing, and what that means."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter

from .checks import FAILED as CHECK_FAILED
from .checks import Check, run_checks
from .exitcodes import DONE, FAILED


def doctor(
    *,
    as_json: Annotated[
        bool, Parameter(name="--json", help="As JSON.", negative="", show_default=False)
    ] = False,
) -> int:
    """Tell what works on this machine and what is missing, and send a chunk through a real worker.

    Exit code 0 when all works that is needed; what is only missing makes some things slower or unavailable.
    """
    checks = []
    for check in run_checks():
        checks.append(check)
        if not as_json:
            print(_line(check), flush=True)
    broken = [check.name for check in checks if check.state == CHECK_FAILED]
    if as_json:
        print(json.dumps({"works": not broken, "checks": [check._asdict() for check in checks]}, indent=2))
    else:
        print()
        print(f"eisenmp does not work here: {', '.join(broken)}" if broken else "eisenmp works here.")
    return FAILED if broken else DONE


def _line(check: Check) -> str:
    return f"{check.state:<8} {check.name:<14} {check.detail}"
