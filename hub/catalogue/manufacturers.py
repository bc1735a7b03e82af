"""Reading manufacturers."""

from hub.storage.rows import ManufacturerRow
from hub.storage.sql import Transaction

MANUFACTURERS_MAX = 10_000


def every(tx: Transaction) -> list[ManufacturerRow]:
    """Return all manufacturers, MANUFACTURERS_MAX at most, by their codes."""
    return tx.rows_as(
        ManufacturerRow,
        "SELECT * FROM manufacturer ORDER BY code LIMIT :max",
        max=MANUFACTURERS_MAX,
    )
