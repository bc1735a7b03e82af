"""Channel returns: store returns and refunds that channels report, and compare them with scans.

A channel knows no serials: its return names a unit of an order line, and counts as arrived once a
unit of that line is accepted. Nothing here raises: mismatches become cases.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypedDict

import orjson

from hub import cases, orders
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.orders import line_status, order_lookup
from hub.orders.line_status import LineStatus
from hub.orders.order_lookup import ChannelOrderRow
from hub.returns import refunds
from hub.storage.documents import values
from hub.storage.rows import (
    ChannelReturnLineRow,
    ChannelReturnRow,
    ChannelRow,
    OrderLineRow,
)
from hub.storage.sql import Transaction
from hub.sync import mappings
from hub.vocabulary import Return, ReturnLine

KINDS = (CaseKind.RETURN_NOT_SCANNED, CaseKind.UNMATCHED_RETURN, CaseKind.DOUBLE_REFUND)


class _Updated(TypedDict):
    remote_updated_at: int


class _Id(TypedDict):
    id: str


class _ReturnedUnit(TypedDict):
    id: str
    serial: str


class _SerialOfUnit(TypedDict):
    serial: str


class _UnitReturn(TypedDict):
    ref: str
    state: str
    refund_ref: str | None
    refunded_at: int | None
    quantity: int
    comes_back: bool
    reason: str
    refunded: int
    serials: str


def accept(
    tx: Transaction, context: CommandContext, channel: ChannelRow, reported: Return
) -> str | None:
    """Store the current state of a return from its channel, and open or close its cases.

    Returns its id, or None for a state older than the stored one.
    """
    reported = mappings.returned(channel, reported)
    known = tx.row_as(
        _Updated,
        "SELECT remote_updated_at FROM channel_return "
        "WHERE channel_id = :channel AND ref = :ref FOR UPDATE",
        channel=channel["id"],
        ref=reported.ref,
    )
    if known is not None and micros(reported.updated_at) < known["remote_updated_at"]:
        return None
    return_id = _store(tx, context, channel, reported)
    order_id = tx.value("SELECT order_id FROM channel_return WHERE id = :id", id=return_id)
    if order_id is not None:
        orders.settle(tx, context, order_id)
        refunds.paid_by_channel(tx, context, order_id)
    review(tx, context, return_id)
    return return_id


def _store(tx: Transaction, context: CommandContext, channel: ChannelRow, reported: Return) -> str:
    order_id = tx.value(
        "SELECT id FROM sales_order WHERE channel_id = :channel AND ref = :ref",
        channel=channel["id"],
        ref=reported.order_ref,
    )
    row = tx.row_as(
        _Id,
        "INSERT INTO channel_return(id, channel_id, ref, order_ref, order_id, state, "
        "remote_state, refund_ref, refunded_at, exchange_order_ref, exchange_line_refs, "
        "remote_updated_at, recorded_at) VALUES(:id, :channel, :ref, :order_ref, "
        ":order_id, :state, :remote_state, :refund_ref, :refunded_at, :exchange_order, "
        ":exchange_lines, :updated_at, :now) ON CONFLICT(channel_id, ref) DO UPDATE SET "
        "order_ref = excluded.order_ref, order_id = excluded.order_id, state = excluded.state, "
        "remote_state = excluded.remote_state, refund_ref = excluded.refund_ref, "
        "refunded_at = excluded.refunded_at, exchange_order_ref = excluded.exchange_order_ref, "
        "exchange_line_refs = excluded.exchange_line_refs, "
        "remote_updated_at = excluded.remote_updated_at RETURNING id",
        id=new_id(),
        channel=channel["id"],
        ref=reported.ref,
        order_ref=reported.order_ref,
        order_id=order_id,
        state=str(reported.state),
        remote_state=reported.remote_state[:100],
        refund_ref=reported.refund_ref and reported.refund_ref[:200],
        refunded_at=micros(reported.refunded_at) if reported.refunded_at else None,
        exchange_order=reported.exchange_order_ref,
        exchange_lines=orjson.dumps(reported.exchange_line_refs).decode(),
        updated_at=micros(reported.updated_at),
        now=micros(context.now),
    )
    assert row is not None
    tx.run("DELETE FROM channel_return_line WHERE return_id = :id", id=row["id"])
    for line in reported.lines:
        _store_line(tx, row["id"], line)
    return row["id"]


def _store_line(tx: Transaction, return_id: str, line: ReturnLine) -> None:
    tx.run(
        "INSERT INTO channel_return_line(id, return_id, order_line_ref, quantity, comes_back, "
        "arrived, refunded, taken_off, restock, reason, serials) VALUES(:id, :return_id, :ref, "
        ":quantity, :comes_back, :arrived, :refunded, :taken_off, :restock, :reason, :serials)",
        id=new_id(),
        return_id=return_id,
        ref=line.order_line_ref,
        quantity=line.quantity,
        comes_back=line.comes_back,
        arrived=line.arrived,
        refunded=line.refunded,
        taken_off=line.taken_off,
        restock=line.restock,
        reason=line.reason[:200],
        serials=orjson.dumps(line.serials).decode(),
    )


def review(tx: Transaction, context: CommandContext, return_id: str) -> None:
    """Open cases for the mismatches of a return with the ledger, and close resolved ones."""
    row = tx.row_as(ChannelReturnRow, "SELECT * FROM channel_return WHERE id = :id", id=return_id)
    assert row is not None  # returns are never deleted
    found = {finding.kind: finding for finding in _findings(tx, row)}
    for kind in KINDS:
        if kind in found:
            cases.report(tx, found[kind], context.now)
        else:
            cases.settle(tx, kind, row["ref"], row["channel_id"], context.now)


def review_again(
    tx: Transaction, context: CommandContext, channel: ChannelRow, refs: Sequence[str]
) -> None:
    """Review returns again after their order was processed."""
    for row in tx.rows_as(
        _Id,
        "SELECT id FROM channel_return WHERE channel_id = :channel AND ref IN (:refs...) "
        "ORDER BY id",
        channel=channel["id"],
        refs=list(refs),
    ):
        review(tx, context, row["id"])


def recheck(tx: Transaction, context: CommandContext, *, limit: int) -> int:
    """Close the cases of returns whose unit or order has arrived; return the number of returns."""
    rows = tx.rows_as(
        _Id,
        "SELECT DISTINCT channel_return.id FROM exception_case "
        "JOIN channel_return ON channel_return.channel_id = exception_case.channel_id "
        "AND channel_return.ref = exception_case.subject "
        "WHERE exception_case.kind IN ('return_not_scanned', 'unmatched_return', 'double_refund') "
        "AND exception_case.state <> 'resolved' LIMIT :limit",
        limit=limit,
    )
    closed = 0
    for row in rows:
        known = tx.row_as(
            ChannelReturnRow, "SELECT * FROM channel_return WHERE id = :id", id=row["id"]
        )
        assert known is not None
        open_kinds = {finding.kind: finding for finding in _findings(tx, known)}
        for kind in KINDS:
            if kind not in open_kinds:
                cases.settle(tx, kind, known["ref"], known["channel_id"], context.now)
        if CaseKind.UNMATCHED_RETURN not in open_kinds:
            for finding in open_kinds.values():
                _report_new(tx, finding, context)
        closed += len(open_kinds) < len(KINDS)
    return closed


def _report_new(tx: Transaction, finding: Finding, context: CommandContext) -> None:
    """Report a finding unless its case is open already."""
    known = tx.value(
        "SELECT COUNT(*) FROM exception_case WHERE kind = :kind AND subject = :subject "
        "AND channel_key = :channel AND state <> 'resolved'",
        kind=str(finding.kind),
        subject=finding.subject[:200],
        channel=finding.channel_id,
    )
    if not known:
        cases.report(tx, finding, context.now)


def _findings(tx: Transaction, row: ChannelReturnRow) -> Iterator[Finding]:
    if row["state"] == "cancelled":
        return
    if row["order_id"] is None:
        yield _unmatched(row, f"is of order {row['order_ref']}, which is not known here")
        return
    reported = tx.rows_as(
        ChannelReturnLineRow,
        "SELECT * FROM channel_return_line WHERE return_id = :id",
        id=row["id"],
    )
    order = order_lookup.order_of(tx, row["order_id"])
    lines = tx.rows_as(
        OrderLineRow, "SELECT * FROM order_line WHERE order_id = :id", id=row["order_id"]
    )
    statuses = {one.line["ref"]: one for one in line_status.of_lines(tx, order, lines)}
    strange = [
        line["order_line_ref"] for line in reported if line["order_line_ref"] not in statuses
    ]
    if strange:
        yield _unmatched(row, f"names lines that order {order['number']} does not have")
    elif wrong := _wrong_serials(tx, reported, statuses):
        yield _unmatched(row, f"names {', '.join(wrong)}, which did not leave on its line")
    known = [line for line in reported if line["order_line_ref"] in statuses]
    yield from _not_scanned(tx, row, order, known, statuses)
    yield from _refunded_twice(tx, row, order, known, statuses)


def _unmatched(row: ChannelReturnRow, what: str) -> Finding:
    return Finding(
        kind=CaseKind.UNMATCHED_RETURN,
        subject=row["ref"],
        channel_id=row["channel_id"],
        summary=f"Return {row['ref']} {what}.",
        details={"return": row["ref"], "order": row["order_ref"], "order_id": row["order_id"]},
    )


def _wrong_serials(
    tx: Transaction, reported: Sequence[ChannelReturnLineRow], statuses: dict[str, LineStatus]
) -> list[str]:
    """Return the serials that a channel names and that were never shipped on the line."""
    wrong = []
    for line in reported:
        one = statuses[line["order_line_ref"]]
        left = {one.key(unit["serial"]) for unit in [*one.left, *_back(tx, one)]}
        wrong += [each for each in values(line["serials"]) if one.key(each) not in left]
    return wrong


def _back(tx: Transaction, one: LineStatus) -> list[_ReturnedUnit]:
    return tx.rows_as(
        _ReturnedUnit,
        "SELECT unit.id, unit.serial FROM line_return "
        "JOIN unit ON unit.id = line_return.unit_id WHERE line_return.order_line_id = :line",
        line=one.line["id"],
    )


def _not_scanned(
    tx: Transaction,
    row: ChannelReturnRow,
    order: ChannelOrderRow,
    reported: Sequence[ChannelReturnLineRow],
    statuses: dict[str, LineStatus],
) -> Iterator[Finding]:
    """Yield a finding for units that the channel reports as arrived and nobody has scanned."""
    missing = {}
    for line in reported:
        ref = line["order_line_ref"]
        if not line["arrived"]:
            continue
        arrived = _sum(tx, order["id"], ref, "arrived")
        lacking = min(line["arrived"], arrived - statuses[ref].back)
        if lacking > 0:
            missing[statuses[ref].line["sku"]] = lacking
    if missing:
        counted = ", ".join(f"{count} of {sku}" for sku, count in missing.items())
        yield Finding(
            kind=CaseKind.RETURN_NOT_SCANNED,
            subject=row["ref"],
            channel_id=row["channel_id"],
            severity=Severity.HIGH,
            summary=f"{counted} of order {order['number']} came back, says the channel, and no "
            "unit was read.",
            details={
                "return": row["ref"],
                "order": order["number"],
                "order_id": order["id"],
                "missing": missing,
            },
        )


def _refunded_twice(
    tx: Transaction,
    row: ChannelReturnRow,
    order: ChannelOrderRow,
    reported: Sequence[ChannelReturnLineRow],
    statuses: dict[str, LineStatus],
) -> Iterator[Finding]:
    """Yield a finding for a line with more refunds, by the channel and here, than shipped units."""
    for line in reported:
        one = statuses[line["order_line_ref"]]
        left_once = len(one.left) + one.back
        paid = refunds.of_line(tx, one.line["id"])
        if line["refunded"] and left_once and paid.there + paid.here > left_once:
            yield Finding(
                kind=CaseKind.DOUBLE_REFUND,
                subject=row["ref"],
                channel_id=row["channel_id"],
                severity=Severity.HIGH,
                summary=f"{paid.there + paid.here} of {one.line['sku']} were refunded on order "
                f"{order['number']}, and {left_once} left: {paid.there} by the channel, "
                f"{paid.here} here.",
                details={"return": row["ref"], "order_id": order["id"], "here": paid.here},
            )
            return


def _sum(tx: Transaction, order_id: str, ref: str, column: str) -> int:
    return int(
        tx.value(
            f"SELECT COALESCE(SUM(line.{column}), 0) FROM channel_return "
            "JOIN channel_return_line AS line ON line.return_id = channel_return.id "
            "WHERE channel_return.order_id = :order AND channel_return.state <> 'cancelled' "
            "AND line.order_line_ref = :ref",
            order=order_id,
            ref=ref,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReturnFact:
    """Return that a channel announced for one unit."""

    ref: str
    state: str
    comes_back: bool
    reason: str
    refund_ref: str | None
    refunded_at: int | None


def of_unit(tx: Transaction, line_id: str, unit: _SerialOfUnit) -> ChannelReturnFact | None:
    """Return the announced return of a unit of an order line, or None.

    A return that names the serial comes first, then those that have not arrived, oldest first.
    Units that the customer keeps count only if every unit of the line is kept.
    """
    rows = tx.rows_as(
        _UnitReturn,
        "SELECT channel_return.ref, channel_return.state, channel_return.refund_ref, "
        "channel_return.refunded_at, line.quantity, line.comes_back, line.reason, line.refunded, "
        "line.serials FROM order_line "
        "JOIN channel_return ON channel_return.order_id = order_line.order_id "
        "JOIN channel_return_line AS line ON line.return_id = channel_return.id "
        "AND line.order_line_ref = order_line.ref "
        "WHERE order_line.id = :line AND channel_return.state <> 'cancelled' "
        "ORDER BY channel_return.id",
        line=line_id,
    )
    line = order_lookup.line_of(tx, line_id)
    (one,) = line_status.of_lines(tx, order_lookup.order_of(tx, line["order_id"]), [line])
    for row in rows:
        if one.key(unit["serial"]) in {one.key(each) for each in values(row["serials"])}:
            return _announced(row)
    back = one.back
    for row in (each for each in rows if each["comes_back"]):
        if row["quantity"] > back:
            return _announced(row)
        back -= row["quantity"]
    kept = [row for row in rows if not row["comes_back"]]
    if kept and sum(row["quantity"] for row in kept) >= len(one.left):
        return _announced(kept[0])
    return None


def _announced(row: _UnitReturn) -> ChannelReturnFact:
    refunded = row["refunded"] > 0
    return ChannelReturnFact(
        ref=row["ref"],
        state=row["state"],
        comes_back=bool(row["comes_back"]),
        reason=row["reason"],
        refund_ref=(row["refund_ref"] or row["ref"]) if refunded else None,
        refunded_at=row["refunded_at"] if refunded else None,
    )
