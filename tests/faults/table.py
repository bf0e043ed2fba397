"""The faults as data: where one strikes, how, in which kind of worker; and the rules of what follows.

A row is a job of 12 rows in chunks of 3 by two workers. One of its rows is guilty, or its module, its mate, its
tool; `GUILTY` and `CHUNKS` say which. The fault strikes `once`, and there is a budget to try again; or `always`,
the budgets are at their least, and `on_error="skip"` keeps what was given up. The rules:

 1. What Python catches by itself is no fault: an error of `sitecustomize`, of an exit handler.
 2. A module that raises while it is loaded, or a mate that raises, would do so in every process: LoadError, at once.
 3. A process that ends before it is ready is replaced. The third one in a row of a slot ends the manager.
 4. A worker that raises gives its chunk back. It is tried again as often as `retries` says, whole.
 5. A worker that ends, hangs or grows with a chunk is replaced, and its chunk is cut, until the guilty row is alone.
    Rows that strike whoever opens them cannot be told apart: their chunk stays whole, once a process that was to
    cut it has been struck as well.
 6. Under forkserver the zygote opens tools. What it dies of there, it dies of before its workers are ready.
    What it can catch there is left to the worker that reads the tool.
 7. What strikes in the manager's process is the caller's: an error of a row is a FeedError, an error of a result is
    a WorkerFailed. The caller's own sys.exit() stays what it is, one in the thread that feeds is a FeedError.
 8. A worker that is leaving owes nothing. One that does not come to its end is waited for by `join`, as long as
    its timeout says, and ended by `stop`.
 9. Hanging and standing still look like work: only `timeout` and, before a worker is ready, `start_timeout` end them.
    What grows is ended by `memory_max`, at any time; but the zygote is no worker, and nobody looks at its memory.
10. Every row of the job is accounted for: kept once, or in `failed`, or the job has ended with an error.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from tests.faults.striker import EXIT_CODE, OS_EXIT_CODE

WHERE = (
    "start", "load", "mate", "first chunk", "mid-chunk", "pickling", "unpickling", "tools", "print", "sending",
    "result", "exit",
)  # fmt: skip
HOW = ("raise", "sys.exit", "os._exit", "SIGKILL", "SIGSEGV", "SIGSTOP", "hang", "memory")
METHODS = ("spawn", "forkserver")
ORDERS = ("ordered", "as they come")
TIMES = ("once", "always")
FACTORS = (WHERE, HOW, METHODS, ORDERS, TIMES)

#: what each *where* is
PLACES = {
    "start": "in the new interpreter, before anything of eisenmp runs there; under forkserver: the zygote's",
    "load": "while the worker's module is imported; under forkserver: in the zygote",
    "mate": "in the mate that is called before the worker",
    "first chunk": "in the worker's function, at the first row of the first chunk",
    "mid-chunk": "in the worker's function, in the middle of a chunk",
    "pickling": "while the worker's result is pickled",
    "unpickling": "while the worker opens the rows of its chunk",
    "tools": "while a tool is opened",
    "print": "while the worker prints an object, one line after another one",
    "sending": "while the manager pickles a row, in the thread of the feed",
    "result": "while the manager opens a result, in the thread that iterates",
    "exit": "in an exit handler of the worker's process, when it leaves",
}

ROWS_MAX = 3
ROWS = range(12)
GUILTY = {where: 0 if where == "first chunk" else 4 for where in WHERE}

BEFORE_READY = ("start", "load", "mate")
WITH_A_CHUNK = ("first chunk", "mid-chunk", "pickling", "unpickling", "tools", "print")
IN_THE_MANAGER = ("sending", "result")
ENDS = {
    "sys.exit": rf"ended with exit code {EXIT_CODE}\b",
    "os._exit": rf"ended with exit code {OS_EXIT_CODE}\b",
    "SIGKILL": r"killed by signal 9 \(SIGKILL\)",
    "SIGSEGV": r"killed by signal 11 \(SIGSEGV\)",
}
EXIT_CODES = {"os._exit": OS_EXIT_CODE, "SIGKILL": -9, "SIGSEGV": -11}
STANDS_STILL = ("SIGSTOP", "hang")

START_ATTEMPTS = 3


class Row(NamedTuple):
    """One fault."""

    where: str
    how: str
    method: str
    order: str
    times: str

    def __str__(self) -> str:
        return "-".join(self).replace(" ", "_")

    @property
    def once(self) -> bool:
        return self.times == "once"

    @property
    def place(self) -> str:
        """Where it strikes after rule 6: the zygote opens the tools before any worker is ready."""
        return (
            "start" if self.where == "tools" and self.in_zygote and not self.caught_in_zygote else self.where
        )

    @property
    def in_zygote(self) -> bool:
        return self.method == "forkserver" and self.where in ("start", "load", "tools")

    @property
    def caught_in_zygote(self) -> bool:
        return self.where == "tools" and self.in_zygote and self.how in ("raise", "sys.exit")

    @property
    def chunk(self) -> tuple[int, ...]:
        """The rows of the guilty row's chunk."""
        first = GUILTY[self.where] // ROWS_MAX * ROWS_MAX
        return tuple(range(first, first + ROWS_MAX))


NOT_READY = "not ready after start_timeout"


