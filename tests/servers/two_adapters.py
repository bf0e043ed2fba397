"""Run by a test in a network namespace of its own: two groups on two adapters, and who answers where."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import eisenmp

ADDRESSES = {"left0": ("10.9.0.1", "fd00:9::1"), "right0": ("10.9.1.1", "fd00:9:1::1")}


def make_adapters() -> None:
    # not every kernel has dummies; then the two ends of a cable are as good
    for kinds in (["left0 type dummy", "right0 type dummy"], ["left0 type veth peer name right0"]):
        if all(ip(f"link add {kind}") for kind in kinds):
            break
    for name, addresses in {"lo": (), **ADDRESSES}.items():
        for address in addresses:
            assert ip(
                f"addr add {address}/{64 if ':' in address else 24} dev {name} {'nodad' * (':' in address)}"
            )
        assert ip(f"link set {name} up")


def ip(arguments: str) -> bool:
    return not subprocess.run(["ip", *arguments.split()], capture_output=True).returncode


def ask(address: str, port: int) -> str:
    try:
        with socket.create_connection((address, port), timeout=20) as connection:
            return connection.makefile().readline().split()[0]
    except ConnectionRefusedError:
        return "refused"


def main(app: str) -> None:
    make_adapters()
    groups = [
        eisenmp.PortGroup("blue", ports=[13_000], adapter="left0"),
        eisenmp.PortGroup("yellow", ports=[13_001], adapter="right0"),
    ]
    with eisenmp.Mp(app, port_groups=groups, lame_duck=0) as emp:
        emp.ready(timeout=60)
        blue, yellow = emp.map()
        found = {
            f"{address} {port}": ask(address, port)
            for addresses in ADDRESSES.values()
            for address in addresses
            for port in (13_000, 13_001)
        }
    print(json.dumps({"blue": str(blue.pid), "yellow": str(yellow.pid), "found": found}))


if __name__ == "__main__":
    main(sys.argv[1])
