"""Each group answers on the addresses of its network adapter, and refuses on those of the other's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_two_groups_on_two_adapters() -> None:
    program = [sys.executable, str(HERE / "two_adapters.py"), f"{HERE / 'apps.py'}:line"]
    ended = subprocess.run(["unshare", "-rn", *program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["found"] == {
        "10.9.0.1 13000": told["blue"],
        "10.9.0.1 13001": "refused",
        "fd00:9::1 13000": told["blue"],
        "fd00:9::1 13001": "refused",
        "10.9.1.1 13000": "refused",
        "10.9.1.1 13001": told["yellow"],
        "fd00:9:1::1 13000": "refused",
        "fd00:9:1::1 13001": told["yellow"],
    }
