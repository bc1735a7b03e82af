"""Which action may follow which state. A table, so that it can be read aloud.

`promised` says what the action needs: True a promise, False none, None does not matter. A blocked
unit (quality, recall, fraud) may only do what `blocked` permits.
"""

from dataclasses import dataclass
from enum import StrEnum

from hub.errors import StepNotAllowed, UnitBlocked, UnitPromised
from hub.vocabulary import BizStep, Disposition


class Status(StrEnum):
    """Where a unit stands in its life: one at a time, the fold of its events."""

    EXPECTED = "expected"  # announced or made, not yet here
    RECEIVED = "received"  # recorded, not yet put away
    IN_STOCK = "in_stock"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"
    SOLD = "sold"  # over a counter
    IN_TRANSFER = "in_transfer"  # between two of our own sites
    RETURNED = "returned"  # back, its disposition not yet decided
    IN_REPAIR = "in_repair"
    IN_KIT = "in_kit"  # part of another unit, where that unit is
    MISSING = "missing"  # not where it should be: its place is where it was last
    STOLEN = "stolen"
    CONDEMNED = "condemned"  # inspected and given up, to be written off
    AT_SUPPLIER = "at_supplier"  # returned to its supplier: it may come again
    WRITTEN_OFF = "written_off"
    MERGED = "merged"  # a second record of a unit, absorbed by the first: no unit of its own


class Action(StrEnum):
    """What can be commanded."""

    COMMISSION = "commission"
    RECEIVE = "receive"
    PUT_AWAY = "put_away"
    MOVE = "move"
    TRANSFER_OUT = "transfer_out"
    TRANSFER_IN = "transfer_in"
    HOLD = "hold"
    UNBLOCK = "unblock"
    ALLOCATE = "allocate"
    REALLOCATE = "reallocate"
    RELEASE = "release"
    PICK = "pick"
    PACK = "pack"
    SHIP = "ship"
    SELL = "sell"
    COLLECT = "collect"
    ACCEPT_RETURN = "accept_return"
    RESTOCK = "restock"
    REPAIR = "repair"
    QUARANTINE = "quarantine"
    CONDEMN = "condemn"
    WRITE_OFF = "write_off"
    RETURN_TO_SUPPLIER = "return_to_supplier"
    TAKE_IN = "take_in"
    HAND_BACK = "hand_back"
    LOSE = "lose"
    REPORT_STOLEN = "report_stolen"
    FIND = "find"
    COUNT = "count"
    RELOCATE = "relocate"
    ENTER_KIT = "enter_kit"
    LEAVE_KIT = "leave_kit"
    FOLLOW_KIT = "follow_kit"
    ASSEMBLE = "assemble"
    DISASSEMBLE = "disassemble"
    MAINTAIN = "maintain"
    ACTIVATE = "activate"
    CHANGE_OWNER = "change_owner"
    SENSE = "sense"
    ANNOTATE = "annotate"
    REIDENTIFY = "reidentify"
    MERGE = "merge"
    ABSORB = "absorb"
    CORRECT = "correct"


