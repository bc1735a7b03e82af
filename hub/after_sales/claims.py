"""Warranty claims: opened and decided in one call if a rule matches, with statistics."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

import orjson

from hub import cases, catalogue, decision_rules
from hub.after_sales.claim_rules import CLAIM_RULES, REPAIRS_MANY, SUSPECT, ClaimFinding
from hub.after_sales.cover import CoverKind, Covers, CoverStatus, cover_of
from hub.cases import CaseKind, Severity
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.decision_rules import ClaimDecision, Facts, Topic
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.ledger import units
from hub.ledger.units import Scan, locate
from hub.lifecycle import WITH_CUSTOMER, Status
from hub.storage.rows import WarrantyClaimRow
from hub.storage.sql import Row, Transaction

TEXT_CHARS_MAX = 200
FAULT_CHARS_MAX = 300
F = ClaimFinding
CLAIMABLE = WITH_CUSTOMER | {Status.IN_REPAIR, Status.RETURNED, Status.IN_KIT}
STATES = {
    ClaimDecision.REPAIR: "approved",
    ClaimDecision.REPLACE: "approved",
    ClaimDecision.REFUSE: "refused",
    ClaimDecision.REFER: "open",
}


class _HoldKind(TypedDict):
    kind: str


class _ClaimTimes(TypedDict):
    rule: str
    disputes: int
    opened_at: int
    decided_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim; `order` is the id, number or reference of an order, or of a receipt."""

    identifier: str
    fault: str
    sku: str | None = None
    customer_ref: str | None = None
    order: str | None = None
    condition: str | None = None


def open_claim(tx: Transaction, context: CommandContext, claim: Claim) -> str:
    """Open a claim, decide it if a rule matches, and return its id.

    Raises UnknownUnit for an unknown serial, InvalidInput for an invalid claim.
    """
    _validate(claim)
    found = units.find(tx, claim.identifier, claim.sku)
    locate(tx, [Scan(found["id"])])  # a lock: of two concurrent claims, the second sees the first
    unit = units.find(tx, found["id"])
    product = catalogue.reference(tx, "product", "id", unit["product_id"])
    covers = cover_of(tx, context, unit["id"])
    findings = dict(_findings(tx, claim, unit, covers))
    facts = _facts(context, claim, unit, product, covers, findings)
    rule = decision_rules.decide(decision_rules.rules(tx, Topic.CLAIM, CLAIM_RULES), facts)
    decision = ClaimDecision(rule.decision)
    evidence = {
        "findings": [[str(code), message] for code, message in findings.items()],
        "order": claim.order,
        "rule_name": rule.name,
        "entitled": str(covers.entitled),
        "basis": covers.basis,
        "covers": [_plain(each) for each in covers.covers],
        "lot": covers.lot,
        "produced_on": covers.produced_on,
        "serial": unit["serial"],
    }
    if any(code in SUSPECT for code in findings):
        _report(tx, context, claim, unit, findings)
    return _keep(tx, context, claim, unit["id"], decision, rule.code, evidence)


def _validate(claim: Claim) -> None:
    if not 0 < len(claim.fault.strip()) <= FAULT_CHARS_MAX:
        raise InvalidInput(f"say the fault, in 1 to {FAULT_CHARS_MAX} characters", field="fault")
    for name in ("customer_ref", "order", "condition"):
        if len(getattr(claim, name) or "") > TEXT_CHARS_MAX:
            raise InvalidInput(f"at most {TEXT_CHARS_MAX} characters", field=name)


def _findings(
    tx: Transaction, claim: Claim, unit: Row, covers: Covers
) -> Iterator[tuple[ClaimFinding, str]]:
    status, sale = Status(unit["status"]), covers.story.sale
    if status is Status.STOLEN:
        yield F.STOLEN, "the unit is reported stolen"
    elif status is Status.WRITTEN_OFF:
        yield F.WRITTEN_OFF, "the unit was written off"
    elif status not in CLAIMABLE or sale is None:
        yield F.NOT_SOLD, "no customer has this unit"
    if sale is not None and (swap := _swap(claim, covers)) is not None:
        yield F.SWAPPED, swap
    if covers.story.replaced_by is not None:
        yield F.ALREADY_REPLACED, "another unit was given for it"
    open_one = tx.value(
        "SELECT id FROM warranty_claim WHERE unit_id = :unit "
        "AND state IN ('open', 'approved', 'disputed') LIMIT 1",
        unit=unit["id"],
    )
    if open_one is not None:
        yield F.CLAIM_IS_OPEN, f"claim {open_one} about it is open"
    for row in tx.rows_as(
        _HoldKind,
        "SELECT kind FROM hold WHERE unit_id = :unit AND released_at IS NULL "
        "AND kind IN ('recall', 'fraud')",
        unit=unit["id"],
    ):
        recalled = row["kind"] == "recall"
        yield (F.RECALLED, "it is recalled") if recalled else (F.FRAUD_HOLD, "it is held for fraud")
    if covers.story.repairs >= REPAIRS_MANY:
        yield F.REPEATED, f"it was repaired {covers.story.repairs} times since it was sold"
    yield from _manufacturer_findings(tx, unit, covers)


