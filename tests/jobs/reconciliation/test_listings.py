"""Listings are compared by the channel's own reference: twice, renamed, made anew, gone."""

import asyncio

import pytest

from connectors import UnreadableRecord
from hub.reconciliation import healing
from hub.reconciliation.kinds import Fix, Scope
from hub.storage.sql import Row
from jobs import relay
from jobs.runtime import Runtime
from jobs.services import JobServices
from reconciling import Shop, run
from recording import stage
from world import World

pytestmark = pytest.mark.req("R145")


def record(ref: str, raw: str) -> UnreadableRecord:
    """Return a listing that could not be read."""
    return UnreadableRecord(
        kind="listing", ref=ref, field="quantity", value='"x"', reason="no number", raw=raw
    )


def shop(world: World, **listed: tuple[str, int]) -> tuple[Shop, Runtime, Row]:
    connector, runtime, channel = stage(world, Shop)
    assert isinstance(connector, Shop)
    world.receive("SN-1", "SN-2", "SN-3", "SN-4")
    connector.listed = dict(listed)
    return connector, runtime, channel


def test_a_listing_that_a_run_binds_is_healed_in_that_run(world: World) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 9), b=("SAW", 9))
    last, found = run(world, runtime, channel, Scope.LEVELS)
    assert [(each["kind"], each["state"]) for each in found] == [("unbound_listing", "healed")] * 2
    assert (last["compared"], last["differences"], last["healed"]) == (2, 2, 2)
    assert connector.shows() == {"a": 4, "b": 0}
    last, found = run(world, runtime, channel, Scope.LEVELS)
    assert (last["matched"], found) == (2, [])


def test_two_unbound_listings_of_one_sku_stop_no_other_and_are_a_question(world: World) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 9), b=("CAM", 9), c=("SAW", 9))
    last, found = run(world, runtime, channel, Scope.LEVELS)
    kinds = [(each["kind"], each["about"], each["state"]) for each in found]
    assert kinds == [
        ("duplicate_listing", "id=a", "open"),
        ("duplicate_listing", "id=b", "open"),
        ("unbound_listing", "id=c", "healed"),
    ]
    assert (last["compared"], last["differences"]) == (3, 3)
    assert connector.shows() == {"a": 9, "b": 9, "c": 0}
    assert world.open_cases() == [("disagreement", "CAM")]


def duplicate(world: World) -> tuple[Shop, Runtime, Row, Row]:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed["b"] = ("CAM", 50)
    last, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (last["compared"], last["matched"], last["differences"]) == (2, 1, 1)
    assert (found["kind"], found["about"], found["state"]) == ("duplicate_listing", "id=b", "open")
    return connector, runtime, channel, found


@pytest.mark.parametrize(
    ("fix", "shown"), [(Fix.SELL_ON_ONE, {"a": 3, "b": 0}), (Fix.SHARE_FIGURE, {"a": 2, "b": 1})]
)
def test_a_copy_shows_nothing_or_a_part_of_the_figure(
    world: World, fix: Fix, shown: dict[str, int]
) -> None:
    connector, runtime, channel, found = duplicate(world)
    asyncio.run(JobServices(runtime).heal(channel, found["id"], fix, world.context()))
    state = "SELECT state FROM reconciliation_difference WHERE id = :id"
    assert world.value(state, id=found["id"]) == "healed"
    assert world.open_cases() == []
    world.accept(channel, world.order("o-1"))
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert connector.shows() == shown
    connector.listed["b"] = ("CAM", 7)  # a copy is corrected as any listing is
    last, (again,) = run(world, runtime, channel, Scope.LEVELS)
    assert (again["kind"], again["state"], last["matched"]) == ("quantity", "healed", 1)
    assert connector.shows() == shown


def test_a_copy_that_is_deleted_leaves_its_part_to_the_others(world: World) -> None:
    connector, runtime, channel, found = duplicate(world)
    heal = JobServices(runtime).heal(channel, found["id"], Fix.SHARE_FIGURE, world.context())
    asyncio.run(heal)
    assert connector.shows() == {"a": 2, "b": 2}
    del connector.listed["b"]
    _, (gone,) = run(world, runtime, channel, Scope.LEVELS)
    assert (gone["kind"], gone["fix"], gone["state"]) == (
        "missing_listing",
        "unbind_listing",
        "healed",
    )
    assert connector.shows() == {"a": 4}
    _, found_again = run(world, runtime, channel, Scope.LEVELS)
    assert found_again == []


