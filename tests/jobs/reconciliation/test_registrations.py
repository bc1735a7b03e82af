"""Registrations at a manufacturer, compared with what it was sent about sold units."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import orjson
import pytest

from connectors import Rejected, UnreadableRecord
from hub.lifecycle import Action
from hub.reconciliation.kinds import Scope
from hub.storage.sql import Row
from hub.sync import outbox
from hub.vocabulary import Registration, Warranty, WarrantyQuestion, WarrantyStatus
from jobs import relay
from jobs.runtime import Runtime
from jobs.warranty.unreadable_answers import remember
from reconciling_orders import LOOK, is_live, only, proofs, run
from recording import Recording, stage
from world import World

Change = Callable[[Warranty], Warranty]


class Maker(Recording):
    """A manufacturer that states all that it has on record, as far as a test does not change it."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: dict[str, Change] = {}
        self.unreadable: set[str] = set()

    async def lookup_warranty(self, questions: Sequence[WarrantyQuestion]) -> Sequence[Any]:
        answers = await super().lookup_warranty(questions)
        return [self._stated(each) for each in answers]

    def _stated(self, answer: Warranty) -> Any:
        if answer.serial in self.unreadable:
            return UnreadableRecord(
                kind="warranty",
                ref=answer.serial,
                field="ends_on",
                value="soon",
                reason="is no day",
                raw="{}",
            )
        known = self.registrations.get(answer.serial)
        if known is not None:
            answer = replace(
                answer, sold_on=known.sold_on, product=known.product, reference=known.reference
            )
        return self.changed.get(answer.serial, lambda same: same)(answer)


def maker(world: World) -> tuple[Maker, Runtime, Row]:
    connector, runtime, channel = stage(world, Maker, manufacturer="ACME")
    assert isinstance(connector, Maker)
    world.receive("SN-1", "SN-2", "SN-3", place="SHOP")
    connector.serials = {"SN-1", "SN-2", "SN-3"}
    return connector, runtime, channel


def test_registrations_that_agree_are_matched(world: World) -> None:
    connector, runtime, channel = maker(world)
    sell(world, runtime, channel, "SN-1", "SN-2")
    last, found = run(world, runtime, channel, Scope.WARRANTIES)
    assert (last["matched"], found) == (2, [])
    assert len(connector.registrations) == 2


def sell(world: World, runtime: Runtime, channel: Row, *serials: str) -> None:
    world.do(Action.SELL, *serials)
    asyncio.run(relay.drain(runtime, channel["id"]))
    world.pass_time(minutes=5)


def test_a_registration_that_was_taken_and_is_not_there_is_removed_there(world: World) -> None:
    connector, runtime, channel = maker(world)
    sell(world, runtime, channel, "SN-1")
    del connector.registrations["SN-1"]
    last, found = run(world, runtime, channel, Scope.WARRANTIES)
    removed = only(found)
    assert (removed["kind"], removed["cause"]) == ("missing_registration", "removed_there")
    assert proofs(removed) == ["outbox"]
    assert (removed["state"], last["healed"]) == ("healed", 1)
    # It may be removed again, and is registered again.
    del connector.registrations["SN-1"]
    world.pass_time(minutes=5)
    assert only(run(world, runtime, channel, Scope.WARRANTIES)[1])["state"] == "healed"


def test_a_registration_that_was_refused_is_a_failed_push(world: World) -> None:
    connector, runtime, channel = maker(world)

    async def refuse(_: Registration) -> Warranty:
        raise Rejected("the dealer is not known")

    connector.register_warranty = refuse
    sell(world, runtime, channel, "SN-1")
    found = only(run(world, runtime, channel, Scope.WARRANTIES, LOOK)[1])
    assert (found["kind"], found["cause"]) == ("missing_registration", "failed_push")
    assert "the dealer is not known" in found["evidence"]
    assert proofs(found) == ["outbox"]


def test_a_serial_that_was_never_issued_is_no_removed_registration(world: World) -> None:
    connector, runtime, channel = maker(world)
    connector.serials = set()

    async def refuse(_: Registration) -> Warranty:
        raise Rejected("no such serial")

    connector.register_warranty = refuse
    sell(world, runtime, channel, "SN-1")
    found = only(run(world, runtime, channel, Scope.WARRANTIES)[1])
    assert (found["kind"], found["cause"], found["fix"]) == (
        "unknown_serial",
        "unknown_serial",
        "ask",
    )


