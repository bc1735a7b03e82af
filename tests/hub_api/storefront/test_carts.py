"""Carts over the API: who gets which units, until when, and who may touch them."""

from datetime import date, timedelta
from typing import Any

from api_client import Hub, play
from hub.access.keys import Scope
from hub.catalogue import Picking, ProductCard, register_product
from hub.ledger.arrivals import Condition
from shopping.steps import EXTEND, RELEASE, SHOW, STEPS, VERDICT, promised, reserve, step
from world import World


def test_a_cart_is_reserved_in_one_call_and_the_hub_chooses(world: World) -> None:
    world.receive("SN-3")
    world.pass_time(hours=1)
    world.receive("SN-1", "SN-2")
    world.receive("LX-1", sku="LENS")

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.CARTS)
        done = await reserve(shop, "c-1", ("CAM", 1), ("LENS", 1), key="k", ttl=600)
        assert [line["reserved"] for line in done["lines"]] == [1, 1]
        assert done["reservation"]["ttlSeconds"] == 600
        assert promised(world) == ["SN-3"]  # received first
        again = await reserve(shop, "c-1", ("CAM", 1), ("LENS", 1), key="k", ttl=600)
        assert again["replayed"]
        assert promised(world) == ["SN-3"]
        shown = (await shop.ask(SHOW, cart="c-1"))["reservation"]
        assert {(each["sku"], each["quantity"]) for each in shown["lines"]} == {
            ("CAM", 1),
            ("LENS", 1),
        }
        assert (await shop.ask(SHOW, cart="c-2"))["reservation"] is None

    play(world, story)


def test_units_that_expire_first_leave_first_where_the_product_says_so(world: World) -> None:
    card = ProductCard(sku="MED", name="Med", manufacturer="ACME", picking=Picking.FEFO)
    world.write(lambda tx: register_product(tx, world.context(), card))
    for serial, day in (
        ("M-1", date(2027, 5, 1)),
        ("M-2", date(2027, 1, 1)),
        ("M-3", date(2026, 11, 1)),
    ):
        world.receive(serial, sku="MED", expires_on=day)

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.CARTS)
        assert (await reserve(shop, "c", ("MED", 1)))["lines"][0]["reserved"] == 1
        assert promised(world, "MED") == ["M-2"]  # M-3 is past its day
        done = await reserve(shop, "c", ("MED", 2), partial=True)
        assert done["lines"][0]["reserved"] == 1

    play(world, story)


def test_all_or_nothing_unless_a_part_is_wanted(world: World) -> None:
    world.receive("SN-1", "SN-2")
    world.receive("LX-1", sku="LENS")

    async def story(hub: Hub) -> None:
        shop, desk = await hub.caller(Scope.CARTS), await hub.caller(Scope.ORDERS)
        refused = await reserve(shop, "c", ("LENS", 1), ("CAM", 3))
        assert (refused["code"], refused["skus"]) == ("NOT_ENOUGH_STOCK", ["CAM"])
        assert refused["available"] is None  # the key may not see numbers
        assert (await reserve(desk, "c", ("CAM", 3)))["available"] == 2
        assert promised(world) == promised(world, "LENS") == []
        unknown = await reserve(shop, "c", ("NO", 1), ("CAM", 1))
        assert unknown["code"] == "UNKNOWN_REFERENCE"
        part = await reserve(shop, "c", ("NO", 1), ("CAM", 3), ("LENS", 1), partial=True)
        assert [line["reserved"] for line in part["lines"]] == [0, 2, 1]
        codes = [line["problem"] and line["problem"]["code"] for line in part["lines"]]
        assert codes == ["UNKNOWN_REFERENCE", "NOT_ENOUGH_STOCK", None]

    play(world, story)


def test_site_condition_and_nearness_choose_the_units(world: World) -> None:
    world.receive("WH-1", "WH-2", place="WH-A1")
    world.receive("USED-1", place="WH", condition=Condition.USED)
    world.pass_time(hours=1)
    world.receive("SHOP-1", "SHOP-2", place="SHOP")

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.CARTS)
        at = [{"sku": "CAM", "quantity": 1, "site": "SHOP"}]
        assert (await reserve(shop, "a", lines=at))["reservation"]["lines"][0]["site"] == "SHOP"
        assert promised(world) == ["SHOP-1"]
        near = await reserve(shop, "b", ("CAM", 2), near=["SHOP", "WH"])
        assert {each["site"] for each in near["reservation"]["lines"]} == {"SHOP", "WH"}
        # New and used units are never mixed, and the shop sells no used ones.
        left = await reserve(shop, "c", ("CAM", 2), partial=True)
        assert left["lines"][0]["reserved"] == 1
        used = [{"sku": "CAM", "quantity": 1, "condition": "USED"}]
        assert (await reserve(shop, "c", lines=used))["code"] == "NOT_ENOUGH_STOCK"
        # A line that is bound to a site gets its unit though a free line stands before it.
        for cart in ("a", "b", "c"):
            await shop.ask(RELEASE, cart=cart, lines=None)
        both = [{"sku": "CAM", "quantity": 2}, {"sku": "CAM", "quantity": 2, "site": "WH"}]
        done = await reserve(shop, "d", lines=both)
        assert [line["reserved"] for line in done["lines"]] == [2, 2]
        wrong = await reserve(shop, "e", ("CAM", 1), near=["NOWHERE"])
        assert wrong["code"] == "UNKNOWN_REFERENCE"

    play(world, story)


