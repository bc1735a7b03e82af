"""Read Walmart's lists by spans of their time of change that fit on one page.

Walmart pages by number through a list that moves when something in it changes, and neither says how
it is sorted nor when an entry changed. So a span is made so narrow that one page holds it, and is
read in one call. What is proven ends a quarter of an hour before the newest time that an entry
itself tells: it is measured by Walmart's clock, and what it does not tell is read again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.toolkit.cursors import moment

Listed = tuple[list[Any], str | None]
Fetch = Callable[[Mapping[str, str], str | None], Awaitable[Listed]]
Times = Callable[[Sequence[Any]], Sequence[datetime]]
KEPT = timedelta(days=179)  # Walmart shows no more
MARGIN = timedelta(minutes=15)
NARROWEST = timedelta(seconds=1)


async def read_span(
    stored: Mapping[str, Any], name: str, fetch: Fetch, times_of: Times
) -> tuple[list[Any], dict[str, Any], bool]:
    """Read the next span: what it holds, what the next cursor says, and whether more is there.

    `stored` is what the last one said; the next span is tried twice as wide.
    """
    now = datetime.now(UTC)
    since = max(moment(stored["since"]), now - KEPT) if "since" in stored else now - KEPT
    width = timedelta(seconds=stored.get("width", KEPT.total_seconds()))
    found, until, width = await _fitting(name, since, now, width, fetch)
    times = times_of(found)
    newest = max(
        [*times, *([moment(stored["newest"])] if "newest" in stored else [])], default=None
    )
    more = until < now
    following: dict[str, Any] = {"width": min(2 * width, KEPT).total_seconds()}
    if more:
        following["since"] = until.isoformat()
    elif newest is not None:
        following["since"] = (min(newest, until) - MARGIN).isoformat()
    if newest is not None:
        following["newest"] = newest.isoformat()
    return found, following, more


async def iterate_spans(
    name: str, since: datetime, until: datetime, fetch: Fetch
) -> AsyncIterator[Any]:
    """Yield all entries of a period, span by span; those on a border come twice."""
    width = until - since
    while True:
        found, last, width = await _fitting(name, since, until, width, fetch)
        for each in found:
            yield each
        if last >= until:
            return
        since, width = last, 2 * width


async def _fitting(
    name: str, since: datetime, end: datetime, width: timedelta, fetch: Fetch
) -> tuple[list[Any], datetime, timedelta]:
    """Read a span that is narrow enough; return what it holds, its end and its width."""
    while True:
        until = min(since + width, end)
        found, after = await fetch(span(name, since, until), None)
        if after is None or width <= NARROWEST:
            break
        width = max(NARROWEST, (until - since) / 2)
    while after is not None:  # more than a page in a second
        page, after = await fetch({}, after)
        found = [*found, *page]
    return found, until, width


def span(name: str, since: datetime, until: datetime) -> dict[str, str]:
    """Name a span of whole seconds that holds both ends."""
    first, last = since.astimezone(UTC), until.astimezone(UTC) + timedelta(seconds=1)
    text = "%Y-%m-%dT%H:%M:%SZ"
    return {f"{name}StartDate": first.strftime(text), f"{name}EndDate": last.strftime(text)}
