"""`imap` and `imap_unordered`: row by row, for those who come from `Pool.imap`."""

from __future__ import annotations

from os import environ

from ..child.contracts import ROW
from ..core.chunk import Cutter, is_sliceable
from .mp import Mp
from .supply import supply_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    Row = TypeVar("Row")
    Value = TypeVar("Value")


def imap(
    function: Callable[[Row], Value] | str,
    rows: Iterable[Row],
    *,
    rows_max: int | str | None = None,
    **settings: Any,
) -> Iterator[Value]:
    """`function(row)` for every row, in order, computed by workers on every core.

    Lazy: rows are pulled no further ahead than the workers' credit, processes start with the first `next()`
    and end with the iterator. `function` may also be text, such as 'file.py:name'. Settings as for `Mp`.
    `rows_max`: rows in a chunk; by default "auto", by the measured time. Raises TypeError at once for rows
    that cannot be iterated, WorkerFailed when the function raises.
    """
    return _imap(function, rows, rows_max, settings, ordered=True)


def imap_unordered(
    function: Callable[[Row], Value] | str,
    rows: Iterable[Row],
    *,
    rows_max: int | str | None = None,
    **settings: Any,
) -> Iterator[Value]:
    """Like `imap`, but values come as they are computed."""
    return _imap(function, rows, rows_max, settings, ordered=False)


def _imap(
    function: Any, rows: Any, rows_max: int | str | None, settings: dict[str, Any], *, ordered: bool
) -> Iterator[Any]:
    if supply_of(rows) is None:
        if not is_sliceable(rows):
            rows = iter(rows)
        Cutter(rows)
    if rows_max is None and "EISENMP_ROWS_MAX" not in environ:
        rows_max = "auto"
    if rows_max is not None:
        settings["rows_max"] = rows_max
    manager = Mp(function, **settings)
    manager.contract = ROW
    return _values(manager, rows, ordered)


def _values(manager: Mp, rows: Any, ordered: bool) -> Iterator[Any]:
    with manager:
        feed = manager.feed(rows)
        for result in feed.in_order() if ordered else feed:
            yield from result.value
