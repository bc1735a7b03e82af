"""Service of customers' units: work records, return to the customer, registration."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, TypedDict

from hub import ledger
from hub.catalogue import CURRENCY
from hub.commands.work import Work
from hub.errors import InvalidInput, Refused, StepNotAllowed
from hub.history import unit_history
from hub.history.sales import story_of
from hub.identifiers.numbers import canonical, verbatim
from hub.ledger import record_one
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, refused
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import WITH_CUSTOMER, Action, Status
from hub.storage.documents import document
from hub.storage.sql import Row, Transaction
from hub.sync import registrations

PARTS_MAX = 100
TEXT_CHARS_MAX = 1_000
NAME_CHARS_MAX = 200
QUANTITY_MAX = 10_000


class _UnitId(TypedDict):
    unit_id: str


class _SerialUnit(TypedDict):
    serial_canonical: str
    serial_exact: str
    id: str


class WorkKind(StrEnum):
    """Kind of work on a unit."""

    REPAIR = "repair"
    MAINTENANCE = "maintenance"
    REFURBISHMENT = "refurbishment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A replaced part, with its serials if it has any."""

    part: str
    quantity: int = 1
    serial_out: str | None = None
    serial_in: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDone:
    """Work on a unit; `cost` in the minor unit of `currency` (ISO 4217)."""

    kind: WorkKind
    work: str
    technician: str | None = None
    parts: tuple[Part, ...] = ()
    cost: int | None = None
    currency: str | None = None


def record_work(work: Work, scan: Scan, done: WorkDone) -> Verdict:
    """Record work on a unit; its state stays.

    A part whose serial is one of our units is linked to that unit, which does not move. Raises
    InvalidInput for invalid work.
    """
    _validate(done)
    details: dict[str, Any] = {
        "kind": str(done.kind),
        "work": done.work.strip(),
        "technician": done.technician,
        "parts": _parts(work.tx, done.parts),
    }
    if done.cost is not None:
        details |= {"cost": done.cost, "currency": done.currency}
    command = UnitCommand(action=Action.MAINTAIN, details=details)
    return record_one(work, command, scan)


def hand_back(work: Work, scans: Sequence[Scan]) -> list[Verdict]:
    """Return units to their customers; refunded or replaced units are refused."""
    found = locate(work.tx, scans)
    ours = _ours(work.tx, [unit.id for unit in found if isinstance(unit, UnitState)])
    verdicts: dict[int, Verdict] = {}
    for index, (scan, unit) in enumerate(zip(scans, found, strict=True)):
        if isinstance(unit, UnitState) and unit.id in ours:
            refusal = StepNotAllowed(ours[unit.id], allowed=[])
            verdicts[index] = refused(index, scan.identifier, refusal, unit)
    free = [index for index in range(len(scans)) if index not in verdicts]
    if free:
        command = UnitCommand(action=Action.HAND_BACK)
        done = ledger.record(work, command, [scans[each] for each in free])
        for index, verdict in zip(free, done, strict=True):
            verdicts[index] = _at(verdict, index)
    return [verdicts[index] for index in range(len(scans))]


def _ours(tx: Transaction, unit_ids: list[str]) -> dict[str, str]:
    """Return the units that are no longer their customers', with the reason."""
    refunds = tx.rows_as(
        _UnitId,
        "SELECT unit_id FROM return_case JOIN unit ON unit.id = return_case.unit_id "
        "WHERE unit_id IN (:ids...) AND refund_ref IS NOT NULL "
        "AND decided_at >= COALESCE(unit.sold_at, 0)",
        ids=unit_ids,
    )
    exchanged = tx.rows_as(
        _UnitId,
        "SELECT unit_id FROM warranty_claim JOIN unit ON unit.id = warranty_claim.unit_id "
        "WHERE unit_id IN (:ids...) AND replacement_id IS NOT NULL "
        "AND opened_at >= COALESCE(unit.sold_at, 0)",
        ids=unit_ids,
    )
    return {row["unit_id"]: "it was refunded: it is not handed back" for row in refunds} | {
        row["unit_id"]: "another unit was given for it: it is not handed back" for row in exchanged
    }


def _at(verdict: Verdict, index: int) -> Verdict:
    return Verdict(**(verdict.as_json() | {"index": index}))


