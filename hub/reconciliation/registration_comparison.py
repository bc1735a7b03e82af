"""Comparison of sold units with their registrations at a manufacturer."""

from typing import TypedDict

from hub.cases import Severity
from hub.reconciliation.kinds import (
    Cause,
    Compared,
    Difference,
    Fix,
    Kind,
    different,
    in_flight,
    matched,
)
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.vocabulary import Warranty, WarrantyStatus


class RegisteredUnit(TypedDict):
    """A sold unit; `telling` counts its registrations that are in flight."""

    id: str
    serial: str
    sku: str
    model_number: str | None
    product_id: str
    telling: int


def sold_units(
    tx: Transaction, channel: ChannelRow, after: str, *, limit: int
) -> list[RegisteredUnit]:
    """Return the next sold units with a registration at the manufacturer, in order of their ids."""
    return tx.rows_as(
        RegisteredUnit,
        "SELECT unit.id, unit.serial, product.sku, product.model_number, unit.product_id, "
        "SUM(CASE WHEN outbox.state IN ('waiting', 'leased') THEN 1 ELSE 0 END) AS telling "
        "FROM outbox JOIN unit ON unit.id = outbox.subject "
        "JOIN product ON product.id = unit.product_id "
        "WHERE outbox.channel_id = :channel AND outbox.topic = 'registration' "
        "AND unit.id > :after AND unit.status IN ('shipped', 'sold') "
        "GROUP BY unit.id, unit.serial, product.sku, product.model_number, unit.product_id "
        "ORDER BY unit.id LIMIT :limit",
        channel=channel["id"],
        after=after,
        limit=limit,
    )


def registration(unit: RegisteredUnit, answer: Warranty) -> Compared:
    """Compare one sold unit with its registration at the manufacturer."""
    if answer.registered:
        return matched(unit["id"])
    if unit["telling"]:
        return in_flight(unit["id"])
    foreign = answer.status in {WarrantyStatus.UNKNOWN, WarrantyStatus.INVALID}
    return different(
        Difference(
            about=unit["id"],
            kind=Kind.UNKNOWN_SERIAL if foreign else Kind.MISSING_REGISTRATION,
            subject=unit["serial"],
            ledger={"sold": True, "sku": unit["sku"]},
            remote={"status": str(answer.status), "registered": False},
            cause=Cause.UNKNOWN_SERIAL if foreign else Cause.FAILED_PUSH,
            evidence=f"{unit['serial']} was sold, and the manufacturer "
            + ("does not know the serial." if foreign else "has no registration of it."),
            fix=Fix.ASK if foreign else Fix.REGISTER_AGAIN,
            severity=Severity.HIGH if foreign else Severity.MEDIUM,
            unit_id=unit["id"],
            product_id=unit["product_id"],
        )
    )
