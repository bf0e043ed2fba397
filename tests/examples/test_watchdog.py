"""The example watchdog: a stuck worker is replaced, and its ticket is done by another."""

from __future__ import annotations

import re

import pytest

from eisenmp.examples import watchdog

from .program import run


def steps(number: int) -> int:
    count = 0
    while number != 1:
        number = number // 2 if number % 2 == 0 else number * 3 + 1
        count += 1
    return count


def test_a_stuck_worker_is_restarted_and_no_ticket_is_lost() -> None:
    ended = run("watchdog")
    assert (ended.code, ended.err) == (0, "")
    assert "40 of 40 tickets are done, 0 missing\n" in ended.out
    restart = r"^Process-[12] was restarted: no heartbeat for 0\.5 s in row 500$"
    assert len(re.findall(restart, ended.out, re.MULTILINE)) == 1
    total = sum(map(steps, range(1, 1001)))
    assert f"1,000 rows, {total:,} steps, the most from 871\n" in ended.out


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "inf"])
def test_patience_is_a_number_of_seconds(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert watchdog.main([f"--patience={text}"]) == 2
    assert "seconds above 0" in capsys.readouterr().err
