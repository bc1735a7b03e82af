"""Return processing after the check: accept the unit, refund it once, and route it by rule.

Each step locks the unit and its return, so that one of two concurrent commands wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypedDict

import orjson

from hub import catalogue, decision_rules, ledger
from hub.clock import micros
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.decision_rules import Facts, ReturnDecision, Route, Rule, Topic
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.history.sales import Sale, story_of
from hub.ledger import record_one
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, refused
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import Action
from hub.returns import refunds
from hub.returns.findings import ROUTE_RULES
from hub.storage.rows import LocationRow, ProductRow, ReturnCaseRow
from hub.storage.sql import Transaction

TEXT_CHARS_MAX = 200
WORD_CHARS_MAX = 20


class _RefundRef(TypedDict):
    refund_ref: str


class _OrderId(TypedDict):
    order_id: str


class _GradedProductRow(ProductRow):
    grade: str | None
    condition: str


class Disposal(StrEnum):
    """The final disposition of a unit."""

    RESELL = "resell"
    SCRAP = "scrap"
    RECYCLE = "recycle"
    RECALL = "recall"  # as its recall decides


ACTIONS = {
    Route.RESTOCK: (Action.RESTOCK, Disposal.RESELL),
    Route.REPAIR: (Action.REPAIR, None),
    Route.QUARANTINE: (Action.QUARANTINE, None),
    Route.RECYCLE: (Action.WRITE_OFF, Disposal.RECYCLE),
    Route.WRITE_OFF: (Action.WRITE_OFF, Disposal.SCRAP),
    Route.HAND_BACK: (Action.HAND_BACK, None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Result of an inspection; `outcome` overrides the rules."""

    grade: str | None = None
    condition: str | None = None
    location: LocationRow | None = None
    outcome: Route | None = None
    why: str | None = None


def accept(
    work: Work,
    return_id: str,
    *,
    location: LocationRow | None = None,
    override: str | None = None,
) -> None:
    """Accept the unit of a return; it is not sellable until its disposition is decided.

    `override` is the reason to accept a return that was referred to a person. Raises
    UnknownReference for an unknown return, StepNotAllowed for one that was refused, is referred
    without an override, or was accepted already.
    """
    row = _locked(work.tx, return_id)
    if row["state"] != "decided":
        raise StepNotAllowed(f"the return is {row['state']} already", allowed=[])
    decision = ReturnDecision(row["decision"])
    if decision is ReturnDecision.REFUSE or row["unit_id"] is None:
        raise StepNotAllowed("the return was refused: check again if something has changed")
    if decision is ReturnDecision.REFER and not (override or "").strip():
        raise StepNotAllowed("a person has to decide: say why it is accepted", allowed=["override"])
    place = location or catalogue.reference(work.tx, "location", "id", row["location_id"])
    details = {"return": return_id, "rule": row["rule"]}
    if override:
        details["override"] = _short(override, "override")
    command = UnitCommand(action=Action.ACCEPT_RETURN, location=place, details=details)
    context = replace(work.context, reason=row["reason"], document=Document("rma", return_id))
    record_one(work.within(context), command, Scan(row["unit_id"]))
    _received(work.tx, work.context, [return_id], [row["unit_id"]])
    if override:
        note = {"by": work.context.actor, "why": override, "at": work.context.now.isoformat()}
        _add_evidence(work.tx, row, override=note)


def accept_plainly(
    work: Work,
    command: UnitCommand,
    scans: Sequence[Scan],
) -> list[Verdict]:
    """Accept units without naming their returns, except those a check refused or referred.

    The newest check of a unit applies; if it accepted, its return is marked as received. Returns
    one verdict for each scan; raises InvalidInput for no scans or too many.
    """
    found = locate(work.tx, scans)
    ids = [unit.id for unit in found if isinstance(unit, UnitState)]
    newest = {
        row["unit_id"]: row
        for row in work.tx.rows_as(
            ReturnCaseRow,
            "SELECT return_case.* FROM return_case JOIN unit ON unit.id = return_case.unit_id "
            "WHERE unit_id IN (:ids...) AND return_case.state = 'decided' "
            "AND decided_at >= COALESCE(unit.sold_at, 0) ORDER BY return_case.id",
            ids=ids,
        )
    }
    barred: dict[int, Verdict] = {}
    for index, (scan, unit) in enumerate(zip(scans, found, strict=True)):
        check = newest.get(unit.id) if isinstance(unit, UnitState) else None
        if check is not None and check["decision"] != ReturnDecision.ACCEPT:
            refusal = StepNotAllowed(
                f"its check decided {check['decision']} ({check['rule']})", allowed=[]
            )
            barred[index] = refused(index, scan.identifier, refusal, unit)
    free = [index for index in range(len(scans)) if index not in barred]
    verdicts = dict(barred)
    if free:
        done = ledger.record(work, command, [scans[each] for each in free])
        for index, verdict in zip(free, done, strict=True):
            verdicts[index] = replace(verdict, index=index)
    taken = [each.unit_id for each in verdicts.values() if each.accepted and each.unit_id]
    _received(
        work.tx, work.context, [newest[each]["id"] for each in taken if each in newest], taken
    )
    return [verdicts[index] for index in range(len(scans))]