def test_malformed_reservations_are_refused_by_field(world: World) -> None:
    world.receive("SN-1")
    bad: list[tuple[dict[str, Any], str]] = [
        ({"lines": []}, "lines"),
        ({"lines": [{"sku": "CAM", "quantity": 0}]}, "quantity"),
        ({"lines": [{"sku": "CAM", "quantity": 10**6}]}, "quantity"),
        ({"ttl": 0}, "ttlSeconds"),
        ({"ttl": 86_401}, "ttlSeconds"),
        ({"cart": " "}, "cart"),
    ]

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.CARTS)
        for wrong, field in bad:
            given = dict(wrong)
            cart = given.pop("cart", "c")
            given.setdefault("lines", [{"sku": "CAM", "quantity": 1}])
            done = await reserve(shop, cart, **given)
            assert (done["code"], done["field"]) == ("INVALID_INPUT", field)
        for scope in (Scope.STOREFRONT, Scope.SCANNER, Scope.OVERRIDE):
            done = await reserve(await hub.caller(scope), "c", ("CAM", 1))
            assert done["code"] == "FORBIDDEN"

    play(world, story)
    assert promised(world) == []


def test_a_reservation_ends_at_its_instant_without_a_sweep(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        first, second = await hub.caller(Scope.CARTS), await hub.caller(Scope.CARTS, Scope.POS)
        await reserve(first, "c-1", ("CAM", 1), ttl=60)
        assert (await reserve(second, "c-2", ("CAM", 1)))["code"] == "NOT_ENOUGH_STOCK"
        world.now += timedelta(seconds=60) - timedelta(microseconds=1)
        assert (await first.ask(SHOW, cart="c-1"))["reservation"]["ttlSeconds"] == 0
        assert (await reserve(second, "c-2", ("CAM", 1)))["code"] == "NOT_ENOUGH_STOCK"
        world.now += timedelta(microseconds=1)
        assert (await first.ask(SHOW, cart="c-1"))["reservation"] is None
        late = (await first.ask(EXTEND, cart="c-1", ttl=60))["done"]
        assert late["code"] == "UNKNOWN_REFERENCE"
        assert (await reserve(second, "c-2", ("CAM", 1)))["lines"][0]["reserved"] == 1

    play(world, story)
    events = [(row["action"], row["reason"], row["actor"]) for row in world.history("SN-1")[-3:]]
    assert events[1:] == [("release", "expired", "hub"), ("allocate", None, "caller")]


def test_what_is_past_its_end_cannot_be_sold_by_its_cart(world: World) -> None:
    """A sibling of the reservation: a till's promise with an end, made of a named unit."""
    world.receive("SN-1", place="SHOP")
    ends = (world.now + timedelta(minutes=5)).isoformat()
    hold = f"""mutation {{ done: holdUnits(idempotencyKey: "NEW", units: [{{identifier: "SN-1"}}],
      kind: SALE, reference: "c-1", expiresAt: "{ends}") {VERDICT} }}"""

    async def story(hub: Hub) -> None:
        till, other = await hub.caller(Scope.POS), await hub.caller(Scope.POS, name="other")
        assert (await till.ask(hold))["done"]["results"][0]["accepted"]
        assert (await step(other, "sell", "SN-1"))["problem"]["code"] == "UNIT_PROMISED"
        world.pass_time(minutes=5)
        again = hold.replace(ends, (world.now + timedelta(minutes=5)).isoformat())
        assert (await other.ask(again))["done"]["results"][0]["accepted"]
        assert (await step(till, "sell", "SN-1"))["problem"]["code"] == "UNIT_PROMISED"
        assert (await step(other, "sell", "SN-1"))["accepted"]

    play(world, story)


def test_only_the_owner_of_a_cart_releases_picks_or_sells_it(world: World) -> None:
    world.receive("SN-1", place="SHOP")

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.CARTS, Scope.POS, Scope.SCANNER)
        scanner = await hub.caller(Scope.SCANNER, Scope.POS)
        ops = await hub.caller(Scope.OPS)
        boss = await hub.caller(Scope.OPS, Scope.OVERRIDE)
        await reserve(shop, "c-1", ("CAM", 1))
        for caller in (scanner, ops):
            for name in STEPS:
                refused = await step(caller, name, "SN-1")
                assert refused["problem"] == {"code": "UNIT_PROMISED", "reference": "c-1"}
            for document in (EXTEND, RELEASE):
                done = (await caller.ask(document, cart="c-1", ttl=9, lines=None))["done"]
                assert done["code"] == "UNKNOWN_REFERENCE"  # the cart of another key
        assert promised(world) == ["SN-1"]
        assert (await boss.ask(SHOW, cart="c-1"))["reservation"] is not None
        assert (await boss.ask(EXTEND, cart="c-1", ttl=900))["done"]["units"] == 1
        assert (await step(shop, "pick", "SN-1"))["accepted"]
        assert (await step(boss, "release", "SN-1"))["accepted"]
        await reserve(shop, "c-1", ("CAM", 1))
        assert (await step(shop, "sell", "SN-1"))["accepted"]

    play(world, story)


