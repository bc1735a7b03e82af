"""Catching of units that match an open recall: when it is opened, and when units are recorded.

Opening and catching exclude each other, so that a unit that arrives while a recall is opened is
caught by one of the two.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

import orjson

from hub import cases, ledger, orders
from hub.cases import CaseKind, Finding, Severity
from hub.catalogue import CUSTOMER
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import StepNotAllowed
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.holds import HoldKind
from hub.ledger.rules.recall import DESTROYED, MERGED, unresolved
from hub.ledger.units import Scan
from hub.lifecycle import WITH_CUSTOMER, Action, Status
from hub.recalls import buyers, notices, recall_predicates
from hub.storage.documents import readable
from hub.storage.rows import OrderLineRow, RecallRow
from hub.storage.sql import Transaction
from hub.sync import channels

BATCH = 5_000
REASON_CHARS_MAX = 200
RECALL_HOLD = "SELECT id FROM hold WHERE unit_id = :id AND kind = 'recall' AND released_at IS NULL"
LOCK = 7_201_118  # PostgreSQL's number of the lock between opening and catching
COLUMNS = (
    "id", "recall_id", "unit_id", "why", "status_when_caught", "channel_id", "customer_ref",
    "order_id", "caught_at", "returned_at", "resolution", "resolved_by", "resolved_at",
)  # fmt: skip


class _Id(TypedDict):
    id: str


class _UnitId(TypedDict):
    unit_id: str


class _UnitVersion(TypedDict):
    id: str
    version: int


class _CaughtUnit(TypedDict):
    id: str
    status: str
    kit_id: str | None
    order_line_id: str | None
    location_id: str
    sold_at: int | None


class _PromisedUnit(TypedDict):
    id: str
    order_line_id: str | None


class _LineOfOrder(OrderLineRow):
    channel_id: str
    number: str
    order_ref: str


class _SaleOfUnit(TypedDict):
    id: str
    channel_id: str
    customer_ref: str | None
    order_id: str
    order_ref: str


def catch(work: Work, unit_ids: Sequence[str]) -> int:
    """Catch the recorded or changed units that match open recalls; return their number."""
    if not unit_ids:
        return 0
    if work.tx.dialect == "postgresql":  # SQLite has a single writer
        work.tx.run("SELECT pg_advisory_xact_lock_shared(:lock)", lock=LOCK)
    rows = work.tx.rows_as(RecallRow, "SELECT * FROM recall WHERE state = 'open' ORDER BY id")
    return sum(take(work, recall, unit_ids) for recall in readable(_compiled, rows))


def _compiled(recall: RecallRow) -> RecallRow:
    """Return a recall whose predicate can be read; raises one of `UNREADABLE`."""
    recall_predicates.condition(orjson.loads(recall["predicate"]))
    return recall


def catch_recorded(work: Work, verdicts: dict[int, Verdict]) -> dict[int, Verdict]:
    """Catch the units that a command recorded; return its results with the new versions."""
    ids = [str(verdict.unit_id) for verdict in verdicts.values() if verdict.accepted]
    if not catch(work, ids):
        return verdicts
    versions = {
        row["id"]: row["version"]
        for row in work.tx.rows_as(
            _UnitVersion, "SELECT id, version FROM unit WHERE id IN (:ids...)", ids=ids
        )
    }
    return {
        index: replace(verdict, version=versions[str(verdict.unit_id)])
        if verdict.accepted
        else verdict
        for index, verdict in verdicts.items()
    }


def shut_out(tx: Transaction) -> None:
    """Lock out catching until the end of the transaction that opens a recall."""
    if tx.dialect == "postgresql":
        tx.run("SELECT pg_advisory_xact_lock(:lock)", lock=LOCK)


def take(
    work: Work,
    recall: RecallRow,
    unit_ids: Sequence[str] | None = None,
) -> int:
    """Catch the units that match a recall, of all or of `unit_ids`; return their number.

    Every caught unit is blocked, its order gets another unit, and its customer is notified if
    others were notified already.
    """
    predicate = orjson.loads(recall["predicate"])
    fits = recall_predicates.condition(predicate)
    among = "" if unit_ids is None else "AND unit.id IN (:among...) "
    values = fits.values if unit_ids is None else {**fits.values, "among": sorted(set(unit_ids))}
    found = work.tx.rows_as(
        _Id,
        f"SELECT unit.id FROM unit WHERE ({fits.sql}) {among}AND unit.merged_into IS NULL "
        "AND NOT EXISTS ("
        "SELECT 1 FROM recall_unit WHERE recall_unit.recall_id = :recall "
        "AND recall_unit.unit_id = unit.id) ORDER BY unit.id",
        recall=recall["id"],
        **values,
    )
    ids = sorted(
        {row["id"] for row in found} | _under_former_names(work.tx, recall, fits, unit_ids)
    )
    why = recall_predicates.reasons(predicate)
    context = replace(work.context, reason=f"{recall['ref']}: {recall['title']}"[:REASON_CHARS_MAX])
    for start in range(0, len(ids), BATCH):
        _batch(work.within(context), recall, ids[start : start + BATCH], why)
    return len(ids)


def _under_former_names(
    tx: Transaction,
    recall: RecallRow,
    fits: recall_predicates.Condition,
    unit_ids: Sequence[str] | None,
) -> set[str]:
    """Return the units, not caught yet, of which a record that they absorbed matches a recall."""
    rows = tx.rows_as(
        _UnitId,
        "SELECT unit.merged_into AS unit_id FROM unit WHERE unit.merged_into IS NOT NULL "
        f"AND ({fits.sql}) AND NOT EXISTS (SELECT 1 FROM recall_unit "
        "WHERE recall_unit.recall_id = :recall AND recall_unit.unit_id = unit.merged_into)",
        recall=recall["id"],
        **fits.values,
    )
    found = {row["unit_id"] for row in rows}
    return found if unit_ids is None else found & set(unit_ids)


def follow_merge(work: Work, kept: str, absorbed: str) -> None:
    """Let the kept record of a unit stand for an absorbed one in its open recalls."""
    work.tx.run(
        "UPDATE recall_unit SET resolution = :merged, resolved_by = :actor, resolved_at = :now "
        "WHERE unit_id = :absorbed AND resolution IS NULL",
        merged=MERGED,
        actor=work.context.actor,
        now=micros(work.context.now),
        absorbed=absorbed,
    )
    catch(work, [kept])


def follow_split(work: Work, kept: str, split_off: str, *, since: int) -> None:
    """Reopen the recalls of a record that was split off, and clear the kept one of those.

    What a recall caught since the merge (`since`, in microseconds) by a name that was not the kept
    record's is under that recall no longer.
    """
    work.tx.run(
        "UPDATE recall_unit SET resolution = NULL, resolved_by = NULL, resolved_at = NULL "
        "WHERE unit_id = :id AND resolution = :merged",
        id=split_off,
        merged=MERGED,
    )
    catch(work, [split_off])
    for row in work.tx.rows_as(
        RecallRow,
        "SELECT recall.* FROM recall JOIN recall_unit ON recall_unit.recall_id = recall.id "
        "WHERE recall_unit.unit_id = :id AND resolution IS NULL AND caught_at >= :since",
        id=kept,
        since=since,
    ):
        fits = recall_predicates.condition(orjson.loads(row["predicate"]))
        query = f"SELECT unit.id FROM unit WHERE unit.id = :kept AND ({fits.sql})"
        if work.tx.value(query, kept=kept, **fits.values) is None:
            _clear(work, row["id"], kept)
    if work.tx.value(RECALL_HOLD, id=kept) and not unresolved(work.tx, [kept]):
        command = UnitCommand(action=Action.UNBLOCK, hold_kind=str(HoldKind.RECALL))
        ledger.record(work, command, [Scan(kept)])


def _clear(work: Work, recall_id: str, unit_id: str) -> None:
    work.tx.run(
        "UPDATE recall_unit SET resolution = 'cleared', resolved_by = :actor, "
        "resolved_at = :now WHERE recall_id = :recall AND unit_id = :unit",
        actor=work.context.actor,
        now=micros(work.context.now),
        recall=recall_id,
        unit=unit_id,
    )


def _batch(
    work: Work,
    recall: RecallRow,
    ids: list[str],
    why: list[tuple[str, recall_predicates.Condition]],
) -> None:
    rows = work.tx.rows_as(
        _CaughtUnit,
        "SELECT id, status, kit_id, order_line_id, location_id, sold_at FROM unit "
        "WHERE id IN (:ids...) ORDER BY id FOR UPDATE",
        ids=ids,
    )
    _block(work, recall, rows)
    _release_promises(work, ids)
    sales = _sales(work.tx, rows)
    reasons = _reasons(work.tx, ids, why)
    now = micros(work.context.now)
    work.tx.insert(
        "recall_unit",
        COLUMNS,
        [
            (
                new_id(), recall["id"], row["id"], reasons.get(row["id"], why[-1][0]),
                row["status"], *_sold(sales.get(row["id"])), now, None, *_gone(row, now),
            )
            for row in rows
        ],
    )  # fmt: skip
    customers = {sale["customer_ref"] for sale in sales.values() if sale["customer_ref"]}
    notices.announce(work.tx, work.context, recall, customers)


def _sold(sale: _SaleOfUnit | None) -> tuple[str | None, str | None, str | None]:
    if sale is None:
        return None, None, None
    return sale["channel_id"], sale["customer_ref"], sale["order_id"]


def _gone(row: _CaughtUnit, now: int) -> tuple[str | None, str | None, int | None]:
    if row["status"] != Status.WRITTEN_OFF:
        return None, None, None
    return DESTROYED, "hub", now


def _block(work: Work, recall: RecallRow, rows: Sequence[_CaughtUnit]) -> None:
    living = [row["id"] for row in rows if row["status"] != Status.WRITTEN_OFF]
    held = {
        row["unit_id"]
        for row in work.tx.rows_as(
            _UnitId,
            "SELECT unit_id FROM hold WHERE unit_id IN (:ids...) AND kind = 'recall' "
            "AND released_at IS NULL",
            ids=living,
        )
    }
    command = UnitCommand(
        action=Action.HOLD,
        hold_kind=str(HoldKind.RECALL),
        hold_reference=recall["ref"],
        details={"recall": recall["ref"]},
    )
    # Parts first: a block of a part blocks its kit, and a kit is not blocked twice.
    free = [row for row in rows if row["id"] not in held and row["status"] != Status.WRITTEN_OFF]
    for parts in (True, False):
        chosen = [row["id"] for row in free if (row["kit_id"] is not None) is parts]
        if not parts:
            chosen = _unheld(work.tx, chosen)
        _all(work, command, chosen)


def _unheld(tx: Transaction, ids: list[str]) -> list[str]:
    rows = tx.rows_as(
        _UnitId,
        "SELECT unit_id FROM hold WHERE unit_id IN (:ids...) AND kind = 'recall' "
        "AND released_at IS NULL",
        ids=ids,
    )
    held = {row["unit_id"] for row in rows}
    return [unit_id for unit_id in ids if unit_id not in held]


def _all(work: Work, command: UnitCommand, ids: list[str]) -> None:
    """Record a command for all of the units; raises StepNotAllowed if any of them is refused."""
    if not ids:
        return
    scans = [Scan(unit_id) for unit_id in ids]
    for verdict in ledger.record(work, command, scans):
        if not verdict.accepted:
            raise StepNotAllowed(f"{verdict.identifier}: {verdict.message}", allowed=[])


def _release_promises(work: Work, ids: list[str]) -> None:
    """Release the allocations of the units and of their kits, and allocate other units."""
    rows = work.tx.rows_as(
        _PromisedUnit,
        "WITH RECURSIVE around(id) AS (SELECT id FROM unit WHERE id IN (:ids...) "
        "UNION SELECT unit.kit_id FROM unit JOIN around ON around.id = unit.id "
        "WHERE unit.kit_id IS NOT NULL) "
        "SELECT unit.id, unit.order_line_id FROM unit JOIN around ON around.id = unit.id "
        "WHERE unit.promised_to IS NOT NULL ORDER BY unit.id",
        ids=ids,
    )
    # A recall takes its units from carts too, whoever they are promised to.
    of_hub = work.within(work.context.by_hub())
    _all(of_hub, UnitCommand(action=Action.RELEASE), [row["id"] for row in rows])
    lines: dict[str, int] = {}
    for row in rows:
        if row["order_line_id"] is not None:
            lines[row["order_line_id"]] = lines.get(row["order_line_id"], 0) + 1
    for line in work.tx.rows_as(
        _LineOfOrder,
        "SELECT order_line.*, sales_order.channel_id, sales_order.number, "
        "sales_order.ref AS order_ref FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE order_line.id IN (:lines...) ORDER BY sales_order.placed_at, order_line.id",
        lines=sorted(lines),
    ):
        _serve(work.tx, work.context, line, lines[line["id"]])


def _serve(tx: Transaction, context: CommandContext, line: _LineOfOrder, quantity: int) -> None:
    """Allocate other units to an order line, and open a case for the shortage."""
    channel = channels.by_id(tx, line["channel_id"])
    lacking = quantity - orders.allocate(tx, context, channel, line, quantity, line["number"])
    if lacking > 0:
        finding = Finding(
            kind=CaseKind.OVERSOLD,
            subject=f"{line['order_ref']}/{line['ref']}",
            channel_id=channel["id"],
            severity=Severity.HIGH,
            summary=f"Order {line['number']} needs {lacking} more of {line['sku']}: "
            f"its units were recalled ({context.reason}).",
            details={"order": line["number"], "sku": line["sku"], "lacking": lacking},
        )
        cases.report(tx, finding, context.now)


def _sales(tx: Transaction, rows: Sequence[_CaughtUnit]) -> dict[str, _SaleOfUnit]:
    """Return the sale of each unit that is with a customer; a part was sold with its kit."""
    there = [row["id"] for row in rows if row["status"] in WITH_CUSTOMER]
    parts = [
        row["id"]
        for row in rows
        if row["status"] == Status.IN_KIT and row["location_id"] == CUSTOMER
    ]
    found: dict[str, _SaleOfUnit] = {}
    for sale in tx.rows_as(
        _SaleOfUnit,
        "WITH RECURSIVE up(id, above) AS (SELECT id, id FROM unit WHERE id IN (:ids...) "
        "UNION SELECT up.id, unit.kit_id FROM unit JOIN up ON up.above = unit.id "
        "WHERE unit.status = 'in_kit' AND unit.kit_id IS NOT NULL) "
        "SELECT up.id, sales_order.channel_id, sales_order.customer_ref, "
        "sales_order.id AS order_id, sales_order.ref AS order_ref FROM up "
        "JOIN unit ON unit.id = up.above "
        "JOIN order_line ON order_line.id = unit.order_line_id "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE unit.status IN ('shipped', 'sold')",
        ids=[*there, *parts],
    ):
        found[sale["id"]] = sale
    known_by = buyers.pseudonyms(tx, [*found.values()])
    return {
        unit_id: {**sale, "customer_ref": ref}
        for (unit_id, sale), ref in zip(found.items(), known_by, strict=True)
    }


def _reasons(
    tx: Transaction, ids: list[str], why: list[tuple[str, recall_predicates.Condition]]
) -> dict[str, str]:
    """Return the first part of the predicate that each unit matches."""
    found: dict[str, str] = {}
    if len(why) == 1:
        return found
    for text, fits in why:
        left = [unit_id for unit_id in ids if unit_id not in found]
        if not left:
            break
        for row in tx.rows_as(
            _Id,
            f"SELECT unit.id FROM unit WHERE ({fits.sql}) AND unit.id IN (:left...)",
            left=left,
            **fits.values,
        ):
            found[row["id"]] = text
    return found
