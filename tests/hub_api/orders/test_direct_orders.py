"""Direct orders and held orders over the API: who may do what, and what it does."""

import asyncio
from typing import Any

from api_client import Hub, play
from hub.access.keys import Scope
from hub.vocabulary import HoldReason, OrderState
from world import World

PLAIN = "... on Problem { code message } ... on InvalidInput { field }"
PROBLEM = f"{PLAIN} ... on NotEnoughStock {{ available }}"
ORDER = """... on Order { id ref number state hold remoteState channel customerRef isGift shipBy
  holdOverride { hold reason by } promisesEndedAt
  money { currency total shipping refunded taxIncluded }
  lines { ref sku quantity kind unitPrice tax discount withheld units { serial } } }"""
PLACE = f"""mutation($key: String!, $order: DirectOrderInput!, $ref: String, $whole: Boolean!) {{
  done: placeOrder(idempotencyKey: $key, order: $order, ref: $ref, whole: $whole) {{
    {ORDER} {PROBLEM} }} }}"""
EDIT = f"""mutation($id: ID!, $order: DirectOrderInput!) {{
  done: editOrder(idempotencyKey: "NEW", orderId: $id, order: $order) {{ {ORDER} {PROBLEM} }} }}"""
CANCEL = f"""mutation($id: ID!) {{
  done: cancelOrder(idempotencyKey: "NEW", orderId: $id, reason: "wrong size") {{
    {ORDER} {PROBLEM} }} }}"""
OVERRIDE = f"""mutation($id: ID!, $reason: String!) {{
  done: overrideOrderHold(idempotencyKey: "NEW", orderId: $id, reason: $reason) {{
    {ORDER} {PLAIN} }} }}"""
AGAIN = f"""mutation($id: ID!) {{ done: allocateOrder(idempotencyKey: "NEW", orderId: $id) {{
    {ORDER} {PLAIN} }} }}"""
STEP = """mutation($unit: String!) { done: %s(idempotencyKey: "NEW",
  units: [{ identifier: $unit }]%s) { ... on CommandResult { results { accepted problem { code
  message ... on OrderOnHold { hold order } } } } ... on Problem { code message } } }"""
HELD = "{ orders(hold: CANCELLATION_REQUESTED) { nodes { number } } }"


def order(quantity: int = 1, **more: Any) -> dict[str, Any]:
    line = {"sku": "CAM", "quantity": quantity, "unitPrice": "199.90", "tax": "31.92"}
    return {"lines": [line], "currency": "EUR", "total": "199.90", **more}


def test_an_order_is_placed_edited_and_cancelled_at_the_hub(world: World) -> None:
    world.receive("SN-1", "SN-2")

    async def story(hub: Hub) -> None:
        desk = await hub.caller(Scope.ORDERS)
        asked = {"order": order(customerRef="c-7"), "ref": "B2B-1", "whole": True}
        placed = (await desk.ask(PLACE, key="k-1", **asked))["done"]
        assert (placed["channel"], placed["number"], placed["state"]) == ("direct", "B2B-1", "OPEN")
        assert placed["money"]["total"] == "199.90"
        (line,) = placed["lines"]
        assert (line["unitPrice"], line["tax"], line["discount"]) == ("199.90", "31.92", None)
        assert [unit["serial"] for unit in line["units"]] == ["SN-1"]
        assert (await desk.ask(PLACE, key="k-1", **asked))["done"]["id"] == placed["id"]
        again = (await desk.ask(PLACE, key="k-2", **asked))["done"]
        assert (again["code"], again["field"]) == ("INVALID_INPUT", "ref")
        edited = (await desk.ask(EDIT, id=placed["id"], order=order(2)))["done"]
        assert len(edited["lines"][0]["units"]) == 2
        gone = (await desk.ask(CANCEL, id=placed["id"]))["done"]
        assert (gone["state"], gone["lines"][0]["units"]) == ("CANCELLED", [])
        late = (await desk.ask(EDIT, id=placed["id"], order=order()))["done"]
        assert late["code"] == "STEP_NOT_ALLOWED"

    play(world, story)
    assert world.history("SN-1")[-1]["reason"] == "wrong size"


