"""What is put right at the dock: units that went back to their supplier, and come again."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
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
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.proof import conservation
from hub.sync import bindings
from hub.unit_records import costs
from recalling import open_recall
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


# --- A wrong serial or product -------------------------------------------------------------------

CORRECT = """mutation($key: String!, $unit: UnitInput!, $serial: String, $product: String,
  $reason: String! = "typed wrongly") { done: correctIdentity(idempotencyKey: $key, unit: $unit,
    serial: $serial, product: $product, reason: $reason) { __typename
  ... on CommandResult { results { accepted version problem { code message }
    unit { serial product { sku } } } } ... on Problem { code message } } }"""


async def corrected(hub: Hub, identifier: str, sku: str | None = None, **to: str) -> Any:
    ops = await hub.caller(Scope.OPS)
    key = f"{identifier} {sku} {to}"
    unit = {"identifier": identifier, "sku": sku}
    return (await ops.ask(CORRECT, key=key, unit=unit, **to))["done"]


def test_a_unit_gets_its_right_product_and_serial_and_keeps_its_history(world: World) -> None:
    channel = world.channel()
    for sku in ("CAM", "LENS"):
        world.list_product(channel, sku)
    world.receive("SN-1")
    unit_id = world.unit("SN-1")["id"]
    world.write(
        lambda tx: costs.record(
            tx, world.context(), [costs.Cost(Scan("SN-1"), costs.CostKind.ACQUISITION, 100, "EUR")]
        )
    )
    wanted = (
        "SELECT listing.sku, wanted_version AS wanted FROM listing_level "
        "JOIN listing ON listing.id = listing_id"
    )
    before = {row["sku"]: row["wanted"] for row in world.rows(wanted)}
    known_then = world.now
    world.pass_time(hours=1)

    async def story(hub: Hub) -> None:
        done = await corrected(hub, "SN-1", serial="LX-7", product="LENS")
        (result,) = done["results"]
        assert result["unit"] == {"serial": "LX-7", "product": {"sku": "LENS"}}
        assert result["version"] == 3

    play(world, story)
    unit = world.unit("lx 7")
    assert (unit["id"], unit["sku"], unit["status"]) == (unit_id, "LENS", "in_stock")
    event = world.history("LX-7")[-1]
    assert (event["action"], event["reason"]) == ("reidentify", "typed wrongly")
    assert orjson.loads(event["details"])["was"]["serial"] == "SN-1"
    after = {row["sku"]: row["wanted"] for row in world.rows(wanted)}
    assert all(after[sku] > before[sku] for sku in ("CAM", "LENS"))
    # The wrong name is free, the right one is taken.
    assert world.receive("LX-7", sku="LENS")[0].code == "DUPLICATE_SERIAL"
    assert world.receive("SN-1")[0].accepted
    whole(world)

    def balance(**more: Any) -> dict[str, int]:
        read = partial(as_of.trial_balance, at=known_then, **more)
        return {row["sku"]: row["units"] for row in world.read(read).lines}

    assert balance() == {"LENS": 1}
    assert balance(recorded_by=known_then) == {"CAM": 1}
    assert balance(recorded_by=known_then, sku="LENS") == {}
    stock = partial(as_of.stock_as_of, location="WH", at=known_then, first=5)
    assert [row["serial"] for row in world.read(stock)] == ["LX-7"]
    then = partial(stock, recorded_by=known_then)
    assert [(row["serial"], row["sku"]) for row in world.read(then)] == [("SN-1", "CAM")]
    value = world.read(partial(costs.valuation, at=known_then, by=costs.By.PRODUCT))
    assert [(each.key, each.amount) for each in value.lines] == [("LENS", 100)]


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ({"serial": "SN-2"}, "DUPLICATE_SERIAL"),
        ({"product": "SAW"}, "DUPLICATE_SERIAL"),
        ({"serial": "490154203237518"}, "DUPLICATE_SERIAL"),  # another unit's IMEI
        ({"product": "NOTHING"}, "UNKNOWN_REFERENCE"),
        ({"serial": "4006381333931"}, "INVALID_BARCODE"),  # the product's GTIN
        ({"serial": "SN-1"}, "INVALID_INPUT"),
        ({}, "INVALID_INPUT"),
        ({"serial": "SN-9", "reason": " "}, "INVALID_INPUT"),
    ],
)
def test_a_wrong_correction_changes_nothing(world: World, to: dict[str, str], code: str) -> None:
    world.receive("SN-1")
    world.receive("SN-2", identifiers=(("imei", "490154203237518"),))
    world.receive("SN-1", sku="SAW")
    events = world.value("SELECT COUNT(*) FROM event")

    async def story(hub: Hub) -> None:
        done = await corrected(hub, "SN-1", "CAM", **to)
        problem = done if "code" in done else done["results"][0]["problem"]
        assert problem["code"] == code

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM event") == events


def test_a_promised_unit_and_one_that_a_listing_sells_keep_their_product(world: World) -> None:
    world.receive("SN-1", "SN-2")
    world.do(Action.ALLOCATE, "SN-1", hold_reference="cart")
    channel = world.channel()
    product = world.rows("SELECT id FROM product WHERE sku = 'CAM'")[0]["id"]
    unit_id = world.unit("SN-2")["id"]
    world.write(
        lambda tx: bindings.bind(tx, channel["id"], product, "ONE", {}, world.now, unit_id=unit_id)
    )

    async def story(hub: Hub) -> None:
        done = await corrected(hub, "SN-1", product="LENS")
        assert done["results"][0]["problem"]["code"] == "UNIT_PROMISED"
        done = await corrected(hub, "SN-2", product="LENS")
        assert done["results"][0]["problem"]["code"] == "STEP_NOT_ALLOWED"
        assert (await corrected(hub, "SN-2", serial="SN-3"))["results"][0]["accepted"]

    play(world, story)
    whole(world)


def test_its_own_imei_may_be_its_serial_and_a_ghost_does_not_block(world: World) -> None:
    world.receive("TYPO", identifiers=(("imei", "490154203237518"),))
    world.receive("SW-4", sku="SAW")
    world.receive("SW-4", sku="LENS")
    world.do(Action.WRITE_OFF, Scan("SW-4", "SAW"))
    assert world.unit("SW-4")["sku"] == "LENS"  # the living one is meant

    async def story(hub: Hub) -> None:
        done = await corrected(hub, "TYPO", serial="490154203237518")
        assert done["results"][0]["accepted"]
        done = await corrected(hub, "490154203237518", serial="TYPO")  # and back
        assert done["results"][0]["accepted"]

    play(world, story)
    assert world.unit("TYPO")["version"] == 4
    whole(world)


def test_an_open_recall_catches_a_unit_by_its_right_name(world: World) -> None:
    world.receive("SN-1")
    open_recall(world, products=["LENS"])

    async def story(hub: Hub) -> None:
        done = await corrected(hub, "SN-1", product="LENS")
        assert done["results"][0]["version"] == 4  # corrected, and blocked

    play(world, story)
    assert world.unit("SN-1")["blocks"] == 1
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
