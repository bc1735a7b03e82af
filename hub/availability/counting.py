"""Counting what a channel is to show: from the ledger, each time anew, and never from a counter.

Counting and promising ask the same question of a unit, `sellable`; the figure follows from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.availability import incoming
from hub.availability.policy import Policy, by_policy, of_products
from hub.catalogue import SELLING_KINDS
from hub.storage.sql import Row, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """How the quantity that is to be shown comes about, step by step."""

    counted: int  # units that may be sold
    after_share: int
    after_buffer: int
    pre_order: int  # units that may be sold before they are here
    after_cap: int
    shown: int


def sellable(policy: Policy, today: str | None = None) -> tuple[str, dict[str, Any]]:
    """Say which units, joined with their locations, may be sold: condition and values.

    All that it asks of a unit is in the index `unit_available`. With `today` what has expired is
    left out.
    """
    condition = (
        "unit.status = 'in_stock' AND unit.promised_to IS NULL AND unit.blocks = 0 "
        "AND location.kind IN (:kinds...)"
    )
    values: dict[str, Any] = {"kinds": [str(kind) for kind in SELLING_KINDS]}
    if policy.client_id is None:
        condition += " AND unit.client_id IS NULL"
    else:
        condition += " AND unit.client_id = :client"
        values["client"] = policy.client_id
    for asked, name, wanted in (
        ("location.site_id", "sites", policy.site_ids),
        ("unit.condition", "conditions", policy.conditions),
        ("unit.grade", "grades", policy.grades),
    ):
        if wanted:
            condition += f" AND {asked} IN (:{name}...)"
            values[name] = list(wanted)
    if today is not None:
        condition += " AND (unit.expires_on IS NULL OR unit.expires_on >= :today)"
        values["today"] = today
    return condition, values


def counted(
    tx: Transaction, policy: Policy, product_ids: Sequence[str], today: str | None = None
) -> dict[str, int]:
    """Count the units of products that may be sold."""
    condition, values = sellable(policy, today)
    rows = tx.rows(
        "SELECT unit.product_id, COUNT(*) AS units FROM unit "
        "JOIN location ON location.id = unit.location_id "
        f"WHERE unit.product_id IN (:ids...) AND {condition} GROUP BY unit.product_id",
        ids=list(product_ids),
        **values,
    )
    return {row["product_id"]: row["units"] for row in rows}


def figure(policy: Policy, units: int, pre_order: int) -> Figure:
    """Limit what was counted to what is shown: share, buffer, pre-orders, cap, pause."""
    shared = units * policy.share // 100
    buffered = max(0, shared - policy.safety_buffer)
    offered = buffered + pre_order
    capped = offered if policy.cap is None else min(offered, policy.cap)
    return Figure(
        counted=units,
        after_share=shared,
        after_buffer=buffered,
        pre_order=pre_order,
        after_cap=capped,
        shown=0 if policy.selling_paused else capped,
    )


def figures(
    tx: Transaction, channel: Row, product_ids: Sequence[str], now: datetime | None = None
) -> dict[str, Figure]:
    """Work out what a channel is to show of products, one count for those of one policy."""
    today = now.date().isoformat() if now else None
    found: dict[str, Figure] = {}
    for policy, ids in by_policy(of_products(tx, channel, product_ids)):
        units = counted(tx, policy, ids, today)
        early = incoming.open_to(tx, channel, policy, ids) if policy.pre_order else {}
        for each in ids:
            found[each] = figure(policy, units.get(each, 0), early.get(each, 0))
    return found
