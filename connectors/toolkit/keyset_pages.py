"""Keyset pages: page a list sorted by time of change by that time instead of by page number.

A page number slips when an order of an earlier page changes and moves to the end. So the next page
starts at the newest time of the last one, inclusive. Only where one page holds a single moment does
an offset count on inside that moment. A position travels as the `after` of an `IncrementalCursor`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.toolkit.cursors import IncrementalCursor, moment

Fetch = Callable[[datetime | None, int, int], Awaitable[list[Any]]]
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KeysetPosition:
    """Start of the next page: a moment, and how many of its orders to skip."""

    since: datetime
    skip: int = 0

    @classmethod
    def resume(cls, after: str | None, since: datetime) -> "KeysetPosition":
        """Restore a position from its string; None is the start of the pass, at `since`."""
        if after is None:
            return cls(since)
        at, _, skip = after.rpartition("|")
        return cls(moment(at), int(skip))

    def following(self, newest: datetime | None, count: int, page_size: int) -> str | None:
        """Return the position of the next page as a string; None after the last page.

        `newest` is None where no time on the page could be read: it is passed by its number.
        """
        if count < page_size:
            return None
        if newest is not None and newest > self.since:
            return f"{newest.isoformat()}|0"
        return f"{self.since.isoformat()}|{self.skip + count}"


async def keyset_page(
    cursor: str, fetch: Fetch, newest: Callable[[list[Any]], datetime | None], size: int
) -> tuple[list[Any], str, bool]:
    """Read the next page of a list that is sorted by time of change: records, cursor, more.

    `fetch` takes the time from which on to read (None: everything), how many records to skip and
    how many to return, at most `size`; `newest` returns the latest time of change of a page, as
    `RecordReader.newest` does. The cursor is opaque; "" starts at the beginning.
    """
    place = IncrementalCursor.resume(cursor, datetime.now(UTC))
    position = KeysetPosition.resume(place.after, place.since or BEGINNING)
    since = None if position.since == BEGINNING else position.since
    found = await fetch(since, position.skip, size)
    latest = newest(found)
    place, more = place.step(latest, position.following(latest, len(found), size))
    return found, place.cursor(), more