def refund(tx: Transaction, context: CommandContext, return_id: str, reference: str) -> None:
    """Record the refund of a return.

    Raises UnknownReference for an unknown return, InvalidInput for a bad reference, StepNotAllowed
    for a return that is not accepted or whose sale is refunded already.
    """
    if not 0 < len(reference.strip()) <= TEXT_CHARS_MAX:
        raise InvalidInput(f"a reference has 1 to {TEXT_CHARS_MAX} characters", field="reference")
    refundable(tx, context, return_id)
    refunds.mark_return(tx, context, return_id, reference.strip())


def refundable(tx: Transaction, context: CommandContext, return_id: str) -> ReturnCaseRow:
    """Lock a return that may be refunded, and return it.

    Raises UnknownReference for an unknown return, StepNotAllowed for one that is not accepted,
    whose sale is refunded already, or that a channel was asked to refund.
    """
    row = _locked(tx, return_id)
    if row["refund_ref"] is not None:
        raise StepNotAllowed(f"it was refunded already: {row['refund_ref']}", allowed=[])
    if row["received_at"] is None:
        raise StepNotAllowed("the unit was not taken in: accept the return first", allowed=[])
    if refunds.is_asked_for(tx, return_id):
        raise StepNotAllowed("its channel was asked to refund it", allowed=[])
    # The unit may be sold again since: only returns of the same sale count.
    sales = [sale.recorded_at for sale in story_of(tx, _unit_of(row)).sales]
    decided = row["decided_at"]
    other = tx.row_as(
        _RefundRef,
        "SELECT refund_ref FROM return_case WHERE unit_id = :unit AND refund_ref IS NOT NULL "
        "AND decided_at >= :since AND decided_at < :until LIMIT 1",
        unit=row["unit_id"],
        since=max((at for at in sales if at <= decided), default=decided),
        until=min((at for at in sales if at > decided), default=micros(context.now) + 1),
    )
    _check_unrefunded(tx, row)
    if other is not None:
        raise StepNotAllowed(f"its sale was refunded already: {other['refund_ref']}", allowed=[])
    return row


def sale_of(tx: Transaction, row: ReturnCaseRow) -> Sale | None:
    """Return the sale on an order line that a return is of; None for any other sale."""
    sales = [
        sale
        for sale in story_of(tx, _unit_of(row)).sales
        if sale.recorded_at <= row["decided_at"] and sale.line_id is not None
    ]
    return sales[-1] if sales else None


def _check_unrefunded(tx: Transaction, row: ReturnCaseRow) -> None:
    """Raise StepNotAllowed if the channel has refunded every shipped unit of the line."""
    sale = sale_of(tx, row)
    if sale is None or sale.line_id is None:
        return
    paid = refunds.of_line(tx, sale.line_id)
    if paid.settled:
        raise StepNotAllowed(f"its channel refunded it already: {paid.ref}", allowed=[])


def route(work: Work, return_id: str, inspection: Inspection) -> Rule | None:
    """Route an accepted unit by the rules or the inspection's outcome; return the deciding rule.

    Returns None if the inspection decided. A rule that refers to a person changes nothing. Raises
    UnknownReference for an unknown return, InvalidInput for bad texts, StepNotAllowed for a return
    that is not accepted or is routed already.
    """
    _check_inspection(inspection)
    row = _locked(work.tx, return_id)
    if row["received_at"] is None or row["route"] is not None:
        what = f"is routed already ({row['route']})" if row["route"] else "was not taken in"
        raise StepNotAllowed(f"the return {what}", allowed=[])
    facts = _facts(work.tx, work.context, row, inspection)
    rule = None
    if inspection.outcome is None:
        rule = decision_rules.decide(decision_rules.rules(work.tx, Topic.ROUTE, ROUTE_RULES), facts)
    decided = inspection.outcome or Route(rule.decision if rule else Route.REFER)
    if decided is Route.REFER:
        return rule
    if decided is Route.HAND_BACK and row["refund_ref"] is not None:
        raise StepNotAllowed("it was refunded: it is not handed back", allowed=[])
    action, disposal = ACTIONS[decided]
    if decided is Route.QUARANTINE and facts.recalled:
        disposal = Disposal.RECALL
    details = {"return": return_id, "rule": rule.code if rule else "by hand"}
    if disposal is not None:
        details["disposal"] = str(disposal)
    command = UnitCommand(
        action=action,
        location=inspection.location,
        grade=inspection.grade,
        condition=inspection.condition,
        details=details,
    )
    why = inspection.why or (rule.name if rule else None)
    context = replace(work.context, reason=why, document=Document("rma", return_id))
    record_one(work.within(context), command, Scan(_unit_of(row)))
    work.tx.run(
        "UPDATE return_case SET route = :route, route_rule = :rule, "
        "state = CASE WHEN refund_ref IS NULL THEN state ELSE 'closed' END, "
        "closed_at = CASE WHEN refund_ref IS NULL THEN closed_at ELSE :now END WHERE id = :id",
        route=str(decided),
        rule=details["rule"],
        now=micros(work.context.now),
        id=return_id,
    )
    return rule


