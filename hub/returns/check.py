"""Return check at the counter: identify the unit, decide about its return, store the decision."""

from dataclasses import asdict
from typing import Any

import orjson

from hub import cases, decision_rules
from hub.cases import CaseKind, Severity
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.decision_rules import Facts, ReturnDecision, Topic
from hub.errors import InvalidInput
from hub.history.sales import Sale
from hub.returns.facts import Known, Question, evidence_of, find_out
from hub.returns.findings import NEXT, RETURN_RULES, STEPS, SUSPECT, ReturnFinding
from hub.storage.sql import Transaction

TEXT_CHARS_MAX = 200
CONDITION_CHARS_MAX = 20
F = ReturnFinding


def check(tx: Transaction, context: CommandContext, question: Question) -> str:
    """Decide about a return, store the decision with its evidence, and return its id.

    Asks no channel. Suspected fraud opens a case. Raises InvalidInput for missing or too long
    texts, UnknownReference for an unknown product, InvalidBarcode for an invalid serial.
    """
    _check_texts(question)
    known = find_out(tx, context, question)
    rules = decision_rules.rules(tx, Topic.RETURN, RETURN_RULES)
    rule = decision_rules.decide(rules, facts_of(known))
    decision = ReturnDecision(rule.decision)
    lead = next(
        (each for each in known.findings if str(each.code) in rule.conditions.findings), None
    )
    evidence = {
        "findings": [[str(each.code), each.message] for each in known.findings],
        "facts": evidence_of(known, context),
        "rule_name": rule.name,
        "next_step": STEPS.get(lead.code, NEXT[decision]) if lead else NEXT[decision],
        "sale": _sale(known.sale) if known.sale else None,
        "buyer_matches": known.buyer_matches,
        "days": known.days,
        "may_return_until": known.ends_on.isoformat() if known.ends_on else None,
        "condition": question.condition,
        "announced": asdict(known.announced) if known.announced else None,
        "case": _report(tx, context, known),
    }
    return _store(tx, context, known, rule.code, decision, evidence)


def facts_of(known: Known) -> Facts:
    """Return the facts that the decision rules evaluate."""
    product = known.product
    return Facts(
        reason=known.question.reason,
        condition=known.question.condition,
        grade=known.unit["grade"] if known.unit else None,
        sku=product["sku"] if product else None,
        category=product["category"] if product else None,
        channel=known.sale.channel if known.sale else None,
        findings=frozenset(str(each.code) for each in known.findings),
        days=known.days,
        value=product["value"] if product else None,
        recalled=known.has(F.RECALLED),
    )


def _check_texts(question: Question) -> None:
    if not question.reason.strip():
        raise InvalidInput("a return needs its reason", field="reason")
    for name in ("identifier", "reason", "order", "customer_ref", "product"):
        if len(getattr(question, name) or "") > TEXT_CHARS_MAX:
            raise InvalidInput(f"at most {TEXT_CHARS_MAX} characters", field=name)
    if len(question.condition or "") > CONDITION_CHARS_MAX:
        raise InvalidInput(f"at most {CONDITION_CHARS_MAX} characters", field="condition")


def _sale(sale: Sale) -> dict[str, Any]:
    order = sale.order or {}
    return {
        "sold_at": sale.occurred_at,
        "place": sale.place,
        "channel": sale.channel,
        "channel_name": order.get("channel_name"),
        "order_id": order.get("id"),
        "order": order.get("number"),
        "line": order.get("line_ref"),
        "customer_ref": order.get("customer_ref"),
        "document_type": sale.document_type,
        "document": sale.document_ref,
        "price": None if sale.price is None else str(sale.price),
        "currency": sale.currency,
    }


def _report(tx: Transaction, context: CommandContext, known: Known) -> str | None:
    """Open a case for an unknown or suspect unit; return its id, or None."""
    question = known.question
    details = {
        "identifier": question.identifier,
        "order": question.order,
        "location": question.location["code"],
        "findings": {str(each.code): each.message for each in known.findings},
    }
    if known.has(F.UNKNOWN_SERIAL):
        finding = cases.Finding(
            kind=CaseKind.UNKNOWN_SERIAL,
            subject=question.identifier,
            severity=Severity.HIGH,
            summary=f"{question.identifier} was returned, and no unit of ours bears it.",
            details=details,
        )
        return cases.report(tx, finding, context.now)
    if not any(each.code in SUSPECT for each in known.findings):
        return None
    assert known.unit is not None  # these findings are of known units
    words = "; ".join(each.message for each in known.findings if each.code in SUSPECT)
    finding = cases.Finding(
        kind=CaseKind.SUSPECT_RETURN,
        subject=known.unit["id"],
        severity=Severity.HIGH,
        summary=f"{known.unit['serial']} was returned: {words}.",
        details=details,
    )
    return cases.report(tx, finding, context.now)


def _store(
    tx: Transaction,
    context: CommandContext,
    known: Known,
    rule: str,
    decision: ReturnDecision,
    evidence: dict[str, Any],
) -> str:
    question, sale = known.question, known.sale
    order_id = sale.order["id"] if sale and sale.order else None
    return_id = new_id()
    tx.run(
        "INSERT INTO return_case(id, identifier, unit_id, order_id, customer_ref, location_id, "
        "reason, decision, rule, evidence, state, decided_by, decided_at) VALUES(:id, "
        ":identifier, :unit, :order_id, :customer, :location, :reason, :decision, :rule, "
        ":evidence, 'decided', :actor, :now)",
        id=return_id,
        identifier=question.identifier,
        unit=known.unit["id"] if known.unit else None,
        order_id=order_id,
        customer=question.customer_ref,
        location=question.location["id"],
        reason=question.reason,
        decision=str(decision),
        rule=rule,
        evidence=orjson.dumps(evidence).decode(),
        actor=context.actor,
        now=micros(context.now),
    )
    return return_id
