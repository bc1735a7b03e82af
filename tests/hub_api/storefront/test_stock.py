"""Availability as shops need it: bands, sites, conditions, what is to come; numbers by scope."""

from datetime import date
from typing import Any

import pytest

from api_client import Hub, play
from hub.access.keys import Scope
from hub.availability import counting
from hub.availability.policy import Policy
from hub.clock import new_id
from hub.commands.work import Work
from hub.inbound import ship_notices
from hub.inbound.ship_notices import DeliveryCard, LineCard
from hub.ledger import unit_views
from hub.ledger.arrivals import Condition
from hub.lifecycle import Action
from hub.storage.sql import Transaction
from hub.storefront import stock
from shopping.steps import AVAILABILITY, reserve
from world import World

POLICY = """mutation($policy: AvailabilityPolicyInput!) { setAvailabilityPolicy(
  idempotencyKey: "NEW", channel: "storefront", policy: $policy) { __typename
  ... on PolicySet { policy { lowStock } } ... on InvalidInput { field } } }"""


def announce(world: World, ref: str, quantity: int, day: date) -> None:
    card = DeliveryCard(
        supplier="ACME",
        ref=ref,
        lines=(LineCard(ref="1", product="CAM", quantity=quantity),),
        expected_on=day,
    )
    world.write(lambda tx: ship_notices.announce(Work(tx, world.context(), new_id()), card))


async def ask(hub: Hub, *skus: str, scope: Scope = Scope.QUANTITIES, **more: Any) -> Any:
    caller = await hub.caller(scope)
    given = {"site": None, "condition": None, **more}
    return (await caller.ask(AVAILABILITY, skus=list(skus), **given))["availability"]


def test_stock_is_shown_by_site_and_condition_and_nothing_that_cannot_be_sold(
    world: World,
) -> None:
    world.receive("B-1", "B-2", place="WH-A1")  # a bin of the site WH
    world.receive("W-1", "W-2", place="WH")
    world.receive("S-1", place="SHOP")
    world.receive("OLD", place="WH", expires_on=date(2026, 11, 1))
    world.receive("USED", place="SHOP", condition=Condition.USED)
    world.receive("R-1", place="RETURNS", put_away=False)
    world.do(Action.HOLD, "W-1", hold_kind="quality")
    world.do(Action.ALLOCATE, "W-2", hold_reference="somebody")

    async def story(hub: Hub) -> None:
        cam, none, again = await ask(hub, "CAM", "NO-SUCH", "CAM")
        assert none is None
        assert again == cam
        assert (cam["available"], cam["band"], cam["condition"]) == (3, "LOW", "NEW")
        assert [(each["site"], each["available"]) for each in cam["sites"]] == [
            ("SHOP", 1),
            ("WH", 2),
        ]
        (at,) = await ask(hub, "CAM", site="SHOP")
        assert (at["available"], [each["site"] for each in at["sites"]]) == (1, ["SHOP"])
        # The shop sells new units; others are another condition, and its policy has none of them.
        (used,) = await ask(hub, "CAM", condition="USED")
        assert (used["available"], used["band"]) == (0, "OUT")
        admin = await hub.caller(Scope.ADMIN)
        await admin.ask(POLICY, policy={"conditions": ["NEW", "USED"]})
        (used,) = await ask(hub, "CAM", condition="USED")
        assert (used["available"], used["sites"][0]["site"]) == (1, "SHOP")
        (new,) = await ask(hub, "CAM")
        assert new["available"] == 3
        shown = {each["condition"]: each["available"] for each in new["conditions"]}
        assert shown == {"NEW": 3, "USED": 1}
        wrong = await (await hub.caller(Scope.STOREFRONT)).error(
            AVAILABILITY, skus=["CAM"], site="NOWHERE"
        )
        assert wrong["code"] == "UNKNOWN_REFERENCE"

    play(world, story)


def test_numbers_are_only_for_those_who_may_see_them(world: World) -> None:
    world.receive("SN-1", "SN-2")

    async def story(hub: Hub) -> None:
        for scope in (Scope.STOREFRONT, Scope.CARTS):
            (cam,) = await ask(hub, "CAM", scope=scope)
            assert (cam["band"], cam["available"]) == ("LOW", None)
            assert "2" not in str(cam).replace("LENS", "")
            assert {each["available"] for each in cam["sites"] + cam["conditions"]} == {None}
        for scope in (Scope.QUANTITIES, Scope.POS, Scope.SCANNER, Scope.ORDERS, Scope.OPS):
            (cam,) = await ask(hub, "CAM", scope=scope)
            assert cam["available"] == 2
        staff = '{ availability(skus: ["CAM"]) { locations { units } channels { channel } } }'
        shop, dock = await hub.caller(Scope.QUANTITIES), await hub.caller(Scope.SCANNER)
        assert (await shop.ask(staff))["availability"] == [{"locations": None, "channels": None}]
        assert (await dock.ask(staff))["availability"] == [
            {"locations": [{"units": 2}], "channels": []}
        ]

    play(world, story)