@pytest.mark.parametrize(
    ("change", "kind", "stated"),
    [
        (
            lambda w: replace(w, sold_on=date(2026, 10, 1)),
            "warranty_dates",
            {"sold_on": "2026-10-01"},
        ),
        (lambda w: replace(w, product="SAW-M1"), "warranty_product", {"product": "SAW-M1"}),
        (
            lambda w: replace(w, reference="dealer-7"),
            "foreign_registration",
            {"reference": "dealer-7"},
        ),
    ],
)
def test_what_a_registration_states_otherwise_is_a_difference(
    world: World, change: Change, kind: str, stated: dict[str, str]
) -> None:
    connector, runtime, channel = maker(world)
    sell(world, runtime, channel, "SN-1")
    connector.changed["SN-1"] = change
    found = only(run(world, runtime, channel, Scope.WARRANTIES, LOOK)[1])
    assert (found["kind"], found["cause"]) == (kind, "foreign_edit")
    assert orjson.loads(found["remote_claim"]) == stated
    assert proofs(found) == ["outbox"]
    del connector.changed["SN-1"]
    world.pass_time(minutes=5)
    run(world, runtime, channel, Scope.WARRANTIES, LOOK)
    assert not is_live(world, found)


def test_products_are_compared_by_any_of_their_numbers(world: World) -> None:
    connector, runtime, channel = maker(world)
    sell(world, runtime, channel, "SN-1", "SN-2", "SN-3")
    for serial, name in (("SN-1", "cam m1"), ("SN-2", "CAM"), ("SN-3", "04006381333931")):
        connector.changed[serial] = lambda w, name=name: replace(w, product=name)
    assert run(world, runtime, channel, Scope.WARRANTIES)[1] == []


def test_a_cover_that_ends_earlier_than_it_was_stated_is_a_difference(world: World) -> None:
    connector, runtime, channel = maker(world)

    def ends(on: date | None) -> None:
        connector.changed["SN-1"] = lambda w: replace(w, status=WarrantyStatus.COVERED, ends_on=on)

    ends(date(2028, 11, 1))
    sell(world, runtime, channel, "SN-1")
    assert run(world, runtime, channel, Scope.WARRANTIES)[1] == []
    for shorter in (date(2027, 11, 1), None):
        ends(shorter)
        for _ in range(2):  # what it states now is no proof that it ever was so
            world.pass_time(minutes=5)
            found = run(world, runtime, channel, Scope.WARRANTIES)[1][-1]
            assert (found["kind"], found["fix"]) == ("warranty_dates", "ask")
            assert orjson.loads(found["ledger_claim"]) == {"ends_on": "2028-11-01"}
    ends(date(2029, 11, 1))
    world.pass_time(minutes=5)
    assert run(world, runtime, channel, Scope.WARRANTIES)[1] == []


def test_a_unit_in_stock_that_somebody_registered_is_a_question(world: World) -> None:
    connector, runtime, channel = maker(world)
    unit = world.unit("SN-2")
    answer = Warranty(serial="SN-2", status=WarrantyStatus.COVERED, registered=True)
    world.write(lambda tx: remember(tx, runtime, channel, [(unit["id"], answer)]))
    connector.changed["SN-2"] = lambda w: replace(w, registered=True, reference="dealer-7")
    found = only(run(world, runtime, channel, Scope.WARRANTIES)[1])
    assert (found["kind"], found["subject"], found["fix"]) == (
        "foreign_registration",
        "SN-2",
        "ask",
    )
    assert proofs(found) == ["warranty_record"]


def test_a_unit_that_came_back_keeps_its_own_registration(world: World) -> None:
    _, runtime, channel = maker(world)
    sell(world, runtime, channel, "SN-1")
    world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS")
    world.do(Action.RESTOCK, "SN-1", place="WH")
    assert run(world, runtime, channel, Scope.WARRANTIES)[1] == []


def test_an_answer_that_cannot_be_read_is_not_compared(world: World) -> None:
    connector, runtime, channel = maker(world)
    sell(world, runtime, channel, "SN-1", "SN-2")
    connector.unreadable = {"SN-1"}
    last, found = run(world, runtime, channel, Scope.WARRANTIES)
    assert (last["matched"], last["not_compared"], found) == (1, 1, [])
    assert "is no day" in last["skipped"]


def test_a_registration_that_is_sent_after_the_question_is_on_its_way(world: World) -> None:
    class Slow(Maker):
        meanwhile: Callable[[], Any] | None = None

        async def lookup_warranty(self, questions: Sequence[WarrantyQuestion]) -> Sequence[Any]:
            answers = await super().lookup_warranty(questions)
            if self.meanwhile is not None:
                await self.meanwhile()  # another worker sends it before the answer arrives
            return answers

    connector, runtime, channel = stage(world, Slow, manufacturer="ACME")
    assert isinstance(connector, Slow)
    world.receive("SN-1", place="SHOP")
    connector.serials = {"SN-1"}
    world.do(Action.SELL, "SN-1")
    connector.failures = [Rejected("not now")]  # the run's own push is refused
    asyncio.run(relay.drain(runtime, channel["id"]))
    (dead,) = world.rows("SELECT id FROM outbox")

    async def send() -> None:
        connector.meanwhile = None
        await asyncio.to_thread(world.write, lambda tx: outbox.replay(tx, [dead["id"]], world.now))
        await relay.drain(runtime, channel["id"])

    connector.meanwhile = send
    last, found = run(world, runtime, channel, Scope.WARRANTIES, LOOK)
    assert len(connector.registrations) == 1
    assert (last["in_flight"], found) == (1, [])
