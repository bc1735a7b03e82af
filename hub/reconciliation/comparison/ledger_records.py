"""Records of the ledger that nothing contradicts and that may still be wrong, as differences.

Each is a find of the checks of data quality, over the whole ledger, and shares the case of that
check. A person who dismisses one keeps it dismissed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hub.cases import Severity, quality
from hub.cases.quality import Check, Find
from hub.reconciliation.kinds import Cause, Compared, Difference, Fix, Kind, different, not_compared
from hub.storage.sql import Transaction

NAMED_MAX = 1_000  # units that one run names for each check
CHECKS = {Check.LOOK_ALIKE: Kind.LEDGER_DUPLICATE, Check.WITHOUT_RECEIPT: Kind.LEDGER_ORPHAN}


@dataclass(frozen=True, slots=True)
class Suspects:
    """Units that a check found, once each, and whether there are more."""

    check: Check
    found: tuple[Find, ...]
    more: bool


def suspects(tx: Transaction, check: Check, now: datetime) -> Suspects:
    """Run a check over the whole ledger."""
    found = quality.look(tx, check, now, limit=NAMED_MAX + 1)
    units = {each.unit_id: each for each in reversed(found[:NAMED_MAX])}
    return Suspects(check, tuple(reversed(units.values())), more=len(found) > NAMED_MAX)


def differences(suspects: Suspects) -> Iterator[Compared]:
    """Yield the units that a check found, and a note where it found more than it names."""
    for each in suspects.found:
        yield different(
            Difference(
                kind=CHECKS[suspects.check],
                about=f"{suspects.check}:{each.unit_id}",
                subject=each.subject,
                ledger={"serial": each.subject, "finding": each.summary},
                remote={},
                cause=Cause.UNEXPLAINED,
                evidence=each.summary,
                fix=Fix.ASK,
                severity=Severity.MEDIUM,
                unit_id=each.unit_id,
            )
        )
    if suspects.more:
        reason = f"a run names {NAMED_MAX} units for each check"
        yield not_compared(str(suspects.check), f"more of {suspects.check}", reason)
