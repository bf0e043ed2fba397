"""A manager with containers that is going to be killed: says where they are, and waits."""

from __future__ import annotations

import sys

import eisenmp


def main(image: str) -> None:
    group = eisenmp.PortGroup("left", ports=[0])
    container = eisenmp.Container(image, command="exec httpd -f -p 8080 -h /www", stop_timeout=0)
    with eisenmp.Mp(container, port_groups=[group], lame_duck=0) as emp:
        emp.ready(timeout=60)
        print(emp.map()[0].pid, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
