"""A job object of Windows: ends a worker and all that it has started, also when the manager itself dies."""

from __future__ import annotations

import ctypes
import sys

ASSIGN = 0x0001 | 0x0100  # PROCESS_TERMINATE | PROCESS_SET_QUOTA
EXTENDED_LIMITS = 9
KILL_ON_CLOSE = 0x2000


class _Limits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("per_process_user_time", ctypes.c_int64),
        ("per_job_user_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("working_set_min", ctypes.c_size_t),
        ("working_set_max", ctypes.c_size_t),
        ("processes_max", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
        ("input_output", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    )


if sys.platform == "win32":

    class Job:
        """Holds the process; the system ends it when the last handle of the job closes."""

        def __init__(self, pid: int) -> None:
            self._system = ctypes.WinDLL("kernel32", use_last_error=True)
            for name in ("CreateJobObjectW", "OpenProcess"):
                getattr(self._system, name).restype = ctypes.c_void_p
            self._job = ctypes.c_void_p(self._system.CreateJobObjectW(None, None))
            limits = _Limits(flags=KILL_ON_CLOSE)
            self._check(
                self._system.SetInformationJobObject(
                    self._job, EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
                )
            )
            process = ctypes.c_void_p(self._system.OpenProcess(ASSIGN, False, pid))
            try:
                self._check(self._system.AssignProcessToJobObject(self._job, process))
            finally:
                self._system.CloseHandle(process)

        def _check(self, done: int) -> None:
            if not done:
                raise ctypes.WinError(ctypes.get_last_error())

        def terminate(self) -> None:
            self._system.TerminateJobObject(self._job, 1)

        def close(self) -> None:
            self._system.CloseHandle(self._job)
