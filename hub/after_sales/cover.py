"""Covers of a unit: our own warranty, purchased covers, and the manufacturer's warranty.

Our own warranty is computed from the corrected history; the manufacturer's answer has its source
and its age. An unknown cover never becomes "not covered".
"""

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TypedDict

from hub.after_sales import warranty_answers
from hub.after_sales.warranty_answers import Known
from hub.catalogue import WarrantyStart
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.history.sales import Sale, Story, stories
from hub.lifecycle import Action
from hub.storage.rows import EntitlementRow
from hub.storage.sql import Transaction
from hub.vocabulary import WarrantyStatus

REFERENCE_CHARS_MAX = 200


class CoverKind(StrEnum):
    """Kind of a cover."""

    OWN = "own"  # our own warranty, by the product's rule
    EXTENDED_WARRANTY = "extended_warranty"
    SERVICE_AGREEMENT = "service_agreement"
    INHERITED = "inherited"  # the remainder of the cover of the replaced unit
    MANUFACTURER = "manufacturer"  # by the manufacturer's answer


GRANTED = (CoverKind.EXTENDED_WARRANTY, CoverKind.SERVICE_AGREEMENT)


class CoverStatus(StrEnum):
    """Status of a cover on a day."""

    COVERED = "covered"
    EXPIRED = "expired"
    NOT_STARTED = "not_started"
    NOT_COVERED = "not_covered"
    PASSED_ON = "passed_on"  # to the unit that took its place
    UNKNOWN = "unknown"


class Entitled(StrEnum):
    """Whether the unit is covered."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """One cover, both days included, with its source and the time of the information."""

    kind: CoverKind
    status: CoverStatus
    basis: str
    starts_on: date | None = None
    ends_on: date | None = None
    source: str = "hub"
    reference: str | None = None
    observed_at: datetime | None = None
    is_stale: bool = False
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Covers:
    """All covers of a unit on a day, with the facts that they derive from."""

    unit_id: str
    on: date
    entitled: Entitled
    basis: str
    covers: tuple[Cover, ...]
    story: Story
    lot: str | None
    produced_on: str | None

    def of(self, kind: CoverKind) -> Cover | None:
        """Return the first cover of a kind."""
        return next((each for each in self.covers if each.kind is kind), None)


class _CoveredUnit(TypedDict):
    id: str
    lot: str | None
    produced_on: str | None
    warranty_months: int
    warranty_start: str
    makers: int


class _Id(TypedDict):
    id: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A query for the covers of a unit on a day; `now` determines the age of an answer."""

    unit_id: str
    on: date
    now: datetime


def covers(tx: Transaction, asked: Sequence[Asked]) -> dict[Asked, Covers]:
    """Return the covers of many units, with a constant number of reads."""
    ids = sorted({each.unit_id for each in asked})
    histories = stories(tx, ids)
    known = warranty_answers.known(tx, ids, asked[0].now)
    rows = {
        row["id"]: row
        for row in tx.rows_as(
            _CoveredUnit,
            "SELECT unit.id, unit.lot, unit.produced_on, product.warranty_months, "
            "product.warranty_start, (SELECT COUNT(*) FROM channel "
            "WHERE channel.manufacturer_id = unit.manufacturer_id "
            "AND channel.capabilities LIKE '%\"lookup_warranty\"%') AS makers "
            "FROM unit JOIN product ON product.id = unit.product_id WHERE unit.id IN (:ids...)",
            ids=ids,
        )
    }
    granted: dict[str, list[EntitlementRow]] = {unit_id: [] for unit_id in ids}
    for row in tx.rows_as(
        EntitlementRow,
        "SELECT * FROM entitlement WHERE unit_id IN (:ids...) AND revoked_at IS NULL "
        "AND kind IN (:kinds...) ORDER BY id",
        ids=ids,
        kinds=[str(kind) for kind in (*GRANTED, CoverKind.INHERITED)],
    ):
        granted[row["unit_id"]].append(row)
    return {
        each: _covers(
            each,
            rows[each.unit_id],
            histories[each.unit_id],
            known.get(each.unit_id),
            granted[each.unit_id],
        )
        for each in asked
        if each.unit_id in rows
    }


def cover_of(
    tx: Transaction, context: CommandContext, unit_id: str, on: date | None = None
) -> Covers:
    """Return the covers of one unit, today if no day is given."""
    asked = Asked(unit_id, on or context.now.date(), context.now)
    return covers(tx, [asked])[asked]


