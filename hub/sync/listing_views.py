"""Sent and observed quantities of products, by channel."""

from collections.abc import Sequence

from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction


class ShownLevelRow(ChannelRow):
    """A channel with the level of one of its listings."""

    sku: str
    product_id: str
    acknowledged: int | None
    acknowledged_at: int | None
    observed: int | None
    observed_at: int | None
    wanted_version: int
    done_version: int
    level: str
    last_error: str | None


def shown(tx: Transaction, skus: Sequence[str]) -> dict[str, list[ShownLevelRow]]:
    """Return the sent and the observed quantity of each product on each channel, by SKU."""
    rows = tx.rows_as(
        ShownLevelRow,
        "SELECT product.sku, channel.*, listing.product_id, listing_level.acknowledged, "
        "listing_level.acknowledged_at, listing_level.observed, listing_level.observed_at, "
        "listing_level.wanted_version, listing_level.done_version, listing_level.state AS level, "
        "listing_level.last_error FROM listing "
        "JOIN listing_level ON listing_level.listing_id = listing.id "
        "JOIN channel ON channel.id = listing.channel_id "
        "JOIN product ON product.id = listing.product_id "
        "WHERE product.sku IN (:skus...) ORDER BY product.sku, channel.code",
        skus=list(skus),
    )
    found: dict[str, list[ShownLevelRow]] = {sku: [] for sku in skus}
    for row in rows:
        found[row["sku"]].append(row)
    return found
