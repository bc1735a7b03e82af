"""Read a channel that pages by number inside fixed windows of its time of change.

Where a channel cannot sort by time of change, a pass along the newest order is no walk at all. So
each window is fixed, ``[since, until]``, and its pages are read from the last to the first: an
order that changes meanwhile leaves the window and moves the others to lower pages, which are still
to come. (It comes again in the next window.) Should the window grow, because an order became
visible late, it is read again from its last page. Orders repeat for it and none is skipped.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from connectors.toolkit.cursors import OVERLAP, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """Progress of a puller over fixed windows of time; an opaque string between two calls."""

    since: datetime | None  # None: from the beginning
    until: datetime  # fixed while the window is read
    newest: datetime | None = None
    page: int = 0  # the page to read now, from 1; 0: only its length is to be learned
    total: int = 0
    size: int = 0  # of the pages that `page` counts

    @classmethod
    def resume(cls, cursor: str, now: datetime, page_size: int | None = None) -> "TimeWindow":
        """Restore a window from its cursor; "" starts the first one, which ends at `now`.

        A window whose pages were of another size than `page_size` is read from its start again.
        """
        stored = json.loads(cursor) if cursor else {}
        if page_size is not None and stored.get("size", page_size) != page_size:
            stored = {name: stored[name] for name in ("since", "until") if name in stored}
        times = {name: moment(stored[name]) for name in ("since", "newest") if name in stored}
        return cls(
            since=times.get("since"),
            until=moment(stored["until"]) if "until" in stored else now,
            newest=times.get("newest"),
            page=stored.get("page", 0),
            total=stored.get("total", 0),
            size=stored.get("size", 0),
        )

    @property
    def number(self) -> int:
        """Return the number of the page to request, from 1."""
        return max(1, self.page)

    def step(
        self, changed: Iterable[datetime], total: int, page_size: int
    ) -> tuple["TimeWindow", bool]:
        """Advance past a page; return the next window, and whether to read on at once.

        `changed` are the times of change on the page, `total` the present length of the window,
        `page_size` the number of orders that fill a page. Progress is measured by the channel's
        clock, never by ours alone.
        """
        times = [*changed, *([self.newest] if self.newest else [])]
        read = replace(self, newest=max(times, default=None), total=total, size=page_size)
        last = -(-total // page_size)
        if last > 1 and (self.page == 0 or total > self.total):
            return replace(read, page=last), True
        if self.page > 1:
            return replace(read, page=min(self.page - 1, max(1, last))), True
        since = self.since
        if read.newest is not None:
            proven = min(read.newest, self.until) - OVERLAP
            since = proven if since is None else max(since, proven)
        return TimeWindow(since=since, until=self.until), False

    def cursor(self) -> str:
        """Return the window as a string; between two windows the end of the next stays open."""
        stored: dict[str, str | int] = {}
        if self.since is not None:
            stored["since"] = self.since.isoformat()
        if self.page:
            stored |= {
                "until": self.until.isoformat(),
                "page": self.page,
                "total": self.total,
                "size": self.size,
            }
            if self.newest is not None:
                stored["newest"] = self.newest.isoformat()
        return json.dumps(stored)