def test_an_order_that_is_to_be_served_whole_leaves_nothing_behind_when_refused(
    world: World,
) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        desk = await hub.caller(Scope.ORDERS)
        refused = await desk.ask(PLACE, key="k-1", order=order(2), ref="B-1", whole=True)
        assert (refused["done"]["code"], refused["done"]["available"]) == ("NOT_ENOUGH_STOCK", 1)
        unknown = {"lines": [{"sku": "NO-SUCH", "quantity": 1}]}
        wrong = await desk.ask(PLACE, key="k-2", order=unknown, ref="B-1", whole=True)
        assert wrong["done"]["code"] == "INVALID_INPUT"
        waits = await desk.ask(PLACE, key="k-3", order=order(2), ref="B-1", whole=False)
        assert len(waits["done"]["lines"][0]["units"]) == 1

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM sales_order") == 1
    assert world.value("SELECT kind FROM exception_case") == "oversold"


def test_malformed_orders_are_refused_by_field(world: World) -> None:
    bad = [
        ({"lines": []}, "lines"),
        ({"lines": [{"sku": "CAM", "quantity": 0}]}, "quantity"),
        ({"lines": [{"sku": "", "quantity": 1}]}, "sku"),
        (order(currency="EURO"), "currency"),
        (order(total="-1"), "total"),
        ({"lines": [{"sku": "CAM", "quantity": 1, "ref": "x"}] * 2}, "lines"),
        ({"lines": [{"sku": "CAM", "quantity": 1, "tax": "NaN"}]}, "tax"),
    ]

    async def story(hub: Hub) -> None:
        desk = await hub.caller(Scope.ORDERS)
        for wrong, field in bad:
            done = (await desk.ask(PLACE, key="NEW", order=wrong, ref=None, whole=False))["done"]
            assert (done["code"], done["field"]) == ("INVALID_INPUT", field)

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM sales_order") == 0


def test_only_the_right_may_place_orders_and_only_direct_ones_are_edited(world: World) -> None:
    world.accept(world.channel("shop"), world.order())

    async def story(hub: Hub) -> None:
        for scope in (Scope.SCANNER, Scope.POS, Scope.STOREFRONT, Scope.OVERRIDE):
            caller = await hub.caller(scope)
            done = await caller.ask(PLACE, key="NEW", order=order(), ref=None, whole=False)
            assert done["done"]["code"] == "FORBIDDEN"
        desk = await hub.caller(Scope.ORDERS)
        other = world.value("SELECT id FROM sales_order")
        for done in (
            await desk.ask(EDIT, id=other, order=order()),
            await desk.ask(CANCEL, id=other),
        ):
            assert done["done"]["code"] == "STEP_NOT_ALLOWED"
            assert "shop" in done["done"]["message"]

    play(world, story)


