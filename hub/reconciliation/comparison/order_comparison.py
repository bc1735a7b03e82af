"""Comparison of the orders of a channel with those of the ledger, a batch at a time.

Each batch costs a fixed number of statements, whatever its size. Causes are looked up for orders
that differ only (`hub.reconciliation.comparison.order_causes`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypedDict

from hub.cases import Severity
from hub.clock import moment
from hub.orders.line_status import REPEATED
from hub.reconciliation.comparison import order_causes
from hub.reconciliation.comparison.observed_orders import GoneOrder
from hub.reconciliation.comparison.order_causes import Look, Records
from hub.reconciliation.kinds import (
    Cause,
    Compared,
    Difference,
    Fix,
    Kind,
    Proof,
    different,
    in_flight,
    matched,
)
from hub.storage.rows import ChannelRow, OrderLineRow, OrderRow
from hub.storage.sql import Transaction
from hub.sync import channels, mappings
from hub.sync.channels import GoneOrders
from hub.vocabulary import Order, OrderState

GONE_AT_ONCE_MAX = 20  # more orders than these vanish by a fault of the shop, not one by one


class _LineCount(TypedDict):
    order_line_id: str
    units: int


class _TakenOff(TypedDict):
    order_id: str
    ref: str
    units: int


@dataclass(slots=True)
class ComparedLine:
    """An order line with the units that left, came back and were deducted by returns."""

    row: OrderLineRow
    left: int = 0
    back: int = 0
    taken_off: int = 0


def compare(tx: Transaction, look: Look, batch: Sequence[Order]) -> list[Compared]:
    """Compare a batch of orders, each of another reference, in their order."""
    remotes = [mappings.order(look.channel, each) for each in batch]
    known = _known(tx, look.channel, [each.ref for each in remotes])
    lines = _lines(tx, [row["id"] for row in known.values()])
    outcomes: dict[str, Compared] = {}
    strange: list[Order] = []
    for remote in remotes:
        row = known.get(remote.ref)
        if row is None and look.at - remote.placed_at < look.grace:
            outcomes[remote.ref] = in_flight(remote.ref)
        elif row is not None and _agrees(look, remote, row, lines[row["id"]]):
            outcomes[remote.ref] = matched(remote.ref)
        else:
            strange.append(remote)
    outcomes |= _explain(tx, look, strange, known, lines)
    return [outcomes[each.ref] for each in remotes]


def _known(tx: Transaction, channel: ChannelRow, refs: Sequence[str]) -> dict[str, OrderRow]:
    rows = tx.rows_as(
        OrderRow,
        "SELECT * FROM sales_order WHERE channel_id = :channel AND ref IN (:refs...)",
        channel=channel["id"],
        refs=list(refs),
    )
    return {row["ref"]: row for row in rows}


def _lines(tx: Transaction, order_ids: Sequence[str]) -> dict[str, dict[str, ComparedLine]]:
    """Return the lines of orders by order and reference, with their counts."""
    found: dict[str, dict[str, ComparedLine]] = {each: {} for each in order_ids}
    by_id: dict[str, ComparedLine] = {}
    for row in tx.rows_as(
        OrderLineRow, "SELECT * FROM order_line WHERE order_id IN (:ids...)", ids=list(order_ids)
    ):
        by_id[row["id"]] = found[row["order_id"]][row["ref"]] = ComparedLine(row)
    ids = list(by_id)
    for left in tx.rows_as(
        _LineCount,
        "SELECT order_line_id, COUNT(*) AS units FROM unit WHERE order_line_id IN (:ids...) "
        "AND status IN ('shipped', 'sold') GROUP BY order_line_id",
        ids=ids,
    ):
        by_id[left["order_line_id"]].left = left["units"]
    for back in tx.rows_as(
        _LineCount,
        "SELECT order_line_id, SUM(times) AS units FROM line_return "
        "WHERE order_line_id IN (:ids...) GROUP BY order_line_id",
        ids=ids,
    ):
        by_id[back["order_line_id"]].back = int(back["units"])
    for off in tx.rows_as(
        _TakenOff,
        "SELECT channel_return.order_id, line.order_line_ref AS ref, "
        "SUM(line.taken_off) AS units FROM channel_return "
        "JOIN channel_return_line AS line ON line.return_id = channel_return.id "
        "WHERE channel_return.order_id IN (:ids...) AND channel_return.state <> 'cancelled' "
        "GROUP BY channel_return.order_id, line.order_line_ref",
        ids=list(order_ids),
    ):
        line = found[off["order_id"]].get(off["ref"])
        if line is not None:
            line.taken_off = int(off["units"])
    return found


def _agrees(look: Look, remote: Order, known: OrderRow, lines: Mapping[str, ComparedLine]) -> bool:
    return not _edited(remote, known, lines) and (
        not _compares_shipments(look, remote, known) or _fits(remote, lines)
    )


def _edited(remote: Order, known: OrderRow, lines: Mapping[str, ComparedLine]) -> bool:
    cancelled = remote.state is OrderState.CANCELLED
    if cancelled != (known["state"] == OrderState.CANCELLED):
        return True
    if cancelled:
        return False
    there = {line.ref: line.quantity for line in remote.lines}
    here = {ref: line.row["quantity"] for ref, line in lines.items()}
    return any(there.get(ref, 0) != here.get(ref, 0) for ref in there.keys() | here.keys())


def _compares_shipments(look: Look, remote: Order, known: OrderRow) -> bool:
    if remote.at_counter or not channels.can(look.channel, "push_fulfillment"):
        return False
    # A duplicate is not served: the order that it repeats is, and its channel is informed.
    return known["same_verdict"] not in REPEATED and remote.state is not OrderState.CANCELLED


def _fits(remote: Order, lines: Mapping[str, ComparedLine]) -> bool:
    """Return whether as many units left here as the channel says.

    A channel may count returned units as fulfilled or not: both match.
    """
    there = sum(line.fulfilled for line in remote.lines)
    here = sum(line.left for line in lines.values())
    back = sum(line.back for line in lines.values())
    taken_off = sum(line.taken_off for line in lines.values())
    return here - taken_off <= there <= here + back


def _explain(
    tx: Transaction,
    look: Look,
    strange: Sequence[Order],
    known: Mapping[str, OrderRow],
    lines: Mapping[str, Mapping[str, ComparedLine]],
) -> dict[str, Compared]:
    """Return the outcomes of orders that do not agree, with causes that records prove."""
    if not strange:
        return {}
    rows = [known[each.ref] for each in strange if each.ref in known]
    records = order_causes.read(tx, look, strange, rows)
    sending = order_causes.sending(tx, look, [row["id"] for row in rows])
    outcomes = {}
    for remote in strange:
        row = known.get(remote.ref)
        if row is None:
            outcomes[remote.ref] = different(_missing_order(records, remote))
        elif _edited(remote, row, lines[row["id"]]):
            outcomes[remote.ref] = different(_order_state(records, remote, row, lines[row["id"]]))
        else:
            here = sum(line.left for line in lines[row["id"]].values())
            there = sum(line.fulfilled for line in remote.lines)
            if here > there and row["id"] in sending:
                outcomes[remote.ref] = in_flight(remote.ref)
            else:
                outcomes[remote.ref] = different(_fulfillment(records, remote, row, here, there))
    return outcomes


def _missing_order(records: Records, remote: Order) -> Difference:
    cause = records.of_missing(remote)
    placed = f"{remote.placed_at:%Y-%m-%d %H:%M:%S} UTC"
    return Difference(
        kind=Kind.MISSING_ORDER,
        about=remote.ref,
        subject=remote.number,
        ledger={},
        remote={
            "ref": remote.ref,
            "state": remote.remote_state,
            "placed_at": remote.placed_at.isoformat(),
            "lines": {line.ref: [line.sku, line.quantity] for line in remote.lines},
        },
        cause=cause.cause,
        evidence=f"Order {remote.number} was placed at {placed} and is not known here. "
        f"{cause.text}",
        proofs=cause.proofs,
        fix=Fix.ACCEPT_ORDER,
        severity=Severity.HIGH,
    )


def _order_state(
    records: Records, remote: Order, known: OrderRow, lines: Mapping[str, ComparedLine]
) -> Difference:
    cause = records.of_change(remote, known)
    changed = f"{remote.updated_at:%Y-%m-%d %H:%M:%S} UTC"
    return Difference(
        kind=Kind.ORDER_STATE,
        about=remote.ref,
        subject=remote.number,
        ledger={
            "state": known["state"],
            "lines": {ref: [line.row["sku"], line.row["quantity"]] for ref, line in lines.items()},
        },
        remote={
            "ref": remote.ref,
            "state": remote.remote_state,
            "lines": {line.ref: [line.sku, line.quantity] for line in remote.lines},
        },
        cause=cause.cause,
        evidence=f"Order {remote.number} differs from what its channel states since {changed}. "
        f"{cause.text}",
        proofs=cause.proofs,
        fix=Fix.ACCEPT_ORDER,
        severity=Severity.HIGH,
        order_id=known["id"],
    )


def _fulfillment(
    records: Records, remote: Order, known: OrderRow, here: int, there: int
) -> Difference:
    unsent = here > there
    cause = records.of_shipments(known, here, there)
    return Difference(
        kind=Kind.MISSING_FULFILLMENT if unsent else Kind.FOREIGN_FULFILLMENT,
        about=remote.ref,
        subject=remote.number,
        ledger={"left": here},
        remote={"ref": remote.ref, "fulfilled": there, "state": remote.remote_state},
        cause=cause.cause,
        evidence=f"{here} units of order {remote.number} left here, the channel says {there}. "
        f"{cause.text}",
        proofs=cause.proofs,
        fix=Fix.PUSH_FULFILLMENT if unsent else Fix.ASK,
        severity=Severity.MEDIUM if unsent else Severity.HIGH,
        order_id=known["id"],
    )


def unknown_refs(tx: Transaction, channel: ChannelRow, refs: Sequence[str]) -> set[str]:
    """Return the references of orders that the ledger does not know."""
    return set(refs) - _known(tx, channel, refs).keys()


def gone(
    tx: Transaction, look: Look, missing: Sequence[GoneOrder], together: int
) -> list[Compared]:
    """Compare orders that their channel neither lists nor finds, in their order.

    Each is in flight until a second look, one grace or the channel's own delay after the first.
    The channel's policy says what follows: it is cancelled here, or a person is asked. A person is
    asked too where the order is fulfilled here, and where many are gone: `together` counts the
    open orders that the run did not find.
    """
    known = _known(tx, look.channel, [each["ref"] for each in missing])
    seen = order_causes.last_seen(tx, look.channel, list(known.values()))
    wait = max(look.grace, timedelta(minutes=look.channel["gone_order_minutes"]))
    outcomes = []
    for each in missing:
        row = known.get(each["ref"])
        if row is None or row["state"] == OrderState.CANCELLED:
            outcomes.append(matched(each["ref"]))
        elif each["seen_at"] - each["gone_since"] < wait // timedelta(microseconds=1):
            outcomes.append(in_flight(each["ref"]))
        else:
            found = _unknown_order(look, row, each, seen[row["id"]], together)
            outcomes.append(different(found))
    return outcomes


def _unknown_order(
    look: Look, known: OrderRow, missing: GoneOrder, seen: Proof, together: int
) -> Difference:
    first, last = moment(missing["gone_since"]), moment(missing["seen_at"])
    looks = Proof(
        record="observed_order",
        id=known["ref"],
        at=first,
        text=f"not found since {first:%Y-%m-%d %H:%M:%S} UTC, "
        f"looked for last at {last:%Y-%m-%d %H:%M:%S} UTC",
    )
    many = together > GONE_AT_ONCE_MAX
    served = known["state"] == OrderState.FULFILLED
    asks = many or served or look.channel["gone_orders"] == GoneOrders.ASK
    return Difference(
        kind=Kind.UNKNOWN_ORDER,
        about=known["ref"],
        subject=known["number"],
        ledger={"state": known["state"]},
        remote={"ref": known["ref"]},
        cause=Cause.REMOVED_THERE,
        evidence=f"The channel stated order {known['number']} before, and neither lists nor finds "
        "it any more." + (f" {together} open orders are gone at once." if many else ""),
        proofs=(seen, looks),
        fix=Fix.ASK if asks else Fix.CANCEL_ORDER,
        severity=Severity.LOW if served else Severity.HIGH,
        order_id=known["id"],
    )
