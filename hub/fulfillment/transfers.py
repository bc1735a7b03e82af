"""Transfers between our own sites: units in transit, and arrivals at the wrong site.

A unit in transit is at neither site; the sending site is responsible until it is scanned in.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypedDict

import orjson

from hub import cases, ledger
from hub.cases import CaseKind, Finding
from hub.clock import micros
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, bounded
from hub.ledger.units import UNITS, Scan, UnitState, UnitViewRow, locate
from hub.lifecycle import Action, Status
from hub.storage.documents import document
from hub.storage.paging import Filter, page_size
from hub.storage.rows import LocationRow
from hub.storage.sql import Transaction

HOURS_MAX = 24 * 366
OVERDUE_HOURS = 72
SENT = (
    "SELECT unit_id, location_from, details, occurred_at, actor, document_ref FROM event "
    "WHERE action = 'transfer_out' AND version = (SELECT MAX(version) FROM event AS newer "
    "WHERE newer.unit_id = event.unit_id AND newer.action = 'transfer_out')"
)


class Destination(TypedDict):
    """The location that a transfer is sent to."""

    code: str
    site_id: str


class _SentEvent(TypedDict):
    unit_id: str
    location_from: str | None
    details: str | None
    occurred_at: int
    actor: str
    document_ref: str | None


class _SentUnitRow(UnitViewRow):
    sent_details: str | None
    sent_at: int
    sent_by: str
    sent_document: str | None
    sent_from: str


class InTransitRow(_SentUnitRow):
    """A unit in transit with its transfer; `sent_to` is a location code or empty."""

    sent_to: str
    is_overdue: bool


def arrive(work: Work, scans: Sequence[Scan], place: LocationRow) -> list[Verdict]:
    """Record the arrival of transferred units; open a case for units sent to another site.

    Returns one verdict for each scan; raises InvalidInput for no scans or too many.
    """
    bounded(scans)
    found = locate(work.tx, scans)
    in_transit = {
        unit.id
        for unit in found
        if isinstance(unit, UnitState) and unit.status is Status.IN_TRANSFER
    }
    sent = _sent_to(work.tx, sorted(in_transit))
    astray = {
        unit_id: to for unit_id, to in sent.items() if to and to["site_id"] != place["site_id"]
    }
    described = [
        replace(scan, facts={**(scan.facts or {}), "sent_to": astray[unit.id]["code"]})
        if isinstance(unit, UnitState) and unit.id in astray
        else scan
        for scan, unit in zip(scans, found, strict=True)
    ]
    command = UnitCommand(action=Action.TRANSFER_IN, location=place)
    verdicts = ledger.record(work, command, described)
    serials = {unit.id: unit for unit in found if isinstance(unit, UnitState)}
    arrived = {each.unit_id for each in verdicts if each.accepted and each.unit_id}
    for unit_id in sorted(arrived & astray.keys()):
        _report(work.tx, work.context, serials[unit_id], astray[unit_id], place)
    return verdicts


def _sent_to(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, Destination | None]:
    if not unit_ids:
        return {}
    rows = tx.rows_as(_SentEvent, f"{SENT} AND unit_id IN (:ids...)", ids=list(unit_ids))
    codes = {row["unit_id"]: _destination(row["details"]) for row in rows}
    places = tx.rows_as(
        Destination,
        "SELECT code, site_id FROM location WHERE code IN (:codes...)",
        codes=sorted({code for code in codes.values() if code}),
    )
    by_code = {row["code"]: row for row in places}
    return {unit_id: by_code.get(code or "") for unit_id, code in codes.items()}


def _destination(stored: str | None) -> str | None:
    details: dict[str, Any] = document(stored)
    return details.get("destination")


def _report(
    tx: Transaction,
    context: CommandContext,
    unit: UnitState,
    sent_to: Destination,
    place: LocationRow,
) -> None:
    finding = Finding(
        kind=CaseKind.WRONG_LOCATION,
        subject=unit.id,
        summary=f"{unit.serial} was sent to {sent_to['code']}, and arrived at {place['code']}.",
        details={"serial": unit.serial, "sent_to": sent_to["code"], "arrived_at": place["code"]},
    )
    cases.report(tx, finding, context.now)


def under_way(  # noqa: PLR0913 # a page and its filters, each by its name
    tx: Transaction,
    context: CommandContext,
    *,
    first: int,
    after: str | None,
    origin: str | None = None,
    destination: str | None = None,
    overdue_hours: int = OVERDUE_HOURS,
    overdue: bool | None = None,
) -> list[InTransitRow]:
    """Return units in transit by id, up to `first` plus one.

    `origin` and `destination` are location codes; `overdue` filters by a transit time over
    `overdue_hours`. Raises InvalidInput for hours out of range.
    """
    if not 0 < overdue_hours <= HOURS_MAX:
        raise InvalidInput(f"1 to {HOURS_MAX} hours", field="overdueHours")
    latest = micros(context.now - timedelta(hours=overdue_hours))
    wanted = Filter()
    wanted.add("unit.status = 'in_transfer'")
    wanted.add("unit.id > :after", after=after)
    wanted.add("place_from.code = :origin", origin=origin)
    if destination is not None:
        named = orjson.dumps(destination).decode()
        for mark in ("!", "%", "_"):
            named = named.replace(mark, f"!{mark}")
        wanted.add("sent.details LIKE :to ESCAPE '!'", to=f'%"destination":{named}%')
    if overdue is not None:
        wanted.add(f"sent.occurred_at {'<=' if overdue else '>'} :latest", latest=latest)
    rows = tx.rows_as(
        _SentUnitRow,
        _under_way(wanted),
        limit=page_size(first) + 1,
        **wanted.values,
    )
    return [
        {
            **row,
            "sent_to": _destination(row["sent_details"]) or "",
            "is_overdue": row["sent_at"] <= latest,
        }
        for row in rows
    ]


def _under_way(wanted: Filter) -> str:
    columns, tables = UNITS.split(" FROM unit ", 1)
    return (
        f"{columns}, sent.details AS sent_details, sent.occurred_at AS sent_at, "
        "sent.actor AS sent_by, sent.document_ref AS sent_document, "
        f"place_from.code AS sent_from FROM unit {tables}"
        f"JOIN ({SENT}) AS sent ON sent.unit_id = unit.id "
        "JOIN location AS place_at ON place_at.id = sent.location_from "
        "JOIN location AS place_from ON place_from.id = place_at.site_id "
        f"{wanted.where()}ORDER BY unit.id LIMIT :limit"
    )
