"""Findings of return checks, and the built-in decision rules."""

from dataclasses import dataclass
from enum import StrEnum

from hub.decision_rules import RANK_MAX, Conditions, ReturnDecision, Route, Rule, Topic


class ReturnFinding(StrEnum):
    """Finding about a returned item."""

    UNKNOWN_SERIAL = "unknown_serial"  # no unit of ours ever bore it
    AMBIGUOUS_SERIAL = "ambiguous_serial"  # several units bear it: the product must be named
    COUNTERFEIT = "counterfeit"  # the true unit is elsewhere, or no such serial was ever issued
    SWAPPED = "swapped"  # the unit is not one of the order
    PRODUCT_MISMATCH = "product_mismatch"  # it is another product than it should be
    ALREADY_RETURNED = "already_returned"
    ALREADY_REFUNDED = "already_refunded"
    STOLEN = "stolen"
    WRITTEN_OFF = "written_off"
    MISSING = "missing"  # it was lost from our stock, and never sold
    FRAUD_HOLD = "fraud_hold"
    PART_OF_SET = "part_of_set"  # it was sold in a set, which comes back as a whole
    NOT_SOLD_BY_US = "not_sold_by_us"  # known, but never sold here
    UNKNOWN_ORDER = "unknown_order"  # nothing was sold under the order or receipt that is named
    BUYER_MISMATCH = "buyer_mismatch"  # somebody else bought it
    SOLD_ELSEWHERE = "sold_elsewhere"  # by a channel, or by another of our stores
    RECALLED = "recalled"
    ANNOUNCED = "announced"  # its channel agreed to the return
    REFUND_MADE = "refund_made"  # its channel has refunded it, and it is to come back
    OUTSIDE_WINDOW = "outside_window"  # the days in which it may come back are over


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding with its message for staff at the counter."""

    code: ReturnFinding
    message: str


F, D = ReturnFinding, ReturnDecision
# Possible fraud: a person reviews these.
SUSPECT = frozenset({
    F.COUNTERFEIT, F.SWAPPED, F.PRODUCT_MISMATCH, F.ALREADY_REFUNDED, F.STOLEN, F.WRITTEN_OFF,
    F.FRAUD_HOLD,
})  # fmt: skip
NEXT = {
    D.ACCEPT: "Take the unit in (acceptReturn), then refund (recordRefund).",
    D.REFUSE: "Do not refund. Say why, and leave the unit with the customer.",
    D.REFER: "Ask a person with the scope OPS to decide; do not refund before.",
}
STEPS = {
    F.UNKNOWN_SERIAL: "Serial not found: do not refund. A case is open; read the label once more.",
    F.AMBIGUOUS_SERIAL: "Several makers use this serial: name the product and check again.",
    F.COUNTERFEIT: "Do not refund and do not accept: keep the evidence, a case is open.",
    F.STOLEN: "Do not refund. The unit is reported stolen: follow your rule for stolen goods.",
    F.MISSING: "Do not refund: it was never sold. Record it as found, and keep it.",
    F.PART_OF_SET: "Check the whole set, or take this part out of its set first.",
    F.ANNOUNCED: "Take the unit in (acceptReturn): its channel expects it, and refunds it there.",
    F.REFUND_MADE: "Take the unit in (acceptReturn). Do not refund: its channel has.",
    F.RECALLED: "Take the unit in under its recall; it stays blocked.",
}


def _fixed(rank: int, finding: ReturnFinding, decision: ReturnDecision, name: str) -> Rule:
    return Rule(
        topic=Topic.RETURN,
        code=finding.replace("_", "-"),
        name=name,
        rank=rank,
        conditions=Conditions(findings=(str(finding),)),
        decision=str(decision),
        fixed=True,
        built_in=True,
    )


def _rule(place: int, code: str, name: str, fits: Conditions, decision: ReturnDecision) -> Rule:
    return Rule(
        topic=Topic.RETURN,
        code=code,
        name=name,
        rank=RANK_MAX + place,
        conditions=fits,
        decision=str(decision),
        built_in=True,
    )


def _route(place: int, code: str, name: str, fits: Conditions, decision: Route) -> Rule:
    return Rule(
        topic=Topic.ROUTE,
        code=code,
        name=name,
        rank=RANK_MAX + place,
        conditions=fits,
        decision=str(decision),
        built_in=True,
    )


RETURN_RULES = (
    _fixed(1, F.UNKNOWN_SERIAL, D.REFUSE, "Serial not found: no refund"),
    _fixed(2, F.AMBIGUOUS_SERIAL, D.REFER, "Several units bear the serial"),
    _fixed(3, F.COUNTERFEIT, D.REFUSE, "A counterfeit is not taken back"),
    _fixed(4, F.STOLEN, D.REFUSE, "A stolen unit is not paid for"),
    _fixed(5, F.WRITTEN_OFF, D.REFUSE, "A unit that was destroyed can not come back"),
    _fixed(6, F.ALREADY_REFUNDED, D.REFUSE, "One sale is refunded once"),
    _fixed(7, F.ALREADY_RETURNED, D.REFUSE, "The unit is back already"),
    _fixed(8, F.SWAPPED, D.REFUSE, "Only the unit that was sold on the order comes back"),
    _fixed(9, F.PRODUCT_MISMATCH, D.REFUSE, "Only the product that was sold comes back"),
    _fixed(10, F.MISSING, D.REFUSE, "What was never sold is not refunded"),
    _fixed(11, F.FRAUD_HOLD, D.REFER, "A fraud hold is decided by a person"),
    _fixed(12, F.PART_OF_SET, D.REFER, "A part of a set is decided by a person"),
    _rule(10, "not-sold-by-us", "What was bought elsewhere goes back there",
          Conditions(findings=(str(F.NOT_SOLD_BY_US),)), D.REFUSE),
    _rule(20, "recalled", "A recalled unit is always taken back",
          Conditions(findings=(str(F.RECALLED),)), D.ACCEPT),
    _rule(30, "unknown-order", "Nothing is known of the order or receipt",
          Conditions(findings=(str(F.UNKNOWN_ORDER),)), D.REFER),
    _rule(40, "buyer-mismatch", "Somebody else bought it",
          Conditions(findings=(str(F.BUYER_MISMATCH),)), D.REFER),
    _rule(42, "refund-made", "Its channel refunded it: it comes back, and is not refunded again",
          Conditions(findings=(str(F.REFUND_MADE),)), D.ACCEPT),
    _rule(44, "announced", "Its channel agreed to the return",
          Conditions(findings=(str(F.ANNOUNCED),)), D.ACCEPT),
    _rule(50, "outside-window", "The days in which it may come back are over",
          Conditions(findings=(str(F.OUTSIDE_WINDOW),)), D.REFUSE),
    _rule(60, "damaged", "What is damaged is looked at by a person",
          Conditions(conditions=("damaged",)), D.REFER),
    _rule(99, "in-window", "The unit that was sold, in time", Conditions(), D.ACCEPT),
)  # fmt: skip

FAULTS = ("defective", "broken", "faulty", "dead on arrival", "damaged in transit")
ROUTE_RULES = (
    _route(10, "recalled", "A recalled unit is set aside under its recall",
           Conditions(recalled=True), Route.QUARANTINE),
    _route(20, "grade-d", "Grade D is written off", Conditions(grades=("D",)), Route.WRITE_OFF),
    _route(30, "grade-e", "Grade E is recycled", Conditions(grades=("E",)), Route.RECYCLE),
    _route(40, "grade-c", "Grade C is repaired", Conditions(grades=("C",)), Route.REPAIR),
    _route(50, "faulty", "What came back with a fault is repaired, until it is graded",
           Conditions(reasons=FAULTS), Route.REPAIR),
    _route(60, "good", "Grades A and B go back into stock",
           Conditions(grades=("A", "B")), Route.RESTOCK),
    _route(70, "unopened", "What is as new goes back into stock",
           Conditions(conditions=("new",)), Route.RESTOCK),
    _route(99, "undecided", "No rule fits: a person decides", Conditions(), Route.REFER),
)  # fmt: skip
