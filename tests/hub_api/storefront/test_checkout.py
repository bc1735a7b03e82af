"""Checkout over the API: from a cart to an order that is shipped, and what its buyer sees."""

from typing import Any

from api_client import Hub, play
from hub.access.keys import Scope
from hub.clock import new_id
from hub.commands.work import Work
from hub.inbound import ship_notices
from hub.inbound.ship_notices import DeliveryCard, LineCard
from hub.lifecycle import Action
from shopping.steps import RELEASE, check_out, promised, reserve, status, step
from world import World

ADDRESS = {"name": "Ada L.", "lines": ["Hauptstr. 1"], "city": "Berlin", "country": "DE"}
CONTACT = {"name": "Ada L.", "email": "ada@example.org"}
CANCEL = """mutation($id: ID!) { done: cancelOrder(idempotencyKey: "NEW", orderId: $id,
  reason: "changed her mind") { ... on Order { state } ... on Problem { code } } }"""
CHANGE = """mutation($id: ID!, $address: AddressInput!) { done: changeDeliveryAddress(
  idempotencyKey: "NEW", orderId: $id, address: $address) { ... on Order { id }
  ... on Problem { code } ... on InvalidInput { field } } }"""
WHERE = """query($id: ID!) { order(id: $id) {
  units { unitId } deliveryAddress { name lines city country } } }"""
SHIP = """mutation($unit: String!) {
  pick: pickUnits(idempotencyKey: "NEW", units: [{ identifier: $unit }]) { __typename }
  pack: packUnits(idempotencyKey: "NEW", units: [{ identifier: $unit }]) { __typename }
  ship: shipUnits(idempotencyKey: "NEW", units: [{ identifier: $unit }], carrier: "UPS",
    tracking: "1Z9") { ... on CommandResult { accepted } ... on Problem { message } } }"""
PAY = """mutation($id: ID!, $order: DirectOrderInput!) { done: editOrder(idempotencyKey: "NEW",
  orderId: $id, order: $order) { ... on Order { hold } ... on Problem { code message } } }"""
ERASE = """mutation($ref: String!) { erasePerson(idempotencyKey: "NEW", ref: $ref,
  reason: "asked to") { __typename } }"""
POLICY = """mutation($policy: AvailabilityPolicyInput!) { setAvailabilityPolicy(
  idempotencyKey: "NEW", channel: "storefront", policy: $policy) { __typename } }"""


def test_a_cart_becomes_an_order_that_ships_and_its_buyer_follows_it(world: World) -> None:
    world.receive("SN-1", "SN-2")

    async def story(hub: Hub) -> None:
        shop, dock = await hub.caller(Scope.CARTS), await hub.caller(Scope.OPS)
        public = await hub.caller(Scope.STOREFRONT)
        await reserve(shop, "c-1", ("CAM", 2))
        done = await check_out(shop, "c-1", contact=CONTACT, address=ADDRESS, key="k", ref="W-1")
        order, token = done["order"], done["token"]
        assert (order["channel"], order["ref"], order["state"]) == ("storefront", "W-1", "OPEN")
        assert order["customerRef"] == "guest-W-1"
        (line,) = order["lines"]
        assert {unit["serial"] for unit in line["units"]} == {"SN-1", "SN-2"}
        again = await check_out(shop, "c-1", contact=CONTACT, address=ADDRESS, key="k", ref="W-1")
        assert (again["token"], again["replayed"]) == (token, True)
        other = await check_out(shop, "c-1", ref="W-1")
        assert (other["code"], other["field"]) == ("INVALID_INPUT", "ref")
        assert (await status(public, token))["progress"] == "PLACED"
        shipped = await dock.ask(SHIP, unit="SN-1")
        assert shipped["ship"] == {"accepted": 1}
        followed = await status(public, token)
        assert (followed["progress"], followed["lines"][0]["shipped"]) == ("PARTLY_SHIPPED", 1)
        (parcel,) = followed["parcels"]
        assert (parcel["carrier"], parcel["tracking"], parcel["units"]) == ("UPS", "1Z9", 1)
        await dock.ask(SHIP, unit="SN-2")
        assert (await status(public, token))["progress"] == "SHIPPED"
        assert await status(public, token[:-1]) is None
        assert await status(public, "x" * 10_000) is None
        late = (await shop.ask(CHANGE, id=order["id"], address=ADDRESS))["done"]
        assert late["code"] == "STEP_NOT_ALLOWED"

    play(world, story)
    assert world.value("SELECT state FROM sales_order") == "fulfilled"
    actions = [row["action"] for row in world.history("SN-1")]
    assert actions[-5:] == ["allocate", "reallocate", "pick", "pack", "ship"]
    stored = str(world.rows("SELECT * FROM checkout")) + str(world.rows("SELECT * FROM command"))
    assert "Hauptstr" not in stored


