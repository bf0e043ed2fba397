"""`eisenmp dlq`: the dead letters of a ledger, listed, shown and tried again."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, closing, redirect_stdout
from textwrap import indent
from typing import Any

from cyclopts import App

from .exitcodes import DONE, FAILED
from .failure import report, reportable, say, warnings_in_one_line
from .ledger import (
    AsJson,
    Debug,
    FeedNumber,
    Inline,
    Ledger,
    TicketNumber,
    as_dict,
    attempts,
    engine,
    letters,
    opened,
    place,
    place_of,
    rows_counted,
    shown,
    was_quit,
    when,
    writing,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..core.outcome import Letter
    from ..engine.base import Engine
    from ..manager.archive import Archive, Found
    from ..manager.rerun import Outcome
    from ..manager.store import Store

dlq = App(name="dlq", help="The dead letters of a ledger: tickets that were given up, with rows and cause.")


@dlq.command(name="list")
def list_letters(ledger: Ledger, /, *, as_json: AsJson = False) -> int:
    """List the dead letters: ticket, number of rows, how often it was tried, when last, and the cause."""
    with opened(ledger) as archive:
        found = letters(archive, None, None)
        if as_json:
            print(json.dumps([as_dict(letter) for letter in found], indent=2, ensure_ascii=False))
            return DONE
        for each in found:
            letter = each.letter
            counted = f"{rows_counted(letter.rows)}, {attempts(letter)}, {when(letter.last)}"
            print(f"{place_of(each)}: {counted}: {letter.cause}")
        if not found:
            sent, done, _ = archive.counts()
            print(f"no dead letters; {done} of {sent} tickets are done")
    return DONE


@dlq.command(name="show")
def show_letters(
    ledger: Ledger, /, *, ticket: TicketNumber = None, feed: FeedNumber = None, as_json: AsJson = False
) -> int:
    """Show dead letters in full: rows, error with traceback, the last lines of output, times."""
    with opened(ledger) as archive:
        found = letters(archive, feed, ticket)
        if as_json:
            print(json.dumps([_in_full(archive, each) for each in found], indent=2, ensure_ascii=False))
            return DONE
        for each in found:
            _show(archive, each)
    return DONE


@dlq.command(name="retry")
def retry_letters(
    ledger: Ledger,
    /,
    *,
    ticket: TicketNumber = None,
    feed: FeedNumber = None,
    inline: Inline = False,
    pdb: Debug = False,
    as_json: AsJson = False,
) -> int:
    """Run dead letters again, with the worker as it is now; what succeeds is a result of the job.

    The tickets keep their numbers, tools, settings and `toolbox.rng`. A worker that was mended since counts
    as the job's own from then on, so that `eisenmp resume` takes it. Exit code 1 when a letter remains.
    """
    try:
        with ExitStack() as stack:
            stack.enter_context(warnings_in_one_line())
            if as_json:
                stack.enter_context(redirect_stdout(sys.stderr))
            archive = stack.enter_context(opened(ledger))
            found = letters(archive, feed, ticket)
            if not found:
                _report([], as_json=as_json)
                return DONE
            store = stack.enter_context(writing(ledger))
            return _retry(archive, store, found, engine(inline, pdb), as_json=as_json)
    except Exception as error:
        if not reportable(error):
            raise
        return report(error)


def _retry(
    archive: Archive, store: Store, found: list[Found], runs_on: str | Engine, *, as_json: bool
) -> int:
    from ..manager.rerun import Rerun
    from ..manager.retrial import Retrial

    rerun = Rerun(archive, engine=runs_on)
    for name in rerun.changed():
        say(f"{name} has changed since the ledger was begun; the letters are run with what it is now")
    outcomes = []
    with closing(Retrial(archive, store, rerun).run(found)) as running:
        for outcome in running:
            if any(was_quit(letter) for letter in outcome.letters):
                say("the debugger was left: this dead letter is as it was, and those behind it")
                return FAILED
            outcomes.append(outcome)
    store.close()
    if store.fault is not None:
        raise store.fault
    _report(outcomes, as_json=as_json)
    return FAILED if any(outcome.letters for outcome in outcomes) else DONE


def _report(outcomes: list[Outcome], *, as_json: bool) -> None:
    if as_json:
        listed = [
            {
                "feed": outcome.task.feed.feed,
                "ticket": outcome.task.number,
                "start": outcome.task.start,
                "rows": outcome.task.rows,
                "done": not outcome.letters,
                "cause": outcome.letters[0].cause if outcome.letters else None,
            }
            for outcome in outcomes
        ]
        print(json.dumps(listed, indent=2, ensure_ascii=False), file=sys.__stdout__)
        return
    for outcome in outcomes:
        task = outcome.task
        what = f"failed again: {outcome.letters[0].cause}" if outcome.letters else "done"
        print(f"{place(task.number, task.start, task.rows, task.before.part, task.feed.feed)}: {what}")
    if not outcomes:
        print("no dead letters")


def _in_full(archive: Archive, found: Found) -> dict[str, Any]:
    letter = found.letter
    more = {"rows_shown": shown(archive.rows_of(found), archive.source(found.feed)), "error": _error(letter)}
    return {**as_dict(found), **more, "traceback": letter.traceback_text, "output_tail": letter.tail}


def _show(archive: Archive, found: Found) -> None:
    letter = found.letter
    print(f"{place_of(found)} of {found.queue!r}: {letter.cause}")
    code = "" if letter.exitcode is None else f", exit code {letter.exitcode}"
    pid = "" if letter.pid is None else f", process {letter.pid}{code}"
    print(
        f"  {letter.kind} after {attempts(letter)}{pid}; first {when(letter.first)}, last {when(letter.last)}"
    )
    print(f"  {rows_counted(letter.rows)}: {shown(archive.rows_of(found), archive.source(found.feed))}")
    for title, text in (("traceback", letter.traceback_text), ("last lines of output", letter.tail)):
        if text.strip():
            print(f"  {title}:")
            print(indent(text.rstrip(), "    "))
    print()


def _error(letter: Letter) -> str | None:
    """The error itself, where it could be pickled and is known here."""
    return None if letter.error is None else shown(letter.error)
