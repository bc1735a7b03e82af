"""Names of units over the API: linked, retired, shown by who looks; advice; points of capture."""

from typing import Any

import pytest

from api_client import Caller, Hub, play
from hub.access.keys import Scope
from hub.lifecycle import Action
from world import World

DONE = """{ __typename ... on NameChanged { replayed version unit { serial
    identifiers { scheme value } customer: displaySerial(audience: CUSTOMER)
    warehouse: displaySerial(audience: WAREHOUSE) } }
  ... on Problem { code message } ... on InvalidInput { field } }"""
DOCUMENT = """mutation($key: String!, $i: String!, $scheme: String!, $value: String!) {{
  done: {name}(idempotencyKey: $key, identifier: $i, scheme: $scheme, value: $value) {done} }}"""
UNIT = """query($i: String!) { unit(identifier: $i) { id serial
  customer: displaySerial(audience: CUSTOMER) warehouse: displaySerial(audience: WAREHOUSE)
  history { action details } } }"""
ADVICE = """query($skus: [String!]!, $above: Int! = 10000, $currency: String) {
  trackingAdvice(skus: $skus, valueAbove: $above, currency: $currency) {
    product { sku tracking value currency traits category picking returnDays warrantyStart
      replacementCover serialPattern } recommended criteria followed } }"""
REGISTER = """mutation($products: [ProductInput!]!) {
  registerCatalogue(idempotencyKey: "NEW", products: $products) {
  __typename ... on Problem { message } } }"""


async def name(
    caller: Caller, what: str, scheme: str, value: str, unit: str = "SN-1", **more: str
) -> Any:
    document = DOCUMENT.format(name=f"{what}Identifier", done=DONE)
    given = {"key": f"{what}-{scheme}-{value}-{unit}", "i": unit, "scheme": scheme, "value": value}
    return (await caller.ask(document, **(given | more)))["done"]


@pytest.mark.req("R26")
def test_names_in_other_systems_are_linked_read_both_ways_and_retired(world: World) -> None:
    world.receive("SN-1", "SN-2")

    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        done = await name(scanner, "link", "erp", "4711/1")
        assert done["unit"]["identifiers"] == [{"scheme": "erp", "value": "4711/1"}]
        assert (done["version"], done["replayed"]) == (3, False)
        assert (await name(scanner, "link", "erp", "4711/1"))["replayed"] is True
        unit = (await scanner.ask(UNIT, i="4711/1"))["unit"]
        assert (unit["serial"], unit["id"]) == ("SN-1", world.unit("SN-1")["id"])
        assert (unit["history"][-1]["action"], unit["history"][-1]["details"]) == (
            "ANNOTATE", {"linked": {"scheme": "erp", "value": "4711/1"}},
        )  # fmt: skip
        taken = await name(scanner, "link", "erp", "4711/1", unit="SN-2")
        assert taken["__typename"] == "DuplicateSerial"
        foreign = await name(scanner, "retire", "erp", "4711/1", unit="SN-2")
        assert foreign["code"] == "UNKNOWN_REFERENCE"
        gone = await name(scanner, "retire", "erp", "4711/1")
        assert gone["unit"]["identifiers"] == []
        assert (await scanner.ask(UNIT, i="4711/1"))["unit"] is None
        last = (await scanner.ask(UNIT, i="SN-1"))["unit"]["history"][-1]["details"]
        assert last == {"retired": {"scheme": "erp", "value": "4711/1"}}
        assert (await name(scanner, "link", "erp", "4711/1", unit="SN-2"))["version"] == 3
        assert (await name(scanner, "link", "E R P", "1"))["field"] == "scheme"
        assert (await name(scanner, "link", "erp", " "))["code"] == "INVALID_BARCODE"
        assert (await name(scanner, "link", "erp", "1", unit="SN-9"))["code"] == "UNKNOWN_UNIT"
        for number in range(50):
            await name(scanner, "link", "erp", f"n{number}")
        assert (await name(scanner, "link", "erp", "n50"))["field"] == "value"
        shop = await hub.caller(Scope.POS)
        assert (await name(shop, "link", "erp", "1"))["code"] == "FORBIDDEN"

    play(world, story)


