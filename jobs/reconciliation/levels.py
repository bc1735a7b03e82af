"""Comparison of the quantities that one channel shows with those that it should show."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

from connectors import SnapshotStock, UnreadableRecord
from hub.reconciliation import comparison
from hub.reconciliation.differences import Difference, Totals
from hub.storage.rows import ChannelRow
from hub.vocabulary import ObservedLevel
from jobs import intake, poll, relay, unreadable
from jobs.reconciliation.options import BATCH, DifferenceBatches, RunOptions
from jobs.runtime import Runtime


async def levels(
    runtime: Runtime, channel: ChannelRow, _options: RunOptions, totals: Totals
) -> DifferenceBatches:
    """Yield the differences of levels in batches; only the SKUs of suspects stay in memory."""
    connector = runtime.connections.of(channel)
    assert isinstance(connector, SnapshotStock)
    started = runtime.clock()
    await _catch_up(runtime, channel)
    suspects: set[str] = set()

    async def compare(batch: Sequence[ObservedLevel]) -> Sequence[Difference]:
        outcome = await runtime.database.write(
            lambda tx: comparison.levels(tx, channel, batch, runtime.clock())
        )
        totals.matched += outcome.matched
        totals.in_flight += outcome.in_flight
        totals.not_kept += outcome.not_kept
        return outcome.differences

    odd: list[UnreadableRecord] = []
    seen = Counter[str]()
    async for batch in _batches(connector.snapshot_stock(), odd):
        seen.update(each.sku for each in batch if each.sku)
        suspects.update([each.subject for each in await compare(batch)])
    several = {sku: times for sku, times in seen.items() if times > 1}
    suspects -= several.keys()
    if several:
        yield [comparison.same_sku_twice(sku, several[sku]) for sku in sorted(several)[:BATCH]]
    await runtime.database.write(lambda tx: unreadable.compared(tx, runtime, channel, odd))
    if suspects:
        await _catch_up(runtime, channel)
        again = connector.snapshot_stock()
        async for batch in _batches(again, [], lambda seen: seen.sku in suspects):
            yield await compare(batch)
    unseen = await runtime.database.read(
        lambda tx: comparison.missing_listings(tx, channel, started)
    )
    # A listing that could not be read is there.
    missing = [
        each for each in unseen if not any(unreadable.mentions(one, each.subject) for one in odd)
    ]
    for first in range(0, len(missing), BATCH):
        yield missing[first : first + BATCH]


async def _catch_up(runtime: Runtime, channel: ChannelRow) -> None:
    """Process the channel's sales and send it what is due, so that only drift remains."""
    await poll.poll(runtime, channel)
    await intake.drain(runtime, channel["id"])
    await relay.drain(runtime, channel["id"])


async def _batches(
    levels: AsyncIterator[ObservedLevel | UnreadableRecord],
    odd: list[UnreadableRecord],
    wanted: Callable[[ObservedLevel], bool] = lambda _: True,
) -> AsyncIterator[list[ObservedLevel]]:
    """Yield levels in batches; those that cannot be read are put into `odd`."""
    batch: list[ObservedLevel] = []
    async for level in levels:
        good, bad = unreadable.sort([level], unreadable.LISTING)
        odd += bad
        batch += [each for each in good if wanted(each)]
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
