"""Which place a named column has among the columns of a file, and what is said when it has none."""

from __future__ import annotations

from ..errors import FeedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

NAMED = 30  #: columns that a message lists


def place_of(column: str, columns: Sequence[str], where: str) -> int:
    """The place of the column. Raises FeedError when none has the name, or several have."""
    found = columns.count(column)
    if found == 1:
        return columns.index(column)
    if found:
        raise FeedError(f"{where}: {found} columns are called {column!r}")
    from difflib import get_close_matches

    near = get_close_matches(column, columns, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    names = ", ".join(map(repr, columns[:NAMED]))
    more = f" and {len(columns) - NAMED} more" if len(columns) > NAMED else ""
    raise FeedError(f"{where}: there is no column {column!r}{hint}; the columns are {names}{more}")
