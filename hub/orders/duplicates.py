"""Duplicate orders: the same order from two channels; the second gets no units until decided.

A connector names the origin of an imported order (`Order.origin_ref`). An order with that reference
in another channel, or with the same origin, is suspected to be the same order. So is an order under
the same reference in another channel of the same account.
"""

from typing import TypedDict

from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.commands.context import CommandContext
from hub.errors import StepNotAllowed
from hub.storage.rows import CaseRow, OrderRow
from hub.storage.sql import Transaction
from hub.sync import channels

LOCK = 7_201_120  # PostgreSQL advisory lock class of order references
SUSPECTED, SAME, DIFFERENT = "suspected", "same", "different"


class _OtherOrder(TypedDict):
    number: str
    state: str
    name: str


def suspect(tx: Transaction, context: CommandContext, order: OrderRow) -> OrderRow:
    """Store and report which order a new one duplicates; return the updated order."""
    if order["same_verdict"] is None:
        lock_names(tx, _names(order))
        other = _other(tx, order) or _same_sale(tx, order)
        if other is None:
            return order
        order = _decide(tx, order, SUSPECTED, other["id"])
    if order["same_verdict"] != SUSPECTED or order["state"] == "cancelled":
        cases.settle(tx, CaseKind.DUPLICATE_ORDER, order["ref"], order["channel_id"], context.now)
        return order
    _report(tx, context, order)
    return order


def decide(
    tx: Transaction, context: CommandContext, order: OrderRow, *, different: bool
) -> OrderRow:
    """Record whether an order and its suspected original differ; return the updated order.

    Different orders are both served. Raise StepNotAllowed for an order without a suspicion.
    """
    if order["same_as"] is None:
        raise StepNotAllowed("the order repeats no other", allowed=[])
    order = _decide(tx, order, DIFFERENT if different else SAME, order["same_as"])
    open_case = tx.row_as(
        CaseRow,
        "SELECT * FROM exception_case WHERE kind = :kind AND subject = :ref "
        "AND channel_key = :channel AND state <> 'resolved'",
        kind=str(CaseKind.DUPLICATE_ORDER),
        ref=order["ref"][:200],
        channel=order["channel_id"],
    )
    if open_case is not None:
        resolution = "They are different orders." if different else "They are the same order."
        cases.resolve(tx, context, open_case, resolution)
    return order


def _names(order: OrderRow) -> list[str]:
    """Return the references by which a copy of an order is found."""
    return sorted({each for each in (order["ref"], order["number"], order["origin_ref"]) if each})


def lock_names(tx: Transaction, names: list[str]) -> None:
    """Lock the references, so that a concurrent copy of the order waits and sees this one."""
    if tx.dialect != "postgresql":
        return  # SQLite has a single writer
    for name in names:
        tx.run("SELECT pg_advisory_xact_lock(:lock, hashtext(:name))", lock=LOCK, name=name)


def _other(tx: Transaction, order: OrderRow) -> OrderRow | None:
    """Return the earliest order of another channel that is the same and no duplicate itself."""
    return tx.row_as(
        OrderRow,
        "SELECT * FROM sales_order WHERE id IN ("
        "SELECT id FROM sales_order WHERE origin_ref IN (:names...) "
        "UNION SELECT id FROM sales_order WHERE number = :origin "
        "UNION SELECT sales_order.id FROM channel JOIN sales_order "
        "ON sales_order.channel_id = channel.id AND sales_order.ref = :origin) "
        "AND channel_id <> :channel AND id <> :id AND COALESCE(same_as, '') <> :id "
        "AND COALESCE(same_verdict, '') NOT IN ('suspected', 'same') "
        "ORDER BY recorded_at, id LIMIT 1",
        channel=order["channel_id"],
        id=order["id"],
        names=_names(order),
        origin=order["origin_ref"] or "",
    )


def _same_sale(tx: Transaction, order: OrderRow) -> OrderRow | None:
    """Return the order under the same reference in another channel of the same account."""
    channel = channels.by_id(tx, order["channel_id"])
    accounts = channels.accounts_of(channel)
    if not accounts:
        return None
    rows = tx.rows_as(
        OrderRow,
        "SELECT sales_order.* FROM channel JOIN sales_order "
        "ON sales_order.channel_id = channel.id AND sales_order.ref = :ref "
        "WHERE channel.connector = :connector AND channel.id <> :channel "
        "AND COALESCE(sales_order.same_as, '') <> :id "
        "AND COALESCE(sales_order.same_verdict, '') NOT IN ('suspected', 'same') "
        "ORDER BY sales_order.recorded_at, sales_order.id",
        ref=order["ref"],
        connector=channel["connector"],
        channel=channel["id"],
        id=order["id"],
    )
    for row in rows:
        if accounts & channels.accounts_of(channels.by_id(tx, row["channel_id"])):
            return row
    return None


def _decide(tx: Transaction, order: OrderRow, verdict: str, other_id: str) -> OrderRow:
    tx.run(
        "UPDATE sales_order SET same_as = :other, same_verdict = :verdict WHERE id = :id",
        other=other_id,
        verdict=verdict,
        id=order["id"],
    )
    return {**order, "same_as": other_id, "same_verdict": verdict}


def _report(tx: Transaction, context: CommandContext, order: OrderRow) -> None:
    other = tx.row_as(
        _OtherOrder,
        "SELECT sales_order.number, sales_order.state, channel.name FROM sales_order "
        "JOIN channel ON channel.id = sales_order.channel_id WHERE sales_order.id = :id",
        id=order["same_as"],
    )
    assert other is not None  # orders are never deleted
    cancelled = ", which is cancelled" if other["state"] == "cancelled" else ""
    finding = Finding(
        kind=CaseKind.DUPLICATE_ORDER,
        subject=order["ref"],
        channel_id=order["channel_id"],
        severity=Severity.HIGH,
        summary=f"Order {order['number']} seems to be order {other['number']} of "
        f"{other['name']}{cancelled}: it takes no units until somebody decides.",
        details={
            "order": order["number"],
            "order_id": order["id"],
            "same_as": order["same_as"],
            "origin": order["origin_ref"],
        },
    )
    cases.report(tx, finding, context.now)
