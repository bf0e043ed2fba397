"""`eisenmp cpus`: how many CPUs may be used, and why not more."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter

from ..core.cpus import fewest
from ..engine.cpus import explain
from .exitcodes import DONE


def cpus(
    *,
    as_json: Annotated[
        bool, Parameter(name="--json", help="As JSON.", negative="", show_default=False)
    ] = False,
) -> int:
    """Print the number of CPUs that may be used here, and every bound it comes from.

    It is the least of the machine's processors, the CPU affinity, the cpusets and quotas of the cgroups, and
    for a worker its share of what its manager may use, which EISENMP_CPUS tells.
    """
    bounds = explain()
    number = fewest(bounds)
    if as_json:
        print(json.dumps({"cpus": number, "bounds": [bound._asdict() for bound in bounds]}, indent=2))
        return DONE
    print(number)
    width = max((len(bound.source) for bound in bounds), default=0)
    for bound in bounds:
        allowed = "no limit" if bound.cpus is None else str(bound.cpus)
        mark = "*" if bound.binding else " "
        detail = "" if bound.value == allowed else f"({bound.value})"
        print(f"{mark} {bound.source:<{width}}  {allowed:>8}  {detail}".rstrip())
    print("* decides")
    return DONE
