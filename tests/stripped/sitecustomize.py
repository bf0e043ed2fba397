"""Takes away what Windows does not have, before anything else is imported: put this folder on PYTHONPATH.

Workers inherit the variable, so that they run in such an interpreter too.
"""

from __future__ import annotations

import _signal
import _socket
import os
import posix
import select
import sys

for name in (
    "fork", "forkpty", "memfd_create", "pidfd_open", "posix_spawn", "posix_spawnp", "sched_getaffinity",
    "sched_setaffinity", "getpgrp", "setpgid", "killpg", "waitid", "set_blocking", "register_at_fork",
    "eventfd", "pipe2", "mkfifo", "geteuid", "getuid",
):  # fmt: skip
    for module in (os, posix):
        vars(module).pop(name, None)
for name in ("AF_UNIX", "socketpair", "MSG_NOSIGNAL", "SCM_RIGHTS", "CMSG_LEN"):
    vars(_socket).pop(name, None)
for name in ("epoll", "poll", "POLLIN"):
    vars(select).pop(name, None)
for name in ("SIGKILL", "SIGCHLD", "SIGHUP", "SIGALRM", "pthread_sigmask", "setitimer", "alarm"):
    vars(_signal).pop(name, None)
# `import fcntl` raises ImportError
vars(sys)["modules"].update(dict.fromkeys(("fcntl", "resource", "grp", "pwd", "syslog", "termios")))