class Place(StrEnum):
    """Where a unit is after an action."""

    STAYS = "stays"
    SITE = "site"  # the given location, which must belong to the site where the unit is
    GIVEN = "given"  # the given location, wherever it is
    TRANSIT = "transit"  # between two sites
    SUPPLIER = "supplier"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table; `to` None leaves the status as it is."""

    step: BizStep
    when: frozenset[Status]
    to: Status | None
    place: Place
    promised: bool | None = None
    blocked: bool = False


S, A, B, P = Status, Action, BizStep, Place
ON_HAND = frozenset({S.RECEIVED, S.IN_STOCK, S.PICKED, S.PACKED, S.RETURNED, S.IN_REPAIR})
WITH_CUSTOMER = frozenset({S.SHIPPED, S.SOLD})
PROMISABLE = frozenset({S.IN_STOCK, S.PICKED, S.PACKED})
INSPECTED = frozenset({S.RETURNED, S.IN_REPAIR})
MOVABLE = ON_HAND | {S.CONDEMNED}
GONE = frozenset({S.EXPECTED, S.IN_TRANSFER, S.IN_KIT, S.MISSING, S.STOLEN})
FREE = MOVABLE - {S.PICKED, S.PACKED}
DISPOSABLE = FREE | GONE | {S.AT_SUPPLIER}
# What is received: what was announced, and a known unit that left us and is delivered again.
RECEIVABLE = frozenset({S.EXPECTED, S.AT_SUPPLIER, S.WRITTEN_OFF})
LOSABLE = MOVABLE | {S.EXPECTED, S.IN_TRANSFER}
LEAVING = frozenset({A.SHIP, A.SELL, A.COLLECT})  # to a customer: a sale is fulfilled
ANY = frozenset(S) - {S.MERGED}  # every unit; a merged record is none
LIVING = ANY - {S.WRITTEN_OFF}
# A record of which nothing else depends on what it says: it may end in another one.
MERGEABLE = FREE | {S.EXPECTED, S.IN_TRANSFER, S.MISSING, S.AT_SUPPLIER, S.WRITTEN_OFF}


def _in(*statuses: Status) -> frozenset[Status]:
    return frozenset(statuses)


# fmt: off
LIFECYCLE: dict[Action, Rule] = {
    A.RECEIVE:       Rule(B.RECEIVING, RECEIVABLE, S.RECEIVED, P.GIVEN, blocked=True),
    A.PUT_AWAY:      Rule(B.STORING, _in(S.RECEIVED), S.IN_STOCK, P.SITE, blocked=True),
    A.MOVE:          Rule(B.STORING, MOVABLE, None, P.SITE, blocked=True),
    A.TRANSFER_OUT:  Rule(B.SHIPPING, _in(S.IN_STOCK), S.IN_TRANSFER, P.TRANSIT, promised=False),
    A.TRANSFER_IN:   Rule(B.RECEIVING, _in(S.IN_TRANSFER), S.IN_STOCK, P.GIVEN, blocked=True),
    A.HOLD:          Rule(B.HOLDING, LIVING, None, P.STAYS, blocked=True),
    A.UNBLOCK:       Rule(B.RELEASING, ANY, None, P.STAYS, blocked=True),
    A.ALLOCATE:      Rule(B.ALLOCATING, _in(S.IN_STOCK), None, P.STAYS, promised=False),
    # The promise goes on, with another end or for the order of its cart.
    A.REALLOCATE:    Rule(B.ALLOCATING, PROMISABLE, None, P.STAYS, promised=True),
    A.RELEASE:       Rule(B.RELEASING, PROMISABLE, S.IN_STOCK, P.STAYS, promised=True,
                          blocked=True),
    A.PICK:          Rule(B.PICKING, _in(S.IN_STOCK), S.PICKED, P.STAYS, promised=True),
    A.PACK:          Rule(B.PACKING, _in(S.PICKED), S.PACKED, P.STAYS, promised=True),
    A.SHIP:          Rule(B.SHIPPING, _in(S.PICKED, S.PACKED), S.SHIPPED, P.CUSTOMER,
                          promised=True),
    A.SELL:          Rule(B.RETAIL_SELLING, _in(S.IN_STOCK), S.SOLD, P.CUSTOMER),
    A.COLLECT:       Rule(B.RETAIL_SELLING, _in(S.PICKED, S.PACKED), S.SOLD, P.CUSTOMER,
                          promised=True),
    A.ACCEPT_RETURN: Rule(B.RECEIVING, WITH_CUSTOMER, S.RETURNED, P.GIVEN, blocked=True),
    A.RESTOCK:       Rule(B.INSPECTING, INSPECTED, S.IN_STOCK, P.SITE),
    A.REPAIR:        Rule(B.REPAIRING, _in(S.RETURNED), S.IN_REPAIR, P.SITE, blocked=True),
    A.QUARANTINE:    Rule(B.INSPECTING, INSPECTED, None, P.SITE, blocked=True),
    A.CONDEMN:       Rule(B.INSPECTING, INSPECTED, S.CONDEMNED, P.SITE, blocked=True),
    A.WRITE_OFF:     Rule(B.DESTROYING, DISPOSABLE, S.WRITTEN_OFF, P.STAYS, promised=False,
                          blocked=True),
    A.RETURN_TO_SUPPLIER: Rule(B.SHIPPING, FREE, S.AT_SUPPLIER, P.SUPPLIER, promised=False,
                          blocked=True),
    # A customer's own unit comes in for service and goes back to him: nothing is sold or returned.
    A.TAKE_IN:       Rule(B.REPAIRING, WITH_CUSTOMER, S.IN_REPAIR, P.GIVEN, blocked=True),
    A.HAND_BACK:     Rule(B.SHIPPING, INSPECTED, S.SOLD, P.CUSTOMER),
    # What is lost keeps its last place; what is found is looked at before it is sold.
    A.LOSE:          Rule(B.CYCLE_COUNTING, LOSABLE, S.MISSING, P.STAYS, blocked=True),
    A.REPORT_STOLEN: Rule(B.HOLDING, LIVING - {S.IN_KIT, S.STOLEN}, S.STOLEN, P.STAYS,
                          blocked=True),
    A.FIND:          Rule(B.CYCLE_COUNTING, _in(S.MISSING, S.STOLEN), S.RETURNED, P.GIVEN,
                          blocked=True),
    A.COUNT:         Rule(B.CYCLE_COUNTING, LIVING, None, P.STAYS, blocked=True),
    A.RELOCATE:      Rule(B.CYCLE_COUNTING, MOVABLE, None, P.GIVEN, blocked=True),
    A.ENTER_KIT:     Rule(B.ASSEMBLING, _in(S.RECEIVED, S.IN_STOCK), S.IN_KIT, P.GIVEN,
                          promised=False),
    A.LEAVE_KIT:     Rule(B.DISASSEMBLING, _in(S.IN_KIT), S.RETURNED, P.GIVEN, blocked=True),
    A.FOLLOW_KIT:    Rule(B.STORING, _in(S.IN_KIT), None, P.GIVEN, blocked=True),
    A.ASSEMBLE:      Rule(B.ASSEMBLING, LIVING - {S.IN_KIT}, None, P.STAYS, blocked=True),
    A.DISASSEMBLE:   Rule(B.DISASSEMBLING, LIVING - {S.IN_KIT}, None, P.STAYS, blocked=True),
    A.MAINTAIN:      Rule(B.REPAIRING, LIVING, None, P.STAYS, blocked=True),
    A.ACTIVATE:      Rule(B.INSTALLING, LIVING, None, P.STAYS, blocked=True),
    A.CHANGE_OWNER:  Rule(B.ACCEPTING, WITH_CUSTOMER, None, P.STAYS, blocked=True),
    A.SENSE:         Rule(B.SENSOR_REPORTING, ANY, None, P.STAYS, blocked=True),
    A.ANNOTATE:      Rule(B.ANNOTATING, ANY, None, P.STAYS, blocked=True),
    # What it is called was wrong; whom it is promised to expects another product or serial.
    A.REIDENTIFY:    Rule(B.ANNOTATING, ANY, None, P.STAYS, promised=False, blocked=True),
    # Two records of one unit: one ends, the other takes its names.
    A.MERGE:         Rule(B.DECOMMISSIONING, MERGEABLE, S.MERGED, P.STAYS, promised=False,
                          blocked=True),
    A.ABSORB:        Rule(B.ANNOTATING, LIVING, None, P.STAYS, blocked=True),
}
# fmt: on

DISPOSITIONS = {
    S.EXPECTED: Disposition.ACTIVE,
    S.IN_KIT: Disposition.UNAVAILABLE,
    S.MISSING: Disposition.UNKNOWN,
    S.STOLEN: Disposition.STOLEN,
    S.RECEIVED: Disposition.IN_PROGRESS,
    S.PICKED: Disposition.IN_PROGRESS,
    S.PACKED: Disposition.IN_PROGRESS,
    S.SHIPPED: Disposition.IN_TRANSIT,
    S.SOLD: Disposition.RETAIL_SOLD,
    S.IN_TRANSFER: Disposition.IN_TRANSIT,
    S.RETURNED: Disposition.RETURNED,
    S.IN_REPAIR: Disposition.NON_SELLABLE_OTHER,
    S.CONDEMNED: Disposition.DAMAGED,
    S.AT_SUPPLIER: Disposition.RETURNED,
    S.WRITTEN_OFF: Disposition.DESTROYED,
    S.MERGED: Disposition.INACTIVE,
}


def disposition(
    status: Status, location_kind: str, *, blocked: bool, recalled: bool
) -> Disposition:
    """Say in CBV's words what a unit is, from its status, its place and its blocks."""
    if recalled:
        return Disposition.RECALLED
    if status is Status.IN_STOCK:
        if blocked:
            return Disposition.NON_SELLABLE_OTHER
        on_shelf = location_kind == "store"
        return Disposition.SELLABLE_ACCESSIBLE if on_shelf else Disposition.SELLABLE_NOT_ACCESSIBLE
    return DISPOSITIONS[status]


def allowed(status: Status, *, promised: bool, blocked: bool) -> list[Action]:
    """List what a unit permits next."""
    return [
        action
        for action, rule in LIFECYCLE.items()
        if status in rule.when
        and (rule.promised is None or rule.promised == promised)
        and (rule.blocked or not blocked)
    ]


def check(action: Action, status: Status, *, promised: bool, blocked: bool) -> Rule:
    """Return the rule of an action, or refuse with what would be allowed instead."""
    rule = LIFECYCLE[action]
    options = [str(each) for each in allowed(status, promised=promised, blocked=blocked)]
    what = action.replace("_", " ")
    if status not in rule.when:
        text = f"{what} is not possible while the unit is {status.replace('_', ' ')}"
        raise StepNotAllowed(text, allowed=options)
    if blocked and not rule.blocked:
        raise UnitBlocked(f"{what} is not possible: the unit is blocked", allowed=options)
    if rule.promised is False and promised:
        raise UnitPromised(f"{what} is not possible: the unit is promised", allowed=options)
    if rule.promised is True and not promised:
        raise StepNotAllowed(f"{what} needs a promise, and the unit has none", allowed=options)
    return rule
