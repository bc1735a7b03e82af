"""Further identifiers of a unit: those of other systems, our own numbers and labels.

An identifier belongs to one unit. Linking and retiring it is an event of the unit, so that its
history shows which identifiers it had, and when.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from hub.commands.work import Work
from hub.errors import DuplicateSerial, InvalidInput, Refused, UnknownReference
from hub.identifiers.device_numbers import SPACES, normalized, space_of
from hub.identifiers.numbers import verbatim
from hub.ledger import record
from hub.ledger.claims import add_names
from hub.ledger.command import UnitCommand
from hub.ledger.commissioning import check_scheme
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import Action
from hub.storage.rows import IdentifierRow
from hub.storage.sql import Row, Transaction

LABEL = "label"  # the scheme of labels that we put on a unit ourselves
# Schemes of the identifier that the warehouse sees, in order of preference.
SHOWN_INSIDE = (LABEL, "internal", "asset")
NAMES_MAX = 50  # of one unit


class Audience(StrEnum):
    """Audience of a serial."""

    CUSTOMER = "customer"
    WAREHOUSE = "warehouse"


def shown_inside(unit_id: str, names: Sequence[Row]) -> str:
    """Return the warehouse's identifier of a unit: its newest own label or number, else its id."""
    for scheme in SHOWN_INSIDE:
        own = [str(row["value"]) for row in names if row["scheme"] == scheme]
        if own:
            return own[-1]
    return unit_id


def link(work: Work, scan: Scan, scheme: str, value: str) -> Verdict:
    """Link an identifier to a unit.

    Raises DuplicateSerial if it belongs to a unit already, InvalidInput for too many identifiers,
    UnknownUnit or another Refused for a scan without a unit.
    """
    check_scheme(scheme)
    key, value = normalized(scheme, value), verbatim(value)
    unit = _located(work.tx, scan)
    if _bearer(work.tx, scheme, key) is not None or _is_serial(work.tx, unit, scheme, key):
        raise DuplicateSerial(f"{scheme} {value} is the name of a unit already")
    count = work.tx.value("SELECT COUNT(*) FROM identifier WHERE unit_id = :id", id=unit.id)
    if count >= NAMES_MAX:
        raise InvalidInput(f"a unit has at most {NAMES_MAX} further names", field="value")
    add_names(work.tx, work.context, [(unit.id, scheme, value)])
    return _noted(work, unit, {"linked": {"scheme": scheme, "value": value}})


def retire(work: Work, scan: Scan, scheme: str, value: str) -> Verdict:
    """Remove an identifier from a unit; it may be linked to another unit from then on.

    Raises UnknownReference if the unit does not have it.
    """
    key = normalized(scheme, value)
    unit = _located(work.tx, scan)
    name = _bearer(work.tx, scheme, key)
    if name is None or name["unit_id"] != unit.id or name["scheme"] != scheme:
        raise UnknownReference(f"the unit bears no {scheme} {value!r}", field="identifier")
    work.tx.run("DELETE FROM identifier WHERE id = :id", id=name["id"])
    gone = {"retired": {"scheme": scheme, "value": name["value"]}}
    return _noted(work, unit, gone)


def _located(tx: Transaction, scan: Scan) -> UnitState:
    (unit,) = locate(tx, [scan])
    if isinstance(unit, Refused):
        raise unit
    return unit


def _bearer(tx: Transaction, scheme: str, key: str) -> IdentifierRow | None:
    return tx.row_as(
        IdentifierRow,
        "SELECT * FROM identifier WHERE space = :space AND canonical = :key",
        space=space_of(scheme),
        key=key,
    )


def _is_serial(tx: Transaction, unit: UnitState, scheme: str, key: str) -> bool:
    """Return whether a number of a device is the serial of another unit."""
    if space_of(scheme) not in SPACES:
        return False
    other = tx.value(
        "SELECT id FROM unit WHERE serial_canonical = :key AND id <> :id LIMIT 1",
        key=key,
        id=unit.id,
    )
    return other is not None


def _noted(work: Work, unit: UnitState, details: dict[str, Any]) -> Verdict:
    command = UnitCommand(action=Action.ANNOTATE, details=details)
    (verdict,) = record(work, command, [Scan(unit.id)])
    assert verdict.accepted  # a unit may be annotated in every state
    return verdict
