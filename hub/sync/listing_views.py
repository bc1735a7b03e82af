"""The quantity that each channel was sent, and the one that it was seen to show."""

from collections.abc import Sequence

from hub.storage.sql import Row, Transaction


def shown(tx: Transaction, skus: Sequence[str]) -> dict[str, list[Row]]:
    """Return what each channel was told, and was seen to show, of products."""
    rows = tx.rows(
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
    found: dict[str, list[Row]] = {sku: [] for sku in skus}
    for row in rows:
        found[row["sku"]].append(row)
    return found
