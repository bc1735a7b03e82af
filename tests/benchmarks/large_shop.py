"""A shop in this process with any number of listings and orders, a share of which drifts.

The ledger is written past the commands: what is measured is the comparison, not the import.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from connectors.contract import Page, PullOrders, SnapshotOrders
from hub.clock import micros, new_id, now
from hub.storage.database import Database
from hub.storage.sql import Row, Transaction
from hub.sync import channels
from hub.sync.channels import ChannelCard
from hub.vocabulary import ObservedLevel, Order, OrderLine, OrderState
from tests.benchmarks.harness import context, receive, register
from tests.benchmarks.large_channel import LargeChannel, sku

CHUNK = 20_000
DRIFT = 100  # every so many-th subject drifts, in turns in each of the ways below
UNITS_OF = 10  # products of so many have units in stock, so that some drift raises an offer
DAYS = 20  # over which the orders were placed


class LargeShop(LargeChannel, PullOrders, SnapshotOrders):
    """Shows what the ledger has, except for every hundredth listing and order.

    `turn` chooses which they are, so that two runs of one shop find other drift.
    """

    def __init__(self, listings: int, orders: int) -> None:
        super().__init__(listings)
        self.orders = orders
        self.began = now() - timedelta(days=DAYS)
        self.turn = 0
        self.edited: dict[str, int] = {}
        self.reads = 0

    def drift(self) -> None:
        """Let other listings and orders drift than before."""
        self.turn += 1
        for number in range(self.turn * UNITS_OF, self.skus, DRIFT):
            self.edited[sku(number)] = 7 if number // DRIFT % 2 else 0

    async def push_stock(self, levels: Any) -> Any:
        """Show what is asked for."""
        for level in levels:
            self.edited.pop(level.sku, None)
        self.shown.update((level.sku, level.available) for level in levels)
        return await LargeChannel.push_stock(self, levels)

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel]:
        """Show every listing, and one in a thousand that is no product of ours."""
        for number in range(self.skus):
            name = sku(number)
            shown = self.edited.get(name, self.shown.get(name, in_stock(number)))
            yield ObservedLevel(sku=name, quantity=shown, remote={"id": str(number)})
        for number in range(self.skus // 1_000):
            yield ObservedLevel(sku=f"FOREIGN-{number}", quantity=1, remote={"id": f"f{number}"})

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Nothing is new: what drifts was missed before."""
        return Page((), cursor)

    async def read_order(self, ref: str) -> Order:
        """Show one order."""
        self.reads += 1
        return self._order(int(ref))

    async def snapshot_orders(self, since: datetime, until: datetime) -> AsyncIterator[Order]:
        """Show every order, the oldest first."""
        for number in range(self.orders + self.orders // 1_000 * self.turn):
            yield self._order(number)

    def _order(self, number: int) -> Order:
        placed = self.placed_at(number)
        drifts = number < self.orders and number % DRIFT < self.turn
        return Order(
            ref=str(number),
            number=f"#{number}",
            state=OrderState.OPEN,
            remote_state="OPEN",
            lines=(OrderLine(ref="1", sku=sku(number % self.skus), quantity=2 if drifts else 1),),
            placed_at=placed,
            updated_at=placed + timedelta(hours=drifts),
        )

    def placed_at(self, number: int) -> datetime:
        """Return when an order was placed; those that the ledger missed are the newest."""
        return self.began + timedelta(days=DAYS - 1) * (number / (2 * self.orders))


def in_stock(number: int) -> int:
    """Return how many units of a product the ledger has; its orders were served long ago."""
    return int(number % UNITS_OF == 0 and number < UNITS_OF * 1_000)


def ledger_of(database: Database, shop: LargeShop) -> Row:
    """Write the products, their listings and the orders of a shop; return its channel."""
    database.write_now(register)
    card = ChannelCard(
        code="large",
        name="Large",
        connector="large",
        settings="",
        capabilities=["push_stock", "snapshot_stock", "pull_orders", "snapshot_orders"],
    )
    channel = database.write_now(lambda tx: channels.register(tx, context(), card))
    maker = database.read_now(lambda tx: tx.value("SELECT id FROM manufacturer"))
    products: list[str] = []
    for first in range(0, shop.skus, CHUNK):
        numbers = range(first, min(first + CHUNK, shop.skus))
        database.write_now(
            lambda tx, numbers=numbers: products.extend(_listings(tx, channel, maker, numbers))
        )
    for first in range(0, shop.orders, CHUNK):
        numbers = range(first, min(first + CHUNK, shop.orders))
        database.write_now(
            lambda tx, numbers=numbers: _orders(tx, channel, shop, products, numbers)
        )
    stocked = [number for number in range(shop.skus) if in_stock(number)]
    database.write_now(
        lambda tx: receive(tx, [f"S{each:07}" for each in stocked], [sku(each) for each in stocked])
    )
    database.write_now(_settle)
    row: Row = database.read_now(lambda tx: channels.by_id(tx, channel))
    return row


def _settle(tx: Transaction) -> None:
    """Let no level be due: the shop shows what the ledger has."""
    tx.run("UPDATE listing_level SET done_version = wanted_version")
    tx.run("ANALYZE")


def _listings(tx: Transaction, channel: str, maker: str, numbers: range) -> list[str]:
    at = micros(now())
    rows = [(number, new_id(), new_id()) for number in numbers]
    tx.insert(
        "product",
        ("id", "sku", "name", "manufacturer_id", "serial_case", "warranty_months",
         "warranty_start", "replacement_cover", "return_days", "picking", "tracking",
         "created_at"),
        [
            (product, sku(n), f"Product {n}", maker, "folded", 0, "sale", "remainder", 30,
             "fifo", "serial", at)
            for n, product, _ in rows
        ],
    )  # fmt: skip
    tx.insert(
        "listing",
        ("id", "channel_id", "product_id", "sku", "remote", "reference", "created_at"),
        [
            (listing, channel, product, sku(n), f'{{"id": "{n}"}}', f"id={n}", at)
            for n, product, listing in rows
        ],
    )
    tx.insert(
        "listing_level",
        ("listing_id", "channel_id", "product_id", "done_version", "acknowledged",
         "acknowledged_at", "observed", "observed_at", "state"),
        [
            (listing, channel, product, 1, in_stock(n), at, in_stock(n), at, "live")
            for n, product, listing in rows
        ],
    )  # fmt: skip
    return [product for _, product, _ in rows]


def _orders(
    tx: Transaction, channel: str, shop: LargeShop, products: list[str], numbers: range
) -> None:
    rows = [(number, new_id(), micros(shop.placed_at(number))) for number in numbers]
    no = False
    tx.insert(
        "sales_order",
        ("id", "channel_id", "ref", "number", "state", "remote_state", "at_counter", "placed_at",
         "remote_updated_at", "recorded_at", "remote_done", "handed_over", "is_test", "is_gift",
         "has_note"),
        [
            (order, channel, str(n), f"#{n}", "open", "OPEN", no, at, at, at, no, no, no, no, no)
            for n, order, at in rows
        ],
    )  # fmt: skip
    tx.insert(
        "order_line",
        ("id", "order_id", "ref", "sku", "product_id", "quantity", "title", "remote_fulfilled",
         "kind"),
        [
            (new_id(), order, "1", sku(n % shop.skus), products[n % shop.skus], 1, "", 0, "goods")
            for n, order, _ in rows
        ],
    )  # fmt: skip
