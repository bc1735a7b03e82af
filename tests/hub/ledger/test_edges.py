"""Edges of the ledger: what is just taken and just refused, and with which refusal."""

from datetime import timedelta

import pytest

from hub import catalogue, ledger
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import AmbiguousUnit, StepNotAllowed, UnknownUnit
from hub.ledger.chronology import SKEW
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Transaction
from world import World

IMEI = "490154203237518"


def moved(world: World, serial: str, ago: timedelta) -> Verdict:
    def work(tx: Transaction) -> list[Verdict]:
        command = UnitCommand(action=Action.MOVE, location=catalogue.location(tx, "WH-A1"))
        context = world.context(occurred_at=world.now - ago)
        return ledger.record(Work(tx, context, new_id()), command, [Scan(serial)])

    return world.write(work)[0]


def test_a_clock_may_be_behind_by_the_skew_and_not_by_more(world: World) -> None:
    world.receive("SN-1", "SN-2")
    skew = timedelta(microseconds=SKEW)
    assert moved(world, "SN-1", skew).accepted
    assert world.history("SN-1")[-1]["occurred_at"] == world.history("SN-1")[-2]["occurred_at"]
    refused = moved(world, "SN-2", skew + timedelta(microseconds=1))
    assert refused.code == "OUT_OF_ORDER"


def one(world: World, action: Action, scan: str) -> Verdict:
    return world.write(
        lambda tx: ledger.record_one(
            Work(tx, world.context(), new_id()), UnitCommand(action=action), Scan(scan)
        )
    )


def test_a_refusal_of_one_unit_is_raised_as_what_it_is(world: World) -> None:
    world.receive("SN-1", "SN-2")
    world.receive("SN-2", sku="LENS")
    with pytest.raises(UnknownUnit):
        one(world, Action.SELL, "nothing")
    with pytest.raises(AmbiguousUnit) as several:
        one(world, Action.SELL, "SN-2")
    assert several.value.details["skus"] == ["CAM", "LENS"]
    with pytest.raises(StepNotAllowed) as refused:
        one(world, Action.PACK, "SN-1")
    assert refused.value.details["allowed"]
    assert one(world, Action.SELL, "SN-1").accepted


@pytest.mark.parametrize("number", [IMEI, "49-015420-323751-8", f"IMEI: {IMEI}"])
def test_an_imei_without_its_check_digit_is_the_same_number(world: World, number: str) -> None:
    assert world.receive(IMEI[:14])[0].accepted
    assert world.receive(number)[0].code == "DUPLICATE_SERIAL"
    assert world.receive("B-1", sku="LENS", identifiers=(("imei2", number),))[0].code == (
        "DUPLICATE_SERIAL"
    )
    assert world.receive("C-1", identifiers=(("imei", "353879234252633"),))[0].accepted
    assert world.receive("35387923425263", sku="LENS")[0].code == "DUPLICATE_SERIAL"
