"""Choosing: the units that a cart gets, each locked for it alone.

Units leave by the rule of their product (first in or first expired), from a near site before
others. What another shopper is choosing in the same moment is skipped, so that many shoppers get
different first units; only where that leaves too few does the statement wait for the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from hub.availability.counting import FREE, sellable
from hub.availability.policy import Policy
from hub.catalogue import Picking
from hub.orders.allocation import NEVER
from hub.storage.sql import Transaction

NEW = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A quantity of one product, of one condition, at one site or at any."""

    product_id: str
    quantity: int
    picking: Picking
    condition: str
    site_id: str | None = None


class _Id(TypedDict):
    id: str


def condition_of(policy: Policy, asked: str | None) -> str:
    """Return the condition that is meant: as asked, else new, else the first that is sold.

    So units of two conditions are never mixed in one line.
    """
    if asked is not None:
        return asked
    return NEW if not policy.conditions or NEW in policy.conditions else policy.conditions[0]


def choose(
    tx: Transaction,
    policy: Policy,
    wish: Wish,
    *,
    today: str,
    near: Sequence[str],
    taken: Sequence[str],
) -> list[str]:
    """Lock up to `wish.quantity` units and return their ids, in leaving order.

    `near` are ids of sites, the preferred one first; `taken` are units that are chosen already.
    """
    chosen: list[str] = []
    sites: list[str | None] = [wish.site_id] if wish.site_id else [*near, None]
    # Where too few are left, the last look waits for those who are choosing.
    looks = [(site, True) for site in sites] + [(sites[-1], False)]
    for site, skips in looks:
        missing = wish.quantity - len(chosen)
        if missing <= 0:
            break
        if not skips and tx.dialect == "sqlite":
            break  # a single writer: there is nobody to wait for
        gone = [*taken, *chosen]
        chosen += _free(tx, policy, wish, missing, site, today, gone, skips=skips)
    return chosen


def _free(
    tx: Transaction,
    policy: Policy,
    wish: Wish,
    quantity: int,
    site: str | None,
    today: str,
    gone: Sequence[str],
    *,
    skips: bool,
) -> list[str]:
    condition, values = sellable(policy, today)
    if site is not None:
        condition += " AND location.site_id = :site"
        values["site"] = site
    if gone:
        condition += " AND NOT (unit.id IN (:gone...))"
        values["gone"] = list(gone)
    order = "unit.received_at, unit.id"  # the order of the index
    if wish.picking is Picking.FEFO:
        order = f"COALESCE(unit.expires_on, :never), {order}"
        values["never"] = NEVER
    rows = tx.rows_as(
        _Id,
        "SELECT unit.id FROM unit JOIN location ON location.id = unit.location_id "
        f"WHERE unit.product_id = :product AND {condition} AND {FREE} "
        f"AND unit.condition = :condition ORDER BY {order} LIMIT :quantity "
        f"FOR UPDATE OF unit{' SKIP LOCKED' if skips else ''}",
        product=wish.product_id,
        condition=wish.condition,
        quantity=quantity,
        **values,
    )
    return [row["id"] for row in rows]