class Expected(NamedTuple):
    """What follows. Numbers are the least and the most."""

    error: str = ""  #: what the job ends with
    kept: frozenset[int] | None = frozenset(ROWS)  #: rows with a result; None: it depends on who was first
    given_up: tuple[tuple[int, ...], ...] = ()  #: the rows of each Failure
    failure: str = ""  #: the error of each Failure
    cause: str = ""  #: a pattern for the cause of each death and of each Failure
    strikes: tuple[int, int] = (1, 1)  #: how often it strikes
    deaths: bool = False  #: each strike is the end of a process, and told as such
    others: int = 0  #: processes that are no workers and were struck: nobody is told, if they end of it
    requeued: bool = False  #: who was struck is tried again, with success
    exit_code: int = 0  #: of processes that were struck when they left


def impossible(row: Row) -> str:
    """Why there is no such fault; nothing when there is."""
    if row.where in IN_THE_MANAGER and row.how not in ("raise", "sys.exit"):
        return "the process that would be struck is the caller's own: nobody is left to be told"
    return ""


def expected(row: Row) -> Expected:
    """The rules, applied."""
    if row.where in IN_THE_MANAGER:
        return _in_the_manager(row)
    if row.where == "exit":
        return _leaving(row)
    if row.where == "start" and row.how == "raise":
        return Expected(strikes=_processes(row))  # rule 1
    if (row.where in ("load", "mate") and row.how == "raise") or (row.where, row.how) == ("load", "sys.exit"):
        return _not_loaded(row)
    if row.place in BEFORE_READY:
        return _before_ready(row)
    if row.caught_in_zygote and row.once:
        return Expected()  # rule 6: the worker opens it again
    return _with_a_chunk(row)


def _processes(row: Row) -> tuple[int, int]:
    """How many processes there are to be struck."""
    return (1, 1) if row.once or row.in_zygote else (1, 2)


def _not_loaded(row: Row) -> Expected:
    """Rule 2. One of two spawned workers may have done some rows, or all, when the other one fails."""
    everybody = row.in_zygote or not row.once
    return Expected(
        error="LoadError",
        kept=frozenset() if everybody else None,
        strikes=_processes(row),
    )


def _before_ready(row: Row) -> Expected:
    """Rules 3 and 9."""
    if row.how in STANDS_STILL or (row.how == "memory" and row.in_zygote):
        cause = NOT_READY
    elif row.how == "memory":
        cause = "memory_max"
    elif (row.where, row.how) == ("start", "sys.exit"):
        cause = r"ended with exit code 1\b"  # by which Python says that `site` could not be imported
    else:
        cause = ENDS[row.how]
    if row.once:
        return Expected(cause=cause, deaths=True, requeued=True)
    return Expected(
        error="WorkerDied", kept=frozenset(), cause=cause, deaths=True,
        strikes=(START_ATTEMPTS, START_ATTEMPTS if row.in_zygote else 2 * START_ATTEMPTS),
    )  # fmt: skip


def _with_a_chunk(row: Row) -> Expected:
    """Rules 4, 5 and 9."""
    others = frozenset(ROWS) - {GUILTY[row.where]}
    if row.how == "raise":
        if row.once:
            return Expected(requeued=True)
        return Expected(
            kept=frozenset(ROWS) - set(row.chunk), given_up=(row.chunk,), failure="WorkerFailed",
            cause="Struck: the fault has struck$", strikes=_tries_of_a_raise(row),
        )  # fmt: skip
    failure = "ChunkTimeout" if row.how in STANDS_STILL else "WorkerDied"
    cause = "timeout" if row.how in STANDS_STILL else "memory_max" if row.how == "memory" else ENDS[row.how]
    if row.once:
        return Expected(cause=cause, deaths=True, requeued=True)
    if row.where == "unpickling":
        return Expected(
            kept=frozenset(ROWS) - set(row.chunk), given_up=(row.chunk,), failure=failure, cause=cause,
            deaths=True, strikes=(2, 3), others=1,
        )  # fmt: skip
    return Expected(
        kept=others, given_up=((GUILTY[row.where],),), failure=failure, cause=cause, deaths=True,
        strikes=(2, 6), others=int(row.caught_in_zygote),
    )  # fmt: skip


def _tries_of_a_raise(row: Row) -> tuple[int, int]:
    """A tool is opened by the zygote first; what cannot be pickled is pickled again, to name the part."""
    return (1, 2) if row.caught_in_zygote else (2, 4) if row.where == "pickling" else (1, 1)


def _in_the_manager(row: Row) -> Expected:
    """Rule 7."""
    if row.where == "sending":
        if row.once:
            # with on_error="raise": no row behind the one that cannot be sent
            return Expected(
                "FeedError", frozenset(range(row.chunk[0])), (row.chunk,), "FeedError", "Struck|SystemExit"
            )
        return Expected(
            kept=frozenset(ROWS) - set(row.chunk), given_up=(row.chunk,), failure="FeedError",
            cause="Struck|SystemExit", strikes=(1, 2),  # to find the row, it is pickled a second time
        )  # fmt: skip
    error = "WorkerFailed" if row.how == "raise" else "SystemExit"
    return Expected(error, frozenset(range(row.chunk[0])) if row.order == "ordered" else None)


def _leaving(row: Row) -> Expected:
    """Rules 1 and 8."""
    strikes = (1, 1 if row.once else 2)
    if row.how in ("raise", "sys.exit"):
        return Expected(strikes=strikes)
    if row.how in EXIT_CODES:
        return Expected(strikes=strikes, exit_code=EXIT_CODES[row.how])
    if row.how == "memory":
        return Expected(strikes=strikes, exit_code=-9)
    return Expected("TimeoutError", strikes=strikes, exit_code=-9 if row.how == "SIGSTOP" else -15)


ALL = tuple(Row(*values) for values in product(*FACTORS))
POSSIBLE = tuple(row for row in ALL if not impossible(row))
