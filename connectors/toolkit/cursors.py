"""Incremental cursor: read a list by time of change without skipping an entry.

Three things make a plain watermark lose orders: an order may become visible later than its time of
change, a page may end between two orders of the same second, and the list changes while it is
read. So each pass starts `OVERLAP` before the point that the last one proved, pages by the
channel's own cursor, and counts as complete up to the moment at which it started. Orders are read
twice for it; the inbox drops duplicates.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

OVERLAP = timedelta(minutes=5)
DIGEST_CHARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class IncrementalCursor:
    """Progress of a puller. Travels as an opaque string between two calls."""

    since: datetime | None  # None: from the beginning
    until: datetime  # when this walk began
    newest: datetime | None = None
    after: str | None = None  # the channel's cursor of the next page of this walk

    @classmethod
    def resume(cls, cursor: str, now: datetime) -> "IncrementalCursor":
        """Restore a cursor from its string; "" starts the first pass at `now`."""
        stored = json.loads(cursor) if cursor else {}
        return cls(
            since=_moment(stored.get("since")),
            until=_moment(stored.get("until")) or now,
            newest=_moment(stored.get("newest")),
            after=stored.get("after"),
        )

    def step(self, newest: datetime | None, after: str | None) -> tuple["IncrementalCursor", bool]:
        """Advance past a page; return the next cursor, and whether to read on at once.

        `newest` is the latest time of change on the page (None: it was empty), `after` the
        channel's cursor of the next page (None: it was the last).

        A pass that has gone beyond its own start ends as soon as ending makes progress, so that a
        busy channel cannot keep it from ending. Progress is at least `OVERLAP`: a channel whose
        clock is ahead of ours is always beyond the start, and its first page would be read for
        ever.
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
        """Return the cursor as a string; between two passes the start of the next stays open."""
        begun = self.after is not None
        stored = {
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if begun else None,
            "newest": self.newest.isoformat() if begun and self.newest else None,
            "after": self.after,
        }
        return json.dumps({name: value for name, value in stored.items() if value is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedRefs:
    """What changed in a list that names no time of change: by what was seen of it last.

    The states of all entries are compared with those that the cursor remembers. What differs, is
    new or is no longer in the list is to be read again, a few at a time. Only a digest of each
    state is kept. `seen` are the digests by reference, `waiting` is still to be read.
    """

    seen: Mapping[str, str] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()

    @classmethod
    def restore(cls, stored: Mapping[str, Any]) -> "ChangedRefs":
        """Restore what `stored` wrote into a cursor."""
        return cls(seen=stored.get("seen") or {}, waiting=tuple(stored.get("waiting") or ()))

    def compare(self, states: Mapping[str, Sequence[object]]) -> "ChangedRefs":
        """Return what is to be read after a look at the whole list: its states by reference."""
        now = {ref: _digest(state) for ref, state in states.items()}
        changed = [ref for ref, digest in now.items() if self.seen.get(ref) != digest]
        gone = [ref for ref in self.seen if ref not in now]
        return ChangedRefs(seen=now, waiting=tuple(dict.fromkeys((*self.waiting, *changed, *gone))))

    def take(self, most: int) -> tuple[tuple[str, ...], "ChangedRefs"]:
        """Return the next references to read, at most `most`, and what waits after them."""
        return self.waiting[:most], replace(self, waiting=self.waiting[most:])

    def stored(self) -> dict[str, Any]:
        """Return it as JSON values, to be a part of a cursor."""
        return {"seen": dict(self.seen), "waiting": list(self.waiting)}


def stamp(moment: datetime) -> str:
    """Return a moment as RFC 3339 text in UTC with milliseconds: ``2026-11-01T08:00:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """Parse an ISO 8601 timestamp as UTC; one without an offset is UTC already."""
    read = datetime.fromisoformat(text)
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def _moment(text: str | None) -> datetime | None:
    return moment(text) if text else None


def _digest(state: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()[:DIGEST_CHARS]
