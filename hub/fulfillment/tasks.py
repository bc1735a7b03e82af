"""Task list of a site: picking, packing, shipping, put-away and inspection, ranked by priority.

Tasks are not stored: they follow from the status of the units.
"""

from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from hub.decision_rules import Priority
from hub.fulfillment.priorities import ORDER, PriorityFacts, Ranking, day_of
from hub.ledger.rules.order import NOT_HELD
from hub.lifecycle import Status
from hub.storage.paging import page_size
from hub.storage.rows import LocationRow
from hub.storage.sql import Transaction

TASKS_MAX = 2_000  # read to find the most urgent


class TaskKind(StrEnum):
    """Kind of a task with a unit."""

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
    "sales_order.ship_by, "
    "channel.code AS channel_code, COALESCE(sales_order.placed_at, unit.changed_at) AS since "
    "FROM unit JOIN location ON location.id = unit.location_id "
    "JOIN location AS place ON place.id = location.site_id "
    "JOIN product ON product.id = unit.product_id "
    "LEFT JOIN order_line ON order_line.id = unit.order_line_id AND unit.promised_to IS NOT NULL "
    "LEFT JOIN sales_order ON sales_order.id = order_line.order_id "
    "LEFT JOIN channel ON channel.id = sales_order.channel_id "
)
# Allocated to an open order that is not on hold; blocked units are resolved elsewhere.
FOR_ORDERS = (
    "unit.promised_to IS NOT NULL AND unit.status IN ('in_stock', 'picked', 'packed') "
    f"AND unit.blocks = 0 AND sales_order.state IN ('open', 'pending') AND {NOT_HELD} "
)
FOR_STOCK = "unit.status IN ('received', 'returned') "


class TaskUnitRow(TypedDict):
    """A row of `TASKS`: a unit with its location, product and, if allocated, its order."""

    id: str
    serial: str
    status: str
    bin: str
    site: str
    sku: str
    category: str | None
    value: int | None
    line_id: str | None
    order_id: str | None
    number: str | None
    tags: str | None
    promised_on: str | None
    ship_by: int | None
    channel_code: str | None
    since: int


class TaskRow(TaskUnitRow):
    """A task with its kind, priority and the code of the deciding rule."""

    kind: str
    priority: Priority
    rule: str


def tasks(
    tx: Transaction, now: datetime, site: LocationRow, *, first: int, kind: TaskKind | None = None
) -> list[TaskRow]:
    """Return the tasks at a site, most urgent first, then oldest."""
    ranking = Ranking(tx, now)
    rows = [
        _ranked(ranking, row)
        for condition in (FOR_ORDERS, FOR_STOCK)
        for row in tx.rows_as(
            TaskUnitRow,
            f"{TASKS}WHERE {condition}AND location.site_id = :site ORDER BY since, unit.id "
            "LIMIT :limit",
            site=site["site_id"],
            limit=TASKS_MAX,
        )
    ]
    wanted = [row for row in rows if kind is None or row["kind"] == kind]
    wanted.sort(key=lambda row: (ORDER.index(row["priority"]), row["since"]))
    return wanted[: page_size(first)]


def _ranked(ranking: Ranking, row: TaskUnitRow) -> TaskRow:
    kind = str(KINDS[Status(row["status"])])
    facts: PriorityFacts = {
        "sku": row["sku"],
        "category": row["category"],
        "channel_code": row["channel_code"],
        "kind": kind,
        "value": row["value"],
        "tags": row["tags"],
        "promised_on": row["promised_on"] or day_of(row["ship_by"]),
    }
    priority, rule = ranking.of(facts, row["since"])
    return {**row, "kind": kind, "priority": priority, "rule": rule}
