"""Comparison of the serials of a product: the product decides, and no record is lost by it."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from api_client import Hub, play
from hub import imports
from hub.access.keys import Scope
from hub.after_sales import repairs
from hub.after_sales.repairs import Part, WorkDone, WorkKind
from hub.capture import bulk, capture
from hub.capture.answers import CaptureCode, Purpose
from hub.clock import new_id
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from recalling import caught, open_recall
from world import World

REGISTER = """mutation($key: String!, $products: [ProductInput!]!) {
  done: registerCatalogue(idempotencyKey: $key, products: $products) { __typename
    ... on Problem { code message } ... on InvalidInput { field } } }"""
CASE = "{ products { sku serialCase } }"
GTIN = "4006381333931"


def switch(world: World, case: str | None, sku: str = "CAM") -> Any:
    said: list[Any] = []

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        card = {"sku": sku, "name": sku, "manufacturer": "ACME"}
        card |= {"gtin": GTIN} if sku == "CAM" else {}
        card |= {"serialCase": case} if case else {}
        key = f"{sku} {case}"
        said.append((await admin.ask(REGISTER, key=key, products=[card]))["done"])

    play(world, story)
    return said[0]


def codes(verdicts: Any) -> list[str | None]:
    return [each.code for each in verdicts]


def test_serials_that_differ_by_case_or_dashes_are_one_unit_unless_the_product_says_so(
    world: World,
) -> None:
    assert codes(world.receive("5AHBHN", "5ahbhn")) == [None, "DUPLICATE_SERIAL"]
    assert switch(world, "EXACT")["__typename"] == "CatalogueChanged"
    took = world.receive("5ahbhn", "A1-23", "A12-3", "a12-3", "A12-3 ")
    assert codes(took) == [None, None, None, None, "DUPLICATE_SERIAL"]
    assert codes(world.receive("5AHBHN", "5ahbhn")) == ["DUPLICATE_SERIAL"] * 2
    assert codes(world.receive("SN-9", "sn-9", sku="LENS")) == [None, "DUPLICATE_SERIAL"]


def test_a_unit_is_found_by_its_own_writing_first_and_by_another_where_only_it_can_be_meant(
    world: World,
) -> None:
    switch(world, "EXACT")
    world.receive("5AHBHN", "5ahbhn", "Only-1")
    for scan in ("5AHBHN", "5ahbhn", f"https://id.gs1.org/01/0{GTIN}/21/5ahbhn"):
        assert world.unit(scan)["serial"] == scan[-6:]
    assert world.unit("ONLY1")["serial"] == "Only-1"
    (said,) = world.do(Action.SELL, "5Ahbhn")
    assert said.code == "AMBIGUOUS_UNIT"
    assert "5AHBHN, 5ahbhn" in (said.message or "")
    assert world.do(Action.WRITE_OFF, Scan("5AHBHN", "CAM"))[0].accepted
    assert world.do(Action.SELL, "5AHBHN")[0].code == "STEP_NOT_ALLOWED"  # never the other one
    assert world.do(Action.SELL, f"(01)0{GTIN}(21)5ahbhn")[0].accepted


def test_a_switch_back_names_the_units_that_would_be_one_and_changes_nothing(world: World) -> None:
    switch(world, "EXACT")
    world.receive("5AHBHN", "5ahbhn", "A1-23")
    before = world.rows("SELECT id, serial, serial_exact, version FROM unit ORDER BY id")
    said = switch(world, "FOLDED")
    assert (said["code"], said["field"]) == ("INVALID_INPUT", "serialCase")
    assert "5AHBHN, 5ahbhn" in said["message"]
    assert "A1-23" not in said["message"]
    assert world.rows("SELECT id, serial, serial_exact, version FROM unit ORDER BY id") == before
    assert switch(world, None)["__typename"] == "CatalogueChanged"  # keeps what it has
    assert codes(world.receive("a1-23")) == [None]


def test_a_switch_back_folds_serials_again_where_none_collide(world: World) -> None:
    switch(world, "EXACT")
    world.receive("5AHBHN")
    assert switch(world, "FOLDED")["__typename"] == "CatalogueChanged"
    assert codes(world.receive("5ahbhn")) == ["DUPLICATE_SERIAL"]
    assert world.value("SELECT MAX(serial_exact) FROM unit") == ""


def test_the_product_shows_how_its_serials_are_compared(world: World) -> None:
    switch(world, "EXACT")

    async def story(hub: Hub) -> None:
        anyone = await hub.caller(Scope.SCANNER)
        shown = {each["sku"]: each["serialCase"] for each in (await anyone.ask(CASE))["products"]}
        assert shown == {"CAM": "EXACT", "LENS": "FOLDED", "SAW": "FOLDED"}

    play(world, story)


# --- The other ways in ---------------------------------------------------------------------------


def test_a_file_a_scanner_and_a_sweep_compare_exact_serials_exactly(
    world: World, tmp_path: Path
) -> None:
    switch(world, "EXACT")
    path = tmp_path / "exact.csv"
    path.write_text("serial,sku\n5AHBHN,CAM\n5ahbhn,CAM\n5AHBHN,CAM\nx-1,LENS\nX1,LENS\n")
    run = imports.begin(world.database, world.context(), path, imports.Plan(location="WH"))
    run = imports.carry_out(world.database, world.context(), run)
    assert (run.accepted, run.refused) == (3, 2)

    def said(reading: str, purpose: Purpose) -> Any:
        return world.read(partial(capture, readings=[reading], purpose=purpose, product="CAM"))

    assert said("5AHBHN", Purpose.RECEIVE).code is CaptureCode.DUPLICATE
    assert said("5ahBHN", Purpose.RECEIVE).code is not CaptureCode.DUPLICATE
    assert said("5ahbhn", Purpose.FIND).unit["serial"] == "5ahbhn"
    reads = [f"(01)0{GTIN}(21){each}" for each in ("5AHBHN", "5ahbhn", "5AHBHN", "neW", "NEW")]
    tags = world.read(partial(bulk.read_tags, reads=[*reads, "x-1", "X1"]))
    assert [(each.serial, each.times) for each in tags] == [
        ("5AHBHN", 2),
        ("5ahbhn", 1),
        ("neW", 1),
        ("NEW", 1),
        ("x-1", 2),
    ]


@pytest.mark.parametrize("to", ["5ahbhn", "5-AHBHN"])
def test_a_correction_moves_a_unit_between_the_two_kinds_of_products(world: World, to: str) -> None:
    switch(world, "EXACT")
    world.receive("5AHBHN")
    world.receive(to, sku="LENS")

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        done = await ops.ask(
            """mutation($unit: UnitInput!, $to: String) { done: correctIdentity(
            idempotencyKey: "k", unit: $unit, product: $to, reason: "wrong product") {
              __typename ... on CommandResult { results { accepted problem { message } } } } }""",
            unit={"identifier": to, "sku": "LENS"},
            to="CAM",
        )
        assert done["done"]["results"][0]["accepted"], done

    play(world, story)
    assert world.unit(to)["serial"] == to
    assert codes(world.receive(to)) == ["DUPLICATE_SERIAL"]
    assert world.value("SELECT COUNT(*) FROM unit WHERE serial_exact = serial") == 2


def test_recalls_compare_a_list_of_serials_as_the_product_says(world: World) -> None:
    switch(world, "EXACT")
    world.receive("5AHBHN", "5ahbhn", "5Ahbhn")
    world.receive("5AHBHN", sku="LENS")
    open_recall(world, serials=["5ahbhn", "5AHBHN"])
    assert caught(world) == ["5AHBHN", "5AHBHN", "5ahbhn"]
    held = "SELECT COUNT(*) FROM unit WHERE serial = :serial AND blocks > 0"
    assert world.value(held, serial="5Ahbhn") == 0


def test_a_repair_links_the_part_that_is_written_so(world: World) -> None:
    switch(world, "EXACT")
    world.receive("5AHBHN", "5ahbhn")
    world.receive("BODY", sku="SAW")
    world.do(Action.SELL, "BODY")
    parts = (Part(part="shutter", serial_in="5ahbhn"), Part(part="cap", serial_out="5aHbhn"))
    done = WorkDone(kind=WorkKind.REPAIR, work="repaired", parts=parts)
    world.write(
        lambda tx: repairs.record_work(Work(tx, world.context(), new_id()), Scan("BODY"), done)
    )
    unit_id = world.unit("BODY")["id"]
    (row,) = world.read(lambda tx: repairs.service_history(tx, [unit_id]))[unit_id]
    linked = [(part["unit_in"], part["unit_out"]) for part in row["told"]["parts"]]
    assert linked == [(world.unit("5ahbhn")["id"], None), (None, None)]
