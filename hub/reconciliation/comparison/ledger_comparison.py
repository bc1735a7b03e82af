"""The ledger against itself: seals of events, states of units, checkpoints, and balances.

The subjects are the units, and each balance or checkpoint that does not hold. A person decides on
each difference: no step of the hub could repair what was changed behind its back.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from hub.cases import Severity
from hub.ledger.hash_chain import Break, Proof
from hub.proof.checkpoints import Checked
from hub.proof.conservation import Balance
from hub.reconciliation.kinds import Cause, Compared, Difference, Fix, Kind, different


def differences(proof: Proof, signed: Checked, balance: Balance) -> Iterator[Compared]:
    """Yield what does not hold: units first, then checkpoints, then balances."""
    by_unit = sorted(proof.breaks, key=lambda each: each.unit_id)
    for unit_id, breaks in groupby(by_unit, key=lambda each: each.unit_id):
        yield _unit(unit_id, list(breaks))
    # One subject may break in several ways, and is one difference all the same.
    by_checkpoint: dict[str, list[str]] = {}
    for text in signed.breaks:
        by_checkpoint.setdefault(text.partition(":")[0], []).append(text)
    for about, texts in by_checkpoint.items():
        yield _broken(Kind.LEDGER_SEAL, f"checkpoint:{about}", about, "; ".join(texts))
    by_law: dict[tuple[str, str], list[str]] = {}
    for breach in balance.breaches:
        by_law.setdefault((str(breach.law), breach.subject), []).append(breach.message)
    for (law, subject), texts in by_law.items():
        evidence = f"{law}: {'; '.join(texts)}"
        yield _broken(Kind.LEDGER_BALANCE, f"{law}:{subject}", subject, evidence)


def matched(proof: Proof) -> int:
    """Return the number of units whose events and state hold."""
    return max(0, proof.units - len({each.unit_id for each in proof.breaks}))


def _unit(unit_id: str, breaks: Sequence[Break]) -> Compared:
    texts = "; ".join(f"version {each.version}: {each.what}" for each in breaks)
    return _broken(Kind.LEDGER_SEAL, f"unit:{unit_id}", unit_id, f"{unit_id}, {texts}")


def _broken(kind: Kind, about: str, subject: str, evidence: str) -> Compared:
    return different(
        Difference(
            kind=kind,
            about=about,
            subject=subject,
            ledger={"broken": evidence},
            remote={},
            cause=Cause.UNEXPLAINED,
            evidence=f"{evidence}.",
            fix=Fix.ASK,
            severity=Severity.HIGH,
        )
    )