def _facts(
    tx: Transaction, context: CommandContext, row: ReturnCaseRow, inspection: Inspection
) -> Facts:
    product = tx.row_as(
        _GradedProductRow,
        "SELECT product.*, unit.grade, unit.condition FROM unit "
        "JOIN product ON product.id = unit.product_id WHERE unit.id = :unit",
        unit=row["unit_id"],
    )
    assert product is not None  # an accepted return has a unit
    recalled = tx.value(
        "SELECT COUNT(*) FROM hold WHERE unit_id = :unit AND kind = 'recall' "
        "AND released_at IS NULL",
        unit=row["unit_id"],
    )
    sale = story_of(tx, _unit_of(row)).sale
    evidence = orjson.loads(row["evidence"])
    return Facts(
        reason=row["reason"],
        condition=inspection.condition or evidence.get("condition"),
        grade=inspection.grade,
        sku=product["sku"],
        category=product["category"],
        channel=sale.channel if sale else None,
        findings=frozenset(code for code, _ in evidence.get("findings", [])),
        days=(context.now.date() - sale.sold_on).days if sale else None,
        value=product["value"],
        recalled=bool(recalled),
    )


def _check_inspection(inspection: Inspection) -> None:
    for name in ("grade", "condition"):
        if not 0 < len(getattr(inspection, name) or "-") <= WORD_CHARS_MAX:
            raise InvalidInput(f"it has 1 to {WORD_CHARS_MAX} characters", field=name)
    _short(inspection.why or "", "reason")
    if inspection.outcome is Route.REFER:
        raise InvalidInput("a person decides: say what becomes of it", field="outcome")
    if inspection.outcome is not None and not (inspection.why or "").strip():
        raise InvalidInput("who decides in place of the rules says why", field="reason")


def _locked(tx: Transaction, return_id: str) -> ReturnCaseRow:
    """Lock the unit of a return, then the return; this order prevents deadlocks."""
    unit_id = tx.value("SELECT unit_id FROM return_case WHERE id = :id", id=return_id)
    if unit_id is not None:
        locate(tx, [Scan(unit_id)])
    row = tx.row_as(
        ReturnCaseRow, "SELECT * FROM return_case WHERE id = :id FOR UPDATE", id=return_id
    )
    if row is None:
        raise UnknownReference(f"there is no return {return_id!r}", field="returnId")
    return row


def _received(
    tx: Transaction, context: CommandContext, return_ids: Sequence[str], unit_ids: Sequence[str]
) -> None:
    """Mark returns as received, and close other checks of the same units."""
    now = micros(context.now)
    tx.run(
        "UPDATE return_case SET state = 'received', received_at = :now WHERE id IN (:ids...)",
        now=now,
        ids=list(return_ids),
    )
    tx.run(
        "UPDATE return_case SET state = 'closed', closed_at = :now "
        "WHERE unit_id IN (:units...) AND state = 'decided'",
        now=now,
        units=list(unit_ids),
    )
    for row in tx.rows_as(
        _OrderId,
        "SELECT DISTINCT order_id FROM return_case WHERE id IN (:ids...) "
        "AND order_id IS NOT NULL ORDER BY order_id",
        ids=list(return_ids),
    ):
        refunds.paid_by_channel(tx, context, row["order_id"])


def _unit_of(row: ReturnCaseRow) -> str:
    assert row["unit_id"] is not None  # only returns of known units are accepted
    return row["unit_id"]


def _add_evidence(tx: Transaction, row: ReturnCaseRow, **more: Any) -> None:
    tx.run(
        "UPDATE return_case SET evidence = :evidence WHERE id = :id",
        evidence=orjson.dumps(orjson.loads(row["evidence"]) | more).decode(),
        id=row["id"],
    )


def _short(text: str, name: str) -> str:
    if len(text) > TEXT_CHARS_MAX:
        raise InvalidInput(f"at most {TEXT_CHARS_MAX} characters", field=name)
    return text.strip()
