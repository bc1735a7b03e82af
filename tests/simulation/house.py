"""The house in which a schedule takes place: catalogue, places, channels, in a template file."""

import sqlite3
import tempfile
from functools import cache
from pathlib import Path

from connectors import capabilities
from hub import catalogue
from hub.catalogue import LocationCard, LocationKind, ManufacturerCard, ProductCard
from hub.commands.context import CommandContext
from hub.storage.migrations import migrate
from hub.storage.sql import SqliteTransaction, Transaction
from hub.sync import bindings, channels
from hub.sync.channels import ChannelCard
from tests.simulation.channel import KINDS, SKUS
from tests.simulation.clock import BEGINNING, determined
from tests.simulation.connector import CONNECTORS

SELLERS = tuple(kind.name for kind in KINDS)


@cache
def template() -> bytes:
    """Return a database file with all tables and the house in it; the same bytes' worth always."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        migrate(f"sqlite:///{path}")
        connection = sqlite3.connect(path, isolation_level=None)
        # What is taken into memory can keep no write-ahead log beside it.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN")
        with determined(0, lambda: BEGINNING):
            _furnish(SqliteTransaction(connection))
        connection.execute("COMMIT")
        connection.close()
        return path.read_bytes()


def _furnish(tx: Transaction) -> None:
    context = CommandContext(actor="furnisher", now=BEGINNING)
    products = {}
    for maker, sku in (("ACME", "CAM"), ("BOLT", "SAW")):
        catalogue.register_manufacturer(tx, context, ManufacturerCard(code=maker, name=maker))
        card = ProductCard(sku=sku, name=sku.title(), manufacturer=maker, model_number=f"{sku}-1")
        products[sku] = catalogue.register_product(tx, context, card)
    for code, kind, site in (
        ("WH", LocationKind.WAREHOUSE, None),
        ("WH-A1", LocationKind.WAREHOUSE, "WH"),
        ("RET", LocationKind.RETURNS, "WH"),
        ("SHOP", LocationKind.STORE, None),
    ):
        place = LocationCard(code=code, name=code, kind=kind, site=site)
        catalogue.register_location(tx, context, place)
    for code, connector in CONNECTORS.items():
        card = ChannelCard(
            code=code,
            name=code.title(),
            connector=code,
            settings="",
            capabilities=capabilities(connector),
            manufacturer="ACME" if code == "registry" else None,
        )
        channel_id = channels.register(tx, context, card)
        for sku in SKUS if code in SELLERS else ():
            bindings.bind(tx, channel_id, products[sku], sku, {"sku": sku}, BEGINNING)
