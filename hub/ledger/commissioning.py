"""Commissioning: create the records of units at manufacturing, labelling or receipt.

Only this module and `hub.ledger.recording` write units and events.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypedDict

from hub.catalogue import LOT_TRACKED, CatalogueProductRow, capture_points, products_by_code
from hub.clock import happened, micros, new_id, stated_day
from hub.commands.context import CommandContext
from hub.errors import InvalidBarcode, InvalidInput, Refused, UnknownReference
from hub.identifiers.device_numbers import normalized
from hub.identifiers.names import is_tag_digits, unit_of
from hub.identifiers.numbers import canonical, exact_of, skeleton, verbatim
from hub.identifiers.serials import follows_rule
from hub.ledger.arrivals import Arrival, Condition, Fact, Origin, with_code
from hub.ledger.claims import add_names, claim, taken_names
from hub.ledger.event_writer import EventWriter
from hub.ledger.hash_chain import GENESIS
from hub.ledger.rules import key
from hub.ledger.units import UnitState
from hub.lifecycle import Action, Status, disposition
from hub.storage.rows import LocationRow
from hub.storage.sql import Transaction
from hub.vocabulary import BizStep

FACTS_MAX = 50  # of one unit, before its receipt
MADE_ON = ("produced_on", "designed_on", "tested_on")  # days before a unit arrives
TEXTS = {"lot": 50, "supplier": 100, "purchase_order": 200, "batch": 50}  # characters at most


SCHEME = re.compile(r"[a-z0-9_]{1,20}")


UNIT_COLUMNS = (
    "id", "product_id", "manufacturer_id", "serial", "serial_canonical", "serial_exact", "version",
    "status", "disposition", "location_id", "blocks", "skeleton", "lot", "produced_on",
    "expires_on", "condition", "origin", "supplier", "purchase_order", "client_id", "delivery_id",
    "delivery_line_id", "received_at", "changed_at", "hash",
)  # fmt: skip


class _ClientCode(TypedDict):
    id: str
    code: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """A valid arrival; `expected_id` is the id of the expected unit with a record, if any."""

    arrival: Arrival
    product: CatalogueProductRow
    client_id: str | None = None
    expected_id: str | None = None


def admit(
    tx: Transaction,
    context: CommandContext,
    arrivals: Sequence[Arrival],
    *steps: Action,
    expected: bool = False,
) -> list[Admitted | Refused]:
    """Check each arrival; return it as admitted, or its refusal, in the given order.

    With `expected`, expected units are admitted too. `steps` are the actions to check for required
    scans.
    """
    products = products_by_code(tx, _codes(arrivals))
    read = [_read(each, products) for each in arrivals]
    plain = [each[0] for each in read if not isinstance(each, Refused)]
    clients = _clients(tx, plain)
    taken = taken_names(tx, plain)
    admitted: list[Admitted | Refused] = []
    for each in read:
        try:
            if isinstance(each, Refused):
                raise each
            arrival, gtin = each
            product = _product(products, arrival, gtin)
            _check_arrival(arrival, product, context.now)
            capture_points.demand(context, product, *steps)
            client_id = _client(clients, arrival)
            key.check_owner(context, client_id)
            unit_id = claim(arrival, product, taken, expected=expected)
        except Refused as refusal:
            admitted.append(refusal)
        else:
            admitted.append(Admitted(arrival, product, client_id, unit_id))
    return admitted


def renamed(tx: Transaction, arrival: Arrival, unit_id: str, now: datetime) -> Admitted:
    """Check what a unit is to be called, as a serial and product that arrive are checked.

    Raises InvalidBarcode, UnknownReference, InvalidInput or, for a name of another unit,
    DuplicateSerial.
    """
    products = products_by_code(tx, _codes([arrival]))
    read = _read(arrival, products)
    if isinstance(read, Refused):
        raise read
    named, gtin = read
    product = _product(products, named, gtin)
    _check_arrival(named, product, now)
    claim(named, product, taken_names(tx, [named]), expected=False, own_id=unit_id)
    return Admitted(named, product)


def _codes(arrivals: Sequence[Arrival]) -> list[str]:
    """Return the codes of products that arrivals name, themselves or in a code of the unit."""
    codes = {each.product for each in arrivals}
    for each in arrivals:
        try:
            code = unit_of(each.serial)
        except InvalidBarcode:
            continue  # refused, or read as a plain serial, below
        if code is not None and code.gtin is not None:
            codes.add(code.gtin)
    return sorted(codes)


def _read(
    arrival: Arrival, products: Mapping[str, CatalogueProductRow]
) -> tuple[Arrival, str | None] | Refused:
    """Split a code of a unit into serial and GTIN; return a plain serial unchanged.

    What only has the form of a tag is a plain serial of the named product, unless the catalogue
    knows the tag's GTIN.
    """
    try:
        code = unit_of(arrival.serial)
    except InvalidBarcode as broken:
        return (arrival, None) if arrival.product and is_tag_digits(arrival.serial) else broken
    if code is None:
        return arrival, None
    if not code.is_certain and arrival.product and code.gtin not in products:
        return arrival, None
    try:
        return with_code(arrival, code), code.gtin
    except InvalidBarcode as contradiction:
        return contradiction


def _product(
    products: Mapping[str, CatalogueProductRow], arrival: Arrival, gtin: str | None
) -> CatalogueProductRow:
    product = products.get(arrival.product)
    if product is None:
        raise UnknownReference(f"there is no product {arrival.product!r}", field="product")
    if gtin is not None and product["gtin"] != gtin:
        raise InvalidBarcode(f"the tag is of GTIN {gtin}, not of {product['sku']}", read=gtin)
    return product


def _clients(tx: Transaction, arrivals: Sequence[Arrival]) -> dict[str, str]:
    codes = sorted({each.client for each in arrivals if each.client is not None})
    if not codes:
        return {}
    rows = tx.rows_as(
        _ClientCode, "SELECT id, code FROM client WHERE code IN (:codes...)", codes=codes
    )
    return {row["code"]: row["id"] for row in rows}


def _client(clients: Mapping[str, str], arrival: Arrival) -> str | None:
    if arrival.client is None:
        return None
    if arrival.client not in clients:
        raise UnknownReference(f"there is no client {arrival.client!r}", field="client")
    return clients[arrival.client]


def _check_arrival(arrival: Arrival, product: CatalogueProductRow, now: datetime) -> None:
    follows_rule(arrival.serial, product)
    if product["tracking"] in LOT_TRACKED and not arrival.lot:
        raise InvalidInput(f"{product['sku']} is tracked by lot: say which", field="lot")
    for name, chars_max in TEXTS.items():
        if len(getattr(arrival, name) or "") > chars_max:
            raise InvalidInput(f"at most {chars_max} characters", field=name)
    for scheme, value in arrival.identifiers:
        check_scheme(scheme)
        normalized(scheme, value)
    for name in MADE_ON:
        if (day := getattr(arrival, name)) is not None:
            happened(stated_day(day, name), now, name)
    if arrival.history:
        _check_history(arrival.history, now)


def check_scheme(scheme: str) -> None:
    """Raise InvalidInput for an invalid scheme of an identifier."""
    if not SCHEME.fullmatch(scheme):
        raise InvalidInput("a scheme has 1 to 20 of a-z, 0-9 and _", field="scheme")


def _check_history(history: Sequence[Fact], now: datetime) -> None:
    if len(history) > FACTS_MAX:
        raise InvalidInput(f"at most {FACTS_MAX} facts of a unit", field="history")
    for fact in history:
        if not 0 < len(fact.what) <= 100 or len(fact.reference or "") > 200:
            raise InvalidInput("a fact has 1 to 100 characters, its reference 200", field="history")
        if fact.on is not None:
            happened(stated_day(fact.on, "history"), now, "history")


def write_records(  # noqa: PLR0913 # what all of these records begin with
    tx: Transaction,
    context: CommandContext,
    writer: EventWriter,
    admitted: Sequence[Admitted],
    place: LocationRow,
    origin: Origin,
    *,
    delivery_id: str | None = None,
    lines: Sequence[str | None] = (),
    put_away: bool = False,
) -> list[UnitState]:
    """Write the records of new units and append their events; the caller calls `writer.write`.

    `lines` are the ids of the delivery lines that name the units, one for each. `put_away` makes
    the units sellable in the same step. Returns the units in the given order.
    """
    now = micros(context.now)
    arrived_at = micros(context.occurred_at or context.now)
    received_at = None if origin.status is Status.EXPECTED else arrived_at
    units, rows, names = [], [], []
    for index, each in enumerate(admitted):
        arrival = each.arrival
        unit = _new_unit(writer, each, place, origin)
        if put_away:
            _shelve(writer, unit, place)
        rows.append((
            unit.id, unit.product_id, unit.manufacturer_id, unit.serial,
            canonical(arrival.serial), exact_of(unit.serial, each.product["serial_case"]),
            unit.version, str(unit.status), unit.disposition,
            unit.location_id, 0, skeleton(arrival.serial), arrival.lot, day(arrival.produced_on),
            day(arrival.expires_on), str(arrival.condition), str(origin.point), arrival.supplier,
            arrival.purchase_order, each.client_id, delivery_id, lines[index] if lines else None,
            received_at, now, unit.hash,
        ))  # fmt: skip
        names += [(unit.id, *name) for name in arrival.identifiers]
        units.append(unit)
    tx.insert("unit", UNIT_COLUMNS, rows)
    add_names(tx, context, names)
    return units


def _new_unit(
    writer: EventWriter, admitted: Admitted, place: LocationRow, origin: Origin
) -> UnitState:
    arrival, product = admitted.arrival, admitted.product
    unit = UnitState(
        id=new_id(),
        product_id=product["id"],
        manufacturer_id=product["manufacturer_id"],
        serial=verbatim(arrival.serial),
        sku=product["sku"],
        version=1,
        status=origin.status,
        disposition=str(disposition(origin.status, place["kind"], blocked=False, recalled=False)),
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
        condition=str(arrival.condition),
    )
    unit.hash = writer.append(
        unit_id=unit.id,
        version=1,
        action=str(origin.action),
        biz_step=str(origin.step),
        status_from=None,
        status=str(unit.status),
        disposition_from=None,
        disposition=unit.disposition,
        location_from=None,
        location_to=place["id"],
        details=_sealed(unit, arrival, origin),
        previous_hash=GENESIS,
    )
    return unit


def _sealed(unit: UnitState, arrival: Arrival, origin: Origin) -> dict[str, Any]:
    """Return the details sealed in the origin event, so that a later change shows."""
    return {
        "serial": unit.serial,
        "product": unit.product_id,
        "manufacturer": unit.manufacturer_id,
        "origin": str(origin.point),
        "identifiers": [list(each) for each in arrival.identifiers],
        "lot": arrival.lot,
        "produced_on": day(arrival.produced_on),
        "expires_on": day(arrival.expires_on),
        **({"gap": origin.gap} if origin.gap else {}),
        **facts(arrival),
    }


def facts(arrival: Arrival) -> dict[str, Any]:
    """Return the facts of an arrival beside its identity, without empty ones."""
    known: dict[str, Any] = {
        name: getattr(arrival, name)
        for name in ("supplier", "purchase_order", "client", "batch")
        if getattr(arrival, name) is not None
    }
    for name in ("designed_on", "tested_on"):
        if getattr(arrival, name) is not None:
            known[name] = day(getattr(arrival, name))
    if arrival.condition is not Condition.NEW:
        known["condition"] = str(arrival.condition)
    if arrival.history:
        known["history"] = [
            {"what": fact.what, "on": day(fact.on), "reference": fact.reference}
            for fact in arrival.history
        ]
    return known


def day(value: date | None) -> str | None:
    """Return a day as stored text."""
    return value.isoformat() if value else None


def _shelve(writer: EventWriter, unit: UnitState, place: LocationRow) -> None:
    before = unit.disposition
    unit.status, unit.version = Status.IN_STOCK, 2
    unit.disposition = str(disposition(unit.status, place["kind"], blocked=False, recalled=False))
    unit.hash = writer.append(
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
