"""Choosing: the units that a cart gets, each locked for it alone.

Units leave by the rule of their product (first in or first expired), from a near site before
others. What another shopper is choosing in the same moment is skipped, so that many shoppers get
different first units; only where that leaves too few does the statement wait for the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from hub.availability.counting import FREE, LAPSED, sellable
from hub.availability.policy import Policy
from hub.catalogue import Picking
from hub.clock import micros
from hub.commands.work import Work
from hub.ledger import lapsing
from hub.orders.allocation import NEVER

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


@dataclass(frozen=True, slots=True)
class Shelf:
    """From what units are chosen: the command, the policy, and the sites to prefer, by id."""

    work: Work
    policy: Policy
    near: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Look:
    """One look: at one site or all, and whether it skips what others are choosing."""

    site_id: str | None
    skips: bool


def choose(shelf: Shelf, wish: Wish, taken: Sequence[str]) -> list[str]:
    """Lock up to `wish.quantity` units that are not `taken`; return their ids, in leaving order.

    Promises past their end are ended as far as their units are wanted: first in line are they.
    """
    chosen: list[str] = []
    sites: list[str | None] = [wish.site_id] if wish.site_id else [*shelf.near, None]
    looks = [_Look(site, skips=True) for site in sites]
    if shelf.work.tx.dialect != "sqlite":  # a single writer has nobody to wait for
        looks.append(_Look(sites[-1], skips=False))
    for look in looks:
        missing = wish.quantity - len(chosen)
        if missing <= 0:
            break
        gone = [*taken, *chosen]
        lapsed = _units(shelf, wish, LAPSED, missing, look, gone)
        lapsing.release(shelf.work, lapsed)
        chosen += _units(shelf, wish, FREE, missing, look, gone)
    return chosen


def _units(
    shelf: Shelf, wish: Wish, free: str, quantity: int, look: _Look, gone: Sequence[str]
) -> list[str]:
    """Lock units that are free, or whose promise has lapsed, in leaving order; return their ids."""
    now = shelf.work.context.now
    condition, values = sellable(shelf.policy, now.date().isoformat())
    if look.site_id is not None:
        condition += " AND location.site_id = :site"
        values["site"] = look.site_id
    if gone:
        condition += " AND NOT (unit.id IN (:gone...))"
        values["gone"] = list(gone)
    if free is LAPSED:
        values["now"] = micros(now)
    order = "unit.received_at, unit.id"  # the order of the index
    if wish.picking is Picking.FEFO:
        order = f"COALESCE(unit.expires_on, :never), {order}"
        values["never"] = NEVER
    rows = shelf.work.tx.rows_as(
        _Id,
        "SELECT unit.id FROM unit JOIN location ON location.id = unit.location_id "
        f"WHERE unit.product_id = :product AND {condition} AND {free} "
        f"AND unit.condition = :condition ORDER BY {order} LIMIT :quantity "
        f"FOR UPDATE OF unit{' SKIP LOCKED' if look.skips else ''}",
        product=wish.product_id,
        condition=wish.condition,
        quantity=quantity,
        **values,
    )
    return [row["id"] for row in rows]
