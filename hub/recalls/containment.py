"""Containment of a recall: counts per channel and in total, and its units one by one."""

from dataclasses import dataclass, fields

from hub.catalogue import CUSTOMER
from hub.storage.paging import Filter, page_size
from hub.storage.rows import RecallRow, RecallUnitRow
from hub.storage.sql import Row, Transaction

UNITS = (
    "SELECT recall_unit.*, channel.code AS channel_code, sales_order.number AS order_number, "
    "recall.ref AS recall_ref, recall.title AS recall_title, recall.state AS recall_state "
    "FROM recall_unit JOIN recall ON recall.id = recall_unit.recall_id "
    "JOIN unit ON unit.id = recall_unit.unit_id "
    "LEFT JOIN channel ON channel.id = recall_unit.channel_id "
    "LEFT JOIN sales_order ON sales_order.id = recall_unit.order_id "
)
RECALLS = (
    "SELECT recall.*, channel.code AS channel_code, product.sku, "
    "(SELECT MIN(sent_at) FROM notice WHERE notice.recall_id = recall.id) AS first_contact_at "
    "FROM recall LEFT JOIN channel ON channel.id = recall.channel_id "
    "LEFT JOIN product ON product.id = recall.product_id "
)


class RecalledUnit(RecallUnitRow):
    """A unit of a recall with its channel, order and recall."""

    channel_code: str | None
    order_number: str | None
    recall_ref: str
    recall_title: str
    recall_state: str


