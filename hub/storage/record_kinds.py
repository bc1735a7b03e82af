"""Which kind of record an id belongs to: ids are UUIDs of version 7, one for each record."""

from collections.abc import Sequence
from typing import TypedDict

from hub.storage.sql import Transaction

#: For each kind its table and the column by which it is asked for.
KINDS = {
    "unit": ("unit", "id"),
    "product": ("product", "sku"),
    "location": ("location", "code"),
    "order": ("sales_order", "id"),
    "channel": ("channel", "code"),
    "case": ("exception_case", "id"),
    "reconciliation_run": ("reconciliation_run", "id"),
    "difference": ("reconciliation_difference", "id"),
    "return_case": ("return_case", "id"),
    "recall": ("recall", "ref"),
    "stock_count": ("stock_count", "ref"),
    "claim": ("warranty_claim", "id"),
    "ship_notice": ("delivery", "id"),
    "import_run": ("import_run", "id"),
    "webhook": ("webhook_endpoint", "id"),
}
_STATEMENT = " UNION ALL ".join(
    f"SELECT id, '{kind}' AS kind, {column} AS name FROM {table} WHERE id IN (:ids...)"
    for kind, (table, column) in KINDS.items()
)


class RecordKind(TypedDict):
    """A record: its id, its kind, and the name by which its kind is asked for."""

    id: str
    kind: str
    name: str


def kinds(tx: Transaction, ids: Sequence[str]) -> dict[str, RecordKind]:
    """Return the records of ids, by id; an id of none of `KINDS` is left out."""
    return {row["id"]: row for row in tx.rows_as(RecordKind, _STATEMENT, ids=list(ids))}
