"""What is to be done at a site now: to pick, pack, ship, put away and inspect, ranked by priority.

Nothing is kept for it: the work follows from where the units stand.
"""

from datetime import datetime
from enum import StrEnum

from hub.fulfillment.priorities import Ranking, ranked
from hub.lifecycle import Status
from hub.storage.paging import page_size
from hub.storage.sql import Row, Transaction

TASKS_MAX = 2_000  # looked at to find the most urgent


class TaskKind(StrEnum):
    """What is to be done with a unit."""

    PICK = "pick"
    PACK = "pack"
    SHIP = "ship"
    PUT_AWAY = "put_away"
    INSPECT = "inspect"


KINDS = {
    Status.IN_STOCK: TaskKind.PICK,
    Status.PICKED: TaskKind.PACK,
    Status.PACKED: TaskKind.SHIP,
    Status.RECEIVED: TaskKind.PUT_AWAY,
    Status.RETURNED: TaskKind.INSPECT,
}
TASKS = (
    "SELECT unit.id, unit.serial, unit.status, location.code AS bin, place.code AS site, "
    "product.sku, product.category, product.value, order_line.id AS line_id, "
    "sales_order.id AS order_id, sales_order.number, sales_order.tags, sales_order.promised_on, "
    "channel.code AS channel_code, COALESCE(sales_order.placed_at, unit.changed_at) AS since "
    "FROM unit JOIN location ON location.id = unit.location_id "
    "JOIN location AS place ON place.id = location.site_id "
    "JOIN product ON product.id = unit.product_id "
    "LEFT JOIN order_line ON order_line.id = unit.order_line_id AND unit.promised_to IS NOT NULL "
    "LEFT JOIN sales_order ON sales_order.id = order_line.order_id "
    "LEFT JOIN channel ON channel.id = sales_order.channel_id "
)
# Promised to an order that still stands; a block is somebody else's work.
FOR_ORDERS = (
    "unit.promised_to IS NOT NULL AND unit.status IN ('in_stock', 'picked', 'packed') "
    "AND unit.blocks = 0 AND sales_order.state IN ('open', 'pending') "
)
FOR_STOCK = "unit.status IN ('received', 'returned') "


def tasks(
    tx: Transaction, now: datetime, site: Row, *, first: int, kind: TaskKind | None = None
) -> list[Row]:
    """Return the work at a site, the most urgent first, with `kind`, `priority` and `rule`."""
    rows = [
        {**row, "kind": str(KINDS[Status(row["status"])])}
        for condition in (FOR_ORDERS, FOR_STOCK)
        for row in tx.rows(
            f"{TASKS}WHERE {condition}AND location.site_id = :site ORDER BY since, unit.id "
            "LIMIT :limit",
            site=site["site_id"],
            limit=TASKS_MAX,
        )
    ]
    wanted = [row for row in rows if kind is None or row["kind"] == kind]
    return ranked(wanted, Ranking(tx, now), "since")[: page_size(first)]