def register(
    work: Work,
    scan: Scan,
    on: date,
    reference: str | None,
) -> Verdict:
    """Register a sold unit for its customer, and queue its registration at the manufacturer.

    Raises StepNotAllowed for a unit that is not with a customer, InvalidInput for a day in the
    future or before the sale.
    """
    if on > work.context.now.date():
        raise InvalidInput("it is registered on a day to come", field="on")
    if len(reference or "") > NAME_CHARS_MAX:
        raise InvalidInput(f"at most {NAME_CHARS_MAX} characters", field="reference")
    (unit,) = locate(work.tx, [scan])
    if isinstance(unit, Refused):
        raise unit
    if unit.status not in WITH_CUSTOMER and unit.status is not Status.IN_REPAIR:
        raise StepNotAllowed("only what was sold is registered", allowed=["sell"])
    if (sale := story_of(work.tx, unit.id).sale) is not None and on < sale.sold_on:
        raise InvalidInput(f"it was sold later, on {sale.sold_on.isoformat()}", field="on")
    details = {"registration": {"on": on.isoformat(), "reference": reference}}
    command = UnitCommand(action=Action.ANNOTATE, details=details)
    verdict = record_one(work, command, scan)
    queued = work.tx.value(
        "SELECT COUNT(*) FROM outbox WHERE subject = :unit AND topic = :topic "
        "AND created_at >= :since AND state <> 'dead'",
        unit=unit.id,
        topic=registrations.TOPIC,
        since=unit.sold_at or 0,
    )
    if not queued:
        registrations.request(work.tx, [unit], work.context.now)
    return verdict


SERVICE = frozenset({
    Action.TAKE_IN, Action.REPAIR, Action.MAINTAIN, Action.HAND_BACK, Action.ACTIVATE,
})  # fmt: skip


def service_history(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the service events of units after corrections, oldest first."""
    return {
        unit_id: [
            {**row, "told": document(row["details"])} for row in rows if row["action"] in SERVICE
        ]
        for unit_id, rows in unit_history.as_corrected(tx, unit_ids).items()
    }


def _parts(tx: Transaction, parts: Sequence[Part]) -> list[dict[str, Any]]:
    serials = {
        canonical(serial)
        for part in parts
        for serial in (part.serial_out, part.serial_in)
        if serial
    }
    rows = tx.rows_as(
        _SerialUnit,
        "SELECT serial_canonical, serial_exact, COALESCE(merged_into, id) AS id FROM unit "
        "WHERE serial_canonical IN (:serials...)",
        serials=sorted(serials),
    )

    def unit(serial: str | None) -> str | None:
        """Two manufacturers may use one serial: only an unambiguous one is linked."""
        if not serial:
            return None
        key, exact = canonical(serial), {"", verbatim(serial)}
        found = {
            row["id"]
            for row in rows
            if row["serial_canonical"] == key and row["serial_exact"] in exact
        }
        return found.pop() if len(found) == 1 else None

    return [
        {
            "part": part.part.strip(),
            "quantity": part.quantity,
            "serial_out": part.serial_out,
            "serial_in": part.serial_in,
            "unit_out": unit(part.serial_out),
            "unit_in": unit(part.serial_in),
        }
        for part in parts
    ]


def _validate(done: WorkDone) -> None:
    if not 0 < len(done.work.strip()) <= TEXT_CHARS_MAX:
        raise InvalidInput(f"say what was done, in 1 to {TEXT_CHARS_MAX} characters", field="work")
    if len(done.technician or "") > NAME_CHARS_MAX:
        raise InvalidInput(f"at most {NAME_CHARS_MAX} characters", field="technician")
    if len(done.parts) > PARTS_MAX:
        raise InvalidInput(f"at most {PARTS_MAX} parts", field="parts")
    for part in done.parts:
        if not 0 < len(part.part.strip()) <= NAME_CHARS_MAX:
            raise InvalidInput(
                f"a part has a name of 1 to {NAME_CHARS_MAX} characters", field="part"
            )
        if not 0 < part.quantity <= QUANTITY_MAX:
            raise InvalidInput(f"1 to {QUANTITY_MAX} of a part", field="quantity")
        if part.quantity > 1 and (part.serial_in or part.serial_out):
            raise InvalidInput("a part with a serial is one", field="quantity")
    if (done.cost is None) != (done.currency is None) or (done.cost or 0) < 0:
        raise InvalidInput("a cost is not negative, and has its currency", field="cost")
    if done.currency is not None and not CURRENCY.fullmatch(done.currency):
        raise InvalidInput("a currency is three letters of ISO 4217", field="currency")
