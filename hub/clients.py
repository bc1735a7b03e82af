"""Clients of a third-party warehouse: transfer of title, and reports on their goods.

A unit without a client is our own. The client is set at the receipt and changes only by a transfer
of title, which is recorded as an event (CBV business step annotating).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

from hub import ledger
from hub.clock import micros, moment, new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import InvalidInput, Refused, StepNotAllowed, UnitPromised, UnknownReference
from hub.ledger import promises, unit_views
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, bounded, refused
from hub.ledger.rules.client import TITLE
from hub.ledger.units import UNITS, Scan, UnitState, locate
from hub.lifecycle import WITH_CUSTOMER, Action, Status
from hub.storage import paging
from hub.storage.rows import ClientRow
from hub.storage.sql import Row, Transaction
from hub.sync import listings

COLUMNS_MAX = 40  # of a report, with its custom fields
NOT_OURS_TO_PASS = WITH_CUSTOMER | {Status.WRITTEN_OFF, Status.AT_SUPPLIER}


class ReportColumn(StrEnum):
    """Column of a report."""

    ID = "id"
    SERIAL = "serial"
    SKU = "sku"
    PRODUCT = "product"
    STATUS = "status"
    CONDITION = "condition"
    GRADE = "grade"
    LOT = "lot"
    EXPIRES_ON = "expires_on"
    LOCATION = "location"
    PROMISED = "promised"
    BLOCKED = "blocked"
    RECEIVED_AT = "received_at"
    CHANGED_AT = "changed_at"


class _ClientCode(TypedDict):
    id: str
    code: str


class _ProductId(TypedDict):
    product_id: str


@dataclass(frozen=True, slots=True)
class Report:
    """One page: the header, and the cells of each unit; `after` is the start of the next page."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    after: str | None


def register(tx: Transaction, context: CommandContext, code: str, name: str) -> ClientRow:
    """Register a client, or rename the one with this code; raises InvalidInput."""
    for field, value, chars_max in (("code", code, 64), ("name", name, 200)):
        if not value.strip() or len(value) > chars_max:
            raise InvalidInput(f"the {field} needs 1 to {chars_max} characters", field=field)
    row = tx.row_as(
        ClientRow,
        "INSERT INTO client(id, code, name, created_at) VALUES(:id, :code, :name, :now) "
        "ON CONFLICT(code) DO UPDATE SET name = excluded.name RETURNING *",
        id=new_id(),
        code=code.strip(),
        name=name.strip(),
        now=micros(context.now),
    )
    assert row is not None
    return row


def transfer_title(
    work: Work,
    scans: Sequence[Scan],
    client: str | None,
) -> list[Verdict]:
    """Transfer the title of units to a client, by its code, or to us (None).

    Returns a result for each scan; its event records both owners. Allocated units are refused, and
    so are kits and their parts. Raises InvalidInput without a document in the context,
    UnknownReference for an unknown client.
    """
    bounded(scans)
    if work.context.document is None:
        raise InvalidInput("name the document by which title passes", field="documentRef")
    to = named(work.tx, client) if client is not None else None
    found = locate(work.tx, scans)
    codes = _codes(work.tx, [each for each in found if isinstance(each, UnitState)])
    verdicts: dict[int, Verdict] = {}
    passing: dict[int, Scan] = {}
    seen: set[str] = set()
    for index, (scan, unit) in enumerate(zip(scans, found, strict=True)):
        try:
            if isinstance(unit, Refused):
                raise unit
            promised = promises.binds(work.context, unit)
            _check_transfer(unit, to, again=unit.id in seen, promised=promised)
        except Refused as refusal:
            verdicts[index] = refused(index, scan.identifier, refusal, unit)
            continue
        seen.add(unit.id)
        title = {"from": codes.get(unit.client_id or ""), "to": client}
        facts = {**(scan.facts or {}), TITLE: title}
        passing[index] = Scan(unit.id, expected_version=scan.expected_version, facts=facts)
    if passing:
        verdicts |= _pass(work, passing, scans, to)
    return [verdicts[index] for index in range(len(scans))]


def _codes(tx: Transaction, units: Sequence[UnitState]) -> dict[str, str]:
    ids = sorted({unit.client_id for unit in units if unit.client_id is not None})
    return codes(tx, ids) if ids else {}


def _check_transfer(unit: UnitState, to: ClientRow | None, *, again: bool, promised: bool) -> None:
    if promised:
        raise UnitPromised("the unit is promised: its order takes its owner's goods")
    if unit.kit_id is not None or unit.members:
        raise StepNotAllowed("a kit and its parts have one owner: take it apart first", allowed=[])
    if unit.status in NOT_OURS_TO_PASS:
        raise StepNotAllowed("the unit is not kept here any more", allowed=[])
    if again or unit.client_id == (to["id"] if to else None):
        raise StepNotAllowed("the unit belongs to that owner already", allowed=[])


