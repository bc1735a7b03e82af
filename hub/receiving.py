"""Receiving: a unit that arrives for the first time is checked and gets its record.

Beside `hub.ledger` the only room that writes units and events.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from hub import capture_points, listings
from hub.catalogue import LOT_TRACKED, products_by_code
from hub.chain import GENESIS
from hub.clock import micros, new_id
from hub.errors import (
    DuplicateSerial,
    InvalidBarcode,
    InvalidInput,
    Refused,
    UnknownReference,
)
from hub.identifiers import canonical, skeleton, verbatim
from hub.journal import Journal, Verdict, accepted, bounded, refused
from hub.lifecycle import Action, Status, disposition
from hub.occasion import Occasion
from hub.serials import follows_rule
from hub.sql import Row, Transaction
from hub.units import UnitState
from hub.vocabulary import BizStep, Disposition

LOT_CHARS_MAX = 50


SCHEME = re.compile(r"[a-z0-9_]{1,20}")


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
    bounded(arrivals)
    checked = _check_arrivals(tx, occasion, arrivals, put_away=put_away)
    journal = Journal(occasion, command_id)
    units, identifiers, verdicts = [], [], []
    for index, (arrival, product) in enumerate(zip(arrivals, checked, strict=True)):
        if isinstance(product, Refused):
            verdicts.append(refused(index, arrival.serial, product, None))
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
        verdicts.append(accepted(index, arrival.serial, unit))
    tx.insert("unit", UNIT_COLUMNS, units)
    names = ("id", "unit_id", "scheme", "value", "canonical", "created_at")
    tx.insert("identifier", names, identifiers)
    journal.write(tx)
    if put_away:
        listings.touch(tx, {row[1] for row in units}, occasion.now)
    return verdicts


def _check_arrivals(
    tx: Transaction, occasion: Occasion, arrivals: Sequence[Arrival], *, put_away: bool
) -> list[Row | Refused]:
    """Return the product of every arrival that may be recorded, else its refusal."""
    products = products_by_code(tx, sorted({each.product for each in arrivals}))
    taken = _taken(tx, arrivals)
    steps = (Action.RECEIVE, Action.PUT_AWAY) if put_away else (Action.RECEIVE,)
    checked: list[Row | Refused] = []
    for arrival in arrivals:
        try:
            product = products.get(arrival.product)
            if product is None:
                raise UnknownReference(f"there is no product {arrival.product!r}", field="product")
            follows_rule(arrival.serial, product)
            _well_formed(arrival, product)
            capture_points.demand(occasion, product, *steps)
            _claim(arrival, product, taken)
        except Refused as refusal:
            checked.append(refusal)
        else:
            checked.append(product)
    return checked


def _well_formed(arrival: Arrival, product: Row) -> None:
    if product["tracking"] in LOT_TRACKED and not arrival.lot:
        raise InvalidInput(f"{product['sku']} is tracked by lot: say which", field="lot")
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
