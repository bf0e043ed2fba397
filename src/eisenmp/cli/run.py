"""`eisenmp run`: rows from a file or a generator, through a worker on every core, results as they arrive."""

from __future__ import annotations

import sys
from contextlib import ExitStack, redirect_stdout
from typing import Annotated, Any

from cyclopts import Group, Parameter

from ..manager.events import Draining
from ..manager.mp import Mp
from ..manager.source import resolve
from .exitcodes import DONE, FAILED
from .failure import (
    Refusal,
    file_refusal,
    first_line,
    remote_text,
    report,
    reportable,
    say,
    show,
    warnings_in_one_line,
)
from .inputs import Input, import_from_here, open_input
from .invocation import invocation
from .options import progress_default, taken, with_settings
from .outputs import STDOUT, Screen, Unwritable, open_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .outputs import Output

INPUT = Group("Input", help="One of these.", sort_key=1)
OUTPUT = Group("Output", sort_key=2)


def run(
    worker: Annotated[
        str, Parameter(help="'file.py:name', 'package.module:name' or 'https://…/file.py:name#sha256=…'.")
    ],
    /,
    *,
    feed: Annotated[
        str | None,
        Parameter(
            help="'file.py:name' or 'package.module:name' of a generator function without arguments, "
            "or of anything that can be iterated.",
            metavar="MOD:GEN",
            group=INPUT,
        ),
    ] = None,
    lines: Annotated[
        str | None,
        Parameter(
            help="Each line is a row, a str without its end; - is stdin. A file, compressed or not, is "
            "read by the workers and must not change meanwhile.",
            metavar="FILE|-",
            group=INPUT,
        ),
    ] = None,
    csv: Annotated[
        str | None,
        Parameter(
            help="Each value of one column is a row, a str; the first line names the columns. "
            "Files as for --lines.",
            metavar="FILE|-",
            group=INPUT,
        ),
    ] = None,
    column: Annotated[str | None, Parameter(help="The column of --csv.", metavar="NAME", group=INPUT)] = None,
    jsonl: Annotated[
        str | None, Parameter(help="The JSON value of each line is a row.", metavar="FILE|-", group=INPUT)
    ] = None,
    output: Annotated[
        str | None,
        Parameter(
            name=["--output", "-o"],
            help="Where the results go, by suffix: JSON lines, CSV, or an SQLite table `results`. A file "
            "that exists is rewritten. Without it JSON lines on stdout, or on a terminal a line per ticket. "
            "A result that is not JSON is an error that names its ticket; what numpy makes counts as JSON.",
            metavar="OUT.jsonl|.csv|.db",
            group=OUTPUT,
        ),
    ] = None,
    ordered: Annotated[
        bool,
        Parameter(
            help="In the order of the tickets instead of as they finish.",
            negative="",
            show_default=False,
            group=OUTPUT,
        ),
    ] = False,
    verbose: Annotated[
        bool,
        Parameter(
            name=["--verbose", "-v", "--traceback"],
            help="Show the traceback of a worker that raised.",
            negative="",
            show_default=False,
            group=OUTPUT,
        ),
    ] = False,
    **settings: Any,
) -> int:
    """Feed rows to a worker on every core and write what it makes of them.

    The worker is `@eisenmp.worker def name(toolbox, rows)`, or a function of the toolbox as in eisenmp 1.0.
    It gets `--rows-max` rows at a time; what it returns is the result of that ticket and is written as soon
    as it is there. For a slow source take `--rows-max 1` or `auto`. While results go to stdout, what workers
    print goes to stderr.

    * `seq 1000000 | eisenmp run sums.py:total --lines - --ordered`
    * `eisenmp run words.py:count --csv orders.csv --column comment --rows-max 200 -o counts.jsonl`
    """
    try:
        import_from_here()
        # What is wrong is said before stdin is waited for, and long before a file is rewritten.
        manager = _manager(worker, taken(settings))
        with ExitStack() as stack:
            stack.enter_context(warnings_in_one_line())
            source = stack.enter_context(open_input(feed, lines, csv, column, jsonl))
            sink = open_output(output, lines or csv or jsonl)
            stack.callback(_close, sink)
            if sink.name == STDOUT and not isinstance(sink, Screen):
                stack.enter_context(redirect_stdout(sys.stderr))
            return _pump(manager, source, sink, ordered=ordered, verbose=verbose)
    except Exception as error:
        if not reportable(error):
            raise
        return report(error, verbose=verbose)


with_settings(run)


def _manager(worker: str, keywords: dict[str, Any]) -> Mp:
    progress_default(keywords, terminal=sys.stderr is not None and sys.stderr.isatty())
    manager = Mp(resolve(worker), **keywords)
    manager.command = invocation()
    return manager


def _pump(manager: Mp, source: Input, sink: Output, *, ordered: bool, verbose: bool) -> int:
    """All rows through the workers, all results into the sink; the exit code."""
    skip = manager.settings.on_error == "skip"
    written = 0
    unwritable: list[Unwritable] = []
    manager.on(Draining, _say_draining)
    try:
        manager.start()
        feed = manager.feed(source.rows)
        for result in feed.in_order() if ordered else feed:
            try:
                sink.write(result)
                written += 1
            except Unwritable as error:
                if not skip:
                    raise Refusal(str(error), FAILED) from error
                unwritable.append(error)
            except BrokenPipeError as error:
                raise _closed(sink, written) from error
            except OSError as error:
                raise file_refusal(sink.name, error, FAILED) from error
        failures = feed.failed
        manager.join()
    except BaseException as error:
        source.end()
        if manager.draining:
            manager.stop_interrupted()
        else:
            at_once = isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, BrokenPipeError)
            manager.stop(grace=0.0 if at_once else None)
        raise
    if not feed.expected:
        raise Refusal(f"{source.name}: there are no rows")
    failed = [failure.error for failure in failures] + list(unwritable)
    if not failed:
        return DONE
    say(f"{len(failed)} of {feed.expected} tickets failed; the first: {first_line(failed[0])}")
    for each in failed if verbose else ():
        show(remote_text(each))
    return FAILED


def _say_draining(event: Draining) -> None:
    chunks = f"{event.workers} running chunk{'' if event.workers == 1 else 's'}"
    say(f"interrupted; waiting for {chunks}: Ctrl-C again kills")


def _close(sink: Output) -> None:
    try:
        sink.close()
    except BrokenPipeError:
        return  # said when it was written to
    except OSError as error:
        raise file_refusal(sink.name, error, FAILED) from error


def _closed(sink: Output, written: int) -> Refusal:
    return Refusal(
        f"{sink.name}: closed by its reader after {written} result{'' if written == 1 else 's'}", FAILED
    )