class ShownRecall(RecallRow):
    """A recall with its channel, its product and the time of the first notice."""

    channel_code: str | None
    sku: str | None
    first_contact_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Recall counts for one channel; channel None counts unsold units.

    on_hand + sold + missing + destroyed = affected; located = affected - missing;
    open + resolved = affected. `blocked` counts units on hand.
    """

    affected: int = 0
    located: int = 0
    on_hand: int = 0
    blocked: int = 0
    sold: int = 0  # with customers now
    missing: int = 0  # missing or stolen
    destroyed: int = 0
    notified: int = 0
    delivered: int = 0
    returned: int = 0
    resolved: int = 0
    open: int = 0


NAMES = tuple(each.name for each in fields(Standing))
_IS = {
    "missing": "unit.status IN ('missing', 'stolen')",
    "destroyed": "unit.status = 'written_off'",
}
_GONE = f"({_IS['missing']} OR {_IS['destroyed']})"
_SOLD = f"NOT {_GONE} AND unit.location_id = :customer"
_ON_HAND = f"NOT {_GONE} AND unit.location_id <> :customer"
_COUNTS = {
    "affected": "1 = 1",
    "located": f"NOT {_IS['missing']}",
    "on_hand": _ON_HAND,
    "blocked": f"{_ON_HAND} AND hold.id IS NOT NULL",
    "sold": _SOLD,
    **_IS,
    "notified": "notice.state IN ('sent', 'delivered', 'answered')",
    "delivered": "notice.state IN ('delivered', 'answered')",
    "returned": "recall_unit.returned_at IS NOT NULL",
    "resolved": "recall_unit.resolution IS NOT NULL",
    "open": "recall_unit.resolution IS NULL",
}


def containment(
    tx: Transaction, recall_id: str
) -> tuple[Standing, list[tuple[str | None, Standing]]]:
    """Count the units of a recall: in total, and for each channel that sold some."""
    counted = ", ".join(
        f"SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) AS {name}_units"
        for name, condition in _COUNTS.items()
    )
    rows = tx.rows(
        f"SELECT channel.code, {counted} FROM recall_unit "
        "JOIN unit ON unit.id = recall_unit.unit_id "
        "LEFT JOIN channel ON channel.id = recall_unit.channel_id "
        "LEFT JOIN hold ON hold.unit_id = unit.id AND hold.kind = 'recall' "
        "AND hold.released_at IS NULL "
        "LEFT JOIN notice ON notice.recall_id = recall_unit.recall_id "
        "AND notice.customer_ref = recall_unit.customer_ref "
        "WHERE recall_unit.recall_id = :recall AND unit.merged_into IS NULL GROUP BY channel.code",
        recall=recall_id,
        customer=CUSTOMER,
    )
    by_channel = [
        (row["code"], Standing(**{name: row[f"{name}_units"] for name in NAMES})) for row in rows
    ]
    by_channel.sort(key=lambda each: (each[0] is None, each[0] or ""))
    total = {name: sum(getattr(standing, name) for _, standing in by_channel) for name in NAMES}
    return Standing(**total), by_channel


def units(
    tx: Transaction,
    recall_id: str,
    *,
    first: int,
    after: str | None,
    open_only: bool = False,
    channel: str | None = None,
) -> list[RecalledUnit]:
    """Return the units of a recall with the reasons, one more than `first`."""
    wanted = Filter()
    wanted.add("recall_unit.recall_id = :recall", recall=recall_id)
    wanted.add("recall_unit.id > :after", after=after)
    wanted.add("channel.code = :channel", channel=channel)
    if open_only:
        wanted.add("recall_unit.resolution IS NULL")
    return tx.rows_as(
        RecalledUnit,
        f"{UNITS}{wanted.where()}ORDER BY recall_unit.id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def of_unit(tx: Transaction, unit_id: str) -> list[RecalledUnit]:
    """Return the recalls that a unit is or was under, oldest first."""
    return tx.rows_as(
        RecalledUnit,
        f"{UNITS}WHERE recall_unit.unit_id = :unit ORDER BY recall_unit.id LIMIT 200",
        unit=unit_id,
    )


def customers(tx: Transaction, recall_id: str, *, first: int, after: str | None) -> list[Row]:
    """Return the customers who have units of a recall, with the state of their notice."""
    beyond = "HAVING MIN(recall_unit.id) > :after " if after else ""
    values = {"after": after} if after else {}
    return tx.rows(
        "SELECT MIN(recall_unit.id) AS id, recall_unit.customer_ref, COUNT(*) AS units, "
        "SUM(CASE WHEN recall_unit.resolution IS NULL THEN 1 ELSE 0 END) AS open_units, "
        "MAX(notice.state) AS state, MAX(notice.sent_at) AS sent_at, "
        "MAX(notice.delivered_at) AS delivered_at, MAX(notice.detail) AS detail "
        "FROM recall_unit LEFT JOIN notice ON notice.recall_id = recall_unit.recall_id "
        "AND notice.customer_ref = recall_unit.customer_ref "
        "WHERE recall_unit.recall_id = :recall AND recall_unit.customer_ref IS NOT NULL "
        f"GROUP BY recall_unit.customer_ref {beyond}ORDER BY id LIMIT :limit",
        recall=recall_id,
        limit=page_size(first) + 1,
        **values,
    )


def orders_of(tx: Transaction, recall_id: str, refs: list[str]) -> dict[str, list[Row]]:
    """Return the orders by which customers got units of a recall, by customer."""
    rows = tx.rows(
        "SELECT DISTINCT recall_unit.customer_ref, sales_order.number, "
        "channel.code AS channel_code FROM recall_unit "
        "JOIN sales_order ON sales_order.id = recall_unit.order_id "
        "JOIN channel ON channel.id = sales_order.channel_id "
        "WHERE recall_unit.recall_id = :recall AND recall_unit.customer_ref IN (:refs...) "
        "ORDER BY sales_order.number",
        recall=recall_id,
        refs=refs,
    )
    found: dict[str, list[Row]] = {ref: [] for ref in refs}
    for row in rows:
        found[row["customer_ref"]].append(row)
    return found


def shown(tx: Transaction, ref: str) -> ShownRecall | None:
    """Return one recall with its product, channel and first contact."""
    return tx.row_as(ShownRecall, f"{RECALLS}WHERE recall.ref = :ref", ref=ref)


def listed(
    tx: Transaction, *, first: int, after: str | None, state: str | None
) -> list[ShownRecall]:
    """Return recalls, the newest first, one more than `first`."""
    wanted = Filter()
    wanted.add("recall.id < :before", before=after)
    wanted.add("recall.state = :state", state=state)
    return tx.rows_as(
        ShownRecall,
        f"{RECALLS}{wanted.where()}ORDER BY recall.id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )
