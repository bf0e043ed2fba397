"""Servers of eisenmp, by JSON of {app, factory, group, settings}; then it does what it reads, a line each.

Prints where the servers listen, as a list of JSON; and a line after each order: reload, canary SHARE, spare.
"""

from __future__ import annotations

import json
import sys

import eisenmp


def main(text: str) -> None:
    asked = json.loads(text)
    group = eisenmp.PortGroup("web", **asked["group"])
    site = eisenmp.Site(asked["app"], factory=asked["factory"])
    with eisenmp.Mp(site, port_groups=[group], **asked["settings"]) as emp:
        emp.ready(timeout=60)
        print(json.dumps([place for slot in emp.map() for place in slot.listens]), flush=True)
        for line in sys.stdin:
            order, _, argument = line.strip().partition(" ")
            if order == "reload":
                emp.reload(timeout=120)
            elif order == "canary":
                emp.reload("web", canary=float(argument), timeout=120)
            elif order == "spare" and not emp.dispatcher.wait(lambda: emp.fleet.spares.count("web") > 0, 60):
                raise TimeoutError("there is no spare")
            print(json.dumps([slot.pid for slot in emp.map()]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
