"""Former names: what an earlier owner called a unit; its client neither sees nor uses them."""

from collections.abc import Sequence

from hub.storage.sql import Row, Transaction

#: Schemes of names that an owner gives; all others are the maker's, and go with the unit.
OF_OWNER = ("asset", "internal", "label")


def are_all(tx: Transaction, unit: Row, keys: Sequence[str]) -> bool:
    """Return whether look-up keys name a unit only by what its earlier owner called it."""
    since = unit["client_since"]
    if since is None or unit["serial_canonical"] in keys or unit["id"] in keys:
        return False
    former = tx.value(
        "SELECT COUNT(*) FROM identifier WHERE unit_id = :id AND scheme IN (:schemes...) "
        "AND canonical IN (:keys...) AND created_at < :since",
        id=unit["id"],
        schemes=list(OF_OWNER),
        keys=list(keys),
        since=since,
    )
    return bool(former)
