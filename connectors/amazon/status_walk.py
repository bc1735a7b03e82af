"""Walk a list that is asked for by status: one status after the other, all of one window.

What changes meanwhile has changed after the window, and is in the next one. The cursor of a page is
its status, and the token that Amazon gave for it, if any.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.errors import Rejected
from connectors.toolkit.cursors import IncrementalCursor
from connectors.toolkit.records import Record, RecordReader

Ask = Callable[[str, str], Awaitable[tuple[Sequence[Any], str]]]
MOMENT = timedelta(milliseconds=1)


async def next_page(
    position: IncrementalCursor,
    statuses: Sequence[str],
    ask: Ask,
    reader: RecordReader,
    changed_at: Callable[[Record], datetime],
) -> tuple[Sequence[Any], IncrementalCursor, bool]:
    """Return the records of the next page, the position after it, and whether the walk goes on.

    `ask` takes status and token and returns the records and the token of the next page, "" after
    the last.
    """
    status, _, token = (position.after or f"{statuses[0]} ").partition(" ")
    try:
        found, token = await ask(status, token)
    except Rejected:
        if not token:
            raise
        # Nobody says how long a token lives: after a long outage the status is read anew.
        found, token = await ask(status, "")
    following = statuses.index(status) + 1
    after = f"{status} {token}" if token else None
    if after is None and following < len(statuses):
        after = f"{statuses[following]} "
    # A pass that has seen its own end ends early; this one has to come past every status.
    last = position.until - MOMENT
    times = reader.times(found, changed_at)
    newest = max((min(each, last) for each in times), default=None)
    position, more = position.step(newest, after)
    return found, position, more


def window(position: IncrementalCursor, since: str, until: str) -> Mapping[str, datetime]:
    """Return the ends of the window under the names that the list gives them."""
    ends = {until: position.until - MOMENT}
    return {since: position.since, **ends} if position.since else ends