@pytest.mark.req("R27")
def test_the_customer_sees_the_makers_serial_and_the_warehouse_ours(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        unit = (await scanner.ask(UNIT, i="SN-1"))["unit"]
        assert (unit["customer"], unit["warehouse"]) == ("SN-1", unit["id"])
        for scheme, value in (("asset", "A-9"), ("internal", "I-9"), ("label", "H-9")):
            shown = (await name(scanner, "link", scheme, value))["unit"]
            assert (shown["customer"], shown["warehouse"]) == ("SN-1", value)
        shop = await hub.caller(Scope.STOREFRONT)
        asked = '{ unit(identifier: "SN-1") { displaySerial(audience: %s) } }'
        seen = (await shop.ask(asked % "CUSTOMER"))["unit"]["displaySerial"]
        assert seen == "SN-1"
        assert (await shop.error(asked % "WAREHOUSE"))["code"] == "FORBIDDEN"

    play(world, story)


@pytest.mark.req("R35")
def test_advice_says_by_which_criteria_a_product_is_worth_following(world: World) -> None:
    plain = {"manufacturer": "ACME", "name": "x"}
    products = [
        plain | {"sku": "DEAR", "value": 10_001, "currency": "GBP", "category": "optics"},
        plain | {"sku": "EDGE", "value": 10_000, "currency": "GBP", "tracking": "NONE"},
        plain | {"sku": "YEN", "value": 90_000, "currency": "JPY", "tracking": "LOT"},
        plain | {"sku": "ALL", "tracking": "NONE", "warrantyMonths": 24, "picking": "FEFO",
                 "serialPattern": "X+", "returnDays": 14, "traits": ["REGULATED", "THEFT_RISK",
                 "COUNTERFEIT_RISK", "SERVICED", "RECALL_RISK"]},
    ]  # fmt: skip

    async def story(hub: Hub) -> None:
        admin, ops = await hub.caller(Scope.ADMIN), await hub.caller(Scope.OPS)
        await admin.ask(REGISTER, products=products)
        skus = ["DEAR", "EDGE", "YEN", "ALL"]
        found = (await ops.ask(ADVICE, skus=skus, currency="GBP"))["trackingAdvice"]
        assert [(each["criteria"], each["recommended"], each["followed"]) for each in found] == [
            (["VALUE"], True, True),
            ([], False, True),
            ([], False, True),
            (["WARRANTY", "REGULATED", "THEFT", "COUNTERFEIT", "SERVICED", "RECALL"], True, False),
        ]
        shown = found[3]["product"]
        assert (shown["picking"], shown["returnDays"], shown["serialPattern"]) == ("FEFO", 14, "X+")
        assert found[0]["product"]["value"] == 10_001
        own = (await ops.ask(ADVICE, skus=["YEN"], above=100))["trackingAdvice"]
        assert (own[0]["criteria"], own[0]["followed"]) == (["VALUE"], False)
        assert (await ops.error(ADVICE, skus=["NONE"]))["code"] == "UNKNOWN_REFERENCE"
        assert (await ops.error(ADVICE, skus=[]))["field"] == "skus"
        assert (await ops.error(ADVICE, skus=["ALL"], above=-1))["field"] == "valueAbove"
        scanner = await hub.caller(Scope.SCANNER)
        assert (await scanner.error(ADVICE, skus=["ALL"]))["code"] == "FORBIDDEN"
        assert (await scanner.error("{ products { value } }"))["code"] == "FORBIDDEN"
        assert (await scanner.ask("{ products { traits } }"))["products"]

    play(world, story)


@pytest.mark.req("R15")
def test_the_rule_of_one_product_is_set_and_enforced_at_capture(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        card = {"manufacturer": "ACME", "name": "x", "sku": "RULED", "serialPattern": r"R\d{4}"}
        await admin.ask(REGISTER, products=[card])
        units = [{"serial": serial, "product": "RULED"} for serial in ("R0001", "R001", "S0001")]
        done = await admin.command("receiveUnits", units, key="k-1", location="WH")
        assert [each["accepted"] for each in done["results"]] == [True, False, False]
        asked = """{ capture(readings: ["R001"], purpose: RECEIVE, product: "RULED") {
          signal code } }"""
        assert (await admin.ask(asked))["capture"] == {"signal": "REFUSE", "code": "TRUNCATED"}
        wrong = await admin.ask(REGISTER, products=[card | {"serialPattern": "("}])
        assert wrong["registerCatalogue"]["__typename"] == "InvalidInput"

    play(world, story)


@pytest.mark.req("R7", "R9")
def test_a_serial_is_captured_at_every_point_of_a_units_way(world: World) -> None:
    way: list[tuple[str, dict[str, Any]]] = [
        ("putAwayUnits", {"location": "WH-A1"}),
        ("holdUnits", {"kind": "SALE", "reference": "cart-1"}),
        ("pickUnits", {}),
        ("packUnits", {}),
        ("shipUnits", {"carrier": "UPS"}),
        ("acceptReturns", {"location": "RETURNS", "reason": "broken"}),
        ("inspectUnits", {"outcome": "REPAIR"}),
        ("inspectUnits", {"outcome": "RESTOCK"}),
        ("transferOutUnits", {"destination": "SHOP"}),
        ("transferInUnits", {"location": "SHOP"}),
        ("sellUnits", {"receipt": "R-1"}),
    ]

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        scan = {"capturedBy": "SCAN"}
        units = [{"serial": "SN-1", "product": "CAM"}]
        await admin.command("receiveUnits", units, key="k", location="WH", context=scan)
        for number, (mutation, given) in enumerate(way):
            done = await admin.command(
                mutation, ["SN-1"], key=f"k-{number}", context=dict(scan), **given
            )
            assert done["accepted"] == 1, (mutation, done)

    play(world, story)
    world.receive("SN-2", place="SHOP")
    world.do(Action.ALLOCATE, "SN-2", hold_reference="click-1")
    world.do(Action.PICK, "SN-2")
    (collected,) = world.do(Action.COLLECT, "SN-2")
    assert collected.status == "sold"
    told = {event["action"]: event["captured_by"] for event in world.history("SN-1")}
    assert set(told.values()) == {"scan"}
    assert {
        "receive", "put_away", "pick", "pack", "ship", "transfer_out", "transfer_in", "sell",
        "accept_return", "repair",
    } <= set(told)  # fmt: skip
