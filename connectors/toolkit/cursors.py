"""Walk a channel's orders by their time of change without ever skipping one.

Three things make a plain watermark lose orders: an order may become visible later than its time of
change says, a page may end between two orders of the same second, and the list moves while it is
read. So each walk begins an overlap before what the last one surely saw, pages inside it by the
channel's own page cursor, and counts as complete up to the moment at which it began. Orders are
read twice for it; the inbox drops doubles.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

OVERLAP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncrementalCursor:
    """How far a puller has come. Travels as an opaque string between two calls."""

    since: datetime | None  # None: from the beginning
    until: datetime  # when this walk began
    newest: datetime | None = None
    after: str | None = None  # the channel's cursor of the next page of this walk

    @classmethod
    def resume(cls, cursor: str, now: datetime) -> "IncrementalCursor":
        """Take up a walk from its cursor; "" begins the first one."""
        stored = json.loads(cursor) if cursor else {}
        return cls(
            since=_moment(stored.get("since")),
            until=_moment(stored.get("until")) or now,
            newest=_moment(stored.get("newest")),
            after=stored.get("after"),
        )

    def step(self, newest: datetime | None, after: str | None) -> tuple["IncrementalCursor", bool]:
        """Go on after a page: the next walk, and whether there is more to read at once.

        `newest` is the latest time of change on the page, `after` the cursor of the next page.
        Past its own beginning a walk ends as soon as ending it makes progress, so that a busy
        channel cannot keep it from ending. Progress is an overlap at least: a channel whose clock
        goes ahead of ours is always past it, and its first page would be read for ever.
        """
        seen = max((each for each in (self.newest, newest) if each is not None), default=None)
        since = self.since
        if seen is not None:
            proven = min(seen, self.until) - OVERLAP
            since = proven if since is None else max(since, proven)
        gained = since is not None and (self.since is None or since - self.since >= OVERLAP)
        if after is not None and (seen is None or seen < self.until or not gained):
            return replace(self, newest=seen, after=after), True
        return IncrementalCursor(since=since, until=self.until), after is not None

    def cursor(self) -> str:
        """Write the walk as a cursor. A walk that has not begun leaves its beginning open."""
        begun = self.after is not None
        stored = {
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if begun else None,
            "newest": self.newest.isoformat() if begun and self.newest else None,
            "after": self.after,
        }
        return json.dumps({name: value for name, value in stored.items() if value is not None})


def stamp(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC, as the channels like it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """Read a channel's timestamp as UTC; one without an offset is UTC already."""
    read = datetime.fromisoformat(text)
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def _moment(text: str | None) -> datetime | None:
    return moment(text) if text else None