def _swap(claim: Claim, covers: Covers) -> str | None:
    """Return why the unit is not the one that was sold to this customer or on this order, if so."""
    sale = covers.story.sale
    assert sale is not None  # checked by the caller
    order = sale.order
    names = {sale.document_ref} | ({order["id"], order["number"], order["ref"]} if order else set())
    if claim.order is not None and claim.order not in names:
        return f"it is not the unit that was sold on {claim.order}"
    sold_to = order["customer_ref"] if order else None
    if claim.customer_ref is not None and sold_to not in {None, claim.customer_ref}:
        return "it was sold to another customer"
    return None


def _manufacturer_findings(
    tx: Transaction, unit: Row, covers: Covers
) -> Iterator[tuple[ClaimFinding, str]]:
    cover = covers.of(CoverKind.MANUFACTURER)
    if cover is None:
        yield F.MAKER_NOT_ASKED, "the manufacturer gives no answers here"
    elif cover.observed_at is None:
        yield F.MAKER_NOT_ASKED, cover.basis
    elif cover.status is CoverStatus.UNKNOWN:
        yield F.MAKER_UNKNOWN, f"{cover.source} does not know the serial"
    if cover is not None and cover.is_stale:
        yield F.MAKER_STALE, f"the answer of {cover.source} is old"
    record = tx.value("SELECT status FROM warranty_record WHERE unit_id = :u", u=unit["id"])
    if record == "invalid":
        yield F.MAKER_DENIES, "the manufacturer says that this is none of its serials"


def _facts(
    context: CommandContext,
    claim: Claim,
    unit: Row,
    product: Row,
    covers: Covers,
    findings: dict[ClaimFinding, str],
) -> Facts:
    sale = covers.story.sale
    return Facts(
        reason=claim.fault,
        condition=claim.condition or unit["condition"],
        grade=unit["grade"],
        sku=product["sku"],
        category=product["category"],
        channel=sale.channel if sale else None,
        cover=str(covers.entitled),
        findings=frozenset(str(code) for code in findings),
        days=(context.now.date() - sale.sold_on).days if sale else None,
        value=product["value"],
        recalled=F.RECALLED in findings,
    )


def _plain(cover: Any) -> dict[str, Any]:
    return {
        "kind": str(cover.kind),
        "status": str(cover.status),
        "basis": cover.basis,
        "starts_on": cover.starts_on.isoformat() if cover.starts_on else None,
        "ends_on": cover.ends_on.isoformat() if cover.ends_on else None,
        "source": cover.source,
        "observed_at": cover.observed_at.isoformat() if cover.observed_at else None,
        "is_stale": cover.is_stale,
    }


def _report(
    tx: Transaction,
    context: CommandContext,
    claim: Claim,
    unit: Row,
    findings: dict[ClaimFinding, str],
) -> None:
    reasons = "; ".join(message for code, message in findings.items() if code in SUSPECT)
    finding = cases.Finding(
        kind=CaseKind.SUSPECT_RETURN,
        subject=unit["id"],
        severity=Severity.HIGH,
        summary=f"A claim about {unit['serial']}: {reasons}.",
        details={"claim": claim.fault, "order": claim.order, "customer": claim.customer_ref},
    )
    cases.report(tx, finding, context.now)


def _keep(
    tx: Transaction,
    context: CommandContext,
    claim: Claim,
    unit_id: str,
    decision: ClaimDecision,
    rule: str,
    evidence: dict[str, Any],
) -> str:
    claim_id, now = new_id(), micros(context.now)
    decided = decision is not ClaimDecision.REFER
    tx.run(
        "INSERT INTO warranty_claim(id, unit_id, customer_ref, fault, state, decision, rule, "
        "evidence, opened_by, opened_at, decided_at) VALUES(:id, :unit, :customer, :fault, "
        ":state, :decision, :rule, :evidence, :actor, :now, :decided)",
        id=claim_id,
        unit=unit_id,
        customer=claim.customer_ref,
        fault=claim.fault.strip(),
        state=STATES[decision],
        decision=str(decision) if decided else None,
        rule=rule,
        evidence=orjson.dumps(evidence).decode(),
        actor=context.actor,
        now=now,
        decided=now if decided else None,
    )
    return claim_id


def locked(tx: Transaction, claim_id: str) -> WarrantyClaimRow:
    """Lock the unit of a claim, then the claim, and return it; raises UnknownReference."""
    unit_id = tx.value("SELECT unit_id FROM warranty_claim WHERE id = :id", id=claim_id)
    if unit_id is None:
        raise UnknownReference(f"there is no claim {claim_id!r}", field="claimId")
    locate(tx, [Scan(unit_id)])
    row = tx.row_as(
        WarrantyClaimRow, "SELECT * FROM warranty_claim WHERE id = :id FOR UPDATE", id=claim_id
    )
    assert row is not None  # claims are never deleted
    return row


