"""A user's program, never run: mypy reads it and says whether the public names give what they should."""

from __future__ import annotations

from typing import assert_type

from eisenmp.errors import ChunkTimeout, EisenmpError, QueueUnknown, SettingsError, WorkerDied


def every_error_is_also_the_builtin_that_one_would_catch() -> None:
    as_value: ValueError = SettingsError("procs_max")
    as_key: KeyError = QueueUnknown("audio_lg")
    as_timeout: TimeoutError = ChunkTimeout("took too long")
    ours: tuple[EisenmpError, ...] = (SettingsError(), QueueUnknown(), ChunkTimeout(""))
    print(as_value, as_key, as_timeout, ours)


def a_death_says_who_and_why(error: WorkerDied) -> None:
    assert_type(error.pid, int | None)
    assert_type(error.exitcode, int | None)
    assert_type(error.cause, str)
