"""The ledger: the one place where a unit changes.

A command takes many scans and answers each by itself: one bad row never loses the good ones. For
every accepted scan it appends an event, folds it into the unit, and in the same transaction marks
the listings whose quantity changed and queues the facts that a channel must be told.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from hub import listings, registrations
from hub.catalogue import CUSTOMER, IN_TRANSIT, products_by_code
from hub.chain import GENESIS, seal
from hub.clock import micros, new_id
from hub.errors import (
    DuplicateSerial,
    InvalidBarcode,
    InvalidInput,
    Refused,
    StepNotAllowed,
    UnitPromised,
    UnknownReference,
    VersionConflict,
)
from hub.holds import Holds
from hub.identifiers import canonical, skeleton, verbatim
from hub.instruction import Instruction
from hub.lifecycle import Action, Place, Rule, Status, check, disposition
from hub.occasion import Occasion
from hub.serials import follows_rule
from hub.sql import Row, Transaction
from hub.units import Scan, UnitState, locate
from hub.vocabulary import BizStep, Disposition

SCANS_MAX = 20_000  # in one command
LOT_CHARS_MAX = 50
SCHEME = re.compile(r"[a-z0-9_]{1,20}")

EVENT_COLUMNS = (
    "id", "unit_id", "version", "action", "biz_step", "status_from", "status", "disposition_from",
    "disposition", "location_from", "location_to", "document_type", "document_ref", "reason",
    "actor", "captured_by", "command_id", "corrects", "details", "occurred_at", "recorded_at",
    "previous_hash", "hash",
)  # fmt: skip
UNIT_COLUMNS = (
    "id", "product_id", "manufacturer_id", "serial", "serial_canonical", "version", "status",
    "disposition", "location_id", "blocks", "skeleton", "lot", "produced_on", "expires_on",
    "received_at", "changed_at", "hash",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A unit that arrives for the first time; `product` is its SKU or GTIN."""

    serial: str
    product: str
    identifiers: tuple[tuple[str, str], ...] = ()  # scheme and value: ("imei", "49…")
    lot: str | None = None
    produced_on: date | None = None
    expires_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one scan: accepted with the unit's new version, or refused with a reason."""

    index: int
    identifier: str
    unit_id: str | None = None
    version: int | None = None
    status: str | None = None
    code: str | None = None  # of the refusal; None: accepted
    message: str | None = None
    details: dict[str, Any] | None = None

    @property
    def accepted(self) -> bool:
        """Say whether the scan changed the ledger."""
        return self.code is None

    def as_json(self) -> dict[str, Any]:
        """Return plain values, as they are kept for the idempotency key."""
        return {
            "index": self.index,
            "identifier": self.identifier,
            "unit_id": self.unit_id,
            "version": self.version,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "details": self.details,
        }


class Journal:
    """The events of one command, sealed as they are appended, written in one go."""

    def __init__(self, occasion: Occasion, command_id: str) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self._common = {
            "document_type": occasion.document.type if occasion.document else None,
            "document_ref": occasion.document.ref if occasion.document else None,
            "reason": occasion.reason,
            "actor": occasion.actor,
            "captured_by": str(occasion.captured_by),
            "command_id": command_id,
            "occurred_at": micros(occasion.occurred_at or occasion.now),
            "recorded_at": micros(occasion.now),
        }

    def append(self, **fields: Any) -> str:
        """Seal one event and return its hash."""
        details = fields.pop("details", None)
        event = self._common | fields
        event["id"] = new_id()
        event.setdefault("corrects", None)
        event["details"] = orjson.dumps(details).decode() if details else None
        event["hash"] = seal(event)
        self.rows.append(tuple(event[name] for name in EVENT_COLUMNS))
        return str(event["hash"])

    def write(self, tx: Transaction) -> None:
        """Write the events."""
        tx.insert("event", EVENT_COLUMNS, self.rows)
        tx.wake("events")


def record(
    tx: Transaction,
    occasion: Occasion,
    command_id: str,
    instruction: Instruction,
    scans: Sequence[Scan],
) -> list[Verdict]:
    """Do one action to many units; each scan gets its verdict, in instruction."""
    _bounded(scans)
    found = locate(tx, scans)
    units = [each for each in found if isinstance(each, UnitState)]
    holds = Holds(tx, occasion)
    holds.load(units, instruction.action)
    journal = Journal(occasion, command_id)
    was_available = {unit.id: unit.is_available for unit in units}
    verdicts, changed = [], {}
    for index, (scan, unit) in enumerate(zip(scans, found, strict=True)):
        try:
            if isinstance(unit, Refused):
                raise unit
            _apply(occasion, instruction, scan, unit, holds, journal)
        except Refused as refusal:
            verdicts.append(_refused(index, scan.identifier, refusal, unit))
            continue
        changed[unit.id] = unit
        verdicts.append(_accepted(index, scan.identifier, unit))
    if changed:
        journal.write(tx)
        holds.write()
        _write_units(tx, occasion, changed.values())
        _tell(tx, occasion, instruction.action, changed.values(), was_available)
    return verdicts