def test_an_unpaid_order_leaves_once_it_is_paid_or_somebody_lets_it_pass(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        desk, dock = await hub.caller(Scope.ORDERS), await hub.caller(Scope.SCANNER)
        chief = await hub.caller(Scope.OVERRIDE)
        placed = await desk.ask(PLACE, key="k-1", order=order(paid=False), ref=None, whole=False)
        assert (placed["done"]["state"], placed["done"]["hold"]) == ("PENDING", "PAYMENT_PENDING")
        pick = STEP % ("pickUnits", "")
        (refused,) = (await dock.ask(pick, unit="SN-1"))["done"]["results"]
        assert refused["problem"]["code"] == "ORDER_ON_HOLD"
        assert refused["problem"]["hold"] == "PAYMENT_PENDING"
        assert refused["problem"]["order"] == placed["done"]["number"]
        named = {"id": placed["done"]["id"], "reason": "invoice agreed"}
        ops = await hub.caller(Scope.OPS)
        assert (await ops.ask(OVERRIDE, **named))["done"]["code"] == "FORBIDDEN"
        let = (await chief.ask(OVERRIDE, **named))["done"]
        assert let["holdOverride"]["reason"] == "invoice agreed"
        (picked,) = (await dock.ask(pick, unit="SN-1"))["done"]["results"]
        assert picked["accepted"]

    play(world, story)


def test_what_ops_release_stays_free_until_they_allocate_again(world: World) -> None:
    world.receive("SN-1")
    shop = world.channel("shop")
    world.accept(shop, world.order())

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        done = await ops.ask(STEP % ("releaseUnits", ", kind: SALE"), unit="SN-1")
        assert done["done"]["results"][0]["accepted"]
        world.accept(shop, world.order())
        assert world.unit("SN-1")["promised_to"] is None
        again = await ops.ask(AGAIN, id=world.value("SELECT id FROM sales_order"))
        (line,) = again["done"]["lines"]
        assert (line["withheld"], len(line["units"])) == (0, 1)

    play(world, story)


def test_held_orders_are_found_by_their_hold(world: World) -> None:
    shop = world.channel("shop")
    world.accept(shop, world.order("o-1"))
    asked = {"hold": HoldReason.CANCELLATION_REQUESTED, "state": OrderState.OPEN}
    world.accept(shop, world.order("o-2", **asked))

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        assert (await ops.ask(HELD))["orders"]["nodes"] == [{"number": "#o-2"}]

    play(world, story)


REMOTE = """mutation {
  reconcile(idempotencyKey: "r", channel: "direct") { ... on Problem { code } }
  pullOrders(idempotencyKey: "p", channel: "direct", since: "2026-11-01T00:00:00Z",
    until: "2026-11-02T00:00:00Z") { ... on Problem { code } }
  bindListings(idempotencyKey: "b", channel: "direct", listings: [{ sku: "CAM", remoteSku: "C",
    remote: {} }]) { ... on Problem { code } }
  checkChannel(idempotencyKey: "c", code: "direct") { ... on ChannelCheck { ok message } } }"""
CHANNELS = "{ channels { code connector circuit { state } lag { dead } streams { name } } }"


def test_nothing_is_called_for_the_channel_that_is_the_hub_itself(world: World) -> None:
    async def story(hub: Hub) -> None:
        desk, admin = await hub.caller(Scope.ORDERS), await hub.caller(Scope.ADMIN)
        await desk.ask(PLACE, key="k-1", order=order(), ref=None, whole=False)
        done = await admin.ask(REMOTE)
        codes = [done[name]["code"] for name in ("reconcile", "bindListings", "pullOrders")]
        assert codes == ["STEP_NOT_ALLOWED", "STEP_NOT_ALLOWED", "INVALID_INPUT"]
        assert done["checkChannel"]["ok"] is False
        assert "the hub itself" in done["checkChannel"]["message"]
        (shown,) = (await admin.ask(CHANNELS))["channels"]
        assert (shown["code"], shown["lag"]["dead"], shown["streams"]) == ("direct", 0, [])

    play(world, story)


def test_the_same_reference_at_the_same_time_is_one_order(world: World) -> None:
    world.receive("SN-1", "SN-2")

    async def story(hub: Hub) -> None:
        desk = await hub.caller(Scope.ORDERS)
        asked = {"order": order(), "ref": "B-1", "whole": False}
        both = await asyncio.gather(
            *(desk.ask(PLACE, key=f"k-{number}", **asked) for number in range(2))
        )
        codes = [each["done"].get("code") for each in both]
        assert sorted(codes, key=str) == ["INVALID_INPUT", None]

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 1


def test_a_reference_longer_than_a_number_and_a_clock_behind_are_no_matter(world: World) -> None:
    async def story(hub: Hub) -> None:
        desk = await hub.caller(Scope.ORDERS)
        placed = await desk.ask(PLACE, key="k-1", order=order(), ref="R" * 200, whole=False)
        assert placed["done"]["number"] == "R" * 100
        world.pass_time(minutes=-4)
        edited = (await desk.ask(EDIT, id=placed["done"]["id"], order=order(2)))["done"]
        assert edited["lines"][0]["quantity"] == 2

    play(world, story)
