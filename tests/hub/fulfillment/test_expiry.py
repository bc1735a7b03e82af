"""What expires on the shelf is set aside, and its order served by another unit."""

import asyncio
from datetime import date

import pytest

from hub import catalogue
from hub.clock import new_id
from hub.commands.work import Work
from hub.fulfillment import expiry
from hub.inbound.receiving import Arrival, receive
from hub.lifecycle import Action
from hub.proof import conservation
from hub.sync import listings
from hub.vocabulary import OrderLine
from jobs.maintenance.sweep import sweep
from world import World


def arrive(world: World, **days: str) -> None:
    arrivals = [
        Arrival(serial=serial, product="CAM", expires_on=date.fromisoformat(day))
        for serial, day in days.items()
    ]
    world.write(
        lambda tx: receive(
            Work(tx, world.context(), new_id()),
            arrivals,
            catalogue.location(tx, "WH"),
            put_away=True,
        )
    )


@pytest.mark.req("R68")
def test_the_day_after_its_last_no_channel_counts_a_unit(world: World) -> None:
    shop = world.channel()
    product = world.value("SELECT id FROM product WHERE sku = 'CAM'")
    world.list_product(shop)

    def shown() -> int:
        return world.read(lambda tx: listings.available(tx, shop, [product]))[product]

    arrive(world, SN1="2026-11-02", SN2="2026-11-03", SN3="2027-11-03")
    assert asyncio.run(sweep(world.runtime())).count("0 units expired") == 1
    assert shown() == 3
    wanted = world.value("SELECT wanted_version FROM listing_level")
    world.pass_time(days=1)
    assert "1 units expired" in asyncio.run(sweep(world.runtime()))
    assert shown() == 2
    assert world.value("SELECT wanted_version FROM listing_level") > wanted
    event = world.history("SN1")[-1]
    assert (event["action"], event["reason"]) == ("hold", "expired")
    assert "0 units expired" in asyncio.run(sweep(world.runtime()))


@pytest.mark.req("R68")
def test_an_order_whose_unit_expires_is_served_by_another(world: World) -> None:
    shop = world.channel()
    arrive(world, SN1="2026-11-02")
    world.accept(shop, world.order(lines=[OrderLine(ref="l-1", sku="CAM", quantity=1)]))
    arrive(world, SN2="2027-11-02")
    world.pass_time(days=1)
    asyncio.run(sweep(world.runtime()))
    old, new = world.unit("SN1"), world.unit("SN2")
    assert (old["promised_to"], old["blocks"]) == (None, 1)
    assert new["promised_to"] is not None
    assert world.read(conservation.check).breaches == ()


def test_what_is_picked_or_blocked_is_left_to_people(world: World) -> None:
    arrive(world, SN1="2026-11-02", SN2="2026-11-02")
    world.do(Action.ALLOCATE, "SN1", hold_reference="cart")
    world.do(Action.PICK, "SN1")
    world.do(Action.HOLD, "SN2", hold_kind="fraud")
    world.pass_time(days=1)
    assert world.write(lambda tx: expiry.set_aside(tx, world.context(), limit=10)) == 0
