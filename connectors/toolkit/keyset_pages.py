"""Page through a list that is sorted by its time of change, by that time instead of by number.

A page number slips when an order of an earlier page changes and moves to the end. So the next page
begins at the newest time of the last one, itself included; only where one page holds a single
moment does a number count on, inside that moment. A position travels as the `after` of a cursor.
"""

from dataclasses import dataclass
from datetime import datetime

from connectors.toolkit.cursors import moment


@dataclass(frozen=True, slots=True)
class KeysetPosition:
    """Where the next page begins: at a moment, after so many orders of it."""

    since: datetime
    skip: int = 0

    @classmethod
    def resume(cls, after: str | None, since: datetime) -> "KeysetPosition":
        """Take up a place; None is the beginning of the walk."""
        if after is None:
            return cls(since)
        at, _, skip = after.rpartition("|")
        return cls(moment(at), int(skip))

    def following(self, newest: datetime | None, count: int, page_size: int) -> str | None:
        """Say where the page after this one begins; None where this one was the last."""
        if newest is None or count < page_size:
            return None
        if newest > self.since:
            return f"{newest.isoformat()}|0"
        return f"{self.since.isoformat()}|{self.skip + count}"
