"""Cases about people and places: a buyer stays a pseudonym, and clocks elsewhere move no time."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

from connectors.contract import PullOrders, PullReturns, SnapshotOrders
from connectors.testing.case import NotApplicable, case, require, require_equal, require_one
from connectors.testing.harness import Harness
from connectors.testing.simulator_driver import Buyer

ANNA = Buyer(411, "Anna Quist-Berger", "anna.quist@mail.test", "+4915550199", "Birkenweg 77")
BORIS = Buyer(422, "Boris Tanaka", "b.tanaka@mail.test", "+819055501", "Sakura Street 9")
GUEST = Buyer(0, "Gita Unnamed", "gita@mail.test", "+33155501", "Rue Perdue 3")
HOST_ZONE = "XST-05:45"  # of POSIX: five hours and three quarters ahead of UTC
SHOP_ZONE = timezone(timedelta(hours=-7))
APART = timedelta(minutes=20)


@case(PullOrders)
async def buyers_are_pseudonyms(harness: Harness) -> None:
    """The channel's id of the buyer is read, none of a guest, and no name or address comes in."""
    driver = harness.driver
    driver.list_article("CAM", 9)
    named: dict[str, str | None] = {}
    for buyer in (ANNA, BORIS, ANNA, GUEST):
        harness.clock.advance(60)
        ref = driver.place_order("CAM", 1)
        named[ref] = driver.name_buyer(ref, buyer)
    if not any(named.values()):
        raise NotApplicable("its driver names no buyers: the orders hide them")
    found, _ = await harness.pull_all()
    pulled = {order.ref: order for order in found}
    for ref, wanted in named.items():
        for order in (pulled[ref], await harness.connector.read_order(ref)):
            require_equal(order.customer_ref, wanted, "the channel's id of the buyer")
            for buyer in (ANNA, BORIS, GUEST):
                for fact in (buyer.name, buyer.email, buyer.phone, buyer.street):
                    require(fact not in repr(order), f"an order holds {fact!r} of its buyer")


@case(PullOrders)
async def times_in_other_places(harness: Harness) -> None:
    """Host and shop keep other hours than UTC: times stay right, windows and cursors too."""
    driver, connector = harness.driver, harness.connector
    driver.shop_in(SHOP_ZONE)
    driver.list_article("CAM", 99)
    with host_in(HOST_ZONE):
        placed: dict[str, datetime] = {}
        for _ in range(3):
            at = harness.clock.advance(APART.total_seconds())
            placed[driver.place_order("CAM", 2)] = at
        found, cursor = await harness.pull_all()
        require_equal({each.ref for each in found}, set(placed), "the orders")
        for order in [*found, *[await connector.read_order(ref) for ref in placed]]:
            _same(harness, order.placed_at, placed[order.ref], "when an order was placed")
            _same(harness, order.updated_at, placed[order.ref], "when an order changed")
        _, middle, _ = placed
        if isinstance(connector, SnapshotOrders):
            window = connector.snapshot_orders(placed[middle], placed[middle])
            require_equal([each.ref async for each in window], [middle], "the orders of a window")
        at = harness.clock.advance(APART.total_seconds())
        late = driver.place_order("CAM", 1)
        found, _ = await harness.pull_all(cursor)
        require(late in {each.ref for each in found}, "the order after a cursor was skipped")
        if isinstance(connector, PullReturns):
            at = harness.clock.advance(APART.total_seconds())
            ref = driver.create_return(middle, 1, ())
            returns, _ = await harness.pull_all(returns=True)
            back = require_one((each for each in returns if each.ref == ref), "the return")
            finely = harness.driver.returns_resolution or harness.driver.time_resolution
            _same(harness, back.updated_at, at, "when a return changed", finely)


def _same(
    harness: Harness,
    found: datetime,
    wanted: datetime,
    what: str,
    finely: timedelta | None = None,
) -> None:
    require(found.tzinfo is not None, f"{what}: a time without a zone")
    apart = abs(found - wanted)
    most = finely or harness.driver.time_resolution
    require(apart <= most, f"{what}: {found} is {apart} away")


@contextmanager
def host_in(zone: str) -> Iterator[None]:
    """Give this process another local time; NotApplicable where the system has no way to."""
    if not hasattr(time, "tzset"):
        raise NotApplicable("the local time of this system cannot be set for one process")
    before = os.environ.get("TZ")
    try:
        os.environ["TZ"] = zone
        time.tzset()
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


CASES = (buyers_are_pseudonyms, times_in_other_places)
