"""Reserve, extend, release, let lapse, check out, sell: no unit is ever promised twice.

Hypothesis chooses the steps and how much time passes; a model of the promises, kept beside, says
whose each unit is at every instant.
"""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import Refused
from hub.ledger import hash_chain, lapsing
from hub.lifecycle import Action
from hub.orders.direct import DirectOrder
from hub.proof import conservation
from hub.storage.sql import Transaction
from hub.storefront import carts, checkout, reserving, stock
from hub.storefront.carts import CartLine
from hub.storefront.checkout import Purchase
from world import World

UNITS = 4
OWNERS = ("key-a", "key-b")
CARTS = ("c-1", "c-2")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("reserve", "extend", "release", "checkout", "pass", "sweep")),
        st.sampled_from(OWNERS),
        st.sampled_from(CARTS),
        st.integers(1, 3),
    ),
    min_size=4,
    max_size=14,
)


class Shop:
    """The world, and beside it what is known of each promise: its cart and its end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.number = 0
        self.units = [f"U-{world.now.isoformat()}-{each}" for each in range(UNITS)]
        world.receive(*self.units)
        self.ends: dict[str, tuple[str, str, int]] = {}  # by unit: owner, cart, end
        self.sold: set[str] = set()

    def work(self, tx: Transaction, owner: str) -> Work:
        context = CommandContext(actor=owner, now=self.world.now, scope=owner, key_id=owner)
        return Work(tx, context, new_id())

    def held(self, owner: str, cart: str) -> set[str]:
        work = CommandContext(actor=owner, now=self.world.now, scope=owner, key_id=owner)
        rows = self.world.read(lambda tx: carts.held(tx, work, cart))
        return {row["unit_id"] for row in rows}

    def live(self) -> dict[str, tuple[str, str, int]]:
        now = micros(self.world.now)
        return {unit: each for unit, each in self.ends.items() if each[2] > now}

    def of(self, owner: str, cart: str) -> set[str]:
        return {unit for unit, each in self.live().items() if each[:2] == (owner, cart)}

    def step(self, name: str, owner: str, cart: str, count: int) -> None:
        before = self.of(owner, cart)
        try:
            done = self.world.write(lambda tx: self._do(tx, name, owner, cart, count))
        except Refused:
            assert name in {"extend", "release", "checkout"}
            assert not before, "a cart that holds units is extended, released and checked out"
            return
        self._note(name, owner, cart, count, done, before)

    def _do(self, tx: Transaction, name: str, owner: str, cart: str, count: int) -> Any:
        work, ttl = self.work(tx, owner), timedelta(seconds=10 * count)
        match name:
            case "reserve":
                line = CartLine(sku="CAM", quantity=count)
                return reserving.reserve(work, cart, [line], ttl, partial=True)[0].reserved
            case "extend":
                return carts.extend(work, cart, ttl)
            case "release":
                return carts.release(work, cart, [CartLine(sku="CAM", quantity=count)])
            case "checkout":
                self.number += 1
                bought = Purchase(order=DirectOrder(lines=[]))
                ref = f"{self.world.now.isoformat()}-{self.number}-{new_id()}"
                return checkout.checkout(work, self.world.vault, cart, bought, ref=ref, number=None)
            case "sweep":
                return lapsing.release_expired(tx, work.context.by_hub(), limit=2)
        return None

    def _note(
        self, name: str, owner: str, cart: str, count: int, done: Any, before: set[str]
    ) -> None:
        after, end = self.held(owner, cart), micros(self.world.now + timedelta(seconds=10 * count))
        match name:
            case "pass":
                self.world.pass_time(seconds=5 * count)
            case "reserve":
                free = UNITS - len(self.live()) - len(self.sold)
                new = after - before
                assert len(new) == done == min(count, free)
                assert not new & (self.live().keys() | self.sold)
                self.ends |= dict.fromkeys(new, (owner, cart, end))
            case "extend":
                assert after == before
                self.ends |= dict.fromkeys(before, (owner, cart, end))
            case "release":
                assert len(before - after) == done == min(count, len(before))
                for unit in before - after:
                    del self.ends[unit]
            case "checkout":
                bound = self.world.rows(
                    "SELECT unit.id FROM unit JOIN order_line ON order_line.id = "
                    "unit.order_line_id WHERE order_line.order_id = :id",
                    id=done,
                )
                assert {row["id"] for row in bound} == before
                assert after == set()
                self.sold |= before
                for unit in before:
                    del self.ends[unit]

    def check(self) -> None:
        """Compare what the hub says with what is known, and look at the ledger's own laws."""
        world, live = self.world, self.live()
        for owner in OWNERS:
            for cart in CARTS:
                assert self.held(owner, cart) == self.of(owner, cart)
        (shown,) = world.read(lambda tx: stock.of_skus(tx, ["CAM"], world.now))
        assert shown is not None
        assert shown.available == UNITS - len(live) - len(self.sold)
        twice = world.rows(
            "SELECT unit_id FROM hold WHERE released_at IS NULL GROUP BY unit_id "
            "HAVING COUNT(*) > 1"
        )
        assert twice == []
        assert list(world.read(conservation.check).breaches) == []


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_no_unit_is_promised_twice_whatever_shoppers_do(
    world: World, steps: list[tuple[str, str, str, int]]
) -> None:
    # Each example begins with shelves of its own: what was there before is written off.
    world.pass_time(days=1)
    world.write(lambda tx: lapsing.release_expired(tx, world.context(), limit=100))
    clear(world)
    shop = Shop(world)
    for step in steps:
        shop.step(*step)
        shop.check()
    assert world.read(hash_chain.verify).breaks == ()


def clear(world: World) -> None:
    """Take all units of earlier examples out of stock."""
    rows = world.rows("SELECT serial, promised_to FROM unit WHERE status = 'in_stock'")
    promised = [row["serial"] for row in rows if row["promised_to"]]
    if promised:
        world.do(Action.RELEASE, *promised)
    if rows:
        world.do(Action.WRITE_OFF, *(row["serial"] for row in rows))