def decide_claim(
    tx: Transaction, context: CommandContext, claim_id: str, decision: ClaimDecision, reason: str
) -> None:
    """Decide an open or disputed claim.

    Raises InvalidInput for REFER or a bad reason, StepNotAllowed in another state or after a
    replacement, UnknownReference for an unknown claim.
    """
    if decision is ClaimDecision.REFER:
        raise InvalidInput("a person decides: repair, replace or refuse", field="decision")
    note = _note(context, reason)
    row = locked(tx, claim_id)
    if row["state"] not in {"open", "disputed"}:
        raise StepNotAllowed(f"the claim is {row['state']}: nothing waits for a decision")
    if row["replacement_id"] is not None:
        raise StepNotAllowed("another unit was given already", allowed=[])
    # The first decision determines the duration of a claim; disputes are counted separately.
    tx.run(
        "UPDATE warranty_claim SET state = :state, decision = :decision, rule = 'by-hand', "
        "evidence = :evidence, decided_at = COALESCE(decided_at, :now) WHERE id = :id",
        state=STATES[decision],
        decision=str(decision),
        evidence=with_note(row, "decisions", note | {"decision": str(decision)}),
        now=micros(context.now),
        id=claim_id,
    )


def dispute_claim(tx: Transaction, context: CommandContext, claim_id: str, reason: str) -> None:
    """Record that the customer disputes a decision; raises StepNotAllowed without a decision."""
    note = _note(context, reason)
    row = locked(tx, claim_id)
    if row["state"] not in {"approved", "refused"}:
        raise StepNotAllowed(f"the claim is {row['state']}: only a decision is disputed")
    tx.run(
        "UPDATE warranty_claim SET state = 'disputed', disputes = disputes + 1, "
        "evidence = :evidence WHERE id = :id",
        evidence=with_note(row, "disputes", note),
        id=claim_id,
    )


def close_claim(tx: Transaction, context: CommandContext, claim_id: str, reason: str) -> None:
    """Close a decided claim; raises StepNotAllowed before a decision."""
    note = _note(context, reason)
    row = locked(tx, claim_id)
    if row["state"] not in {"approved", "refused"}:
        raise StepNotAllowed(f"the claim is {row['state']}: decide it first", allowed=[])
    tx.run(
        "UPDATE warranty_claim SET state = 'closed', closed_at = :now, evidence = :evidence "
        "WHERE id = :id",
        now=micros(context.now),
        evidence=with_note(row, "closed", note),
        id=claim_id,
    )


def _note(context: CommandContext, reason: str) -> dict[str, Any]:
    if not 0 < len(reason.strip()) <= TEXT_CHARS_MAX:
        raise InvalidInput(f"say why, in 1 to {TEXT_CHARS_MAX} characters", field="reason")
    return {"by": context.actor, "at": context.now.isoformat(), "reason": reason.strip()}


def with_note(row: WarrantyClaimRow, name: str, note: dict[str, Any]) -> str:
    """Return a claim's evidence with one more note under a name, as JSON."""
    evidence = orjson.loads(row["evidence"])
    evidence[name] = [*evidence.get(name, []), note]
    return orjson.dumps(evidence).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Statistics of the claims of a period; times in seconds from opening to first decision."""

    claims: int
    decided: int
    at_once: int  # by a rule, in the call that opened them
    disputes: int
    disputed: int  # claims with at least one dispute
    median_seconds: float | None
    slowest_seconds: float | None  # 95 of 100 are faster
    by_rule: tuple[tuple[str, int], ...]


def statistics(tx: Transaction, since: datetime, until: datetime) -> Statistics:
    """Measure the claims opened from `since`, included, to `until`, excluded.

    Raises InvalidInput unless `since` is before `until`.
    """
    if since >= until:
        raise InvalidInput("since is before until", field="since")
    rows = tx.rows_as(
        _ClaimTimes,
        "SELECT rule, disputes, opened_at, decided_at FROM warranty_claim "
        "WHERE opened_at >= :since AND opened_at < :until",
        since=micros(since),
        until=micros(until),
    )
    times = sorted(
        (row["decided_at"] - row["opened_at"]) / 1_000_000
        for row in rows
        if row["decided_at"] is not None
    )
    by_rule: dict[str, int] = {}
    for row in rows:
        by_rule[row["rule"]] = by_rule.get(row["rule"], 0) + 1
    return Statistics(
        claims=len(rows),
        decided=len(times),
        at_once=sum(time == 0 for time in times),
        disputes=sum(row["disputes"] for row in rows),
        disputed=sum(row["disputes"] > 0 for row in rows),
        median_seconds=_quantile(times, 0.5),
        slowest_seconds=_quantile(times, 0.95),
        by_rule=tuple(sorted(by_rule.items())),
    )


def _quantile(times: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank quantile."""
    return times[math.ceil(share * len(times)) - 1] if times else None
