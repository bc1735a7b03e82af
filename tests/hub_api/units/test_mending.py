"""What is put right at the dock: units that went back to their supplier, and come again."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from api_client import Hub, play
from correcting import never
from hub import catalogue, imports
from hub.access.keys import Scope
from hub.after_sales import cover
from hub.after_sales.cover import CoverStatus
from hub.capture import capture
from hub.capture.answers import CaptureCode, Purpose
from hub.catalogue import ProductCard
from hub.history import as_of
from hub.ledger import hash_chain
from hub.lifecycle import Action
from hub.proof import conservation
from hub.unit_records import costs
from world import NOON, World

HOUR = timedelta(hours=1)


def whole(world: World) -> None:
    assert world.read(conservation.check).breaches == ()
    assert world.read(hash_chain.verify).breaks == ()


def stood(world: World, hours: float) -> tuple[str, str] | None:
    unit_id = world.unit("SN-1")["id"]
    found = world.read(partial(as_of.unit_as_of, unit_id=unit_id, at=NOON + hours * HOUR))
    return (str(found.standing.status), found.place["code"]) if found else None


@pytest.mark.parametrize("mutation", ["returnToSupplier", "writeOffUnits"])
def test_a_unit_that_left_us_is_received_again_with_its_record(world: World, mutation: str) -> None:
    world.receive("SN-1", "SN-2")
    unit_id = world.unit("SN-1")["id"]
    gone = {"returnToSupplier": "AT_SUPPLIER", "writeOffUnits": "WRITTEN_OFF"}[mutation]

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS, Scope.SCANNER)
        world.pass_time(hours=1)
        done = await ops.command(mutation, ["SN-1"], key="k-1", reason="dead on arrival")
        assert done["results"][0]["status"] == gone
        again = await ops.command(mutation, ["SN-1"], key="k-2", reason="dead on arrival")
        assert again["results"][0]["problem"]["code"] == "STEP_NOT_ALLOWED"
        assert world.read(partial(costs.valuation, at=world.now, by=costs.By.PRODUCT)).units == 1
        said = world.read(
            partial(capture, readings=["SN-1"], purpose=Purpose.RECEIVE, product="CAM")
        )
        assert (said.signal, said.code) == ("warn", CaptureCode.DUPLICATE)
        world.pass_time(hours=1)
        arrival = {"serial": "sn-1", "product": "CAM"}
        back = await ops.command(
            "receiveUnits", [arrival], key="k-3", location="SHOP", putAway=True
        )
        assert (back["results"][0]["unitId"], back["results"][0]["status"]) == (unit_id, "IN_STOCK")
        twice = await ops.command("receiveUnits", [arrival], key="k-4", location="SHOP")
        assert twice["results"][0]["problem"]["code"] == "DUPLICATE_SERIAL"

    play(world, story)
    place = "SUPPLIER" if mutation == "returnToSupplier" else "WH"
    assert [stood(world, hours) for hours in (0.5, 1.5, 2.5)] == [
        ("in_stock", "WH"),
        (gone.lower(), place),
        ("in_stock", "SHOP"),
    ]
    assert world.unit("SN-1")["location_code"] == "SHOP"
    assert world.read(partial(costs.valuation, at=world.now, by=costs.By.PRODUCT)).units == 2
    whole(world)


def test_a_unit_with_its_supplier_is_not_ours_to_sell_or_promise(world: World) -> None:
    world.receive("SN-1")
    assert world.do(Action.ALLOCATE, "SN-1", hold_reference="cart")[0].accepted
    assert world.do(Action.RETURN_TO_SUPPLIER, "SN-1")[0].code == "UNIT_PROMISED"
    world.do(Action.RELEASE, "SN-1")
    assert world.do(Action.RETURN_TO_SUPPLIER, "SN-1")[0].accepted
    for action in (Action.SELL, Action.ALLOCATE, Action.PICK, Action.MOVE, Action.COUNT):
        more: dict[str, Any] = {"place": "WH"} if action is Action.MOVE else {}
        verdict = world.do(action, "SN-1", **more)[0]
        assert verdict.accepted is (action is Action.COUNT), action
    assert world.do(Action.WRITE_OFF, "SN-1")[0].accepted
    whole(world)


def test_a_return_to_the_supplier_that_did_not_occur_is_corrected(world: World) -> None:
    world.receive("SN-1")
    world.pass_time(hours=1)
    world.do(Action.RETURN_TO_SUPPLIER, "SN-1")
    never(world, "SN-1", 3)
    assert (world.unit("SN-1")["status"], world.unit("SN-1")["location_code"]) == ("in_stock", "WH")
    assert stood(world, 1.5) == ("in_stock", "WH")
    whole(world)


def test_an_earlier_life_gives_no_warranty_and_a_block_stays(world: World) -> None:
    card = ProductCard(sku="CAM", name="Cam", manufacturer="ACME", warranty_months=24)
    world.write(lambda tx: catalogue.register_product(tx, world.context(), card))
    world.receive("SN-1")
    world.do(Action.SELL, "SN-1")
    world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS", reason="broken")
    world.do(Action.HOLD, "SN-1", hold_kind="quality")
    world.do(Action.RETURN_TO_SUPPLIER, "SN-1")
    world.pass_time(hours=1)
    assert world.receive("SN-1")[0].accepted
    unit = world.unit("SN-1")
    assert (unit["status"], unit["blocks"], unit["sold_at"]) == ("in_stock", 1, None)
    found = world.read(lambda tx: cover.cover_of(tx, world.context(), unit["id"]))
    assert found.covers[0].status is CoverStatus.NOT_STARTED
    whole(world)


def test_a_file_takes_a_unit_up_again(world: World, tmp_path: Path) -> None:
    world.receive("SN-1")
    unit_id = world.unit("SN-1")["id"]
    world.do(Action.RETURN_TO_SUPPLIER, "SN-1")
    world.pass_time(days=3)
    path = tmp_path / "again.csv"
    path.write_text("serial,sku,received on\nSN-1,CAM,2026-11-04\nSN-1,CAM,2026-11-04\n")
    plan = imports.Plan(location="WH")
    run = imports.begin(world.database, world.context(), path, plan)
    run = imports.carry_out(world.database, world.context(), run)
    assert (run.accepted, run.refused) == (1, 1)
    assert (world.unit("SN-1")["id"], world.unit("SN-1")["status"]) == (unit_id, "in_stock")
    whole(world)
