"""Cases about histories and registries: an event is reported once, a device is that device."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from connectors.contract import LookupDevice, PushedEvent, PushEvents
from connectors.errors import Rejected
from connectors.testing.case import NotApplicable, case, require, require_equal
from connectors.testing.harness import Harness
from hub.vocabulary import DeviceQuestion, EventError, LedgerEvent, NamedUnit

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
    """Push events, and read them until each was taken."""
    for each in (await _pushed(harness, *events)).values():
        require(each.error is None and each.job is None, f"{each.event}: {each}")


async def _pushed(harness: Harness, *events: LedgerEvent) -> dict[str, PushedEvent]:
    """Push events, and read them until each has its answer."""
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
    return found


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


@case(PushEvents)
async def one_refused_event_stops_no_others(harness: Harness) -> None:
    """An event that the channel refuses is Rejected in its place; the others are there."""
    if not harness.driver.refuse_events_of("BAD"):
        raise NotApplicable("the channel refuses no single event")
    good = [_event(harness, f"SN{number}") for number in range(3)]
    bad = _event(harness, "BAD")
    found = await _pushed(harness, good[0], bad, *good[1:])
    require(isinstance(found[bad.id].error, Rejected), f"the refused event: {found[bad.id]}")
    for each in good:
        require(found[each.id].error is None, f"an event beside a refused one: {found[each.id]}")
    require_equal(len(harness.driver.events()), len(good), "so many events are there")
    again = await _pushed(harness, bad, *good)
    require(isinstance(again[bad.id].error, Rejected), "the refused event again")
    require_equal(len(harness.driver.events()), len(good), "so many events after the repeat")


@case(PushEvents)
async def events_of_every_kind_are_pushed(harness: Harness) -> None:
    """Movements, parts of kits, and corrections are there, each once, however often reported."""
    history = _history(harness)
    wanted = [event for event in history if harness.connector.wants_event(event)]
    require(wanted, "the connector wants no event of a unit's life")
    for event in wanted:
        await _push_until_done(harness, event)
    there = sorted(harness.driver.events())
    require(len(there) >= len(wanted), f"{len(there)} of {len(wanted)} events are there")
    for event in wanted:
        await _push_until_done(harness, event)
    require_equal(sorted(harness.driver.events()), there, "the events after each was repeated")


def _history(harness: Harness) -> list[LedgerEvent]:
    """Return the life of a unit: made, moved, put into a kit, taken out, sold, and corrected."""
    born = _event(harness, "KIT-PART")
    kit = NamedUnit(serial="KIT-1", sku="K-1", gtin="04006381333948")

    def later(action: str, biz_step: str, disposition: str, **more: Any) -> LedgerEvent:
        at = harness.clock.advance(60)
        more |= {"action": action, "biz_step": biz_step, "disposition": disposition}
        return replace(born, id=str(uuid4()), occurred_at=at, **more)

    received = later("receive", "receiving", "in_progress")
    shipped = later("ship", "shipping", "in_transit", location=None)
    wrong = EventError(
        event=shipped.id, declared_at=harness.clock.advance(60), reason="did_not_occur"
    )
    return [
        born,
        received,
        later("store", "storing", "sellable_not_accessible"),
        later("assemble", "assembling", "unavailable", parent=kit),
        later("disassemble", "disassembling", "sellable_not_accessible", parent=kit),
        later("pick", "picking", "in_progress"),
        shipped,
        replace(shipped, id=str(uuid4()), error=wrong),
    ]


@case(LookupDevice)
async def a_device_is_found_by_identifier(harness: Harness) -> None:
    """What is registered of a device is reported; of one that is not registered, nothing."""
    harness.driver.register_device("00208851107345", "CoRoent")
    found = await harness.connector.lookup_device(DeviceQuestion(identifier="00208851107345"))
    require(found is not None, "the device is not found")
    require_equal((found.identifier, found.brand), ("00208851107345", "CoRoent"), "the device")
    other = await harness.connector.lookup_device(DeviceQuestion(identifier="00208851107352"))
    require_equal(other, None, "a device that is not registered")


CASES = (
    an_event_is_pushed_once,
    one_refused_event_stops_no_others,
    events_of_every_kind_are_pushed,
    a_device_is_found_by_identifier,
)
