"""Comparison of sold units with their registrations at the manufacturer.

What the manufacturer states of a registration is compared with what it was sent: the day of the
sale, the product, the reference. What it does not state is not compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypedDict

import orjson

from hub.cases import Severity
from hub.clock import moment
from hub.reconciliation.comparison.order_causes import proof_of_fact
from hub.reconciliation.kinds import (
    Cause,
    Compared,
    Difference,
    Fix,
    Kind,
    Proof,
    different,
    in_flight,
    matched,
)
from hub.storage.rows import ChannelRow, OutboxRow
from hub.storage.sql import Transaction
from hub.sync.registrations import TOPIC
from hub.vocabulary import Warranty, WarrantyStatus

WAITING = frozenset({"waiting", "leased"})
Settled = tuple[str, str, int | None]  # id, state and time of a fact


class RegisteredUnit(TypedDict):
    """A unit with the newest last day of its cover that the manufacturer stated so far."""

    id: str
    serial: str
    sku: str
    gtin: str | None
    model_number: str | None
    product_id: str
    status: str
    latest_ends_on: str | None
    observed_at: int | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A unit, what its manufacturer was sent about it, newest first, and what it answers now.

    `settled` are the facts that were sent or given up before it was asked, as they were then: what
    was sent later, the answer cannot know.
    """

    unit: RegisteredUnit
    facts: Sequence[OutboxRow]
    answer: Warranty
    settled: frozenset[Settled]

    @property
    def sent(self) -> list[OutboxRow]:
        """Return the registrations that the manufacturer took."""
        return [each for each in self.facts if each["state"] == "sent"]


_UNIT = (
    "SELECT unit.id, unit.serial, product.sku, product.gtin, product.model_number, "
    "unit.product_id, unit.status, warranty_record.latest_ends_on, warranty_record.observed_at "
    "FROM unit JOIN product ON product.id = unit.product_id "
    "LEFT JOIN warranty_record ON warranty_record.unit_id = unit.id "
)
# Sold ones whose registration was asked for, and those in stock that an answer calls registered.
_COMPARED = (
    "SELECT unit.id FROM outbox JOIN unit ON unit.id = outbox.subject "
    "WHERE outbox.channel_id = :channel AND outbox.topic = 'registration' "
    "AND outbox.subject > :after AND unit.status IN ('shipped', 'sold') "
    "UNION SELECT unit.id FROM warranty_record JOIN unit ON unit.id = warranty_record.unit_id "
    "WHERE warranty_record.channel_id = :channel AND warranty_record.registered "
    "AND warranty_record.unit_id > :after AND unit.status = 'in_stock' ORDER BY 1 LIMIT :limit"
)


def units(tx: Transaction, channel: ChannelRow, after: str, *, limit: int) -> list[RegisteredUnit]:
    """Return the next units whose registrations are compared, in order of their ids."""
    return tx.rows_as(
        RegisteredUnit,
        f"{_UNIT}WHERE unit.id IN ({_COMPARED}) ORDER BY unit.id",
        channel=channel["id"],
        after=after,
        limit=limit,
    )


def units_of(tx: Transaction, unit_ids: Sequence[str]) -> list[RegisteredUnit]:
    """Return some units, in order of their ids."""
    return tx.rows_as(
        RegisteredUnit, f"{_UNIT}WHERE unit.id IN (:ids...) ORDER BY unit.id", ids=list(unit_ids)
    )


def facts_of(
    tx: Transaction, channel: ChannelRow, unit_ids: Sequence[str]
) -> dict[str, list[OutboxRow]]:
    """Return by unit the registrations that were sent to a channel or wait for it, newest first."""
    found: dict[str, list[OutboxRow]] = {each: [] for each in unit_ids}
    for row in tx.rows_as(
        OutboxRow,
        "SELECT * FROM outbox WHERE channel_id = :channel AND topic = :topic "
        "AND subject IN (:ids...) ORDER BY seq DESC",
        channel=channel["id"],
        topic=TOPIC,
        ids=list(unit_ids),
    ):
        found[row["subject"]].append(row)
    return found


def settled_of(facts: Mapping[str, Sequence[OutboxRow]]) -> frozenset[Settled]:
    """Return the facts that were sent or given up."""
    return frozenset(
        _settled(each) for some in facts.values() for each in some if each["state"] not in WAITING
    )


def _settled(fact: OutboxRow) -> Settled:
    return fact["id"], fact["state"], fact["settled_at"]


def compare(one: Answered) -> Compared:
    """Compare one unit with the answer of its manufacturer; its unit id identifies it."""
    about, answer = one.unit["id"], one.answer
    if one.unit["status"] == "in_stock":
        foreign = answer.registered and not one.sent
        return different(_not_sold(one)) if foreign else matched(about)
    if any(_settled(each) not in one.settled for each in one.facts):
        return in_flight(about)
    if not answer.registered:
        return different(_unregistered(one))
    for find in (_other_product, _other_reference, _other_days):
        if (found := find(one)) is not None:
            return different(found)
    return matched(about)


