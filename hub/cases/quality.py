"""Data quality checks of the records, run regularly.

Each check finds suspicious records; each find opens a case, which is closed when the check no
longer finds it. Checks of new records continue where they stopped, the others read a small index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypedDict

from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.catalogue import IN_TRANSIT
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.identifiers.serials import is_usable
from hub.storage.rows import CaseRow
from hub.storage.sql import Transaction

STUCK = timedelta(days=7)  # a longer transfer between two sites is suspicious
FINDS_MAX = 500  # of one check, in one run
UNITS_MAX = 20_000  # compared for look-alikes, in one run
LAST_ID = "~"  # sorts after every id
FOUND_NO_MORE = "It is no longer found."


class Check(StrEnum):
    """A data quality check."""

    LOOK_ALIKE = "look_alike"  # two serials of a product that are easily confused
    # The ledger itself accepts no unit without a receipt; manual repairs can.
    WITHOUT_RECEIPT = "without_receipt"
    STUCK_IN_TRANSIT = "stuck_in_transit"  # no event since it left a site
    SHIPPED_WITHOUT_SERIAL = "shipped_without_serial"  # a channel says more left than we know
    UNUSABLE_RULE = "unusable_rule"  # stored before rules were limited to a linear-time engine


@dataclass(frozen=True, slots=True)
class Find:
    """One suspicious record."""

    check: Check
    subject: str
    summary: str
    unit_id: str | None = None
    order_id: str | None = None
    channel_id: str | None = None


KINDS = {
    Check.LOOK_ALIKE: CaseKind.DUPLICATE_SERIAL,
    Check.WITHOUT_RECEIPT: CaseKind.MISSING_RECORD,
    Check.STUCK_IN_TRANSIT: CaseKind.MISSING_RECORD,
    Check.SHIPPED_WITHOUT_SERIAL: CaseKind.MISSING_CAPTURE,
    Check.UNUSABLE_RULE: CaseKind.UNUSABLE_RULE,
}


class _LookAlike(TypedDict):
    id: str
    serial: str
    other: str
    sku: str


class _UnreceivedUnit(TypedDict):
    id: str
    serial: str
    code: str


class _StuckUnit(TypedDict):
    id: str
    serial: str
    changed_at: int


class _Rule(TypedDict):
    code: str
    serial_pattern: str


class _UnreadLine(TypedDict):
    ref: str
    sku: str
    remote_fulfilled: int
    order_id: str
    number: str
    order_ref: str
    channel_id: str
    units_left: int


def look(
    tx: Transaction,
    check: Check,
    now: datetime,
    *,
    limit: int,
    after: str = "",
    until: str = LAST_ID,
) -> list[Find]:
    """Return the finds of a check now; look-alikes of the units between two ids only."""
    match check:
        case Check.LOOK_ALIKE:
            return _look_alikes(tx, after, until, limit)
        case Check.WITHOUT_RECEIPT:
            return _without_receipt(tx, limit)
        case Check.STUCK_IN_TRANSIT:
            return _stuck(tx, now, limit)
        case Check.SHIPPED_WITHOUT_SERIAL:
            return _without_serial(tx, limit)
        case Check.UNUSABLE_RULE:
            return _unusable_rules(tx, limit)


def _look_alikes(tx: Transaction, after: str, until: str, limit: int) -> list[Find]:
    """Compare the folded forms of serials (0 and O, 1 and I …) within their products."""
    rows = tx.rows_as(
        _LookAlike,
        "SELECT unit.id, unit.serial, other.serial AS other, product.sku FROM unit "
        "JOIN unit AS other ON other.skeleton = unit.skeleton "
        "AND other.product_id || '' = unit.product_id AND other.id < unit.id "
        "AND other.serial_canonical <> unit.serial_canonical "
        "JOIN product ON product.id = unit.product_id "
        "WHERE unit.id > :after AND unit.id <= :until "
        "AND unit.status NOT IN ('written_off', 'merged') "
        "AND other.status NOT IN ('written_off', 'merged') ORDER BY unit.id LIMIT :limit",
        after=after,
        until=until,
        limit=limit,
    )
    return [
        Find(
            Check.LOOK_ALIKE,
            row["serial"],
            f"{row['serial']} and {row['other']} of {row['sku']} look alike: one may be a typo.",
            unit_id=row["id"],
        )
        for row in rows
    ]


def _without_receipt(tx: Transaction, limit: int) -> list[Find]:
    rows = tx.rows_as(
        _UnreceivedUnit,
        "SELECT unit.id, unit.serial, location.code FROM unit "
        "JOIN location ON location.id = unit.location_id "
        "WHERE unit.received_at IS NULL "
        "AND unit.status NOT IN ('expected', 'missing', 'stolen', 'written_off', 'merged') "
        "ORDER BY unit.id LIMIT :limit",
        limit=limit,
    )
    return [
        Find(
            Check.WITHOUT_RECEIPT,
            row["serial"],
            f"{row['serial']} is at {row['code']}, and no receipt of it was recorded.",
            unit_id=row["id"],
        )
        for row in rows
    ]


def _stuck(tx: Transaction, now: datetime, limit: int) -> list[Find]:
    rows = tx.rows_as(
        _StuckUnit,
        "SELECT id, serial, changed_at FROM unit WHERE location_id = :transit "
        "AND status = 'in_transfer' AND changed_at <= :before ORDER BY changed_at LIMIT :limit",
        transit=IN_TRANSIT,
        before=micros(now - STUCK),
        limit=limit,
    )
    return [
        Find(
            Check.STUCK_IN_TRANSIT,
            row["serial"],
            f"{row['serial']} has been on its way for {_days(row['changed_at'], now)} days, and "
            "its arrival was not recorded.",
            unit_id=row["id"],
        )
        for row in rows
    ]


def _days(since: int, now: datetime) -> int:
    return int((micros(now) - since) // 86_400_000_000)


def _without_serial(tx: Transaction, limit: int) -> list[Find]:
    rows = tx.rows_as(
        _UnreadLine,
        "SELECT * FROM (SELECT order_line.ref, order_line.sku, order_line.remote_fulfilled, "
        "sales_order.id AS order_id, sales_order.number, sales_order.ref AS order_ref, "
        "sales_order.channel_id, (SELECT COUNT(*) FROM unit "
        "WHERE unit.order_line_id = order_line.id AND unit.status IN ('shipped', 'sold')) "
        "AS units_left FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE sales_order.state IN ('open', 'pending') AND order_line.remote_fulfilled > 0 "
        "AND order_line.product_id IS NOT NULL) AS line WHERE remote_fulfilled > units_left "
        "ORDER BY order_id, ref LIMIT :limit",
        limit=limit,
    )
    return [
        Find(
            Check.SHIPPED_WITHOUT_SERIAL,
            f"{row['order_ref']}/{row['ref']}",
            f"{row['remote_fulfilled'] - row['units_left']} of {row['sku']} left on "
            f"{row['number']} without a serial being read, says its channel.",
            order_id=row["order_id"],
            channel_id=row["channel_id"],
        )
        for row in rows
    ]


def _unusable_rules(tx: Transaction, limit: int) -> list[Find]:
    rows = tx.rows_as(
        _Rule,
        "SELECT code, serial_pattern FROM manufacturer WHERE serial_pattern <> '' "
        "UNION ALL SELECT sku, serial_pattern FROM product WHERE serial_pattern <> '' "
        "ORDER BY code",
    )
    unusable = [row for row in rows if not is_usable(row["serial_pattern"])]
    return [
        Find(
            Check.UNUSABLE_RULE,
            row["code"],
            f"The rule for serials of {row['code']} is not matched, and no serial is checked by "
            "it: register one without back-references and look-around.",
        )
        for row in unusable[:limit]
    ]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of a check: its finds, whether they are complete, and the last record it read."""

    check: Check
    found: tuple[Find, ...]
    complete: bool
    reached: str | None = None


