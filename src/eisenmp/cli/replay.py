"""`eisenmp replay`: run one ticket of a ledger once more, and compare what comes of it."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, redirect_stdout
from typing import Annotated, Any

from cyclopts import Parameter

from ..core.fingerprint import digest
from .exitcodes import DONE, FAILED
from .failure import report, reportable, say, show, warnings_in_one_line
from .ledger import (
    AsJson,
    Debug,
    FeedNumber,
    Inline,
    Ledger,
    engine,
    opened,
    place,
    shown,
    the_feed,
    was_quit,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.outcome import Output, Piece
    from ..manager.rerun import Outcome

SAME = "the same result"
OTHER = "another result"
DIED = "failed"
SUCCEEDED = "done, and was given up before"
FAILED_AGAIN = "failed, as before"


def replay(
    ledger: Ledger,
    /,
    *,
    ticket: Annotated[int, Parameter(name="--ticket", help="Its number.", metavar="N")],
    feed: FeedNumber = None,
    inline: Inline = False,
    pdb: Debug = False,
    as_json: AsJson = False,
) -> int:
    """Run a ticket of a ledger once more, also one that is done, and say whether the result is the same.

    It gets its rows, tools, settings and `toolbox.rng` from the ledger; the worker is what it is now. The
    ledger stays as it is. Exit code 1 when the result is another one, or there is none.
    """
    try:
        with ExitStack() as stack:
            stack.enter_context(warnings_in_one_line())
            if as_json:
                stack.enter_context(redirect_stdout(sys.stderr))
            archive = stack.enter_context(opened(ledger))
            entry = the_feed(archive, feed, ticket)
            from ..manager.rerun import Rerun

            rerun = Rerun(archive, engine=engine(inline, pdb))
            for name in rerun.changed():
                say(f"{name} has changed since the ledger was begun")
            outcomes = list(rerun.run(rerun.of_ticket(entry, ticket)))
    except Exception as error:
        if not reportable(error):
            raise
        return report(error)
    verdicts = [_verdict(outcome) for outcome in outcomes]
    if as_json:
        listed = [_as_dict(outcome, verdict) for outcome, verdict in zip(outcomes, verdicts, strict=True)]
        print(json.dumps(listed, indent=2, ensure_ascii=False))
    else:
        for outcome, verdict in zip(outcomes, verdicts, strict=True):
            _show(outcome, verdict)
    return DONE if all(verdict in (SAME, SUCCEEDED) for verdict in verdicts) else FAILED


def _verdict(outcome: Outcome) -> str:
    if outcome.task.letter is not None:
        return FAILED_AGAIN if outcome.letters else SUCCEEDED
    if outcome.letters:
        return DIED
    return SAME if _same(_outputs(outcome.pieces), _before(outcome)) else OTHER


def _before(outcome: Outcome) -> list[Output]:
    before = outcome.task.before
    return [] if outcome.task.letter is not None else list(getattr(before, "outputs", ()))


def _outputs(pieces: Sequence[Piece]) -> list[Output]:
    return [output for piece in pieces for output in piece.outputs]


def _same(now: list[Output], before: list[Output]) -> bool:
    """Byte for byte, or in value: a set may be pickled in another order."""
    if len(now) != len(before):
        return False
    return all(
        new.body == old.body or _value_digest(new.body) == _value_digest(old.body)
        for new, old in zip(now, before, strict=True)
    )


def _value_digest(body: bytes) -> str:
    from ..wire.pickles import loads

    try:
        value = loads(body)
    except Exception:  # of a class that is not known here: then only the bytes can be compared
        value = body
    return digest(value)


def _as_dict(outcome: Outcome, verdict: str) -> dict[str, Any]:
    task = outcome.task
    return {
        "feed": task.feed.feed,
        "ticket": task.number,
        "start": task.start,
        "rows": task.rows,
        "verdict": verdict,
        "same": verdict == SAME,
        "before": task.letter.cause if task.letter is not None else _shown(_before(outcome)),
        "now": outcome.letters[0].cause if outcome.letters else _shown(_outputs(outcome.pieces)),
    }


def _show(outcome: Outcome, verdict: str) -> None:
    task = outcome.task
    print(f"{place(task.number, task.start, task.rows, task.before.part, task.feed.feed)}: {verdict}")
    if outcome.letters and not was_quit(outcome.letters[0]):
        print(f"  now: {outcome.letters[0].cause}")
        show(outcome.letters[0].traceback_text)
    else:
        print(f"  now: {_shown(_outputs(outcome.pieces))}")
    if verdict != SAME:
        before = task.letter.cause if task.letter is not None else _shown(_before(outcome))
        print(f"  before: {before}")


def _shown(outputs: list[Output]) -> str:
    return ", ".join(shown(output.body) for output in outputs) or "no output"
