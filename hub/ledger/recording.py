"""Recording: apply one action to many units, each with its own verdict.

A refused scan never affects the others. For each accepted scan the command appends an event,
updates the unit, and in the same transaction queues level updates for the listings whose quantity
changed and the facts to send to channels.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hub.catalogue import CUSTOMER, IN_TRANSIT, SUPPLIER
from hub.clock import micros
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import (
    AmbiguousUnit,
    InvalidBarcode,
    InvalidInput,
    Refused,
    StepNotAllowed,
    UnitExpired,
    UnknownUnit,
    VersionConflict,
)
from hub.ledger import promises
from hub.ledger.chronology import Chronology
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import EventWriter, Verdict, accepted, bounded, refused
from hub.ledger.holds import Holds
from hub.ledger.rules import RULES, Attempt, kit, recall
from hub.ledger.unit_writer import write_identities, write_units
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import LEAVING, LIFECYCLE, Action, Place, Rule, Status, check, disposition
from hub.storage.sql import Transaction
from hub.sync import listings, registrations

# Actions that may end the expected status of a unit: it may have been sold early.
EXPECTED_ENDS = frozenset(
    action
    for action, rule in LIFECYCLE.items()
    if Status.EXPECTED in rule.when and rule.to is not None
) | {Action.FIND, Action.HOLD, Action.UNBLOCK}
# Actions towards a customer: refused for expired units.
OUTWARD = LEAVING | {Action.ALLOCATE, Action.PICK, Action.PACK}


RAISED_AS_THEY_ARE = {
    each.code: each for each in (AmbiguousUnit, InvalidBarcode, InvalidInput, UnknownUnit)
}


def record(
    work: Work,
    command: UnitCommand,
    scans: Sequence[Scan],
    *,
    found: Sequence[UnitState | Refused] | None = None,
    decided: Mapping[int, Verdict] | None = None,
) -> list[Verdict]:
    """Apply one action to many units.

    Each unit is checked against `hub.ledger.rules` and its lifecycle independently. Parts follow
    their kit, and a hold of a part applies to its kit.

    `found` is the result of `locate` for the scans in this transaction, if nothing has changed
    since. `decided` are verdicts of the caller by the index of the scan; these units are skipped.
    Returns one verdict for each scan, in order. Raises InvalidInput for no scans or more than
    `SCANS_MAX`, StepNotAllowed if the parts of a kit cannot follow.
    """
    bounded(scans)
    found = locate(work.tx, scans) if found is None else found
    if not decided:
        return _record(work, [command] * len(scans), scans, found)
    free = [index for index in range(len(scans)) if index not in decided]
    merged = dict(decided)
    if free:
        units = [found[index] for index in free]
        done = _record(work, [command] * len(free), [scans[index] for index in free], units)
        merged |= {
            index: replace(verdict, index=index) for index, verdict in zip(free, done, strict=True)
        }
    return [merged[index] for index in range(len(scans))]


def record_one(work: Work, command: UnitCommand, scan: Scan) -> Verdict:
    """Apply one action to one unit as part of a larger command.

    Returns the verdict of an accepted scan. Raises UnknownUnit, AmbiguousUnit, InvalidBarcode or
    InvalidInput, and StepNotAllowed for every other refusal, with its message.
    """
    (verdict,) = record(work, command, [scan])
    if verdict.code is None:
        return verdict
    details = dict(verdict.details or {})
    if verdict.code in RAISED_AS_THEY_ARE:
        raise RAISED_AS_THEY_ARE[verdict.code](verdict.message or "", **details)
    raise StepNotAllowed(verdict.message or "", allowed=details.get("allowed", []))


def _record(
    work: Work,
    commands: Sequence[UnitCommand],
    scans: Sequence[Scan],
    found: Sequence[UnitState | Refused],
    *,
    follows: bool = False,
) -> list[Verdict]:
    """Apply one action with a command for each scan; `follows`: to parts after their kit."""
    command = commands[0]
    units = [each for each in found if isinstance(each, UnitState)]
    if command.action is not Action.RELEASE:
        _end_lapsed(work, units)
    attempt = Attempt(work, commands, units, follows)
    rules = [rule.prepare(attempt) for rule in RULES]
    holds = Holds(work.tx, work.context)
    holds.load(units, command.action)
    chronology = Chronology(work.tx, work.context)
    chronology.load(units)
    writer = EventWriter(work.context, work.command_id)
    before = Before(units)
    verdicts, changed = [], {}
    for index, (each, scan, unit) in enumerate(zip(commands, scans, found, strict=True)):
        try:
            if isinstance(unit, Refused):
                raise unit
            for rule in rules:
                rule.check(each, unit)
            occurred_at = chronology.time_of(unit)
            _apply(work.context, each, scan, unit, holds, writer, occurred_at)
        except Refused as refusal:
            verdicts.append(refused(index, scan.identifier, refusal, unit))
            continue
        changed[unit.id] = unit
        verdicts.append(accepted(index, scan.identifier, unit))
    if changed:
        writer.write(work.tx)
        holds.write()
        write_units(work.tx, work.context, changed.values())
        _follow_up(work, command, changed.values(), before)
    return verdicts


def _end_lapsed(work: Work, units: Sequence[UnitState]) -> None:
    """Release promises that are past their end before anything else is done to their units.

    So a promise ends at its time, whether or not a sweep has come by.
    """
    now = micros(work.context.now)
    lapsed = list({unit.id: unit for unit in units if unit.has_lapsed(now)}.values())
    if lapsed:
        release = [UnitCommand(action=Action.RELEASE)] * len(lapsed)
        _record(promises.ending(work), release, [Scan(unit.id) for unit in lapsed], lapsed)
        for unit in lapsed:
            unit.holds.clear()  # each command loads them anew


class Before:
    """State of units before a command, compared afterwards."""

    def __init__(self, units: Iterable[UnitState]) -> None:
        units = list(units)
        self.available = {unit.id: unit.is_available for unit in units}
        self.places = {unit.id: unit.location_id for unit in units if unit.members}
        self.products = {unit.product_id for unit in units}


def _follow_up(
    work: Work, command: UnitCommand, changed: Collection[UnitState], before: Before
) -> None:
    """Update listings, recalls and kits after units changed."""
    if command.action is Action.REIDENTIFY:
        write_identities(work.tx, changed)
        listings.touch(work.tx, before.products, work.context.now)
        before.available = dict.fromkeys(before.available, False)  # of their products of now
    _touch_listings(work.tx, work.context, command, changed, before.available)
    recall.note(work.tx, work.context, _followed(command) or str(command.action), changed)
    _change_kits(work, command, changed, before.places)


def _change_kits(
    work: Work,
    command: UnitCommand,
    changed: Iterable[UnitState],
    places: dict[str, str],
) -> None:
    """Apply actions of kits to their parts, and blocks of parts to their kits."""
    kits = [
        unit
        for unit in changed
        if unit.members
        and (unit.location_id != places.get(unit.id) or command.action in kit.ALWAYS_FOLLOWED)
    ]
    parts = [unit for unit in changed if unit.kit_id is not None]
    for action, chosen in (
        *kit.following(work.tx, command, kits),
        *kit.reaching(work.tx, command, parts),
    ):
        each = recall.free(work.tx, action, chosen)
        if not each:
            continue
        scans = [Scan(unit_id) for unit_id, _ in each]
        commands = [further for _, further in each]
        verdicts = _record(work, commands, scans, locate(work.tx, scans), follows=True)
        # A kit and its parts stay consistent: one refusal refuses the whole command.
        refusal = next((verdict for verdict in verdicts if not verdict.accepted), None)
        if refusal is not None:
            raise StepNotAllowed(f"{refusal.identifier}, a part: {refusal.message}", allowed=[])


def _apply(
    context: CommandContext,
    command: UnitCommand,
    scan: Scan,
    unit: UnitState,
    holds: Holds,
    writer: EventWriter,
    occurred_at: int | None,
) -> None:
    """Check everything, then change the unit in memory and append its event.

    `occurred_at`, in microseconds, stands in for the time of the command.
    """
    unchanged(scan, unit)
    if command.action is Action.REIDENTIFY and command.identity is None:
        raise InvalidInput("say the right serial or product", field="serial")
    if command.action is Action.MERGE and command.into is None:
        raise InvalidInput("name the record that stays", field="keep")
    promised = unit.promised_to is not None
    rule = check(command.action, unit.status, promised=promised, blocked=unit.blocks > 0)
    promises.same(context, command, unit)
    if command.action in OUTWARD:
        fresh(context, unit)
    place = _place(command, rule, unit)
    before = (unit.status, unit.disposition, unit.location_id)
    holds.apply(command, unit)  # refuses before anything is changed
    unit.status = rule.to or unit.status
    unit.location_id, unit.location_kind, unit.site_id = place
    unit.disposition = disposition(
        unit.status,
        unit.location_kind,
        blocked=unit.blocks > 0,
        recalled="recall" in unit.holds,
    )
    _mark(context, command, unit)
    unit.version += 1
    unit.hash = writer.append(
        unit_id=unit.id,
        version=unit.version,
        action=str(command.action),
        biz_step=str(command.step or rule.step),
        status_from=str(before[0]),
        status=str(unit.status),
        disposition_from=before[1],
        disposition=str(unit.disposition),
        location_from=before[2],
        location_to=unit.location_id,
        details=_details(command, scan, context, occurred_at),
        previous_hash=unit.hash,
        **({} if occurred_at is None else {"occurred_at": occurred_at}),
    )


def unchanged(scan: Scan, unit: UnitState) -> None:
    """Raise VersionConflict for a unit that is not at the expected version."""
    if scan.expected_version is not None and scan.expected_version != unit.version:
        raise VersionConflict(
            f"the unit is at version {unit.version}, not {scan.expected_version}",
            version=unit.version,
        )


def fresh(context: CommandContext, unit: UnitState) -> None:
    """Raise UnitExpired for a unit past its last day on the day of the command."""
    today = (context.occurred_at or context.now).date().isoformat()
    if unit.expires_on is not None and unit.expires_on < today:
        raise UnitExpired(f"the unit expired on {unit.expires_on}", expires_on=unit.expires_on)


def _place(command: UnitCommand, rule: Rule, unit: UnitState) -> tuple[str, str, str]:
    here = (unit.location_id, unit.location_kind, unit.site_id)
    match rule.place:
        case Place.CUSTOMER:
            return CUSTOMER, "customer", CUSTOMER
        case Place.TRANSIT:
            _destination(command, unit)
            return IN_TRANSIT, "in_transit", IN_TRANSIT
        case Place.SUPPLIER:
            return SUPPLIER, "supplier", SUPPLIER
        case Place.SITE if command.location is not None:
            if command.location["site_id"] != unit.site_id:
                raise StepNotAllowed(
                    "the unit is at another site: transfer it there first", allowed=["transfer_out"]
                )
            return (
                command.location["id"],
                command.location["kind"],
                command.location["site_id"],
            )
        case Place.GIVEN:
            if command.location is None:
                raise InvalidInput("say where the unit is now", field="location")
            return (
                command.location["id"],
                command.location["kind"],
                command.location["site_id"],
            )
    return here


def _destination(command: UnitCommand, unit: UnitState) -> None:
    if command.location is None:
        raise InvalidInput("say where the transfer goes", field="location")
    if command.location["site_id"] == unit.site_id:
        raise StepNotAllowed("the unit is at that site already: move it", allowed=["move"])


def _mark(context: CommandContext, command: UnitCommand, unit: UnitState) -> None:
    """Set the fields beside the state: sold, received, grade, condition, kit and parts."""
    # A part is sold with its kit and comes back with it: its warranty is its own.
    followed = _followed(command)
    at_customer = command.action is Action.ENTER_KIT and unit.location_id == CUSTOMER
    if command.action in LEAVING or followed in LEAVING or at_customer:
        unit.sold_at = micros(context.now)
    if Action.RESTOCK in {command.action, followed}:
        unit.sold_at = unit.order_line_id = None
    unit.grade = command.grade or unit.grade
    unit.condition = command.condition or unit.condition
    match command.action:
        case Action.RECEIVE:
            unit.received_at = micros(context.now)
            unit.sold_at = unit.order_line_id = None  # of its life before, if it had one
        case Action.FIND if unit.received_at is None:  # given up in transit, and arrived after all
            unit.received_at = micros(context.now)
        case Action.REIDENTIFY if command.identity is not None:
            unit.serial, unit.sku = command.identity.serial, command.identity.sku
            unit.product_id = command.identity.product_id
            unit.manufacturer_id = command.identity.manufacturer_id
        case Action.MERGE:
            unit.merged_into = command.into
        case Action.ENTER_KIT | Action.LEAVE_KIT:
            unit.kit_id = command.kit
        case Action.ASSEMBLE | Action.DISASSEMBLE:
            unit.members = command.members or 0


def _followed(command: UnitCommand) -> str | None:
    """Return the action of the kit that a part follows."""
    if command.action is not Action.FOLLOW_KIT:
        return None
    return (command.details or {}).get("action")


def _details(
    command: UnitCommand, scan: Scan, context: CommandContext, occurred_at: int | None
) -> dict[str, Any] | None:
    details = {**(command.details or {}), **(scan.facts or {})}
    if context.occurred_at is not None:
        if occurred_at is not None:
            details["stated_at"] = context.occurred_at.isoformat()
        if context.occurred_at.utcoffset():
            details["utc_offset"] = context.occurred_at.strftime("%z")
    if command.action is Action.TRANSFER_OUT and command.location is not None:
        details["destination"] = command.location["code"]
    for name in (
        "line",
        "hold_kind",
        "hold_reference",
        "grade",
        "condition",
        "kit",
        "members",
        "into",
    ):
        if (value := getattr(command, name)) is not None:
            details[name] = value
    return details or None


def _came_back(tx: Transaction, context: CommandContext, units: Iterable[UnitState]) -> None:
    """Store the order lines of returned units, because restocking clears them."""
    tx.run_many(
        "INSERT INTO line_return(order_line_id, unit_id, returned_at) "
        "VALUES(:line, :unit, :now) ON CONFLICT(order_line_id, unit_id) "
        "DO UPDATE SET returned_at = excluded.returned_at, times = line_return.times + 1",
        [
            {"line": unit.order_line_id, "unit": unit.id, "now": micros(context.now)}
            for unit in units
            if unit.order_line_id is not None
        ],
    )


def never_came_back(tx: Transaction, unit: UnitState) -> None:
    """Remove one return of a unit from its order line, after an error declaration."""
    tx.run(
        "UPDATE line_return SET times = times - 1 "
        "WHERE order_line_id = :line AND unit_id = :unit AND times > 0",
        line=unit.order_line_id,
        unit=unit.id,
    )


def _touch_listings(
    tx: Transaction,
    context: CommandContext,
    command: UnitCommand,
    units: Iterable[UnitState],
    was_available: dict[str, bool],
) -> None:
    # A move inside a site changes no level: channels count by site, not by bin.
    touched = {unit.product_id for unit in units if unit.is_available != was_available[unit.id]}
    if command.action is Action.RELOCATE:  # free before and after, but at another site
        touched |= {unit.product_id for unit in units if unit.is_available}
    listings.touch(tx, touched, context.now, {unit.id for unit in units})
    if command.action in EXPECTED_ENDS:
        listings.touch_early(tx, {unit.product_id for unit in units} - touched, context.now)
    if command.action is Action.ACCEPT_RETURN:
        _came_back(tx, context, units)
    # A part is registered with its own manufacturer when its kit is sold.
    if command.action in LEAVING or _followed(command) in LEAVING:
        registrations.request(tx, units, context.now)
