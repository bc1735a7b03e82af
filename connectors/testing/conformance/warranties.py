"""Cases about manufacturers and messages: each question its answer, each effect once."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from connectors.contract import LookupWarranty, RegisterWarranty, SendNotice
from connectors.testing.broken_records import MISSING, Recorded, breaks_of
from connectors.testing.case import (
    ConformanceFailure,
    NotApplicable,
    case,
    require,
    require_equal,
)
from connectors.testing.harness import Harness
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import Contact, Notice, Registration, WarrantyQuestion, WarrantyStatus

PRODUCT = "P-1"
KNOWN = (WarrantyStatus.COVERED, WarrantyStatus.EXPIRED)


def _known(harness: Harness, *serials: str, days: int = 400) -> None:
    today = harness.clock.now.date()
    for serial in serials:
        ends_on = today + timedelta(days=days)
        harness.driver.add_unit(serial, PRODUCT, today - timedelta(days=500), ends_on)


@case(LookupWarranty)
async def warranty_answers_match_questions(harness: Harness) -> None:
    """Answers come in the order of the questions; an unknown serial is UNKNOWN, never expired."""
    _known(harness, "SN1", "SN2")
    _known(harness, "SN3", days=-30)
    asked = ("SN2", "GHOST", "SN3", "SN1")
    size = max(1, harness.connector.questions_max)
    answers = []
    for start in range(0, len(asked), size):
        some = [WarrantyQuestion(serial=s, product=PRODUCT) for s in asked[start : start + size]]
        answers += await harness.connector.lookup_warranty(some)
    require_equal([each.serial for each in answers], list(asked), "the serials of the answers")
    covered, unknown, expired, other = (each.status for each in answers)
    require_equal((covered, other), (WarrantyStatus.COVERED,) * 2, "units with a warranty")
    require(unknown in (WarrantyStatus.UNKNOWN, WarrantyStatus.INVALID), f"a ghost is {unknown}")
    require_equal(expired, WarrantyStatus.EXPIRED, "a unit whose warranty ended")


@case(LookupWarranty)
async def warranty_dates_are_exact(harness: Harness) -> None:
    """The first day of a warranty, where it is reported, and the last come in as they are."""
    _known(harness, "SN1")
    (answer,) = await harness.connector.lookup_warranty(
        [WarrantyQuestion(serial="SN1", product=PRODUCT)]
    )
    today = harness.clock.now.date()
    arm = today - timedelta(days=500) if harness.connector.reports_start_date else None
    wanted = (arm, today + timedelta(days=400))
    require_equal((answer.starts_on, answer.ends_on), wanted, "first and last day")


@case(LookupWarranty)
async def odd_answers_change_no_others(harness: Harness) -> None:
    """Each field of an answer broken in turn: the others stay; it is read as it is, or named."""
    _known(harness, "SN1", "SN2", "SN3")
    names = ("SN1", "SN2", "SN3")
    recorded = Recorded()
    harness.transport.recorded = recorded
    whole = await _answers(harness, names)
    harness.transport.recorded = None
    place = recorded.place_of(names, "SN2") or recorded.place_alone("SN2")
    if place is None:
        raise NotApplicable("no answer holds a serial in a field of its own")
    for each in list(breaks_of(place.record)):
        harness.transport.replay = recorded.replay(place, each.apply(place.record))
        try:
            found = await _answers(harness, names)
        except Exception as error:
            raise ConformanceFailure(f"{each}: all answers end with {error!r}") from error
        harness.transport.replay = None
        require_equal((found[0], found[2]), (whole[0], whole[2]), f"{each}: the other answers")
        answer, before = found[1], whole[1]
        if isinstance(answer, UnreadableRecord):
            require_equal(answer.ref, "SN2", f"{each}: the serial that is named")
            require(answer.value and answer.reason, f"{each}: value and reason are missing")
            continue
        if answer.status is not WarrantyStatus.UNKNOWN and each.value not in (None, MISSING, []):
            days = (answer.status, answer.ends_on)
            require_equal(days, (before.status, before.ends_on), f"{each}: status and last day")


async def _answers(harness: Harness, serials: Sequence[str]) -> list[Any]:
    size = max(1, harness.connector.questions_max)
    found: list[Any] = []
    for start in range(0, len(serials), size):
        some = [WarrantyQuestion(serial=s, product=PRODUCT) for s in serials[start : start + size]]
        found += await harness.connector.lookup_warranty(some)
    return found


@case(RegisterWarranty)
async def a_registration_happens_once(harness: Harness) -> None:
    """Registering again, also after a lost answer, is one registration with the first day."""
    harness.clock.advance(1)
    sold_on = harness.clock.now.date() - timedelta(days=2)
    _known(harness, "CLEAN")

    def sold(serial: str, reference: str) -> Registration:
        return Registration(reference=reference, serial=serial, product=PRODUCT, sold_on=sold_on)

    first = await harness.connector.register_warranty(sold("CLEAN", "R0"))
    require(first.registered, "what was registered is not called so")
    require_equal(
        await harness.connector.register_warranty(sold("CLEAN", "R0")), first, "the repeat"
    )
    async for loss in harness.lost_calls():
        _known(loss, "SN1")
        loss.arm()
        outcome = await loss.error_of(loss.connector.register_warranty(sold("SN1", "R1")))
        if loss.was_lost("the registration", outcome):
            again = await loss.connector.register_warranty(sold("SN1", "R1"))
            require(again.registered, f"{loss.what}: after the repeat it is not registered")
            require_equal(
                loss.driver.sold_on("SN1"), sold_on, f"{loss.what}, the day of sale there"
            )


@case(SendNotice)
async def a_message_goes_out_once(harness: Harness) -> None:
    """The same message again, also after a lost answer, goes out once and keeps its id."""

    def notice(reference: str) -> Notice:
        to = Contact(name="Ann", email="ann@example.org")
        return Notice(reference=reference, contact=to, subject="Recall", text="Stop using it.")

    first = await harness.connector.send_notice(notice("N0"))
    require_equal(await harness.connector.send_notice(notice("N0")), first, "the id of the repeat")
    require_equal(harness.driver.messages(), 1, "so many messages")
    async for loss in harness.lost_calls():
        loss.arm()
        outcome = await loss.error_of(loss.connector.send_notice(notice("N1")))
        if loss.was_lost("the message", outcome):
            await loss.connector.send_notice(notice("N1"))
            require_equal(loss.driver.messages(), 1, f"{loss.what}, messages")


CASES = (
    warranty_answers_match_questions,
    warranty_dates_are_exact,
    odd_answers_change_no_others,
    a_registration_happens_once,
    a_message_goes_out_once,
)
