"""What commands about a ledger have in common: opening it, and showing what is in it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Annotated, Any

from cyclopts import Parameter

from .failure import Refusal
from .inputs import import_from_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..child.stocks import Stock
    from ..core.outcome import Letter
    from ..core.span import Span
    from ..engine.base import Engine
    from ..manager.archive import Archive, FeedEntry, Found
    from ..manager.store import Store

SHOWN = 200  #: characters of a value or row that are shown

Ledger = Annotated[str, Parameter(help="The file that was given as --ledger, or as Mp(ledger=…).")]
AsJson = Annotated[bool, Parameter(name="--json", help="As JSON.", negative="", show_default=False)]
Inline = Annotated[
    bool,
    Parameter(help="Run in this process, where breakpoints are seen.", negative="", show_default=False),
]
Debug = Annotated[
    bool,
    Parameter(
        name="--pdb",
        help="Run in this process under pdb: it stops at the first line of the worker, and where it raises.",
        negative="",
        show_default=False,
    ),
]
TicketNumber = Annotated[int | None, Parameter(name="--ticket", help="Only this ticket.", metavar="N")]
FeedNumber = Annotated[
    int | None, Parameter(name="--feed", help="Only this feed of the manager, from 1.", metavar="N")
]


@contextmanager
def opened(path: str) -> Iterator[Archive]:
    """The ledger for reading. Raises Refusal for what is none."""
    try:
        from ..manager.archive import Archive
        from ..manager.tables import LedgerFault
    except ValueError as error:  # SettingsError: a Python without sqlite3
        raise Refusal(str(error)) from error
    import_from_here()
    try:
        archive = Archive(path)
    except LedgerFault as error:
        raise Refusal(str(error)) from error
    with archive:
        yield archive


def letters(archive: Archive, feed: int | None, ticket: int | None) -> list[Found]:
    """The dead letters, or those of a feed or a ticket. Raises Refusal where a named ticket has none."""
    found = [
        letter
        for letter in archive.letters()
        if feed in (None, letter.feed) and ticket in (None, letter.number)
    ]
    if ticket is not None and not found:
        raise Refusal(
            f"{archive.path}: ticket {ticket} is no dead letter; eisenmp dlq list shows those there are"
        )
    return found


def the_feed(archive: Archive, feed: int | None, ticket: int) -> FeedEntry:
    """The feed of the ticket; Refusal where several have one of that number, or none."""
    feeds = archive.feeds()
    if feed is not None:
        feeds = [entry for entry in feeds if entry.feed == feed]
        if not feeds:
            raise Refusal(f"{archive.path}: there is no feed {feed}")
    having = [entry for entry in feeds if archive.has(entry.feed, ticket)]
    if not having:
        raise Refusal(f"{archive.path}: there is no ticket {ticket}")
    if len(having) > 1:
        numbers = ", ".join(str(entry.feed) for entry in having)
        raise Refusal(f"{archive.path}: feeds {numbers} have a ticket {ticket} each; --feed N says which")
    return having[0]


def as_dict(found: Found) -> dict[str, Any]:
    """A dead letter for JSON."""
    letter = found.letter
    return {
        "feed": found.feed,
        "ticket": found.number,
        "queue": found.queue,
        "start": letter.start,
        "rows": letter.rows,
        "kind": letter.kind,
        "cause": letter.cause,
        "attempts": letter.attempts,
        "first": letter.first,
        "last": letter.last,
        "final": letter.final,
        "pid": letter.pid,
        "exitcode": letter.exitcode,
    }


def place_of(found: Found) -> str:
    """Where a dead letter belongs."""
    letter = found.letter
    return place(found.number, letter.start, letter.rows, letter.part, found.feed)


def place(number: int, start: int, rows: int, part: int, feed: int) -> str:
    """'ticket 7', with its feed where that is not the first, and with its rows where it is a part."""
    text = f"ticket {number}" if feed == 1 else f"ticket {number} of feed {feed}"
    return f"{text}, rows {start} to {start + rows - 1} of its chunk" if part or start else text


def rows_counted(rows: int) -> str:
    return f"{rows} row{'' if rows == 1 else 's'}"


def attempts(letter: Letter) -> str:
    return f"{letter.attempts} attempt{'' if letter.attempts == 1 else 's'}"


def was_quit(letter: Letter) -> bool:
    """Whether it is the debugger's user who ended it."""
    return letter.cause.startswith("BdbQuit")


def engine(inline: bool, pdb: bool) -> str | Engine:
    """What a ticket is run on."""
    if pdb:
        from .debugger import DebuggingEngine

        return DebuggingEngine()
    return "inline" if inline else "local"


@contextmanager
def writing(path: str) -> Iterator[Store]:
    """The ledger for writing, alone. Raises Refusal where another manager has it."""
    from ..manager.store import Store
    from ..manager.tables import LedgerFault

    store = Store(path)
    try:
        store.open({}, resume=True)
    except LedgerFault as error:
        raise Refusal(str(error)) from error
    try:
        yield store
    finally:
        store.close()


def when(seconds: float) -> str:
    """Local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def shown(body: bytes | None, source: bytes | None = None) -> str:
    """A pickled object in one line, as much of it as fits. `source`: what workers have read the rows from."""
    if body is None:
        return "not in the ledger"
    from ..wire.pickles import loads

    try:
        found = loads(body)
        text = repr(found if source is None else _read(found, loads(source)))
    except Exception as error:  # unpickling a user's object, or showing it, may raise anything
        return f"cannot be shown here: {type(error).__name__}: {error}"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _read(span: Span, stock: Stock) -> Any:
    """The rows, if they lie in a file; a generator is not run for it."""
    from ..child.replica import Replica
    from ..child.stocks import Teller

    if isinstance(stock, Replica):
        return span
    reader = stock.open(Teller())
    try:
        return reader.rows(span, False)
    finally:
        reader.close()
