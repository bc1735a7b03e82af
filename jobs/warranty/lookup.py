"""Warranties: asked of the manufacturer when needed, refreshed when they grow old.

An answer that grew old is given at once, with its age, while the manufacturer is asked again in
the background: once for a unit, however many people look at it. A manufacturer that failed is left
alone for a moment, so that nobody waits for him in vain.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from connectors import BulkWarranty, LookupWarranty
from hub.after_sales import warranty_answers
from hub.after_sales.warranty_answers import Known
from hub.clock import micros
from hub.storage.sql import Row, Transaction
from hub.sync import channels
from hub.vocabulary import WarrantyQuestion, WarrantyStatus
from jobs.recovery import Decision, apply_to_channel, decide
from jobs.runtime import Runtime
from jobs.warranty import batch_jobs

logger = logging.getLogger(__name__)

ANSWER_SECONDS_MAX = 2.0  # a person is waiting
COOLING = timedelta(seconds=30)  # who failed is left alone as long
REFRESHED_MAX = 500  # of one channel, in one run

Asked = Sequence[tuple[str, WarrantyQuestion]]


async def answer(runtime: Runtime, unit_id: str) -> Known | None:
    """Return a unit's warranty: what is remembered, else what the maker says within two seconds.

    What is remembered and has grown old is returned at once, and asked again meanwhile. That a
    maker did not know a serial is worth nothing once it is old: he is asked, as if it were new.
    Without any answer, None: unknown stays unknown.
    """
    known = await _known(runtime, unit_id)
    if known is not None and not known.is_stale:
        return known
    found = await runtime.database.read(lambda tx: _whom(tx, unit_id))
    if found is None:
        return known
    channel, question = found
    told = known is not None and known.warranty.status is not WarrantyStatus.UNKNOWN
    flight = runtime.flights.join(unit_id)
    if runtime.flights.is_cooling(channel["id"], runtime.clock()):
        return known
    if flight is None:
        flight = runtime.flights.start(unit_id, _ask(runtime, channel, unit_id, question))
    if told:
        return known
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await asyncio.shield(flight)
    except TimeoutError:
        logger.info("the warranty of unit %s takes too long to be asked", unit_id)
        runtime.flights.leave_alone(channel["id"], runtime.clock() + COOLING)
        return known
    return await _known(runtime, unit_id)


async def _known(runtime: Runtime, unit_id: str) -> Known | None:
    now = runtime.clock()
    found = await runtime.database.read(lambda tx: warranty_answers.known(tx, [unit_id], now))
    return found.get(unit_id)


def _whom(tx: Transaction, unit_id: str) -> tuple[Row, WarrantyQuestion] | None:
    asked = warranty_answers.question(tx, unit_id)
    return None if asked is None else (channels.by_id(tx, asked[0]), asked[1])


async def _ask(runtime: Runtime, channel: Row, unit_id: str, question: WarrantyQuestion) -> bool:
    """Ask about one unit, unless an answer came between the look and this."""
    known = await _known(runtime, unit_id)
    if known is not None and not known.is_stale:
        return True
    return await _batch(runtime, channel, [(unit_id, question)])


async def refresh(runtime: Runtime) -> str:
    """Ask again about the oldest remembered answers; return a summary.

    A manufacturer that fails does not keep the others from being asked.
    """
    asked = refreshed = 0
    able = await runtime.database.read(lambda tx: channels.with_capability(tx, "lookup_warranty"))
    for channel in able:
        of_one, done = await _refresh(runtime, channel)
        asked, refreshed = asked + of_one, refreshed + done
    return f"{refreshed} of {asked} old answers refreshed"


async def _refresh(runtime: Runtime, channel: Row) -> tuple[int, int]:
    """Refresh what one channel said; return how many answers were old, and how many are new."""
    now = runtime.clock()
    stale = await runtime.database.read(
        lambda tx: warranty_answers.stale_of(tx, channel["id"], now, limit=REFRESHED_MAX)
    )
    connector = runtime.connections.of(channel) if stale else None
    if not isinstance(connector, LookupWarranty):
        return len(stale), 0
    if isinstance(connector, BulkWarranty) and len(stale) > connector.questions_max:
        await batch_jobs.begin(runtime, channel, connector, stale)
        return len(stale), 0  # the answers come later
    refreshed = 0
    for start in range(0, len(stale), connector.questions_max):
        some = stale[start : start + connector.questions_max]
        if not await _batch(runtime, channel, some):
            break
        refreshed += len(some)
    return len(stale), refreshed


async def _batch(runtime: Runtime, channel: Row, asked: Asked) -> bool:
    """Ask some questions at once and remember the answers; say whether there were any."""
    now = runtime.clock()
    if channel["state"] != channels.ACTIVE or channel["waits_until"] > micros(now):
        return False
    try:
        connector = runtime.connections.of(channel)
        if not isinstance(connector, LookupWarranty):
            return False
        said = await connector.lookup_warranty([question for _, question in asked])
        answers = list(zip([unit_id for unit_id, _ in asked], said, strict=True))
    except Exception as error:
        logger.info("%s could not be asked for warranties: %s", channel["code"], error)
        await _failed(runtime, channel, decide(error, 0, now), now)
        return False

    def keep(tx: Transaction) -> None:
        for unit_id, each in answers:
            warranty_answers.remember(tx, unit_id, channel["id"], each, runtime.clock())

    await runtime.database.write(keep)
    runtime.flights.answered(channel["id"])
    return True


async def _failed(runtime: Runtime, channel: Row, decision: Decision, now: datetime) -> None:
    runtime.flights.leave_alone(channel["id"], decision.slow_down_until or now + COOLING)
    if decision.pauses or decision.slow_down_until is not None:
        await runtime.database.write(lambda tx: apply_to_channel(tx, channel, decision, now))