def see(tx: Transaction, check: Check, now: datetime) -> CheckResult:
    """Run a check in a read transaction, which blocks no writer."""
    if check is not Check.LOOK_ALIKE:
        found = look(tx, check, now, limit=FINDS_MAX)
        return CheckResult(check, tuple(found), complete=len(found) < FINDS_MAX)
    after = tx.value("SELECT value FROM quality_mark WHERE name = :name", name=str(check)) or ""
    last = tx.value(
        "SELECT MAX(id) FROM (SELECT id FROM unit WHERE id > :after ORDER BY id LIMIT :limit) "
        "AS next",
        after=after,
        limit=UNITS_MAX,
    )
    found = look(tx, check, now, limit=FINDS_MAX, after=after, until=last or after)
    # A run that found as many as it may report continues after the last of them.
    reached = found[-1].unit_id if len(found) == FINDS_MAX else last
    return CheckResult(check, tuple(found), complete=False, reached=reached)


def conclude(tx: Transaction, context: CommandContext, seen: CheckResult) -> int:
    """Open cases for the finds of a check and close outdated ones; return the number of finds."""
    _report(tx, context, seen.found)
    if seen.complete:
        _settle(tx, context, seen.check, {each.subject for each in seen.found})
    if seen.reached is not None:
        tx.run(
            "INSERT INTO quality_mark(id, name, value, moved_at) "
            "VALUES(:id, :name, :value, :now) ON CONFLICT(name) DO UPDATE "
            "SET value = excluded.value, moved_at = excluded.moved_at",
            id=new_id(),
            name=str(seen.check),
            value=seen.reached,
            now=micros(context.now),
        )
    return len(seen.found)


def _report(tx: Transaction, context: CommandContext, found: Sequence[Find]) -> None:
    for each in found:
        details = {"check": str(each.check), "unit": each.unit_id, "order": each.order_id}
        finding = Finding(
            kind=KINDS[each.check],
            subject=each.subject,
            summary=each.summary,
            channel_id=each.channel_id,
            severity=Severity.MEDIUM,
            details={name: value for name, value in details.items() if value is not None},
        )
        cases.report(tx, finding, context.now)


def _settle(tx: Transaction, context: CommandContext, check: Check, subjects: set[str]) -> None:
    rows = tx.rows_as(
        CaseRow,
        "SELECT * FROM exception_case WHERE kind = :kind AND state <> 'resolved' "
        "AND details LIKE :mark ORDER BY id FOR UPDATE",
        kind=str(KINDS[check]),
        mark=f'%"check":"{check}"%',
    )
    for row in rows:
        if row["subject"] not in subjects:
            cases.close(tx, context, row, FOUND_NO_MORE)