def receive(
    tx: Transaction,
    occasion: Occasion,
    command_id: str,
    arrivals: Sequence[Arrival],
    place: Row,
    *,
    put_away: bool = False,
) -> list[Verdict]:
    """Give units their records; `put_away` makes them sellable in the same step."""
    _bounded(arrivals)
    checked = _check_arrivals(tx, arrivals)
    journal = Journal(occasion, command_id)
    units, identifiers, verdicts = [], [], []
    for index, (arrival, product) in enumerate(zip(arrivals, checked, strict=True)):
        if isinstance(product, Refused):
            verdicts.append(_refused(index, arrival.serial, product, None))
            continue
        unit = _born(journal, arrival, product, place)
        if put_away:
            _shelve(journal, unit, place)
        now = micros(occasion.now)
        units.append((
            unit.id, unit.product_id, unit.manufacturer_id, unit.serial,
            canonical(arrival.serial), unit.version, str(unit.status), unit.disposition,
            unit.location_id, 0, skeleton(arrival.serial), arrival.lot, _text(arrival.produced_on),
            _text(arrival.expires_on), now, now, unit.hash,
        ))  # fmt: skip
        identifiers += [
            (new_id(), unit.id, scheme, value.strip(), canonical(value), now)
            for scheme, value in arrival.identifiers
        ]
        verdicts.append(_accepted(index, arrival.serial, unit))
    tx.insert("unit", UNIT_COLUMNS, units)
    names = ("id", "unit_id", "scheme", "value", "canonical", "created_at")
    tx.insert("identifier", names, identifiers)
    journal.write(tx)
    if put_away:
        listings.touch(tx, {row[1] for row in units}, occasion.now)
    return verdicts


def _bounded(rows: Sequence[object]) -> None:
    if not 0 < len(rows) <= SCANS_MAX:
        raise InvalidInput(f"a command takes 1 to {SCANS_MAX} units", field="units")


def _apply(
    occasion: Occasion,
    instruction: Instruction,
    scan: Scan,
    unit: UnitState,
    holds: Holds,
    journal: Journal,
) -> None:
    """Check everything, then change the unit in memory and append its event."""
    if scan.expected_version is not None and scan.expected_version != unit.version:
        raise VersionConflict(
            f"the unit is at version {unit.version}, not {scan.expected_version}",
            version=unit.version,
        )
    promised = unit.promised_to is not None
    rule = check(instruction.action, unit.status, promised=promised, blocked=unit.blocks > 0)
    _same_promise(instruction, unit)
    place = _place(instruction, rule, unit)
    before = (unit.status, unit.disposition, unit.location_id)
    holds.apply(instruction, unit)  # refuses before anything is changed
    unit.status = rule.to or unit.status
    unit.location_id, unit.location_kind, unit.site_id = place
    unit.disposition = disposition(
        unit.status,
        unit.location_kind,
        blocked=unit.blocks > 0,
        recalled="recall" in unit.holds,
    )
    _mark(occasion, instruction, unit)
    unit.version += 1
    unit.hash = journal.append(
        unit_id=unit.id,
        version=unit.version,
        action=str(instruction.action),
        biz_step=str(rule.step),
        status_from=str(before[0]),
        status=str(unit.status),
        disposition_from=before[1],
        disposition=str(unit.disposition),
        location_from=before[2],
        location_to=unit.location_id,
        details=_details(instruction),
        previous_hash=unit.hash,
    )


def _same_promise(instruction: Instruction, unit: UnitState) -> None:
    bound = instruction.action in {
        Action.PICK,
        Action.PACK,
        Action.SHIP,
        Action.SELL,
        Action.RELEASE,
    }
    if not bound or unit.promised_to is None:
        return
    promise = unit.holds["sale"]
    same_line = instruction.line is None or instruction.line == promise["order_line_id"]
    mine = (
        instruction.hold_reference is not None
        and instruction.hold_reference == promise["reference"]
    )
    if instruction.action is Action.SELL and not (mine or (instruction.line and same_line)):
        raise UnitPromised("the unit is promised to somebody else", reference=promise["reference"])
    if not same_line:
        raise UnitPromised("the unit is promised to another order", reference=promise["reference"])