def test_a_product_made_anew_is_bound_to_its_new_reference(world: World) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed = {"z": ("CAM", 50)}
    last, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (found["kind"], found["cause"], found["state"]) == (
        "listing_replaced",
        "removed_there",
        "healed",
    )
    assert (last["compared"], connector.shows()) == (1, {"z": 4})
    _, found_again = run(world, runtime, channel, Scope.LEVELS)
    assert found_again == []


def test_a_renamed_sku_is_one_difference_and_sells_as_before(world: World) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed = {"a": ("CAM-NEW", 4)}
    last, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (found["kind"], found["state"], last["compared"]) == ("listing_renamed", "healed", 1)
    order = world.order("o-1")
    (line,) = order.lines
    world.accept(
        channel, world.order("o-1", lines=[type(line)(ref="l", sku="CAM-NEW", quantity=1)])
    )
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert connector.shows() == {"a": 3}


def test_a_listing_that_was_renamed_is_made_anew_and_copied_as_any_other(world: World) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed = {"a": ("CAM-NEW", 4)}
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed = {"z": ("CAM-NEW", 9)}  # no product of ours has this SKU
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (found["kind"], found["state"]) == ("listing_replaced", "healed")
    connector.listed["y"] = ("CAM-NEW", 9)
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (found["kind"], found["about"]) == ("duplicate_listing", "id=y")


def test_a_listing_renamed_to_another_sku_of_ours_is_a_question(world: World) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed = {"a": ("SAW", 4)}
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (found["kind"], found["fix"], found["state"]) == ("listing_renamed", "ask", "open")
    assert world.value("SELECT sku FROM listing") == "CAM"


def test_what_comes_back_closes_its_difference_and_its_case(world: World) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    run(world, runtime, channel, Scope.LEVELS)
    listed = dict(connector.listed)
    connector.listed = {}
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (found["kind"], found["state"]) == ("missing_listing", "open")
    assert world.open_cases() == [("disagreement", "CAM")]
    connector.listed = listed
    last, found_again = run(world, runtime, channel, Scope.LEVELS)
    assert (found_again, last["closed"]) == ([], 1)
    (row,) = world.rows("SELECT * FROM reconciliation_difference WHERE kind = 'missing_listing'")
    assert (row["state"], row["closed_run_id"]) == ("closed", last["id"])
    assert world.open_cases() == []
    resolution = world.value("SELECT resolution FROM exception_case")
    assert last["id"] in resolution


def test_listings_that_are_no_products_of_ours_are_one_case_with_their_number(
    world: World,
) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    for number in range(30):
        connector.listed[f"x{number}"] = (f"CABLE-{number}", 100)
    last, _ = run(world, runtime, channel, Scope.LEVELS)
    assert (last["compared"], last["differences"]) == (31, 31)
    assert world.open_cases() == [("disagreement", "unknown listings")]
    assert "30 things" in world.value("SELECT summary FROM exception_case")
    connector.listed = {"a": ("CAM", 4), "x1": ("CABLE-1", 99)}  # the others were deleted
    run(world, runtime, channel, Scope.LEVELS)
    assert "'CABLE-1'" in world.value("SELECT summary FROM exception_case")
    del connector.listed["x1"]
    last, _ = run(world, runtime, channel, Scope.LEVELS)
    assert world.open_cases() == []
    assert world.value("SELECT COUNT(*) FROM reconciliation_difference WHERE live") == 0


def test_an_app_that_keeps_writing_is_no_heal(world: World) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed["a"] = ("CAM", 150)
    connector.rewrites["a"] = 150
    last, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (found["state"], found["heal_attempts"], last["healed"]) == ("open", 1, 0)
    assert "did not show it" in found["heal_error"]
    _, (again,) = run(world, runtime, channel, Scope.LEVELS)
    assert (again["id"], again["heal_attempts"]) == (found["id"], 2)
    assert world.open_cases() == [("disagreement", "CAM")]
    pushes = len(connector.pushes)
    run(world, runtime, channel, Scope.LEVELS)
    assert len(connector.pushes) == pushes  # it is left to a person now
    connector.rewrites.clear()
    asyncio.run(JobServices(runtime).heal(channel, found["id"], None, world.context()))
    assert connector.shows() == {"a": 4}
    assert world.open_cases() == []


