"""A period of orders can be read again on demand, as often as one likes."""

import asyncio
from datetime import timedelta

from jobs import backfill
from recording import stage
from world import World


def test_the_orders_of_a_period_are_read_once_however_often_it_is_asked(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1", "SN-2", "SN-3")
    for number, days in enumerate((1, 5, 40)):
        placed = world.now - timedelta(days=days)
        order = world.order(f"o-{number}", placed_at=placed, updated_at=placed)
        connector.orders[order.ref] = order

    def pulled(days: int) -> tuple[int, int]:
        since = world.now - timedelta(days=days)
        return asyncio.run(backfill.pull_orders(runtime, channel, since, world.now))

    assert pulled(10) == (2, 2)
    assert pulled(10) == (2, 0)
    assert pulled(60) == (3, 1)
    assert world.value("SELECT COUNT(*) FROM sales_order") == 3
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 3
