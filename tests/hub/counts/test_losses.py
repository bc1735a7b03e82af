"""Losses: what is missing or stolen can not be sold, is asked after, and may turn up again."""

import pytest

from hub import catalogue
from hub.cases import CaseKind
from hub.clock import new_id
from hub.commands.work import Work
from hub.counts import losses
from hub.counts.losses import Loss
from hub.errors import InvalidInput
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.vocabulary import OrderLine
from world import World


def report(
    world: World, *serials: str, loss: Loss = Loss.MISSING, reason: str = "not on the shelf"
) -> list[Verdict]:
    scans = [Scan(each) for each in serials]
    context = world.context(reason=reason)
    return world.write(lambda tx: losses.report(Work(tx, context, new_id()), loss, scans))


def find(world: World, *serials: str, place: str = "WH") -> list[Verdict]:
    scans = [Scan(each) for each in serials]
    return world.write(
        lambda tx: losses.find(
            Work(tx, world.context(), new_id()), catalogue.location(tx, place), scans
        )
    )


def open_cases(world: World, kind: CaseKind) -> list[str]:
    return [
        row["summary"]
        for row in world.rows(
            "SELECT summary FROM exception_case WHERE kind = :kind AND state <> 'resolved'",
            kind=str(kind),
        )
    ]


@pytest.mark.req("R40", "R65", "R174")
@pytest.mark.parametrize("loss", Loss)
def test_what_is_lost_keeps_its_last_place_and_can_not_be_sold(world: World, loss: Loss) -> None:
    world.receive("SN-1", place="WH")
    (moved,) = world.do(Action.MOVE, "SN-1", place="WH-A1")
    assert moved.accepted
    (verdict,) = report(world, "sn 1", loss=loss)
    assert (verdict.accepted, verdict.status) == (True, str(loss))
    unit = world.unit("SN-1")
    assert (unit["status"], unit["location_code"]) == (str(loss), "WH-A1")
    (refused,) = world.do(Action.SELL, "SN-1")
    assert refused.code == "STEP_NOT_ALLOWED"
    (summary,) = open_cases(world, CaseKind.MISSING_UNIT)
    assert summary == (f"SN-1 (CAM) is {loss}: last seen at WH-A1 on 2026-11-02 12:00 by tester.")


def test_what_is_found_is_looked_at_before_it_is_sold_and_its_case_ends(world: World) -> None:
    world.receive("SN-1", "SN-2")
    report(world, "SN-1")
    found, refused = find(world, "SN-1", "SN-2", place="SHOP")
    assert (found.accepted, found.status) == (True, "returned")
    assert refused.code == "STEP_NOT_ALLOWED"
    assert world.unit("SN-1")["location_code"] == "SHOP"
    assert open_cases(world, CaseKind.MISSING_UNIT) == []
    (restocked,) = world.do(Action.RESTOCK, "SN-1")
    assert restocked.status == "in_stock"


def test_a_loss_without_a_reason_is_refused_and_loses_nothing(world: World) -> None:
    world.receive("SN-1")
    with pytest.raises(InvalidInput, match="reason"):
        report(world, "SN-1", reason=" ")
    assert world.unit("SN-1")["status"] == "in_stock"


def test_an_order_that_loses_its_unit_gets_another_or_is_told_of(world: World) -> None:
    channel = world.channel()
    world.list_product(channel)
    world.receive("SN-1", "SN-2")
    world.accept(channel, world.order(lines=[OrderLine(ref="l-1", sku="CAM", quantity=1)]))
    (first,) = world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL")
    report(world, first["serial"])
    (second,) = world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL")
    assert second["serial"] != first["serial"]
    assert open_cases(world, CaseKind.OVERSOLD) == []
    report(world, second["serial"])
    (summary,) = open_cases(world, CaseKind.OVERSOLD)
    assert "needs 1 more than there are" in summary


def test_an_unknown_unit_spoils_nothing(world: World) -> None:
    world.receive("SN-1")
    lost, unknown, twice = report(world, "SN-1", "nobody", "SN-1")
    assert lost.accepted
    assert (unknown.code, twice.code) == ("UNKNOWN_UNIT", "STEP_NOT_ALLOWED")
