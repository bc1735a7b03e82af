"""Quantities that a channel shows, counted from the ledger each time and never from a counter.

Counting and allocation select units by the same condition, `sellable`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.availability import incoming
from hub.availability.policy import Policy, by_policy, of_products
from hub.availability.rows import ChannelLike, ProductUnits
from hub.catalogue import SELLING_KINDS
from hub.clock import micros
from hub.storage.sql import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The calculation of the quantity that is shown, step by step."""

    counted: int  # units that may be sold
    after_share: int
    after_buffer: int
    pre_order: int  # units that may be sold before they arrive
    after_cap: int
    shown: int


# Of a unit: nobody is promised it. The index `unit_available` holds these.
FREE = "unit.promised_to IS NULL"
# Its promise is past its end, and binds nobody. The index `unit_lapsing` finds these.
LAPSED = "unit.promised_until <= :now"
FREE_OR_LAPSED = f"({FREE} OR {LAPSED})"


def sellable(policy: Policy, today: str | None = None) -> tuple[str, dict[str, Any]]:
    """Return the SQL condition, with its values, of the units that may be sold if they are free.

    It expects units joined with their locations; the index `unit_available` covers its columns.
    `FREE` or `LAPSED` says who is free. With `today` (an ISO date) expired units are excluded.
    """
    condition = "unit.status = 'in_stock' AND unit.blocks = 0 AND location.kind IN (:kinds...)"
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
    tx: Transaction, policy: Policy, product_ids: Sequence[str], now: datetime | None = None
) -> dict[str, int]:
    """Count the units of products that may be sold; at `now` neither expired nor promised ones."""
    condition, values = sellable(policy, now.date().isoformat() if now else None)
    found: dict[str, int] = {}
    # Two counts, each on an index of its own, and both as large as what is free.
    for free in (FREE, LAPSED) if now else (FREE,):
        rows = tx.rows_as(
            ProductUnits,
            "SELECT unit.product_id, COUNT(*) AS units FROM unit "
            "JOIN location ON location.id = unit.location_id "
            f"WHERE unit.product_id IN (:ids...) AND {condition} AND {free} "
            "GROUP BY unit.product_id",
            ids=list(product_ids),
            **values,
            **({"now": micros(now)} if now and free is LAPSED else {}),
        )
        for row in rows:
            found[row["product_id"]] = found.get(row["product_id"], 0) + row["units"]
    return found


def figure(policy: Policy, units: int, pre_order: int) -> Figure:
    """Apply share, buffer, pre-orders, cap and pause to a number of units."""
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
    tx: Transaction, channel: ChannelLike, product_ids: Sequence[str], now: datetime | None = None
) -> dict[str, Figure]:
    """Calculate the quantity that a channel shows of each product, with one count per policy."""
    found: dict[str, Figure] = {}
    for policy, ids in by_policy(of_products(tx, channel, product_ids)):
        units = counted(tx, policy, ids, now)
        early = incoming.open_to(tx, channel, policy, ids) if policy.pre_order else {}
        for each in ids:
            found[each] = figure(policy, units.get(each, 0), early.get(each, 0))
    return found