def _pass(
    work: Work,
    passing: dict[int, Scan],
    scans: Sequence[Scan],
    to: ClientRow | None,
) -> dict[int, Verdict]:
    command = UnitCommand(action=Action.ANNOTATE)
    recorded = ledger.record(work, command, list(passing.values()))
    passed = sorted(each.unit_id for each in recorded if each.accepted and each.unit_id)
    work.tx.run(
        "UPDATE unit SET client_id = :client, client_since = :now WHERE id IN (:ids...)",
        client=to["id"] if to else None,
        now=micros(work.context.now),
        ids=passed,
    )
    # Each channel counts the goods of one owner: the counts of these products changed.
    products = work.tx.rows_as(
        _ProductId, "SELECT DISTINCT product_id FROM unit WHERE id IN (:ids...)", ids=passed
    )
    listings.touch(work.tx, [row["product_id"] for row in products], work.context.now)
    return {
        index: Verdict(
            **{
                **each.as_json(),
                "index": index,
                "identifier": scans[index].identifier,
            }
        )
        for index, each in zip(passing, recorded, strict=True)
    }


def named(tx: Transaction, code: str) -> ClientRow:
    """Return a client by its code; raises UnknownReference."""
    row = tx.row_as(ClientRow, "SELECT * FROM client WHERE code = :code", code=code)
    if row is None:
        raise UnknownReference(f"there is no client {code!r}", field="client")
    return row


def codes(tx: Transaction, client_ids: Sequence[str]) -> dict[str, str]:
    """Return the codes of clients by their ids."""
    rows = tx.rows_as(
        _ClientCode, "SELECT id, code FROM client WHERE id IN (:ids...)", ids=list(client_ids)
    )
    return {row["id"]: row["code"] for row in rows}


def stock(tx: Transaction, client_id: str, *, after: tuple[str, str], limit: int) -> list[Row]:
    """Count a client's units by product and place, after a SKU and a place's code.

    Units that are with customers or written off do not count.
    """
    return tx.rows(
        "SELECT product.sku, location.code, COUNT(*) AS units, "
        "SUM(CASE WHEN unit.status = 'in_stock' AND unit.promised_to IS NULL "
        "AND unit.blocks = 0 THEN 1 ELSE 0 END) AS available, "
        "SUM(CASE WHEN unit.promised_to IS NOT NULL THEN 1 ELSE 0 END) AS promised, "
        "SUM(CASE WHEN unit.blocks > 0 THEN 1 ELSE 0 END) AS blocked "
        "FROM unit JOIN product ON product.id = unit.product_id "
        "JOIN location ON location.id = unit.location_id "
        "WHERE unit.client_id = :client AND NOT unit.status IN (:gone...) "
        "AND (product.sku, location.code) > (:sku, :place) "
        "GROUP BY product.sku, location.code ORDER BY product.sku, location.code LIMIT :limit",
        client=client_id,
        gone=sorted(str(each) for each in NOT_OURS_TO_PASS),
        sku=after[0],
        place=after[1],
        limit=limit,
    )


def report(
    tx: Transaction,
    client_id: str,
    columns: Sequence[ReportColumn],
    fields: Sequence[str],
    *,
    first: int,
    after: str | None,
) -> Report:
    """Return one page of a client's units with these columns and custom fields.

    Raises InvalidInput for no or too many columns.
    """
    if not 0 < len(columns) + len(fields) <= COLUMNS_MAX:
        raise InvalidInput(f"a report has 1 to {COLUMNS_MAX} columns", field="columns")
    limit = paging.page_size(first)
    units = tx.rows(
        f"{UNITS}WHERE unit.client_id = :client AND unit.id > :after ORDER BY unit.id LIMIT :limit",
        client=client_id,
        after=after or "",
        limit=limit + 1,
    )
    shown = units[:limit]
    custom = _custom(tx, shown) if fields else {}
    rows = tuple(
        tuple(_cell(unit, column) for column in columns)
        + tuple(custom.get((unit["id"], name), "") for name in fields)
        for unit in shown
    )
    more = len(units) > limit
    return Report(
        (*(str(column) for column in columns), *fields),
        rows,
        shown[-1]["id"] if more else None,
    )


def _custom(tx: Transaction, units: Sequence[Row]) -> dict[tuple[str, str], str]:
    since = {unit["id"]: unit["client_since"] or 0 for unit in units}
    found = unit_views.unit_fields(tx, sorted(since))
    return {
        (unit_id, row["name"]): row["value"]
        for unit_id, rows in found.items()
        for row in rows
        if row["changed_at"] >= since[unit_id]
    }


def _cell(unit: Row, column: ReportColumn) -> str:
    value: Any
    match column:
        case ReportColumn.PRODUCT:
            value = unit["product_name"]
        case ReportColumn.LOCATION:
            value = unit["location_code"]
        case ReportColumn.PROMISED:
            value = "yes" if unit["promised_to"] else "no"
        case ReportColumn.BLOCKED:
            value = "yes" if unit["blocks"] else "no"
        case ReportColumn.RECEIVED_AT | ReportColumn.CHANGED_AT:
            value = _time(unit[column])
        case _:
            value = unit[column]
    return "" if value is None else str(value)


def _time(value: int | None) -> str:
    at: datetime | None = None if value is None else moment(value)
    return at.isoformat() if at else ""
