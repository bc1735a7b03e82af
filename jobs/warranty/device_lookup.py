"""Look-ups of medical devices in a registry: on demand, cached, and refreshed when stale.

A stale answer is returned at once while it is refreshed; there is one look-up per device at a time,
and a registry that failed has a cool-down.
"""

import asyncio
import logging

from connectors import LookupDevice
from hub.catalogue import medical_devices
from hub.catalogue.medical_devices import Known
from hub.clock import micros
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import channels
from hub.vocabulary import DeviceQuestion
from jobs.recovery import apply_to_channel, decide
from jobs.runtime import Runtime
from jobs.warranty.lookup import ANSWER_SECONDS_MAX, COOLING

logger = logging.getLogger(__name__)


async def answer(runtime: Runtime, identifier: str) -> Known | None:
    """Return the record of a device: the cached one, else the registry's within the time limit.

    None: no answer yet, which is not the same as "not registered".
    """
    known = await _known(runtime, identifier)
    if known is not None and not known.is_stale:
        return known
    channel = await runtime.database.read(_registry)
    if channel is None or channel["waits_until"] > micros(runtime.clock()):
        return known
    subject = f"device {identifier}"
    flight = runtime.flights.join(subject)
    if flight is None:
        if runtime.flights.is_cooling(channel["id"], runtime.clock()):
            return known
        flight = runtime.flights.start(subject, _ask(runtime, channel, identifier))
    if known is not None and known.device is not None:
        return known  # stale, and marked as such; it is refreshed meanwhile
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await asyncio.shield(flight)
    except TimeoutError:
        logger.info("the registry takes too long about %s", identifier)
        runtime.flights.leave_alone(channel["id"], runtime.clock() + COOLING)
        return known
    return await _known(runtime, identifier)


def _registry(tx: Transaction) -> ChannelRow | None:
    """Return the oldest active channel that reads a registry of devices, if any."""
    return next(iter(channels.with_capability(tx, "lookup_device")), None)


async def _known(runtime: Runtime, identifier: str) -> Known | None:
    now = runtime.clock()
    return await runtime.database.read(lambda tx: medical_devices.known(tx, identifier, now))


async def _ask(runtime: Runtime, channel: ChannelRow, identifier: str) -> bool:
    connector = runtime.connections.of(channel)
    if channel["state"] != channels.ACTIVE or not isinstance(connector, LookupDevice):
        return False
    try:
        found = await connector.lookup_device(DeviceQuestion(identifier=identifier))
    except Exception as error:
        logger.info("%s could not be asked for a device: %s", channel["code"], error)
        now = runtime.clock()
        decision = decide(error, 0, now)
        runtime.flights.leave_alone(channel["id"], decision.slow_down_until or now + COOLING)
        if decision.pauses or decision.slow_down_until is not None:
            await runtime.database.write(lambda tx: apply_to_channel(tx, channel, decision, now))
        return False
    await runtime.database.write(
        lambda tx: medical_devices.remember(tx, identifier, channel["id"], found, runtime.clock())
    )
    runtime.flights.answered(channel["id"])
    return True
