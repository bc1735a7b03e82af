"""Warranties: asked of the manufacturer when needed, refreshed when they grow old."""

import asyncio
import logging

from connectors import ConnectorError, LookupWarranty
from hub import channels, warranty
from hub.warranty import Known
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

ANSWER_SECONDS_MAX = 2.0  # a person is waiting
REFRESHED_MAX = 500  # in one run


async def answer(runtime: Runtime, unit_id: str) -> Known | None:
    """Return a unit's warranty: what is remembered if it is fresh, else what the maker says.

    When the maker can not be asked in time, the older answer is given, with its age; without one,
    None: unknown stays unknown.
    """
    now = runtime.clock()
    remembered = await runtime.database.read(lambda tx: warranty.known(tx, [unit_id], now))
    known = remembered.get(unit_id)
    if known is not None and not known.is_stale:
        return known
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await _ask(runtime, unit_id)
    except (ConnectorError, TimeoutError) as error:
        logger.info("the warranty of unit %s could not be asked: %s", unit_id, error)
        return known
    fresh = await runtime.database.read(lambda tx: warranty.known(tx, [unit_id], now))
    return fresh.get(unit_id)


async def refresh(runtime: Runtime) -> str:
    """Ask again about the oldest remembered answers; return a summary."""
    now = runtime.clock()
    units = await runtime.database.read(
        lambda tx: warranty.stale_units(tx, now, limit=REFRESHED_MAX)
    )
    asked = 0
    for unit_id in units:
        try:
            await _ask(runtime, unit_id)
        except ConnectorError as error:
            logger.info("the warranty of unit %s could not be asked: %s", unit_id, error)
            break
        asked += 1
    return f"{asked} of {len(units)} old answers refreshed"


async def _ask(runtime: Runtime, unit_id: str) -> None:
    asked = await runtime.database.read(lambda tx: warranty.question(tx, unit_id))
    if asked is None:
        return
    channel_id, question = asked
    channel = await runtime.database.read(lambda tx: channels.by_id(tx, channel_id))
    connector = runtime.connections.of(channel)
    if channel["state"] != channels.ACTIVE or not isinstance(connector, LookupWarranty):
        return
    (said,) = await connector.lookup_warranty([question])
    await runtime.database.write(
        lambda tx: warranty.remember(tx, unit_id, channel_id, said, runtime.clock())
    )
