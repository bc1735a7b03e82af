"""Findings about warranty claims, and the built-in claim rules."""

from enum import StrEnum

from hub.decision_rules import RANK_MAX, ClaimDecision, Conditions, Rule, Topic


class ClaimFinding(StrEnum):
    """A finding about a claim."""

    SWAPPED = "swapped"  # the unit is not the one that was sold to this customer or order
    STOLEN = "stolen"
    WRITTEN_OFF = "written_off"
    NOT_SOLD = "not_sold"  # no customer has it
    ALREADY_REPLACED = "already_replaced"  # another unit was given for it
    CLAIM_IS_OPEN = "claim_is_open"  # another claim about it waits for its decision or its end
    MAKER_DENIES = "maker_denies"  # the maker says that this can not be one of its serials
    MAKER_UNKNOWN = "maker_unknown"  # the maker does not know the serial
    MAKER_NOT_ASKED = "maker_not_asked"  # nothing is known of what the maker says
    MAKER_STALE = "maker_stale"  # what the maker said is old
    RECALLED = "recalled"
    REPEATED = "repeated"  # it was repaired several times since it was sold
    FRAUD_HOLD = "fraud_hold"


F, D = ClaimFinding, ClaimDecision
SUSPECT = frozenset({F.SWAPPED, F.STOLEN, F.WRITTEN_OFF, F.ALREADY_REPLACED, F.MAKER_DENIES})
REPAIRS_MANY = 3


def _fixed(rank: int, finding: ClaimFinding, decision: ClaimDecision, name: str) -> Rule:
    return Rule(
        topic=Topic.CLAIM,
        code=finding.replace("_", "-"),
        name=name,
        rank=rank,
        conditions=Conditions(findings=(str(finding),)),
        decision=str(decision),
        fixed=True,
        built_in=True,
    )


def _rule(place: int, code: str, name: str, fits: Conditions, decision: ClaimDecision) -> Rule:
    return Rule(
        topic=Topic.CLAIM,
        code=code,
        name=name,
        rank=RANK_MAX + place,
        conditions=fits,
        decision=str(decision),
        built_in=True,
    )


CLAIM_RULES = (
    _fixed(1, F.SWAPPED, D.REFUSE, "Only the unit that was sold is covered"),
    _fixed(2, F.STOLEN, D.REFUSE, "A stolen unit has no claim"),
    _fixed(3, F.WRITTEN_OFF, D.REFUSE, "A unit that was destroyed has no claim"),
    _fixed(4, F.ALREADY_REPLACED, D.REFUSE, "A failed unit is replaced once"),
    _fixed(5, F.NOT_SOLD, D.REFUSE, "What no customer has is not claimed"),
    _fixed(6, F.CLAIM_IS_OPEN, D.REFER, "A claim about the unit is open already"),
    _fixed(7, F.MAKER_DENIES, D.REFER, "The manufacturer does not own the serial"),
    _fixed(8, F.FRAUD_HOLD, D.REFER, "A fraud hold is decided by a person"),
    _rule(10, "recalled", "A recalled unit is repaired under its recall",
          Conditions(findings=(str(F.RECALLED),)), D.REPAIR),
    _rule(20, "not-covered", "Nothing covers it any more", Conditions(covers=("no",)), D.REFUSE),
    _rule(30, "maker-unknown", "The manufacturer does not know the serial",
          Conditions(findings=(str(F.MAKER_UNKNOWN),)), D.REFER),
    _rule(40, "cover-unknown", "Nobody knows whether it is covered",
          Conditions(covers=("unknown",)), D.REFER),
    _rule(50, "repeated", "What failed again after three repairs is replaced",
          Conditions(covers=("yes",), findings=(str(F.REPEATED),)), D.REPLACE),
    _rule(60, "dead-on-arrival", "What fails within 14 days is replaced",
          Conditions(covers=("yes",), days_to=14), D.REPLACE),
    _rule(70, "covered", "What is covered is repaired", Conditions(covers=("yes",)), D.REPAIR),
    _rule(99, "undecided", "No rule fits: a person decides", Conditions(), D.REFER),
)  # fmt: skip
