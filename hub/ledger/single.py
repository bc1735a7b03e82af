"""One action on one unit that is part of something larger: done, or refused as a whole."""

from hub import ledger
from hub.commands.work import Work
from hub.errors import AmbiguousUnit, InvalidBarcode, InvalidInput, StepNotAllowed, UnknownUnit
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan

SAME = {each.code: each for each in (AmbiguousUnit, InvalidBarcode, InvalidInput, UnknownUnit)}


def record_one(work: Work, command: UnitCommand, scan: Scan) -> Verdict:
    """Do one action to one unit; raise StepNotAllowed, or what says that there is no such unit.

    A unit that is promised or blocked raises StepNotAllowed too: what it was to be part of is not
    done, and the message says why.
    """
    (verdict,) = ledger.record(work, command, [scan])
    if verdict.code is None:
        return verdict
    details = dict(verdict.details or {})
    if verdict.code in SAME:
        raise SAME[verdict.code](verdict.message or "", **details)
    raise StepNotAllowed(verdict.message or "", allowed=details.get("allowed", []))
