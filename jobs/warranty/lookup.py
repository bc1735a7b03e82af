"""Warranty look-ups at manufacturers: on demand, cached, and refreshed when stale.

A stale answer is returned at once, with its age, while it is refreshed in the background: once for
a unit, however many callers ask. A manufacturer that failed has a cool-down, so that no caller
waits in vain.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from connectors import BulkWarranty, LookupWarranty
from hub.after_sales import warranty_answers
from hub.after_sales.warranty_answers import Known
from hub.clock import micros
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import channels
from hub.vocabulary import WarrantyQuestion, WarrantyStatus
from jobs.recovery import Decision, apply_to_channel, decide
from jobs.runtime import Runtime
from jobs.warranty import batch_jobs, unreadable_answers

logger = logging.getLogger(__name__)

ANSWER_SECONDS_MAX = 2.0  # a person is waiting
COOLING = timedelta(seconds=30)  # cool-down after a failure
REFRESHED_MAX = 500  # of one channel, in one run

UnitQuestions = Sequence[tuple[str, WarrantyQuestion]]


async def answer(runtime: Runtime, unit_id: str) -> Known | None:
    """Return a unit's warranty: the cached one, else the manufacturer's within two seconds.

    A stale answer is returned at once and refreshed meanwhile; a stale "unknown serial" is looked
    up as if there were no answer. None: no answer yet.
    """
    known = await _known(runtime, unit_id)
    if known is not None and not known.is_stale:
        return known
    found = await runtime.database.read(lambda tx: _question(tx, unit_id))
    if found is None:
        return known
    channel, question = found
    is_useful = known is not None and known.warranty.status is not WarrantyStatus.UNKNOWN
    flight = runtime.flights.join(unit_id)
    if runtime.flights.is_cooling(channel["id"], runtime.clock()):
        return known
    if flight is None:
        flight = runtime.flights.start(unit_id, _ask(runtime, channel, unit_id, question))
    if is_useful:
        return known
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await asyncio.shield(flight)
    except TimeoutError:
        logger.info("the warranty look-up of unit %s takes too long", unit_id)
        runtime.flights.leave_alone(channel["id"], runtime.clock() + COOLING)
        return known
    return await _known(runtime, unit_id)


async def _known(runtime: Runtime, unit_id: str) -> Known | None:
    now = runtime.clock()
    found = await runtime.database.read(lambda tx: warranty_answers.known(tx, [unit_id], now))
    return found.get(unit_id)


def _question(tx: Transaction, unit_id: str) -> tuple[ChannelRow, WarrantyQuestion] | None:
    asked = warranty_answers.question(tx, unit_id)
    return None if asked is None else (channels.by_id(tx, asked[0]), asked[1])


async def _ask(
    runtime: Runtime, channel: ChannelRow, unit_id: str, question: WarrantyQuestion
) -> bool:
    """Look up one unit, unless an answer was stored meanwhile."""
    known = await _known(runtime, unit_id)
    if known is not None and not known.is_stale:
        return True
    return await _batch(runtime, channel, [(unit_id, question)])


async def refresh(runtime: Runtime) -> str:
    """Refresh the oldest cached answers of each channel; return a summary.

    A manufacturer that fails does not block the others.
    """
    asked = refreshed = 0
    able = await runtime.database.read(lambda tx: channels.with_capability(tx, "lookup_warranty"))
    for channel in able:
        of_one, done = await _refresh(runtime, channel)
        asked, refreshed = asked + of_one, refreshed + done
    return f"{refreshed} of {asked} old answers refreshed"


async def _refresh(runtime: Runtime, channel: ChannelRow) -> tuple[int, int]:
    """Refresh the answers of one channel; return the numbers of stale and of refreshed ones."""
    now = runtime.clock()
    stale = await runtime.database.read(
        lambda tx: warranty_answers.stale_of(tx, channel["id"], now, limit=REFRESHED_MAX)
    )
    connector = runtime.connections.of(channel) if stale else None
    if not isinstance(connector, LookupWarranty):
        return len(stale), 0
    if isinstance(connector, BulkWarranty) and len(stale) > connector.questions_max:
        await batch_jobs.begin(runtime, channel, connector, stale)
        return len(stale), 0  # `batch_jobs.collect` stores the answers
    refreshed = 0
    for start in range(0, len(stale), connector.questions_max):
        some = stale[start : start + connector.questions_max]
        if not await _batch(runtime, channel, some):
            break
        refreshed += len(some)
    return len(stale), refreshed


async def _batch(runtime: Runtime, channel: ChannelRow, asked: UnitQuestions) -> bool:
    """Look up some units in one call and store the answers; return whether it succeeded."""
    now = runtime.clock()
    if channel["state"] != channels.ACTIVE or channel["waits_until"] > micros(now):
        return False
    try:
        connector = runtime.connections.of(channel)
        if not isinstance(connector, LookupWarranty):
            return False
        found = await connector.lookup_warranty([question for _, question in asked])
        answers = list(zip([unit_id for unit_id, _ in asked], found, strict=True))
    except Exception as error:
        logger.info("%s could not be asked for warranties: %s", channel["code"], error)
        await _failed(runtime, channel, decide(error, 0, now), now)
        return False

    def keep(tx: Transaction) -> None:
        unreadable_answers.remember(tx, runtime, channel, answers)

    await runtime.database.write(keep)
    runtime.flights.answered(channel["id"])
    return True


async def _failed(runtime: Runtime, channel: ChannelRow, decision: Decision, now: datetime) -> None:
    runtime.flights.leave_alone(channel["id"], decision.slow_down_until or now + COOLING)
    if decision.pauses or decision.slow_down_until is not None:
        await runtime.database.write(lambda tx: apply_to_channel(tx, channel, decision, now))
