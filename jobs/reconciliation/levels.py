"""Comparison of the quantities that one channel shows with those that it should show."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from connectors import SnapshotStock, UnreadableRecord
from hub.reconciliation import marks
from hub.reconciliation.comparison import level_comparison, unbound_listings
from hub.reconciliation.comparison.level_comparison import about_of
from hub.reconciliation.kinds import Compared, Result, not_compared
from hub.reconciliation.rows import BoundLevel
from hub.reconciliation.runs import Run
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync.bindings import reference_of
from hub.vocabulary import ObservedLevel
from jobs import intake, poll, relay, unreadable
from jobs.reconciliation.options import BATCH, Outcomes, RunOptions
from jobs.runtime import Runtime

UNREADABLE = "its listing cannot be read"


async def compare(runtime: Runtime, run: Run, _options: RunOptions) -> Outcomes:
    """Yield the outcome of each listing: bound ones first, then those that are not bound.

    The channel is read twice where anything does not match, and only what does not match at both
    looks differs: a change that was on its way at the first look has arrived at the second one.
    """
    started = runtime.clock()
    await catch_up(runtime, run.channel)
    odd: list[UnreadableRecord] = []
    async for batch in _batches(_stock(runtime, run.channel), odd):
        yield await runtime.database.write(partial(_first_look, runtime, run, batch))
    await runtime.database.write(lambda tx: unreadable.compared(tx, runtime, run.channel, odd))
    if await runtime.database.read(lambda tx: unbound_listings.has_suspects(tx, run)):
        await catch_up(runtime, run.channel)
        async for batch in _batches(_stock(runtime, run.channel), []):
            suspects = await runtime.database.read(
                partial(unbound_listings.suspects, run=run, observed=batch)
            )
            if suspects:
                yield await runtime.database.write(partial(_second_look, runtime, run, suspects))
    async for outcomes in _not_bound(runtime, run, started, odd):
        yield outcomes
    await runtime.database.write(lambda tx: unbound_listings.forget(tx, run))


def _stock(
    runtime: Runtime, channel: ChannelRow
) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, SnapshotStock)
    return connector.snapshot_stock()


def _settles(runtime: Runtime, channel: ChannelRow) -> timedelta:
    """Return how long a pushed quantity takes until the channel shows it."""
    connector = runtime.connections.of(channel)
    return timedelta(seconds=getattr(connector, "settles_seconds", 0))


def _first_look(
    runtime: Runtime, run: Run, batch: Sequence[ObservedLevel], tx: Transaction
) -> Sequence[Compared]:
    """Compare a batch; leave what does not match for the second look."""
    now, observed = runtime.clock(), {reference_of(each.remote, each.sku): each for each in batch}
    if run.is_resumed:
        new = marks.unmarked(tx, run, list(observed))
        level_comparison.saw(tx, run.channel, sorted(observed.keys() - new), now)
        batch = [each for about, each in observed.items() if about in new]
    seen = level_comparison.levels(tx, run.channel, batch, now, _settles(runtime, run.channel))
    different = [each.about for each in seen.compared if each.result is Result.DIFFERENT]
    suspects = [*seen.unbound, *(observed[about] for about in different)]
    unbound_listings.note(tx, run, suspects, now, unbound=False)
    return [each for each in seen.compared if each.result is not Result.DIFFERENT]


def _second_look(
    runtime: Runtime, run: Run, batch: Sequence[ObservedLevel], tx: Transaction
) -> Sequence[Compared]:
    now = runtime.clock()
    seen = level_comparison.levels(tx, run.channel, batch, now, _settles(runtime, run.channel))
    unbound_listings.note(tx, run, seen.unbound, now, unbound=True)
    return seen.compared


async def _not_bound(
    runtime: Runtime, run: Run, started: datetime, odd: Sequence[UnreadableRecord]
) -> Outcomes:
    """Yield the outcomes of listings that are not bound, and of bound ones that are not there."""
    replaced = set[str]()
    after = ("", "")
    while page := await runtime.database.read(
        partial(unbound_listings.next_page, run=run, after=after, limit=BATCH)
    ):
        after = (page[-1]["sku"], page[-1]["about"])
        outcomes, gone = await runtime.database.read(
            partial(unbound_listings.decide, run=run, page=page, started=started)
        )
        replaced.update(gone)
        yield outcomes
    last, explained = "", set[int]()
    while levels := await runtime.database.read(
        partial(level_comparison.missing, run=run, since=started, after=last, limit=BATCH)
    ):
        last = levels[-1]["listing_id"]
        missing = [each for each in levels if each["listing_id"] not in replaced]
        # A listing that could not be read is there.
        hidden = list[BoundLevel]()
        for each in missing:
            about = [n for n, one in enumerate(odd) if unreadable.mentions(one, each["sku"])]
            explained.update(about)
            hidden += [each] if about else []
        yield [
            *[not_compared(about_of(each), each["sku"], UNREADABLE) for each in hidden],
            *[level_comparison.missing_listing(each) for each in missing if each not in hidden],
        ]
    # Those that are no bound listing that was missed.
    yield [
        not_compared(f"unreadable {each.ref or number}", each.ref or "", UNREADABLE)
        for number, each in enumerate(odd)
        if number not in explained
    ]


async def look_again(
    runtime: Runtime, run: Run, _options: RunOptions, abouts: Sequence[str]
) -> Sequence[Compared]:
    """Look at some listings again; the reading stops when all of them were seen."""
    wanted, outcomes = set(abouts), list[Compared]()

    def is_wanted(each: ObservedLevel) -> bool:
        return reference_of(each.remote, each.sku) in wanted

    async for batch in _batches(_stock(runtime, run.channel), [], is_wanted):
        compare_batch = partial(
            level_comparison.levels,
            channel=run.channel,
            observed=batch,
            now=runtime.clock(),
            settles=_settles(runtime, run.channel),
        )
        seen = await runtime.database.write(compare_batch)
        outcomes += seen.compared
        wanted -= {reference_of(each.remote, each.sku) for each in batch}
        if not wanted:
            return outcomes
    gone = await runtime.database.read(
        partial(level_comparison.not_bound, run=run, references=sorted(wanted))
    )
    return outcomes + gone


async def catch_up(runtime: Runtime, channel: ChannelRow) -> None:
    """Process the channel's sales and send it what is due, so that only drift remains."""
    await poll.poll(runtime, channel)
    await intake.drain(runtime, channel["id"])
    await relay.drain(runtime, channel["id"])


async def _batches(
    levels: AsyncIterator[ObservedLevel | UnreadableRecord],
    odd: list[UnreadableRecord],
    wanted: Callable[[ObservedLevel], bool] = lambda _: True,
) -> AsyncIterator[list[ObservedLevel]]:
    """Yield levels in batches; those that cannot be read are put into `odd`.

    A listing that a channel repeats on two pages is compared once.
    """
    batch: dict[str, ObservedLevel] = {}
    async for level in levels:
        good, bad = unreadable.sort([level], unreadable.LISTING)
        odd += bad
        batch |= {reference_of(each.remote, each.sku): each for each in good if wanted(each)}
        if len(batch) == BATCH:
            yield list(batch.values())
            batch = {}
    if batch:
        yield list(batch.values())