def _unregistered(one: Answered) -> Difference:
    unit, answer = one.unit, one.answer
    unknown = answer.status in {WarrantyStatus.UNKNOWN, WarrantyStatus.INVALID}
    cause, text = _why_unregistered(one, unknown=unknown)
    said = "does not know the serial." if unknown else "has no registration of it."
    return Difference(
        kind=Kind.UNKNOWN_SERIAL if unknown else Kind.MISSING_REGISTRATION,
        about=unit["id"],
        subject=unit["serial"],
        ledger={"sold": True, "sku": unit["sku"]},
        remote={"status": str(answer.status), "registered": False},
        cause=cause,
        evidence=f"{unit['serial']} was sold, and the manufacturer {said} {text}",
        proofs=_proofs(one),
        fix=Fix.ASK if unknown else Fix.REGISTER_AGAIN,
        severity=Severity.HIGH if unknown else Severity.MEDIUM,
        unit_id=unit["id"],
        product_id=unit["product_id"],
    )


def _why_unregistered(one: Answered, *, unknown: bool) -> tuple[Cause, str]:
    if one.sent:
        taken = moment(one.sent[0]["settled_at"] or 0)
        text = f"It took the registration at {taken:%Y-%m-%d %H:%M:%S} UTC: it is removed there."
        return Cause.REMOVED_THERE, text
    if unknown:
        return Cause.UNKNOWN_SERIAL, "It never took a registration of it."
    if one.facts:
        return Cause.FAILED_PUSH, f"It refused the registration: {one.facts[0]['last_error']}"
    return Cause.UNEXPLAINED, "No registration was sent."


def _proofs(one: Answered) -> tuple[Proof, ...]:
    return tuple(proof_of_fact(each) for each in (*one.sent, *one.facts)[:1])


def _not_sold(one: Answered) -> Difference:
    unit = one.unit
    seen = Proof(
        record="warranty_record",
        id=unit["id"],
        at=moment(unit["observed_at"] or 0),
        text="the manufacturer states a registration",
    )
    return Difference(
        kind=Kind.FOREIGN_REGISTRATION,
        about=unit["id"],
        subject=unit["serial"],
        ledger={"status": unit["status"], "sku": unit["sku"]},
        remote={"registered": True, "reference": one.answer.reference},
        cause=Cause.FOREIGN_EDIT,
        evidence=f"{unit['serial']} is in stock, was never registered from here, and is registered "
        "to somebody.",
        proofs=(seen,),
        fix=Fix.ASK,
        severity=Severity.HIGH,
        unit_id=unit["id"],
        product_id=unit["product_id"],
    )


def _other_product(one: Answered) -> Difference | None:
    unit, stated = one.unit, one.answer.product
    names = [unit["sku"], unit["model_number"] or "", unit["gtin"] or ""]
    if not stated or _folded(stated) in {_folded(each) for each in names if each}:
        return None
    return _wrong(
        one,
        Kind.WARRANTY_PRODUCT,
        {"product": unit["model_number"] or unit["sku"]},
        {"product": stated},
        f"{unit['serial']} is a {unit['model_number'] or unit['sku']} here, and a {stated} at the "
        "manufacturer.",
    )


def _other_reference(one: Answered) -> Difference | None:
    stated = one.answer.reference
    ours = [each["id"] for each in one.facts]
    if not stated or not one.sent or stated in ours:
        return None
    return _wrong(
        one,
        Kind.FOREIGN_REGISTRATION,
        {"reference": one.sent[0]["id"]},
        {"reference": stated},
        f"{one.unit['serial']} was registered under {one.sent[0]['id']}, and is registered under "
        f"{stated} now.",
    )


def _other_days(one: Answered) -> Difference | None:
    """Return the difference of the day of the sale, or of a cover that ends earlier than before."""
    answer, unit = one.answer, one.unit
    sold_on = _sold_on(one.sent[0]) if one.sent else None
    if sold_on and answer.sold_on and answer.sold_on != sold_on:
        return _wrong(
            one,
            Kind.WARRANTY_DATES,
            {"sold_on": sold_on.isoformat()},
            {"sold_on": answer.sold_on.isoformat()},
            f"The sale of {unit['serial']} was registered for {sold_on.isoformat()}, and the "
            f"manufacturer states {answer.sold_on.isoformat()}.",
            Fix.REGISTER_AGAIN,
        )
    ends_on = answer.ends_on.isoformat() if answer.ends_on else None
    latest = unit["latest_ends_on"]
    if latest is None or (ends_on is not None and ends_on >= latest):
        return None
    return _wrong(
        one,
        Kind.WARRANTY_DATES,
        {"ends_on": latest},
        {"ends_on": ends_on},
        f"The manufacturer stated that the cover of {unit['serial']} ends on {latest}, and states "
        f"{ends_on or 'no last day'} now.",
    )


def _sold_on(fact: OutboxRow) -> date:
    return moment(orjson.loads(fact["payload"])["sold_at"]).date()


def _wrong(
    one: Answered,
    kind: Kind,
    ledger: dict[str, str | None],
    remote: dict[str, str | None],
    evidence: str,
    fix: Fix = Fix.ASK,
) -> Difference:
    """Return a difference of what a registration states; somebody else than the hub wrote it."""
    unit = one.unit
    return Difference(
        kind=kind,
        about=unit["id"],
        subject=unit["serial"],
        ledger=ledger,
        remote=remote,
        cause=Cause.FOREIGN_EDIT if one.sent else Cause.UNEXPLAINED,
        evidence=evidence,
        proofs=_proofs(one),
        fix=fix,
        severity=Severity.MEDIUM,
        unit_id=unit["id"],
        product_id=unit["product_id"],
    )


def _folded(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()
