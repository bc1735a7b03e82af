"""Receiving: units that arrive are checked; new ones get their records, expected ones go on."""

from collections.abc import Sequence
from dataclasses import replace

from hub import ledger
from hub.catalogue import SUPPLIER, reference
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import Refused
from hub.identifiers.labels import own_serials
from hub.inbound import ship_notices
from hub.ledger import commissioning
from hub.ledger.command import UnitCommand
from hub.ledger.commissioning import (
    RECEIPT,
    UNIT_COLUMNS,
    Admitted,
    Arrival,
    Condition,
    Origin,
    RecordOrigin,
)
from hub.ledger.event_writer import EventWriter, Verdict, accepted, bounded, refused
from hub.ledger.units import Scan
from hub.lifecycle import Action, Status
from hub.recalls import recall_catch
from hub.storage.rows import LocationRow
from hub.storage.sql import Row, Transaction
from hub.sync import listings
from hub.vocabulary import BizStep

__all__ = ["UNIT_COLUMNS", "Arrival", "commission", "receive", "unlabelled"]


def receive(
    work: Work,
    arrivals: Sequence[Arrival],
    place: LocationRow,
    *,
    put_away: bool = False,
    delivery: Row | None = None,
) -> list[Verdict]:
    """Record units that arrive; `put_away` makes them sellable in the same step.

    A unit that is expected goes on with the record that it has; every other gets its own, linked
    to the delivery that is named.
    """
    bounded(arrivals)
    if delivery is not None:
        arrivals = [_of_delivery(each, delivery) for each in arrivals]
    steps = (Action.RECEIVE, Action.PUT_AWAY) if put_away else (Action.RECEIVE,)
    admitted = commissioning.admit(work.tx, work.context, arrivals, *steps, expected=True)
    delivery_id = delivery["id"] if delivery else None
    awaited = {
        index: each
        for index, each in enumerate(admitted)
        if isinstance(each, Admitted) and each.expected_id
    }
    touched = [*_touched(work.tx, awaited), *([delivery_id] if delivery_id else [])]
    ship_notices.lock(work.tx, touched)
    verdicts = _commission(work, admitted, place, RECEIPT, put_away, delivery_id)
    if awaited:
        verdicts |= _arrived(work, awaited, place, put_away=put_away)
    if touched:
        ship_notices.look_again(work.tx, work.context, touched)
    verdicts = recall_catch.catch_recorded(work, verdicts)
    for index, each in enumerate(admitted):
        if isinstance(each, Refused):
            verdicts[index] = refused(index, arrivals[index].serial, each, None)
    return [_named(verdicts[index], each.serial) for index, each in enumerate(arrivals)]


def _named(verdict: Verdict, read: str) -> Verdict:
    """Name a unit in its verdict as it was named in the command."""
    return verdict if verdict.identifier == read else replace(verdict, identifier=read)


def commission(
    work: Work,
    arrivals: Sequence[Arrival],
    place: LocationRow | None,
    *,
    point: RecordOrigin,
) -> list[Verdict]:
    """Give units their records before any receipt (CBV commissioning).

    Without a place they are still with the supplier, and expected; with one they are there.
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
    """Write the records of new units that `ledger.commissioning` has admitted, where they are."""
    verdicts = _commission(work, admitted, place, origin, put_away, None)
    return [verdicts[index] for index in range(len(admitted))]


def unlabelled(pattern: Arrival, count: int) -> list[Arrival]:
    """Make arrivals with serials of our own, for units that bear none."""
    return [replace(pattern, serial=serial) for serial in own_serials(count)]


def _commission(
    work: Work,
    admitted: Sequence[Admitted | Refused],
    place: LocationRow,
    origin: Origin,
    put_away: bool,
    delivery_id: str | None,
) -> dict[int, Verdict]:
    """Write the records of those that are new; return their verdicts by their places."""
    new = {
        index: each
        for index, each in enumerate(admitted)
        if isinstance(each, Admitted) and not each.expected_id
    }
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
    return {
        index: accepted(index, unit.serial, unit) for index, unit in zip(new, units, strict=True)
    }


def _of_delivery(arrival: Arrival, delivery: Row) -> Arrival:
    return replace(
        arrival,
        supplier=arrival.supplier or delivery["supplier"],
        purchase_order=arrival.purchase_order or delivery["purchase_order"],
    )


def _arrived(
    work: Work,
    awaited: dict[int, Admitted],
    place: LocationRow,
    *,
    put_away: bool,
) -> dict[int, Verdict]:
    """Record that expected units came; one that was given up meanwhile is found again."""
    ids = sorted({str(each.expected_id) for each in awaited.values()})
    given_up = {
        row["id"]
        for row in work.tx.rows(
            "SELECT id FROM unit WHERE id IN (:ids...) AND status = 'missing'", ids=ids
        )
    }
    steps: dict[tuple[Action, Condition], dict[int, Admitted]] = {}
    for index, each in awaited.items():
        action = Action.FIND if each.expected_id in given_up else Action.RECEIVE
        steps.setdefault((action, each.arrival.condition), {})[index] = each
    verdicts: dict[int, Verdict] = {}
    for (action, condition), chosen in steps.items():
        command = UnitCommand(action=action, location=place, condition=str(condition))
        verdicts |= _step(work, command, chosen)
    came = {index: each for index, each in awaited.items() if verdicts[index].accepted}
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
    told = command.action is not Action.PUT_AWAY
    scans = [
        Scan(str(each.expected_id), facts=commissioning.facts(each.arrival) if told else None)
        for each in chosen.values()
    ]
    done = ledger.record(work, command, scans)
    return {
        index: replace(verdict, index=index) for index, verdict in zip(chosen, done, strict=True)
    }


def _complete(tx: Transaction, context: CommandContext, came: dict[int, Admitted]) -> None:
    """Keep what only the receipt could tell; what was known before stays."""
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
        (row["scheme"], row["canonical"])
        for row in tx.rows(
            "SELECT scheme, canonical FROM identifier WHERE unit_id IN (:ids...)",
            ids=sorted({name[0] for name in names}),
        )
    }
    commissioning.add_names(
        tx, context, [name for name in names if commissioning.name_of(name) not in known]
    )


def _touched(tx: Transaction, awaited: dict[int, Admitted]) -> list[str]:
    """Return the deliveries that announced units which came."""
    if not awaited:
        return []
    rows = tx.rows(
        "SELECT DISTINCT delivery_id FROM unit WHERE id IN (:ids...) AND delivery_id IS NOT NULL",
        ids=sorted({str(each.expected_id) for each in awaited.values()}),
    )
    return [row["delivery_id"] for row in rows]
