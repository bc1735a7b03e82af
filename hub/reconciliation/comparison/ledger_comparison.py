"""The ledger against itself: seals of events, states of units, checkpoints, and balances.

The subjects are the units, and each balance or checkpoint that does not hold. A person decides on
each difference: no step of the hub could repair what was changed behind its back, or know which of
a serial and the rule for it is wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypedDict

from hub.cases import Severity
from hub.identifiers.serials import violates
from hub.ledger.hash_chain import Break, Proof
from hub.proof.checkpoints import Checked
from hub.proof.conservation import Balance
from hub.reconciliation.kinds import Cause, Compared, Difference, Fix, Kind, different, not_compared
from hub.storage.sql import Transaction

DRIFTED_MAX = 1_000  # units with a serial that breaks its rule, named by one run
PAGE = 5_000


class _Ruled(TypedDict):
    id: str
    serial: str
    product_id: str
    sku: str
    rule: str


@dataclass(slots=True)
class Drift:
    """Units whose serials break the rules of their products: the first of them, and how many."""

    units: list[_Ruled] = field(default_factory=list)
    number: int = 0


def drift(tx: Transaction) -> Drift:
    """Find the units whose serials break the rule that their product, or its maker, has now."""
    found, last = Drift(), ""
    while page := tx.rows_as(
        _Ruled,
        "SELECT unit.id, unit.serial, unit.product_id, product.sku, "
        "COALESCE(NULLIF(product.serial_pattern, ''), manufacturer.serial_pattern) AS rule "
        "FROM unit JOIN product ON product.id = unit.product_id "
        "JOIN manufacturer ON manufacturer.id = product.manufacturer_id WHERE unit.id > :last "
        "AND COALESCE(NULLIF(product.serial_pattern, ''), manufacturer.serial_pattern, '') <> '' "
        "AND unit.status NOT IN ('written_off', 'merged') ORDER BY unit.id LIMIT :page",
        last=last,
        page=PAGE,
    ):
        last = page[-1]["id"]
        broken = [row for row in page if violates(row["serial"], row["rule"])]
        found.units += broken[: DRIFTED_MAX - len(found.units)]
        found.number += len(broken)
    return found


def drifted(found: Drift) -> Iterator[Compared]:
    """Yield the units whose serials break their rules, and how many there are beyond them."""
    for row in found.units:
        yield different(
            Difference(
                kind=Kind.LEDGER_FORMAT,
                about=f"serial:{row['id']}",
                subject=row["serial"],
                ledger={"serial": row["serial"], "rule": row["rule"]},
                remote={},
                cause=Cause.UNEXPLAINED,
                evidence=f"{row['serial']} of {row['sku']} breaks the rule {row['rule']}.",
                fix=Fix.ASK,
                severity=Severity.LOW,
                unit_id=row["id"],
                product_id=row["product_id"],
            )
        )
    if found.number > len(found.units):
        more = f"{found.number - len(found.units)} more serials"
        yield not_compared("serials", more, f"they break a rule, and a run names {DRIFTED_MAX}")


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


def matched(proof: Proof, found: Drift, suspects: int) -> int:
    """Return the number of units whose events, state and serial hold and that no check suspects."""
    broken = {each.unit_id for each in proof.breaks}
    return max(0, proof.units - len(broken) - found.number - suspects)


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
