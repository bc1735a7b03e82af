"""The same order by two channels: the second one takes no units until a person says otherwise.

A connector names where an order was imported from (`Order.origin_ref`); what bears that reference
in another channel, or was imported from the same place, is taken for the same order.
"""

from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.commands.context import CommandContext
from hub.errors import StepNotAllowed
from hub.storage.sql import Row, Transaction

LOCK = 7_201_120  # PostgreSQL's number of the locks on what orders are known by
SUSPECTED, SAME, DIFFERENT = "suspected", "same", "different"


def suspect(tx: Transaction, context: CommandContext, order: Row) -> Row:
    """Note which order a new one repeats, and report it; return the order as it is now."""
    if order["same_verdict"] is None:
        _one_at_a_time(tx, _names(order))
        other = _other(tx, order)
        if other is None:
            return order
        order = _decide(tx, order, SUSPECTED, other["id"])
    if order["same_verdict"] != SUSPECTED or order["state"] == "cancelled":
        cases.settle(tx, CaseKind.DUPLICATE_ORDER, order["ref"], order["channel_id"], context.now)
        return order
    _report(tx, context, order)
    return order


def decide(tx: Transaction, context: CommandContext, order: Row, *, different: bool) -> Row:
    """Say that two orders are different, so that both are served, or the same; return the order.

    Raises StepNotAllowed for an order that repeats none.
    """
    if order["same_as"] is None:
        raise StepNotAllowed("the order repeats no other", allowed=[])
    order = _decide(tx, order, DIFFERENT if different else SAME, order["same_as"])
    open_case = tx.row(
        "SELECT * FROM exception_case WHERE kind = :kind AND subject = :ref "
        "AND channel_key = :channel AND state <> 'resolved'",
        kind=str(CaseKind.DUPLICATE_ORDER),
        ref=order["ref"][:200],
        channel=order["channel_id"],
    )
    if open_case is not None:
        said = "They are different orders." if different else "They are the same order."
        cases.resolve(tx, context, open_case, said)
    return order


def _names(order: Row) -> list[str]:
    """Return all that another copy of an order may be known by."""
    return sorted({each for each in (order["ref"], order["number"], order["origin_ref"]) if each})


def _one_at_a_time(tx: Transaction, names: list[str]) -> None:
    """Let whoever brings another copy at this instant wait, and see this one."""
    if tx.dialect != "postgresql":
        return  # SQLite has a single writer
    for name in names:
        tx.run("SELECT pg_advisory_xact_lock(:lock, hashtext(:name))", lock=LOCK, name=name)


def _other(tx: Transaction, order: Row) -> Row | None:
    """Find the order of another channel that came first, and is itself no repeat."""
    return tx.row(
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


def _decide(tx: Transaction, order: Row, verdict: str, other_id: str) -> Row:
    tx.run(
        "UPDATE sales_order SET same_as = :other, same_verdict = :verdict WHERE id = :id",
        other=other_id,
        verdict=verdict,
        id=order["id"],
    )
    return {**order, "same_as": other_id, "same_verdict": verdict}


def _report(tx: Transaction, context: CommandContext, order: Row) -> None:
    other = tx.row(
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