def _covers(
    asked: Asked,
    row: _CoveredUnit,
    story: Story,
    known: Known | None,
    granted: Sequence[EntitlementRow],
) -> Covers:
    found = [*_own(asked, row, story, known), *_granted(asked, story, granted)]
    found += _of_manufacturer(asked, row, known)
    if story.replaced_by is not None:
        basis = "a unit that was given in its place has its cover now"
        found = [
            replace(each, status=CoverStatus.PASSED_ON, basis=basis)
            for each in found
            if each.kind is not CoverKind.MANUFACTURER
        ]
    entitled, basis = _entitled(found)
    return Covers(
        unit_id=asked.unit_id,
        on=asked.on,
        entitled=entitled,
        basis=basis,
        covers=tuple(found),
        story=story,
        lot=row["lot"],
        produced_on=row["produced_on"],
    )


def _entitled(found: Sequence[Cover]) -> tuple[Entitled, str]:
    for status, entitled in (
        (CoverStatus.COVERED, Entitled.YES),
        (CoverStatus.UNKNOWN, Entitled.UNKNOWN),
    ):
        for each in found:
            if each.status is status:
                return entitled, each.basis
    return Entitled.NO, found[0].basis if found else "the product has no warranty"


def _own(asked: Asked, row: _CoveredUnit, story: Story, known: Known | None) -> Iterator[Cover]:
    months, sale = row["warranty_months"], story.sale
    if months == 0 or (sale is not None and sale.replaces and sale.cover == "remainder"):
        return
    if sale is None:
        basis = "the unit has not been sold"
        yield Cover(kind=CoverKind.OWN, status=CoverStatus.NOT_STARTED, basis=basis)
        return
    start, basis = _start(WarrantyStart(row["warranty_start"]), sale, story, known)
    if start is None:
        yield Cover(kind=CoverKind.OWN, status=CoverStatus.UNKNOWN, basis=basis)
        return
    ends = months_after(start, months)
    yield Cover(
        kind=CoverKind.OWN,
        status=_status(asked.on, start, ends),
        basis=f"{months} months from {basis} on {start.isoformat()}",
        starts_on=start,
        ends_on=ends,
    )


def _start(
    rule: WarrantyStart, sale: Sale, story: Story, known: Known | None
) -> tuple[date | None, str]:
    """Return the day on which our own warranty starts, and a description of it."""
    match rule:
        case WarrantyStart.SHIP:
            basis = "its shipment" if sale.action is Action.SHIP else "the day it was handed over"
            return sale.left_on, basis
        case WarrantyStart.ACTIVATION if story.activated_on is None:
            return None, "it starts with its activation, and none is recorded"
        case WarrantyStart.ACTIVATION:
            return story.activated_on, "its activation"
        case WarrantyStart.REGISTRATION:
            return _registered(story, known)
    if sale.replaces is not None:
        return sale.left_on, "the exchange"
    return sale.sold_on, "its sale"


def _registered(story: Story, known: Known | None) -> tuple[date | None, str]:
    if story.registered_on is not None:
        return story.registered_on, "its registration"
    if known is not None and known.warranty.registered and known.warranty.starts_on is not None:
        return known.warranty.starts_on, f"its registration, as {known.source} says,"
    return None, "it starts with its registration, and none is known"


def _granted(asked: Asked, story: Story, granted: Sequence[EntitlementRow]) -> Iterator[Cover]:
    for row in granted:
        # A cover of an earlier owner ends with a restock.
        if row["granted_at"] < story.restocked_at:
            continue
        starts, ends = _read(row["starts_on"]), _read(row["ends_on"])
        what = row["kind"].replace("_", " ")
        by = f" of {row['provider']}" if row["provider"] else ""
        yield Cover(
            kind=CoverKind(row["kind"]),
            status=_status(asked.on, starts, ends),
            basis=f"{what}{by}: {row['reference']}",
            starts_on=starts,
            ends_on=ends,
            source=row["provider"] or "hub",
            reference=row["reference"],
            id=row["id"],
        )


