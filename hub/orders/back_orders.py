"""Back-orders: retry order lines that wait for units once units are available."""

from hub import cases
from hub.availability.demand import WANTS_UNITS
from hub.cases import CaseKind
from hub.commands.context import CommandContext
from hub.orders import line_status, order_lookup
from hub.orders.allocation import allocate
from hub.storage.rows import OrderLineRow
from hub.storage.sql import Transaction
from hub.sync import channels

PAGES_MAX = 20  # read in one run


class WaitingLineRow(OrderLineRow):
    """An order line with the columns of its order that allocation needs."""

    channel_id: str
    number: str
    placed_at: int
    order_ref: str


def retry(tx: Transaction, context: CommandContext, *, limit: int) -> int:
    """Allocate units to open lines that lack some; return the number of tried lines.

    Once a channel has no more units of a product its later lines are skipped, so that lines that
    cannot be served never block those that can.
    """
    exhausted: set[tuple[str, str]] = set()
    tried, last = 0, (0, "")
    for _ in range(PAGES_MAX):
        rows = _waiting(tx, last, limit)
        for row in rows:
            key = (row["channel_id"], row["unit_id"] or row["product_id"] or "")
            if key not in exhausted:
                tried += 1
                if not _serve(tx, context, row):
                    exhausted.add(key)
        if len(rows) < limit or tried >= limit:
            break
        last = (rows[-1]["placed_at"], rows[-1]["id"])
    return tried


def _serve(tx: Transaction, context: CommandContext, row: WaitingLineRow) -> bool:
    """Allocate the units that a line lacks; return whether the line is complete."""
    channel = channels.by_id(tx, row["channel_id"])
    (one,) = line_status.of_lines(tx, order_lookup.order_of(tx, row["order_id"]), [row])
    lacking = one.lacking
    if lacking > 0:
        lacking -= allocate(tx, context, channel, row, lacking, row["number"])
    if lacking > 0:
        return False
    subject = f"{row['order_ref']}/{row['ref']}"
    cases.settle(tx, CaseKind.OVERSOLD, subject, channel["id"], context.now)
    return True


def _waiting(tx: Transaction, last: tuple[int, str], limit: int) -> list[WaitingLineRow]:
    """Return the next lines after `last`, in serving order."""
    return tx.rows_as(
        WaitingLineRow,
        "SELECT order_line.*, sales_order.channel_id, sales_order.number, sales_order.placed_at, "
        "sales_order.ref AS order_ref FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "JOIN channel ON channel.id = sales_order.channel_id "
        f"WHERE {WANTS_UNITS} AND order_line.product_id IS NOT NULL "
        "AND COALESCE(sales_order.same_verdict, '') NOT IN ('suspected', 'same') "
        "AND (sales_order.placed_at, order_line.id) > (:placed, :line) "
        "AND order_line.quantity - order_line.withheld > (SELECT COUNT(*) FROM unit "
        "WHERE unit.order_line_id = order_line.id "
        "AND (unit.promised_to IS NOT NULL OR unit.status IN ('shipped', 'sold'))) "
        "AND EXISTS (SELECT 1 FROM unit WHERE unit.product_id = order_line.product_id "
        "AND (order_line.unit_id IS NULL OR order_line.unit_id = unit.id) "
        "AND unit.status = 'in_stock' AND unit.promised_to IS NULL AND unit.blocks = 0 "
        "AND COALESCE(unit.client_id, '') = COALESCE(channel.client_id, '')) "
        "ORDER BY sales_order.placed_at, order_line.id LIMIT :limit",
        placed=last[0],
        line=last[1],
        limit=limit,
    )
