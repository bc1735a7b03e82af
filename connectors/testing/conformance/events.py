"""Cases about histories and registries: an event is reported once, a device is that device."""

from uuid import uuid4

from connectors.contract import LookupDevice, PushEvents
from connectors.testing.case import case, require, require_equal
from connectors.testing.harness import Harness
from hub.vocabulary import DeviceQuestion, LedgerEvent

LOOKS_MAX = 10


def _event(harness: Harness, serial: str) -> LedgerEvent:
    return LedgerEvent(
        id=str(uuid4()),
        serial=serial,
        sku="A-1",
        gtin="04006381333931",
        action="commission",
        biz_step="commissioning",
        disposition="active",
        occurred_at=harness.clock.now,
        read_point="WH",
        location="WH",
    )


async def _push_until_done(harness: Harness, *events: LedgerEvent) -> None:
    """Tell events, and look after them until each has its verdict."""
    found = {each.event: each for each in await harness.connector.push_events(events)}
    for _ in range(LOOKS_MAX):
        open_jobs = {each.job for each in found.values() if each.job is not None}
        for job in sorted(open_jobs):
            some = [each for each in events if found[each.id].job == job]
            answers = await harness.connector.read_push(job, some)
            found |= {each.event: each for each in answers}
        if not open_jobs:
            break
    require_equal(set(found), {each.id for each in events}, "the events that were answered")
    for each in found.values():
        require(each.error is None and each.job is None, f"{each.event}: {each}")


@case(PushEvents)
async def an_event_is_pushed_once(harness: Harness) -> None:
    """An event that is reported again, also after a lost answer, is there once."""
    first, second = _event(harness, "SN1"), _event(harness, "SN2")
    await _push_until_done(harness, first, second)
    await _push_until_done(harness, second, first, _event(harness, "SN3"))
    there = list(harness.driver.events())
    require_equal(len(there), 3, "so many events are there")
    require(any(each.endswith(first.id) for each in there), "it is known by another id")
    async for loss in harness.lost_calls():
        event = _event(loss, "SN1")
        loss.arm()
        outcome = await loss.error_of(loss.connector.push_events([event]))
        if loss.was_lost("the event", outcome):
            await _push_until_done(loss, event)
            require_equal(len(loss.driver.events()), 1, f"{loss.what}, events there")


@case(LookupDevice)
async def a_device_is_found_by_identifier(harness: Harness) -> None:
    """What is registered of a device is reported; of one that is not registered, nothing."""
    harness.driver.register_device("00208851107345", "CoRoent")
    found = await harness.connector.lookup_device(DeviceQuestion(identifier="00208851107345"))
    require(found is not None, "the device is not found")
    require_equal((found.identifier, found.brand), ("00208851107345", "CoRoent"), "the device")
    other = await harness.connector.lookup_device(DeviceQuestion(identifier="00208851107352"))
    require_equal(other, None, "a device that is not registered")


CASES = (an_event_is_pushed_once, a_device_is_found_by_identifier)
