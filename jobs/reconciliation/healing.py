"""Healing of differences: what is safe is applied, sent to the channel, and looked for there."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial

import orjson

from connectors import ConnectorError, PullOrders
from hub import orders
from hub.commands.context import CommandContext
from hub.errors import Refused
from hub.reconciliation import healing
from hub.reconciliation.fix_rules import Decided
from hub.reconciliation.kinds import Fix, Kind
from hub.storage.rows import ChannelRow, ReconciliationDifferenceRow
from hub.storage.sql import Transaction
from jobs import intake, relay
from jobs.reconciliation import returns
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

HEAL_SECONDS_MAX = 5.0
HEAL_POLL_SECONDS = 0.05


def raises_offer(decided: Decided) -> bool:
    """Return whether healing a difference makes the channel offer more than it does now."""
    surplus = decided.difference["surplus"]
    return surplus is not None and surplus < 0


async def heal(runtime: Runtime, channel: ChannelRow, decided: Sequence[Decided]) -> list[str]:
    """Apply the fixes of differences, send what this queued; return the ids of those applied.

    A fix that is refused, or that fails, leaves its difference open with the reason, and stops no
    other one.
    """
    if not decided:
        return []
    context = runtime.context("reconcile")

    def queue(some: Sequence[Decided], tx: Transaction) -> None:
        for each in some:
            healing.heal(tx, context, each.difference["id"], choice=each.fix, rule=each.rule)

    read = [each for each in decided if each.fix in READ_AGAIN]
    queued = [each for each in decided if each.fix not in READ_AGAIN]
    applied = [each.difference["id"] for each in queued]
    try:
        await runtime.database.write(partial(queue, queued))
    except Exception:  # each is a transaction of its own then
        applied = [
            each.difference["id"]
            for each in queued
            if await _applied(
                runtime, each.difference, runtime.database.write(partial(queue, [each]))
            )
        ]
    for each in read:
        assert each.fix is not None  # as they are chosen above
        again = READ_AGAIN[each.fix](runtime, channel, each.difference, context, each.rule)
        if await _applied(runtime, each.difference, again):
            applied.append(each.difference["id"])
    await send(runtime, channel, applied)
    return applied


async def _applied(
    runtime: Runtime, row: ReconciliationDifferenceRow, work: Coroutine[object, object, None]
) -> bool:
    try:
        await work
    except Exception as error:
        text = str(error) if isinstance(error, Refused | ConnectorError) else type(error).__name__
        logger.warning("%s of %s was not healed: %s", row["kind"], row["subject"], text)
        await runtime.database.write(lambda tx: healing.refuse(tx, row["id"], text))
        return False
    return True


async def send(runtime: Runtime, channel: ChannelRow, ids: Sequence[str]) -> None:
    """Send a channel what fixes queued, and wait while another worker still sends it."""
    await intake.drain(runtime, channel["id"])
    await relay.drain(runtime, channel["id"])
    with suppress(TimeoutError):
        async with asyncio.timeout(HEAL_SECONDS_MAX):
            while await runtime.database.read(
                lambda tx: healing.being_sent(tx, list(ids), runtime.clock())
            ):
                await asyncio.sleep(HEAL_POLL_SECONDS)


async def heal_one(
    runtime: Runtime,
    channel: ChannelRow,
    difference_id: str,
    context: CommandContext,
    choice: Fix | None = None,
) -> None:
    """Apply the fix of one difference that a person chose.

    Raises StepNotAllowed for a difference that is settled, or that only a person can settle;
    InvalidInput for a choice that does not fit.
    """
    difference = await runtime.database.read(lambda tx: healing.get(tx, difference_id))
    fix = healing.chosen(difference, choice)
    if fix in READ_AGAIN:
        await READ_AGAIN[fix](runtime, channel, difference, context, None)
        return
    await runtime.database.write(lambda tx: healing.heal(tx, context, difference_id, choice=choice))


async def heal_many(
    runtime: Runtime,
    channel: ChannelRow,
    fix: Fix,
    context: CommandContext,
    kind: Kind | None = None,
    *,
    limit: int,
) -> tuple[list[str], int]:
    """Apply one fix to all open differences of a channel, or of one kind, that it settles.

    Returns the ids of those to which it is applied, and how many refused it; these stay open with
    the reason. Raises InvalidInput for a fix that is applied one by one only.
    """
    ids = await runtime.database.read(
        lambda tx: healing.healable(tx, channel["id"], fix, kind, limit=limit)
    )
    rows = await runtime.database.read(lambda tx: healing.by_id(tx, ids))
    applied = [
        row["id"]
        for row in rows
        if await _applied(runtime, row, heal_one(runtime, channel, row["id"], context, fix))
    ]
    return applied, len(rows) - len(applied)


async def _accept(
    runtime: Runtime,
    channel: ChannelRow,
    difference: ReconciliationDifferenceRow,
    context: CommandContext,
    rule: str | None,
) -> None:
    """Read an order of the channel again, and accept it as it is there."""
    connector = runtime.connections.of(channel)
    assert isinstance(connector, PullOrders)  # a channel that lists orders can read one
    ref = str(orjson.loads(difference["remote_claim"])["ref"])
    order = await connector.read_order(ref)

    def accept(tx: Transaction) -> None:
        healing.heal(tx, context, difference["id"], rule=rule)
        orders.accept(tx, context, channel, order, is_back=True)

    await runtime.database.write(accept)


# Fixes that read the channel again and accept what it states.
READ_AGAIN = {Fix.ACCEPT_ORDER: _accept, Fix.ACCEPT_RETURN: returns.accept}
