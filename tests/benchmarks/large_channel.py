"""A channel in this process that takes what it is told, however much, and shows it again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from pydantic import BaseModel

from connectors.connections import Connections
from connectors.contract import Connector, PushedLevel, PushStock, SnapshotStock
from connectors.remote import Remote, RemoteApi
from hub import catalogue
from hub.catalogue import ProductCard
from hub.storage.sql import Row, Transaction
from hub.sync import channels
from hub.sync.channels import ChannelCard
from hub.vocabulary import ObservedLevel, StockLevel
from tests.benchmarks.harness import context, register

PRODUCTS_AT_A_TIME = 5_000


class NoSettings(BaseModel):
    """Nothing to set."""


class LargeChannel(Connector[NoSettings], PushStock, SnapshotStock):
    """Shows any number of listings, and takes 500 levels in a call."""

    key = "large"
    settings_model = NoSettings
    levels_max = 500

    def __init__(self, listings: int) -> None:
        settings = NoSettings()
        super().__init__(settings, RemoteApi(self.remote(settings)))
        self.skus = listings
        self.shown: dict[str, int] = {}
        self.pushed = 0
        self.seconds = 0.0  # that a call takes

    @classmethod
    def remote(cls, settings: NoSettings) -> Remote:
        """Describe nobody."""
        return Remote(base_url="http://127.0.0.1")

    async def check(self) -> None:
        """Nothing can be wrong."""

    async def push_stock(self, levels: Sequence[StockLevel]) -> list[PushedLevel]:
        """Show what is asked for."""
        if self.seconds:
            await asyncio.sleep(self.seconds)
        self.shown.update((level.sku, level.available) for level in levels if level.available)
        self.pushed += len(levels)
        return [PushedLevel(level.listing, level.available) for level in levels]

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel]:
        """Show every listing."""
        for number in range(self.skus):
            shown = self.shown.get(sku(number), 0)
            yield ObservedLevel(sku=sku(number), quantity=shown, remote={"id": str(number)})


class OnlyLarge(Connections):
    """Every channel is this one."""

    def __init__(self, connector: LargeChannel) -> None:
        super().__init__(lambda _: {})
        self._connector = connector

    def of(self, channel: Any) -> LargeChannel:
        """Return it."""
        return self._connector


def sku(number: int) -> str:
    """Name a product."""
    return f"LARGE-{number:06}"


def catalogue_of(database: Any, products: int) -> Row:
    """Register products, five thousand at a time, and the channel; return the channel."""
    database.write_now(register)
    for first in range(0, products, PRODUCTS_AT_A_TIME):
        last = min(products, first + PRODUCTS_AT_A_TIME)
        database.write_now(lambda tx, first=first, last=last: _products(tx, first, last))
    card = ChannelCard(
        code="large",
        name="Large",
        connector="large",
        settings="",
        capabilities=["push_stock", "snapshot_stock"],
    )
    channel = database.write_now(lambda tx: channels.register(tx, context(), card))
    row: Row = database.read_now(lambda tx: channels.by_id(tx, channel))
    return row


def _products(tx: Transaction, first: int, last: int) -> None:
    for number in range(first, last):
        card = ProductCard(sku=sku(number), name=f"Product {number}", manufacturer="MAKER")
        catalogue.register_product(tx, context(), card)