def test_an_app_that_writes_after_each_run_is_a_case(world: World) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    run(world, runtime, channel, Scope.LEVELS)
    for _ in range(2):
        connector.listed["a"] = ("CAM", 150)
        _, (found,) = run(world, runtime, channel, Scope.LEVELS)
        assert (found["state"], connector.shows()) == ("healed", {"a": 4})
        assert world.open_cases() == []
    connector.listed["a"] = ("CAM", 150)
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert "something else keeps writing it" in found["evidence"]
    assert world.open_cases() == [("disagreement", "CAM")]
    assert connector.shows() == {"a": 4}  # still the true figure
    run(world, runtime, channel, Scope.LEVELS)
    assert world.open_cases() == []  # it stayed


def test_a_dismissal_holds_until_a_claim_changes(world: World) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed = {}
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    ann = world.context(actor="ann")
    world.write(lambda tx: healing.dismiss(tx, ann, found, "it is sold out there by season"))
    (case,) = world.rows("SELECT * FROM exception_case")
    assert (case["state"], case["resolved_by"]) == ("resolved", "ann")
    assert case["resolution"] == "it is sold out there by season"
    trail = world.rows("SELECT actor, remark FROM case_event WHERE action = 'resolved'")
    assert trail == [{"actor": "ann", "remark": "it is sold out there by season"}]
    last, (again,) = run(world, runtime, channel, Scope.LEVELS)
    assert (again["id"], again["state"]) == (found["id"], "dismissed")
    assert (last["explained"], last["differences"]) == (1, 0)
    assert world.open_cases() == []
    connector.listed = {"a": ("CAM", 4)}
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed = {}  # gone once more: nobody explained this
    _, (newer,) = run(world, runtime, channel, Scope.LEVELS)
    assert (newer["id"] != found["id"], newer["state"]) == (True, "open")


def test_a_dismissed_difference_whose_claim_changes_is_a_new_one_that_names_it(
    world: World,
) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    run(world, runtime, channel, Scope.LEVELS)
    connector.rewrites["a"] = 150
    connector.listed["a"] = ("CAM", 150)
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    world.write(lambda tx: healing.dismiss(tx, world.context(), found, "they test"))
    connector.rewrites["a"] = 151
    connector.listed["a"] = ("CAM", 151)
    _, (newer,) = run(world, runtime, channel, Scope.LEVELS)
    assert (newer["previous_id"], newer["state"]) == (found["id"], "open")
    assert newer["first_seen_at"] > found["first_seen_at"]


def test_a_lower_quantity_is_raised_only_when_the_orders_are_known(world: World) -> None:
    connector, runtime, channel = shop(world, a=("CAM", 4))
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed["a"] = ("CAM", 3)
    connector.orders["lost"] = world.order("lost")  # sold there; its webhook was lost
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert connector.shows() == {"a": 3}  # never raised: the unit is paid for
    assert found["state"] == "closed"
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 1


def test_a_quantity_is_not_raised_when_the_orders_cannot_be_read(world: World) -> None:
    class Blind(Shop):
        async def snapshot_orders(self, since, until):
            raise RuntimeError("the list of orders is broken")
            yield

    connector, runtime, channel = stage(world, Blind)
    assert isinstance(connector, Blind)
    world.receive("SN-1", "SN-2")
    connector.listed = {"a": ("CAM", 2)}
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed["a"] = ("CAM", 1)
    _, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (found["state"], connector.shows()) == ("open", {"a": 1})


def test_listings_that_cannot_be_read_are_counted_and_close_nothing(world: World) -> None:
    class Odd(Shop):
        odd: int = 0

        async def snapshot_stock(self):
            for number in range(self.odd):
                yield record(ref=f"odd-{number}", raw=f'{{"sku": "X{number}"}}')
            if self.odd:
                yield record(ref="a", raw='{"sku": "CAM"}')
            async for each in super().snapshot_stock():
                if not (self.odd and each.sku == "CAM"):
                    yield each

    connector, runtime, channel = stage(world, Odd)
    assert isinstance(connector, Odd)
    world.receive("SN-1")
    connector.listed = {"a": ("CAM", 1)}
    run(world, runtime, channel, Scope.LEVELS)
    listed, connector.listed = connector.listed, {}
    _, (missing,) = run(world, runtime, channel, Scope.LEVELS)
    connector.listed, connector.odd = listed, 120
    last, _ = run(world, runtime, channel, Scope.LEVELS)
    assert (last["not_compared"], last["compared"], last["closed"]) == (121, 0, 0)
    state = "SELECT state FROM reconciliation_difference WHERE id = :id"
    assert world.value(state, id=missing["id"]) == "open"  # nobody knows
    connector.odd = 0
    run(world, runtime, channel, Scope.LEVELS)
    assert world.value(state, id=missing["id"]) == "closed"