def test_the_band_follows_the_threshold_of_the_policy_and_what_is_to_come(world: World) -> None:
    async def bands(hub: Hub) -> tuple[str, Any, Any]:
        (cam,) = await ask(hub, "CAM")
        return cam["band"], cam["preOrder"], cam["nextArrival"]

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        assert await bands(hub) == ("OUT", None, None)
        announce(world, "D-2", 4, date(2026, 12, 24))
        announce(world, "D-1", 2, date(2026, 11, 20))
        announce(world, "D-0", 2, date(2026, 10, 1))  # late: it says nothing of when
        assert await bands(hub) == ("OUT", None, "2026-11-20")
        set_to = await admin.ask(POLICY, policy={"preOrder": 5, "lowStock": 1})
        assert set_to["setAvailabilityPolicy"]["policy"] == {"lowStock": 1}
        assert await bands(hub) == ("PREORDER", {"cap": 5, "left": 5}, "2026-11-20")
        world.receive("SN-1")
        assert (await bands(hub))[0] == "LOW"
        world.receive("SN-2")
        assert (await bands(hub))[0] == "IN_STOCK"
        wrong = await admin.ask(POLICY, policy={"lowStock": -1})
        assert wrong["setAvailabilityPolicy"]["field"] == "lowStock"

    play(world, story)


def test_a_reserved_unit_counts_again_at_the_end_of_its_reservation(world: World) -> None:
    world.receive("SN-1", "SN-2")
    staff = """{ availability(skus: ["CAM"]) { available locations { available promised } } }"""

    async def story(hub: Hub) -> None:
        shop, dock = await hub.caller(Scope.CARTS), await hub.caller(Scope.SCANNER)
        await reserve(shop, "c", ("CAM", 1), ttl=60)
        assert (await dock.ask(staff))["availability"] == [
            {"available": 1, "locations": [{"available": 1, "promised": 1}]}
        ]
        world.pass_time(seconds=60)
        assert (await dock.ask(staff))["availability"] == [
            {"available": 2, "locations": [{"available": 2, "promised": 0}]}
        ]

    play(world, story)


def test_a_shop_that_sells_nothing_now_shows_nothing(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3", "SN-4", "SN-5")

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for policy, shown in (({"cap": 4}, 4), ({"safetyBuffer": 3}, 2), ({"share": 50}, 2)):
            await admin.ask(POLICY, policy=policy)
            (cam,) = await ask(hub, "CAM")
            assert (cam["available"], cam["sites"][0]["available"]) == (shown, shown)
        await admin.ask(POLICY, policy={"sellingPaused": True, "preOrder": 5})
        (cam,) = await ask(hub, "CAM")
        assert (cam["available"], cam["band"]) == (0, "OUT")

    play(world, story)


@pytest.mark.parametrize(
    ("free", "index"),
    [(counting.FREE, "unit_available"), (counting.LAPSED, "unit_lapsing")],
)
def test_the_count_of_a_shop_reads_no_unit_that_was_sold(
    world: World, free: str, index: str
) -> None:
    condition, values = counting.sellable(Policy(conditions=("new",)), "2026-11-02")
    statement = (
        "SELECT unit.product_id, location.site_id, unit.condition, COUNT(*) AS units "
        "FROM unit JOIN location ON location.id = unit.location_id "
        f"WHERE unit.product_id IN (:ids...) AND {condition} AND {free} "
        "GROUP BY unit.product_id, location.site_id, unit.condition"
    )
    more = {"now": 1} if free is counting.LAPSED else {}
    assert index in plan(world, statement, **values, **more)


def test_the_places_of_a_product_are_read_without_what_was_sold(world: World) -> None:
    statement = (
        "SELECT COUNT(*) FROM unit WHERE unit.product_id IN (:ids...) "
        f"AND unit.{unit_views.IN_HOUSE}"
    )
    assert "unit_in_house" in plan(world, statement)


def plan(world: World, statement: str, **values: Any) -> str:
    """Return how the database would find the rows, with many sold units and few in stock."""
    world.receive(*(f"SN-{number}" for number in range(40)))
    world.do(Action.SELL, *(f"SN-{number}" for number in range(38)))
    product = world.value("SELECT id FROM product WHERE sku = 'CAM'")

    def explain(tx: Transaction) -> str:
        if tx.dialect == "sqlite":
            rows = tx.rows(f"EXPLAIN QUERY PLAN {statement}", ids=[product], **values)
            return " ".join(row["detail"] for row in rows)
        tx.run("SET LOCAL enable_seqscan = off")
        rows = tx.rows(f"EXPLAIN {statement}", ids=[product, new_id()], **values)
        return " ".join(row["QUERY PLAN"] for row in rows)

    return world.write(explain)


def test_stock_of_many_products_takes_as_many_statements_as_of_few(world: World) -> None:
    world.receive("SN-1")
    world.receive("LX-1", sku="LENS")
    counts: list[int] = []

    def count(*skus: str) -> None:
        def read(tx: Transaction) -> None:
            asked: list[str] = []
            rows = tx.rows
            tx.rows = lambda statement, **more: asked.append(statement) or rows(statement, **more)  # type: ignore[method-assign,func-returns-value]
            stock.of_skus(tx, skus, world.now)
            counts.append(len(asked))

        world.read(read)

    count("CAM")
    count("CAM", "LENS", "SAW", "NO-SUCH")
    assert counts[0] == counts[1] <= 8