def test_the_units_of_the_cart_are_those_of_the_order_and_the_rest_is_free(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3")
    world.receive("LX-1", sku="LENS")

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.CARTS)
        await reserve(shop, "c-1", ("CAM", 2), ("LENS", 1))
        before = promised(world)
        lines: list[dict[str, Any]] = [
            {"sku": "CAM", "quantity": 1, "unitPrice": "199.90"},
            {"sku": "", "quantity": 1, "kind": "FEE", "title": "Parcel"},
        ]
        order = (await check_out(shop, "c-1", lines=lines, customerRef="c-7"))["order"]
        assert order["customerRef"] == "c-7"
        assert [unit["serial"] for unit in order["lines"][0]["units"]] == before[:1]
        assert promised(world, "LENS") == []
        more = [{"sku": "CAM", "quantity": 2}]  # beyond the reservation, from what is free
        await reserve(shop, "c-2", ("CAM", 1))
        assert len((await check_out(shop, "c-2", lines=more))["order"]["lines"][0]["units"]) == 2
        none = await check_out(shop, "c-3", lines=more)
        assert (none["code"], none["available"]) == ("NOT_ENOUGH_STOCK", None)

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM sales_order") == 2
    assert len(promised(world)) == 3


def test_a_cart_whose_time_is_over_has_nothing_to_check_out(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        shop, other = await hub.caller(Scope.CARTS), await hub.caller(Scope.CARTS)
        await reserve(shop, "c-1", ("CAM", 1), ttl=60)
        assert (await check_out(other, "c-1"))["code"] == "UNKNOWN_REFERENCE"
        world.pass_time(seconds=60)
        assert (await check_out(shop, "c-1"))["code"] == "UNKNOWN_REFERENCE"

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM sales_order") == 0


def test_a_unit_that_is_blocked_meanwhile_is_replaced_or_the_checkout_is_refused(
    world: World,
) -> None:
    world.receive("SN-1", "SN-2")

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.CARTS)
        await reserve(shop, "c-1", ("CAM", 1))
        (serial,) = promised(world)
        world.do(Action.HOLD, serial, hold_kind="quality")
        order = (await check_out(shop, "c-1"))["order"]
        assert [unit["serial"] for unit in order["lines"][0]["units"]] != [serial]

    play(world, story)


def test_an_unpaid_order_waits_and_one_is_cancelled_only_by_whose_it_is(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        shop, other = await hub.caller(Scope.CARTS), await hub.caller(Scope.CARTS)
        dock, desk = await hub.caller(Scope.OPS), await hub.caller(Scope.ORDERS)
        await reserve(shop, "c-1", ("CAM", 1))
        done = await check_out(shop, "c-1", paid=False)
        order_id = done["order"]["id"]
        assert (await status(shop, done["token"]))["progress"] == "ON_HOLD"
        refused = (await step(dock, "pick", "SN-1"))["problem"]["code"]
        assert refused == "ORDER_ON_HOLD"
        paid = {"lines": [{"sku": "CAM", "quantity": 1, "ref": "goods-1"}], "paid": True}
        assert (await desk.ask(PAY, id=order_id, order=paid))["done"]["hold"] is None
        assert (await status(shop, done["token"]))["progress"] == "PLACED"
        assert (await other.ask(CANCEL, id=order_id))["done"]["code"] == "FORBIDDEN"
        assert (await shop.ask(CANCEL, id=order_id))["done"]["state"] == "CANCELLED"
        assert (await status(shop, done["token"]))["progress"] == "CANCELLED"
        gone = (await shop.ask(RELEASE, cart="c-1", lines=None))["done"]
        assert gone["code"] == "UNKNOWN_REFERENCE"

    play(world, story)
    assert promised(world) == []


def test_an_address_is_sealed_shown_to_staff_changed_and_erased(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        shop, other = await hub.caller(Scope.CARTS), await hub.caller(Scope.CARTS)
        ops = await hub.caller(Scope.OPS)
        await reserve(shop, "c-1", ("CAM", 1))
        for wrong in ({**ADDRESS, "country": "Germany"}, {**ADDRESS, "lines": []}):
            assert (await check_out(shop, "c-1", address=wrong))["code"] == "INVALID_INPUT"
        done = await check_out(shop, "c-1", contact=CONTACT, address=ADDRESS)
        of = {"id": done["order"]["id"]}
        assert (await ops.ask(WHERE, **of))["order"]["deliveryAddress"]["city"] == "Berlin"
        moved = {**ADDRESS, "city": "Bonn"}
        assert (await other.ask(CHANGE, address=moved, **of))["done"]["code"] == "FORBIDDEN"
        assert (await shop.ask(CHANGE, address=moved, **of))["done"] == of
        assert (await ops.ask(WHERE, **of))["order"]["deliveryAddress"]["city"] == "Bonn"
        await ops.ask(ERASE, ref=done["order"]["customerRef"])
        assert (await ops.ask(WHERE, **of))["order"]["deliveryAddress"] is None

    play(world, story)


def test_a_pre_order_is_checked_out_up_to_its_cap(world: World) -> None:
    card = DeliveryCard(
        supplier="ACME", ref="D-1", lines=(LineCard(ref="1", product="CAM", quantity=5),)
    )
    world.write(lambda tx: ship_notices.announce(Work(tx, world.context(), new_id()), card))

    async def story(hub: Hub) -> None:
        shop, admin = await hub.caller(Scope.CARTS), await hub.caller(Scope.ADMIN)
        lines = [{"sku": "CAM", "quantity": 2}]
        assert (await check_out(shop, "c-1", lines=lines))["code"] == "NOT_ENOUGH_STOCK"
        await admin.ask(POLICY, policy={"preOrder": 3})
        done = await check_out(shop, "c-1", lines=lines)
        assert (await status(shop, done["token"]))["progress"] == "WAITING"
        assert (await check_out(shop, "c-2", lines=lines))["code"] == "NOT_ENOUGH_STOCK"

    play(world, story)
    assert world.open_cases() == []