def _place(instruction: Instruction, rule: Rule, unit: UnitState) -> tuple[str, str, str]:
    here = (unit.location_id, unit.location_kind, unit.site_id)
    match rule.place:
        case Place.CUSTOMER:
            return CUSTOMER, "customer", CUSTOMER
        case Place.TRANSIT:
            _destination(instruction, unit)
            return IN_TRANSIT, "in_transit", IN_TRANSIT
        case Place.SITE if instruction.location is not None:
            if instruction.location["site_id"] != unit.site_id:
                raise StepNotAllowed(
                    "the unit is at another site: transfer it there first", allowed=["transfer_out"]
                )
            return (
                instruction.location["id"],
                instruction.location["kind"],
                instruction.location["site_id"],
            )
        case Place.GIVEN:
            if instruction.location is None:
                raise InvalidInput("say where the unit is now", field="location")
            return (
                instruction.location["id"],
                instruction.location["kind"],
                instruction.location["site_id"],
            )
    return here


def _destination(instruction: Instruction, unit: UnitState) -> None:
    if instruction.location is None:
        raise InvalidInput("say where the transfer goes", field="location")
    if instruction.location["site_id"] == unit.site_id:
        raise StepNotAllowed("the unit is at that site already: move it", allowed=["move"])


def _mark(occasion: Occasion, instruction: Instruction, unit: UnitState) -> None:
    """Keep what reports ask for beside the state: when sold, how graded, for which line."""
    if instruction.action in {Action.SHIP, Action.SELL}:
        unit.sold_at = micros(occasion.now)
    if instruction.action is Action.RESTOCK:
        unit.sold_at = unit.order_line_id = None
    if instruction.grade is not None:
        unit.grade = instruction.grade


def _details(instruction: Instruction) -> dict[str, Any] | None:
    details = dict(instruction.details or {})
    if instruction.action is Action.TRANSFER_OUT and instruction.location is not None:
        details["destination"] = instruction.location["code"]
    for name in ("line", "hold_kind", "hold_reference", "grade"):
        if (value := getattr(instruction, name)) is not None:
            details[name] = value
    return details or None


def _write_units(tx: Transaction, occasion: Occasion, units: Iterable[UnitState]) -> None:
    tx.run_many(
        "UPDATE unit SET version = :version, status = :status, disposition = :disposition, "
        "location_id = :location_id, promised_to = :promised_to, order_line_id = :line, "
        "blocks = :blocks, grade = :grade, sold_at = :sold_at, changed_at = :now, hash = :hash "
        "WHERE id = :id",
        [
            {
                "id": unit.id,
                "version": unit.version,
                "status": str(unit.status),
                "disposition": str(unit.disposition),
                "location_id": unit.location_id,
                "promised_to": unit.promised_to,
                "line": unit.order_line_id,
                "blocks": unit.blocks,
                "grade": unit.grade,
                "sold_at": unit.sold_at,
                "now": micros(occasion.now),
                "hash": unit.hash,
            }
            for unit in units
        ],
    )


def _tell(
    tx: Transaction,
    occasion: Occasion,
    action: Action,
    units: Iterable[UnitState],
    was_available: dict[str, bool],
) -> None:
    # A move inside a site tells nobody anything new: channels count by site, not by bin.
    touched = {unit.product_id for unit in units if unit.is_available != was_available[unit.id]}
    listings.touch(tx, touched, occasion.now)
    if action in {Action.SHIP, Action.SELL}:
        registrations.request(tx, units, occasion.now)


def _accepted(index: int, identifier: str, unit: UnitState) -> Verdict:
    return Verdict(
        index=index,
        identifier=identifier,
        unit_id=unit.id,
        version=unit.version,
        status=str(unit.status),
    )


def _refused(
    index: int, identifier: str, refusal: Refused, unit: UnitState | Refused | None
) -> Verdict:
    known = unit if isinstance(unit, UnitState) else None
    return Verdict(
        index=index,
        identifier=identifier,
        unit_id=known.id if known else None,
        version=known.version if known else None,
        status=str(known.status) if known else None,
        code=refusal.code,
        message=str(refusal),
        details=dict(refusal.details) or None,
    )


