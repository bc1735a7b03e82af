"""Receiving: create the records of new units, and continue those of expected units."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from hub import ledger
from hub.catalogue import SUPPLIER, reference
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import Refused
from hub.identifiers.labels import own_serials
from hub.inbound import ship_notices
from hub.ledger import commissioning, look_alikes
from hub.ledger.arrivals import RECEIPT, Arrival, Condition, Origin, RecordOrigin
from hub.ledger.claims import add_names, name_of
from hub.ledger.command import UnitCommand
from hub.ledger.commissioning import UNIT_COLUMNS, Admitted
from hub.ledger.event_writer import EventWriter, Verdict, accepted, bounded, refused
from hub.ledger.rules import key
from hub.ledger.units import Scan
from hub.lifecycle import Action, Status
from hub.recalls import recall_catch
from hub.storage.rows import DeliveryRow, LocationRow
from hub.storage.sql import Transaction
from hub.sync import listings
from hub.vocabulary import BizStep

__all__ = ["UNIT_COLUMNS", "Arrival", "commission", "receive", "unlabelled"]


class _Id(TypedDict):
    id: str


class _Name(TypedDict):
    space: str
    canonical: str


class _DeliveryId(TypedDict):
    delivery_id: str


def receive(
    work: Work,
    arrivals: Sequence[Arrival],
    place: LocationRow,
    *,
    put_away: bool = False,
    delivery: DeliveryRow | None = None,
) -> list[Verdict]:
    """Record arriving units; `put_away` makes them sellable in the same step.

    An expected unit keeps its record; every other unit gets a new one, linked to `delivery`.
    Returns one verdict for each arrival; raises InvalidInput for no arrivals or too many.
    """
    bounded(arrivals)
    if delivery is not None:
        arrivals = [_of_delivery(each, delivery) for each in arrivals]
    key.check_site(work.context, place["site_id"])
    steps = (Action.RECEIVE, Action.PUT_AWAY) if put_away else (Action.RECEIVE,)
    admitted = commissioning.admit(work.tx, work.context, arrivals, *steps, expected=True)
    delivery_id = delivery["id"] if delivery else None
    expected = {
        index: each
        for index, each in enumerate(admitted)
        if isinstance(each, Admitted) and each.expected_id
    }
    touched = [*_touched(work.tx, expected), *([delivery_id] if delivery_id else [])]
    ship_notices.lock(work.tx, touched)
    verdicts = _commission(work, admitted, place, RECEIPT, put_away, delivery_id)
    if expected:
        verdicts |= _arrived(work, expected, place, put_away=put_away)
    if touched:
        ship_notices.look_again(work.tx, work.context, touched)
    verdicts = recall_catch.catch_recorded(work, verdicts)
    for index, each in enumerate(admitted):
        if isinstance(each, Refused):
            verdicts[index] = refused(index, arrivals[index].serial, each, None)
    return [_named(verdicts[index], each.serial) for index, each in enumerate(arrivals)]


def _named(verdict: Verdict, read: str) -> Verdict:
    """Return the verdict with the identifier of the command."""
    return verdict if verdict.identifier == read else replace(verdict, identifier=read)


def commission(
    work: Work,
    arrivals: Sequence[Arrival],
    place: LocationRow | None,
    *,
    point: RecordOrigin,
) -> list[Verdict]:
    """Create the records of units before any receipt (CBV commissioning).

    Without `place` the units are expected from the supplier. Returns one verdict for each arrival;
    raises InvalidInput for no arrivals or too many.
    """
    bounded(arrivals)
    status = Status.RECEIVED if place else Status.EXPECTED
    origin = Origin(
        point=point, action=Action.COMMISSION, step=BizStep.COMMISSIONING, status=status
    )
    admitted = commissioning.admit(work.tx, work.context, arrivals, Action.COMMISSION)
    where = place or reference(work.tx, "location", "id", SUPPLIER)
    verdicts = _commission(work, admitted, where, origin, False, None)
    verdicts = recall_catch.catch_recorded(work, verdicts)
    for index, each in enumerate(admitted):
        if isinstance(each, Refused):
            verdicts[index] = refused(index, arrivals[index].serial, each, None)
    return [verdicts[index] for index in range(len(arrivals))]


def commission_admitted(
    work: Work,
    admitted: Sequence[Admitted],
    place: LocationRow,
    origin: Origin,
    *,
    put_away: bool = True,
) -> list[Verdict]:
    """Write the records of admitted new units at a location; return their verdicts in order."""
    verdicts = _commission(work, admitted, place, origin, put_away, None)
    return [verdicts[index] for index in range(len(admitted))]


def unlabelled(pattern: Arrival, count: int) -> list[Arrival]:
    """Return arrivals with generated serials, for units without one."""
    return [replace(pattern, serial=serial) for serial in own_serials(count)]


def _commission(
    work: Work,
    admitted: Sequence[Admitted | Refused],
    place: LocationRow,
    origin: Origin,
    put_away: bool,
    delivery_id: str | None,
) -> dict[int, Verdict]:
    """Write the records of the new units; return their verdicts by index."""
    new = {
        index: each
        for index, each in enumerate(admitted)
        if isinstance(each, Admitted) and not each.expected_id
    }
    warnings = look_alikes.warnings(work.tx, new)
    writer = EventWriter(work.context, work.command_id)
    units = commissioning.write_records(
        work.tx,
        work.context,
        writer,
        list(new.values()),
        place,
        origin,
        delivery_id=delivery_id,
        put_away=put_away,
    )
    writer.write(work.tx)
    products = {unit.product_id for unit in units}
    if put_away:
        listings.touch(work.tx, products, work.context.now, {unit.id for unit in units})
    else:
        listings.touch_early(work.tx, products, work.context.now)
    verdicts = {
        index: accepted(index, unit.serial, unit) for index, unit in zip(new, units, strict=True)
    }
    return verdicts | {
        index: replace(verdicts[index], warning=text) for index, text in warnings.items()
    }


def _of_delivery(arrival: Arrival, delivery: DeliveryRow) -> Arrival:
    return replace(
        arrival,
        supplier=arrival.supplier or delivery["supplier"],
        purchase_order=arrival.purchase_order or delivery["purchase_order"],
    )


def _arrived(
    work: Work,
    expected: dict[int, Admitted],
    place: LocationRow,
    *,
    put_away: bool,
) -> dict[int, Verdict]:
    """Record the receipt of expected units; a unit given up meanwhile is found again."""
    ids = sorted({str(each.expected_id) for each in expected.values()})
    given_up = {
        row["id"]
        for row in work.tx.rows_as(
            _Id, "SELECT id FROM unit WHERE id IN (:ids...) AND status = 'missing'", ids=ids
        )
    }
    steps: dict[tuple[Action, Condition], dict[int, Admitted]] = {}
    for index, each in expected.items():
        action = Action.FIND if each.expected_id in given_up else Action.RECEIVE
        steps.setdefault((action, each.arrival.condition), {})[index] = each
    verdicts: dict[int, Verdict] = {}
    for (action, condition), chosen in steps.items():
        command = UnitCommand(action=action, location=place, condition=str(condition))
        verdicts |= _step(work, command, chosen)
    came = {index: each for index, each in expected.items() if verdicts[index].accepted}
    _complete(work.tx, work.context, came)
    shelved = {index: each for index, each in came.items() if each.expected_id not in given_up}
    if put_away and shelved:
        command = UnitCommand(action=Action.PUT_AWAY, location=place)
        verdicts |= _step(work, command, shelved)
    return verdicts


def _step(
    work: Work,
    command: UnitCommand,
    chosen: dict[int, Admitted],
) -> dict[int, Verdict]:
    with_facts = command.action is not Action.PUT_AWAY
    scans = [
        Scan(str(each.expected_id), facts=commissioning.facts(each.arrival) if with_facts else None)
        for each in chosen.values()
    ]
    done = ledger.record(work, command, scans)
    return {
        index: replace(verdict, index=index) for index, verdict in zip(chosen, done, strict=True)
    }


def _complete(tx: Transaction, context: CommandContext, came: dict[int, Admitted]) -> None:
    """Store the facts known since the receipt; earlier ones stay."""
    tx.run_many(
        "UPDATE unit SET supplier = COALESCE(supplier, :supplier), "
        "purchase_order = COALESCE(purchase_order, :purchase_order), lot = COALESCE(lot, :lot), "
        "produced_on = COALESCE(produced_on, :produced_on), "
        "expires_on = COALESCE(expires_on, :expires_on), "
        "client_id = COALESCE(client_id, :client_id) WHERE id = :id",
        [
            {
                "id": each.expected_id,
                "supplier": each.arrival.supplier,
                "purchase_order": each.arrival.purchase_order,
                "lot": each.arrival.lot,
                "produced_on": commissioning.day(each.arrival.produced_on),
                "expires_on": commissioning.day(each.arrival.expires_on),
                "client_id": each.client_id,
            }
            for each in came.values()
        ],
    )
    names = [
        (str(each.expected_id), *name)
        for each in came.values()
        for name in each.arrival.identifiers
    ]
    known = {
        (row["space"], row["canonical"])
        for row in tx.rows_as(
            _Name,
            "SELECT space, canonical FROM identifier WHERE unit_id IN (:ids...)",
            ids=sorted({name[0] for name in names}),
        )
    }
    add_names(tx, context, [name for name in names if name_of(name) not in known])


def _touched(tx: Transaction, expected: dict[int, Admitted]) -> list[str]:
    """Return the ids of the deliveries that announced the received units."""
    if not expected:
        return []
    rows = tx.rows_as(
        _DeliveryId,
        "SELECT DISTINCT delivery_id FROM unit WHERE id IN (:ids...) AND delivery_id IS NOT NULL",
        ids=sorted({str(each.expected_id) for each in expected.values()}),
    )
    return [row["delivery_id"] for row in rows]