def _of_manufacturer(asked: Asked, row: _CoveredUnit, known: Known | None) -> Iterator[Cover]:
    if known is None:
        if row["makers"]:
            basis = "the manufacturer was not asked yet"
            yield Cover(kind=CoverKind.MANUFACTURER, status=CoverStatus.UNKNOWN, basis=basis)
        return
    warranty = known.warranty
    status = {
        WarrantyStatus.COVERED: CoverStatus.COVERED,
        WarrantyStatus.EXPIRED: CoverStatus.EXPIRED,
        WarrantyStatus.UNKNOWN: CoverStatus.UNKNOWN,
    }.get(warranty.status, CoverStatus.NOT_COVERED)
    dated = warranty.starts_on is not None or warranty.ends_on is not None
    if dated and status in {CoverStatus.COVERED, CoverStatus.EXPIRED}:
        status = _status(asked.on, warranty.starts_on, warranty.ends_on)
    age = " (old, and not asked again yet)" if known.is_stale else ""
    text = str(warranty.status).replace("_", " ")
    yield Cover(
        kind=CoverKind.MANUFACTURER,
        status=status,
        basis=f"{known.source} says: {text}{age}",
        starts_on=warranty.starts_on,
        ends_on=warranty.ends_on,
        source=known.source,
        observed_at=known.observed_at,
        is_stale=known.is_stale,
    )


def _status(on: date, starts: date | None, ends: date | None) -> CoverStatus:
    if starts is not None and on < starts:
        return CoverStatus.NOT_STARTED
    return CoverStatus.EXPIRED if ends is not None and on > ends else CoverStatus.COVERED


def months_after(start: date, months: int) -> date:
    """Return the last day of a cover of `months` months: the day before its monthly anniversary."""
    years, month = divmod(start.month - 1 + months, 12)
    year, month = start.year + years, month + 1
    last = calendar.monthrange(year, month)[1]
    if start.day > last:
        return date(year, month, last)
    return date(year, month, start.day) - timedelta(days=1)


def _read(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A cover that was purchased or granted for one unit, both days included."""

    kind: CoverKind
    reference: str
    provider: str | None = None
    starts_on: date | None = None
    ends_on: date | None = None


def grant(tx: Transaction, context: CommandContext, unit_id: str, given: Grant) -> str:
    """Attach a cover to a unit and return its id.

    Raises InvalidInput for an invalid cover, StepNotAllowed if the unit has it already.
    """
    for name in ("reference", "provider"):
        if len(getattr(given, name) or "") > REFERENCE_CHARS_MAX:
            raise InvalidInput(f"at most {REFERENCE_CHARS_MAX} characters", field=name)
    if not given.reference.strip():
        raise InvalidInput(
            "a cover has its reference: the number of its contract", field="reference"
        )
    if given.starts_on and given.ends_on and given.starts_on > given.ends_on:
        raise InvalidInput("it ends before it starts", field="endsOn")
    row = tx.row_as(
        _Id,
        "INSERT INTO entitlement(id, unit_id, kind, reference, provider, starts_on, ends_on, "
        "granted_at) VALUES(:id, :unit, :kind, :reference, :provider, :starts, :ends, :now) "
        "ON CONFLICT(kind, reference, unit_id) DO UPDATE SET provider = excluded.provider, "
        "starts_on = excluded.starts_on, ends_on = excluded.ends_on, "
        "granted_at = excluded.granted_at, revoked_at = NULL "
        "WHERE entitlement.revoked_at IS NOT NULL RETURNING id",
        id=new_id(),
        unit=unit_id,
        kind=str(given.kind),
        reference=given.reference.strip(),
        provider=given.provider,
        starts=given.starts_on.isoformat() if given.starts_on else None,
        ends=given.ends_on.isoformat() if given.ends_on else None,
        now=micros(context.now),
    )
    if row is None:
        raise StepNotAllowed(f"the unit has the cover {given.reference} already", allowed=[])
    return row["id"]


def revoke(tx: Transaction, context: CommandContext, entitlement_id: str) -> str:
    """Revoke a cover and return its unit's id.

    Raises UnknownReference for an unknown cover, StepNotAllowed for a revoked one.
    """
    kinds = [str(kind) for kind in GRANTED]
    row = tx.row_as(
        EntitlementRow,
        "SELECT * FROM entitlement WHERE id = :id AND kind IN (:kinds...) FOR UPDATE",
        id=entitlement_id,
        kinds=kinds,
    )
    if row is None:
        raise UnknownReference(f"there is no cover {entitlement_id!r}", field="id")
    if row["revoked_at"] is not None:
        raise StepNotAllowed("the cover was revoked already", allowed=[])
    tx.run(
        "UPDATE entitlement SET revoked_at = :now WHERE id = :id",
        now=micros(context.now),
        id=entitlement_id,
    )
    return row["unit_id"]