def test_a_cart_is_extended_and_freed_line_by_line(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3")
    world.receive("LX-1", sku="LENS")

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.CARTS)
        await reserve(shop, "c", ("CAM", 3), ("LENS", 1), ttl=60)
        world.pass_time(seconds=59)
        extended = (await shop.ask(EXTEND, cart="c", ttl=60))["done"]
        assert (extended["units"], extended["reservation"]["ttlSeconds"]) == (4, 60)
        world.pass_time(seconds=30)
        fewer = [{"sku": "CAM", "quantity": 2}]
        freed = (await shop.ask(RELEASE, cart="c", lines=fewer))["done"]
        left = {each["sku"]: each["quantity"] for each in freed["reservation"]["lines"]}
        assert (freed["units"], left) == (2, {"CAM": 1, "LENS": 1})
        assert (await shop.ask(RELEASE, cart="c", lines=None))["done"]["units"] == 2
        gone = (await shop.ask(RELEASE, cart="c", lines=None))["done"]
        assert gone["code"] == "UNKNOWN_REFERENCE"

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_until IS NOT NULL") == 0


def test_the_policy_of_the_storefront_keeps_units_back(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3")
    policy = """mutation($policy: AvailabilityPolicyInput!) { setAvailabilityPolicy(
      idempotencyKey: "NEW", channel: "storefront", policy: $policy) { __typename
      ... on Problem { message } } }"""

    async def story(hub: Hub) -> None:
        shop, admin = await hub.caller(Scope.CARTS), await hub.caller(Scope.ADMIN)
        set_to = await admin.ask(policy, policy={"safetyBuffer": 2})
        assert set_to["setAvailabilityPolicy"]["__typename"] == "PolicySet"
        done = await reserve(shop, "a", ("CAM", 1), ("CAM", 1), partial=True)
        assert sum(line["reserved"] for line in done["lines"]) == 1
        await admin.ask(policy, policy={"sellingPaused": True})
        assert (await reserve(shop, "b", ("CAM", 1)))["code"] == "NOT_ENOUGH_STOCK"

    play(world, story)


def test_a_promise_past_its_end_is_shown_to_nobody_and_holds_nobody_up(world: World) -> None:
    world.receive("SN-1", "SN-2", place="SHOP")
    look = """{ unit(identifier: "SN-1") { isPromised allowedActions holds { reference } } }"""
    move = """mutation { done: transferOutUnits(idempotencyKey: "NEW", destination: "WH",
      units: [{ identifier: "SN-1" }]) { ... on CommandResult { accepted } } }"""

    async def story(hub: Hub) -> None:
        shop, dock = await hub.caller(Scope.CARTS), await hub.caller(Scope.SCANNER)
        await reserve(shop, "c", ("CAM", 2), ttl=60)
        unit = (await dock.ask(look))["unit"]
        assert (unit["isPromised"], unit["holds"]) == (True, [{"reference": "c"}])
        assert (await dock.ask(move))["done"] == {"accepted": 0}
        world.pass_time(seconds=60)
        unit = (await dock.ask(look))["unit"]
        assert (unit["isPromised"], unit["holds"]) == (False, [])
        assert "TRANSFER_OUT" in unit["allowedActions"]
        assert (await dock.ask(move))["done"] == {"accepted": 1}

    play(world, story)
