"""Healing of differences: what is safe is applied at once, and what it queued is sent."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import orjson

from connectors import NotFound, PullOrders, Rejected
from hub import orders
from hub.commands.context import CommandContext
from hub.errors import Refused
from hub.reconciliation import differences as reconciliation
from hub.reconciliation.differences import AUTOMATIC, Fix
from hub.storage.rows import ChannelRow, ReconciliationDifferenceRow
from hub.storage.sql import Transaction
from jobs import intake, relay
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

HEAL_SECONDS_MAX = 5.0
HEAL_POLL_SECONDS = 0.05


async def heal(
    runtime: Runtime, channel: ChannelRow, differences: Sequence[ReconciliationDifferenceRow]
) -> None:
    """Heal the differences that are safe to heal, and send the channel what this queued."""
    safe = [row for row in differences if Fix(row["fix"]) in AUTOMATIC]
    context = runtime.context("reconcile")
    queued = [row for row in safe if Fix(row["fix"]) is not Fix.ACCEPT_ORDER]
    if queued:

        def queue(rows: Sequence[ReconciliationDifferenceRow], tx: Transaction) -> None:
            for row in rows:
                reconciliation.heal(tx, context, row["id"])

        try:
            await runtime.database.write(partial(queue, queued))
        except Refused:
            for row in queued:  # one that cannot be healed stops no other
                with _left_to_a_person(row):
                    await runtime.database.write(partial(queue, [row]))
    for row in safe:
        if Fix(row["fix"]) is Fix.ACCEPT_ORDER:
            with _left_to_a_person(row):
                await _heal_order(runtime, channel, row, context)
    if safe:
        await intake.drain(runtime, channel["id"])
        await relay.drain(runtime, channel["id"])


@contextmanager
def _left_to_a_person(row: ReconciliationDifferenceRow) -> Iterator[None]:
    """Leave a difference open whose fix is refused; the report shows it, and the others go on."""
    try:
        yield
    except (Refused, NotFound, Rejected) as refusal:
        logger.warning("%s of %s was not healed: %s", row["kind"], row["subject"], refusal)


async def until_healed(runtime: Runtime, run_id: str) -> None:
    """Wait up to HEAL_SECONDS_MAX while another worker still heals differences of a run."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HEAL_SECONDS_MAX):
            while await runtime.database.read(lambda tx: reconciliation.healing(tx, run_id)):
                await asyncio.sleep(HEAL_POLL_SECONDS)


async def heal_one(
    runtime: Runtime, channel: ChannelRow, difference_id: str, context: CommandContext
) -> None:
    """Heal one difference: read its order again, or queue its fix for the channel.

    Raises StepNotAllowed for a difference that is settled, or that only a person can settle.
    """
    difference = await runtime.database.read(lambda tx: reconciliation.get(tx, difference_id))
    if Fix(difference["fix"]) is not Fix.ACCEPT_ORDER:
        await runtime.database.write(lambda tx: reconciliation.heal(tx, context, difference_id))
        return
    await _heal_order(runtime, channel, difference, context)


async def _heal_order(
    runtime: Runtime,
    channel: ChannelRow,
    difference: ReconciliationDifferenceRow,
    context: CommandContext,
) -> None:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, PullOrders)  # a channel that lists orders can read one
    ref = _remote_ref(difference)
    order = await connector.read_order(ref)

    def accept(tx: Transaction) -> None:
        reconciliation.heal(tx, context, difference["id"])
        orders.accept(tx, context, channel, order)
        reconciliation.healed(tx, difference["id"], context.now)

    await runtime.database.write(accept)


def _remote_ref(difference: ReconciliationDifferenceRow) -> str:
    return str(orjson.loads(difference["remote_claim"])["ref"])
