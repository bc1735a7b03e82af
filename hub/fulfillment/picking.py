"""Directed picking: the units of each line by serial and bin, and substitution of picked units.

Picking another unit than the directed one is refused, or substitutes it explicitly: the allocation
moves to the picked unit, with the reason in both histories.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict

from hub import ledger
from hub.catalogue import SELLING_KINDS, Picking, capture_points, reference
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.decision_rules import Priority
from hub.errors import InvalidInput, Refused, StepNotAllowed, WrongUnit
from hub.fulfillment.priorities import ORDER, PriorityFacts, Ranking, day_of
from hub.ledger import promises, record_one
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, bounded, refused
from hub.ledger.rules import Attempt, order
from hub.ledger.rules.order import (
    NOT_HELD,
    CheckedLineRow,
    DirectedUnit,
    directed,
    require_free,
)
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import Action, Status, check
from hub.orders import order_lookup
from hub.orders.allocation import broken_rule
from hub.orders.order_lookup import line_of
from hub.storage.paging import page_size
from hub.storage.sql import Transaction

REASON_CHARS_MAX = 200
PICKS_MAX = 2_000  # looked at to find the most urgent

PICKS = (
    "SELECT unit.id, unit.serial, unit.lot, unit.expires_on, unit.received_at, "
    "location.code AS bin, location.name AS bin_name, place.code AS site, "
    "order_line.id AS line_id, order_line.ref AS line_ref, order_line.quantity, "
    "product.sku, product.name AS product_name, product.category, product.value, "
    "sales_order.id AS order_id, sales_order.number, sales_order.placed_at, sales_order.tags, "
    "sales_order.promised_on, sales_order.ship_by, "
    "channel.code AS channel_code FROM unit "
    "JOIN location ON location.id = unit.location_id "
    "JOIN location AS place ON place.id = location.site_id "
    "JOIN order_line ON order_line.id = unit.order_line_id "
    "JOIN sales_order ON sales_order.id = order_line.order_id "
    "JOIN channel ON channel.id = sales_order.channel_id "
    "JOIN product ON product.id = unit.product_id "
    "WHERE unit.promised_to IS NOT NULL AND unit.status = 'in_stock' "
    f"AND sales_order.state NOT IN ('cancelled', 'draft') AND {NOT_HELD} "
)


class PickRow(TypedDict):
    """A row of `PICKS`: a unit to pick, with its bin, order line, product and order."""

    id: str
    serial: str
    lot: str | None
    expires_on: str | None
    received_at: int | None
    bin: str
    bin_name: str
    site: str
    line_id: str
    line_ref: str
    quantity: int
    sku: str
    product_name: str
    category: str | None
    value: int | None
    order_id: str
    number: str
    placed_at: int
    tags: str
    promised_on: str | None
    ship_by: int | None
    channel_code: str


class RankedPickRow(PickRow):
    """A unit to pick with its priority and the code of the deciding rule."""

    kind: str
    priority: Priority
    rule: str


class SwappedUnit(TypedDict):
    """The columns of a unit that a substitution reads."""

    id: str
    serial: str
    expires_on: str | None
    received_at: int | None


@dataclass(frozen=True, slots=True)
class Substitution:
    """A picked unit that replaced the directed one; `broken` is the picking rule it breaks."""

    picked: Verdict
    picked_id: str
    directed_id: str
    broken: Picking | None


def pick_list(
    tx: Transaction, now: datetime, *, order_id: str | None, site_id: str | None, first: int
) -> list[RankedPickRow]:
    """Return the most urgent units to pick, for an order or at a site, sorted by bin.

    Raises InvalidInput unless exactly one of order and site is given.
    """
    if (order_id is None) == (site_id is None):
        raise InvalidInput("name an order or a location, and one only", field="orderId")
    ranking = Ranking(tx, now)
    picks = [_ranked(ranking, row) for row in _picks(tx, order_id, site_id)]
    picks.sort(key=lambda row: (ORDER.index(row["priority"]), row["placed_at"]))
    return sorted(picks[: page_size(first)], key=lambda row: (row["bin"], row["id"]))


def _ranked(ranking: Ranking, row: PickRow) -> RankedPickRow:
    kind = str(Action.PICK)
    facts: PriorityFacts = {
        "sku": row["sku"],
        "category": row["category"],
        "channel_code": row["channel_code"],
        "kind": kind,
        "value": row["value"],
        "tags": row["tags"],
        "promised_on": row["promised_on"] or day_of(row["ship_by"]),
    }
    priority, rule = ranking.of(facts, row["placed_at"])
    return {**row, "kind": kind, "priority": priority, "rule": rule}


def _picks(tx: Transaction, order_id: str | None, site_id: str | None) -> list[PickRow]:
    condition = "AND sales_order.id = :of " if order_id else "AND location.site_id = :of "
    return tx.rows_as(
        PickRow,
        f"{PICKS}{condition}ORDER BY sales_order.placed_at, sales_order.id, location.code, unit.id "
        "LIMIT :limit",
        of=order_id or site_id,
        limit=PICKS_MAX,
    )


def pick(
    work: Work,
    scans: Sequence[Scan],
    *,
    line_id: str | None = None,
    substitute: bool = False,
) -> list[Verdict]:
    """Pick units; with a line, only units that are allocated to it.

    Another unit is refused with the directed serials. With `substitute` and a reason it replaces a
    directed unit that was not scanned, if possible. Returns one verdict for each scan. Raises
    InvalidInput for a missing line or reason, UnknownReference for an unknown line, StepNotAllowed
    for a cancelled order, OrderOnHold for one on hold.
    """
    bounded(scans)
    command = UnitCommand(action=Action.PICK, line=line_id)
    if line_id is None:
        if substitute:
            raise InvalidInput("say for which line it is a substitute", field="orderLineId")
        return ledger.record(work, command, scans)
    if substitute:
        _reasoned(work.context)
    line = line_of(work.tx, line_id)
    require_free(line["order_state"], line["number"], line["hold"], line["hold_override"])
    # Locked together, so that two concurrent substitutions on a line never deadlock.
    meant = [Scan(each["id"]) for each in directed(work.tx, line_id)] if substitute else []
    found = locate(work.tx, [*scans, *meant])[: len(scans)]
    own = directed(work.tx, line_id)
    read = {unit.id for unit in found if isinstance(unit, UnitState)}
    spare = [each for each in own if each["id"] not in read]
    verdicts = _refused_by_order(work, command, scans, found)
    taken: set[str] = set()
    for index, (scan, unit) in enumerate(zip(scans, found, strict=True)):
        if index in verdicts or not isinstance(unit, UnitState):
            continue
        if _is_of(unit, line_id) or unit.id in taken:
            continue
        try:
            if not (substitute and spare):
                raise _wrong(unit, line, own)
            _may_replace(work.tx, work.context, unit, line, own, scan)
        except Refused as refusal:
            verdicts[index] = refused(index, scan.identifier, refusal, unit)
            continue
        taken.add(unit.id)
        done = _replace(work, line, spare.pop(0), scan, unit.id)
        verdicts[index] = replace(done.picked, index=index)
    return ledger.record(work, command, scans, decided=verdicts)


def _refused_by_order(
    work: Work,
    command: UnitCommand,
    scans: Sequence[Scan],
    found: Sequence[UnitState | Refused],
) -> dict[int, Verdict]:
    """Return the verdicts of units that their orders refuse: these are never substituted."""
    units = [each for each in found if isinstance(each, UnitState)]
    refusals = order.refusals(Attempt(work, [command], units), found)
    return {
        index: refused(index, scans[index].identifier, refusal, unit)
        for index, (refusal, unit) in refusals.items()
    }


def substitute(
    work: Work,
    line_id: str,
    meant: Scan,
    picked: Scan,
) -> Substitution:
    """Pick another unit than the directed one, which is released; both histories hold the reason.

    Raises the refusal of a unit that cannot be allocated, WrongUnit for another product or a unit
    that is not directed, StepNotAllowed if the directed unit is packed or shipped already.
    """
    _reasoned(work.context)
    line = line_of(work.tx, line_id)
    require_free(line["order_state"], line["number"], line["hold"], line["hold_override"])
    old, new = locate(work.tx, [meant, picked])
    for unit in (old, new):
        if isinstance(unit, Refused):
            raise unit
    assert isinstance(old, UnitState)
    assert isinstance(new, UnitState)
    own = directed(work.tx, line_id)
    if old.id == new.id:
        raise InvalidInput("a unit does not take its own place", field="picked")
    if not _is_of(old, line_id):
        raise _wrong(old, line, own)
    if old.status not in {Status.IN_STOCK, Status.PICKED}:
        raise StepNotAllowed(f"the unit is {old.status} already", allowed=[])
    _may_replace(work.tx, work.context, new, line, own, picked)
    row = work.tx.row_as(
        SwappedUnit,
        "SELECT id, serial, expires_on, received_at FROM unit WHERE id = :id",
        id=old.id,
    )
    assert row is not None
    return _replace(work, line, row, picked, new.id)


def _reasoned(context: CommandContext) -> None:
    if not 0 < len((context.reason or "").strip()) <= REASON_CHARS_MAX:
        raise InvalidInput(
            f"say why another unit is taken, in 1 to {REASON_CHARS_MAX} characters", field="reason"
        )


def _is_of(unit: UnitState, line_id: str) -> bool:
    return unit.promised_to is not None and unit.order_line_id == line_id


def _wrong(unit: UnitState, line: CheckedLineRow, own: Sequence[DirectedUnit]) -> WrongUnit:
    serials = [each["serial"] for each in own]
    meant = ", ".join(serials[:5]) or "none is left to be picked"
    text = f"{unit.serial} is not promised to this line of {line['number']}: pick {meant}"
    return WrongUnit(text, directed=serials)


def _may_replace(
    tx: Transaction,
    context: CommandContext,
    unit: UnitState,
    line: CheckedLineRow,
    own: Sequence[DirectedUnit],
    scan: Scan,
) -> None:
    """Raise the refusal of a unit that cannot be allocated to a line now."""
    if unit.product_id != line["product_id"]:
        raise WrongUnit(
            f"the line asks for {line['product_sku'] or line['sku']}, and this is a {unit.sku}",
            directed=[each["serial"] for each in own],
        )
    promised = promises.binds(context, unit)
    check(Action.ALLOCATE, unit.status, promised=promised, blocked=unit.blocks > 0)
    ledger.unchanged(scan, unit)
    ledger.fresh(context, unit)
    capture_points.demand(context, reference(tx, "product", "id", unit.product_id), Action.PICK)
    if unit.location_kind not in SELLING_KINDS:
        raise StepNotAllowed(f"nothing is sold from {unit.location_kind}", allowed=["move"])


def _replace(
    work: Work,
    line: CheckedLineRow,
    old: SwappedUnit | DirectedUnit,
    scan: Scan,
    new_id: str,
) -> Substitution:
    """Release the old unit, allocate and pick the new one, all or nothing."""
    new = work.tx.row_as(
        SwappedUnit,
        "SELECT id, serial, expires_on, received_at FROM unit WHERE id = :id",
        id=new_id,
    )
    assert new is not None
    assert line["product_id"] is not None  # only mapped lines have allocated units
    rule = reference(work.tx, "product", "id", line["product_id"])["picking"]
    broken = broken_rule(rule, old, new)
    details = {"rule_broken": str(broken)} if broken else {}
    context = order_lookup.documented(work.context, line["number"])

    def do(command: UnitCommand, unit_id: str) -> Verdict:
        return record_one(work.within(context), command, Scan(unit_id))

    do(UnitCommand(action=Action.RELEASE, details={"substituted_by": new_id, **details}), old["id"])
    promise = UnitCommand(
        action=Action.ALLOCATE,
        line=line["id"],
        hold_reference=line["number"],
        details={"channel": line["channel_code"], "substitutes": old["id"], **details},
    )
    do(promise, new_id)
    picking = UnitCommand(action=Action.PICK, line=line["id"], details={"substitutes": old["id"]})
    verdict = do(picking, new_id)
    picked = replace(verdict, identifier=scan.identifier)
    return Substitution(picked=picked, picked_id=new_id, directed_id=old["id"], broken=broken)