def _check_arrivals(tx: Transaction, arrivals: Sequence[Arrival]) -> list[Row | Refused]:
    """Return the product of every arrival that may be recorded, else its refusal."""
    products = products_by_code(tx, sorted({each.product for each in arrivals}))
    taken = _taken(tx, arrivals)
    checked: list[Row | Refused] = []
    for arrival in arrivals:
        try:
            product = products.get(arrival.product)
            if product is None:
                raise UnknownReference(f"there is no product {arrival.product!r}", field="product")
            follows_rule(arrival.serial, product)
            _well_formed(arrival)
            _claim(arrival, product, taken)
        except Refused as refusal:
            checked.append(refusal)
        else:
            checked.append(product)
    return checked


def _well_formed(arrival: Arrival) -> None:
    if len(arrival.lot or "") > LOT_CHARS_MAX:
        raise InvalidInput(f"a lot has at most {LOT_CHARS_MAX} characters", field="lot")
    for scheme, _ in arrival.identifiers:
        if not SCHEME.fullmatch(scheme):
            raise InvalidInput("a scheme has 1 to 20 of a-z, 0-9 and _", field="scheme")


def _taken(tx: Transaction, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], str]:
    """Map what is taken already, (product or scheme, canonical form), to the status of its unit."""
    serials: set[str] = set()
    names: set[str] = set()
    for arrival in arrivals:
        try:
            serials.add(canonical(arrival.serial))
            names.update(canonical(value) for _, value in arrival.identifiers)
        except InvalidBarcode:
            continue  # refused with its own words when its turn comes
    taken = {
        (row["product_id"], row["serial_canonical"]): row["status"]
        for row in tx.rows(
            "SELECT product_id, serial_canonical, status FROM unit "
            "WHERE serial_canonical IN (:serials...)",
            serials=sorted(serials),
        )
    }
    if names:
        for row in tx.rows(
            "SELECT scheme, canonical FROM identifier WHERE canonical IN (:names...)",
            names=sorted(names),
        ):
            taken[row["scheme"], row["canonical"]] = "in use"
    return taken


def _claim(arrival: Arrival, product: Row, taken: dict[tuple[str, str], str]) -> None:
    claims = [(product["id"], canonical(arrival.serial))]
    claims += [(scheme, canonical(value)) for scheme, value in arrival.identifiers]
    for claim in claims:
        if (status := taken.get(claim)) is not None:
            raise DuplicateSerial(
                f"a unit of {product['sku']} with {claim[1]} is known already ({status})",
                status=status,
            )
    taken.update(dict.fromkeys(claims, "in this batch"))


def _born(journal: Journal, arrival: Arrival, product: Row, place: Row) -> UnitState:
    unit = UnitState(
        id=new_id(),
        product_id=product["id"],
        manufacturer_id=product["manufacturer_id"],
        serial=verbatim(arrival.serial),
        sku=product["sku"],
        version=1,
        status=Status.RECEIVED,
        disposition=str(Disposition.IN_PROGRESS),
        location_id=place["id"],
        location_kind=place["kind"],
        site_id=place["site_id"],
        promised_to=None,
        order_line_id=None,
        blocks=0,
        grade=None,
        received_at=None,
        sold_at=None,
        hash=GENESIS,
    )
    unit.hash = journal.append(
        unit_id=unit.id,
        version=1,
        action=str(Action.RECEIVE),
        biz_step=str(BizStep.RECEIVING),
        status_from=None,
        status=str(unit.status),
        disposition_from=None,
        disposition=unit.disposition,
        location_from=None,
        location_to=place["id"],
        # The birth seals the identity: a serial changed later shows.
        details={
            "serial": unit.serial,
            "product": unit.product_id,
            "manufacturer": unit.manufacturer_id,
            "identifiers": [list(each) for each in arrival.identifiers],
            "lot": arrival.lot,
            "produced_on": _text(arrival.produced_on),
            "expires_on": _text(arrival.expires_on),
        },
        previous_hash=GENESIS,
    )
    return unit


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _shelve(journal: Journal, unit: UnitState, place: Row) -> None:
    before = unit.disposition
    unit.status, unit.version = Status.IN_STOCK, 2
    unit.disposition = str(disposition(unit.status, place["kind"], blocked=False, recalled=False))
    unit.hash = journal.append(
        unit_id=unit.id,
        version=2,
        action=str(Action.PUT_AWAY),
        biz_step=str(BizStep.STORING),
        status_from=str(Status.RECEIVED),
        status=str(unit.status),
        disposition_from=before,
        disposition=unit.disposition,
        location_from=place["id"],
        location_to=place["id"],
        previous_hash=unit.hash,
    )
