"""Allocation: choose the units for an order line, by FIFO or FEFO, from one site if possible.

FIFO orders by receipt, FEFO by last day and then by receipt; the product decides. Expired units are
never allocated.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from hub import ledger
from hub.availability.counting import FREE, FREE_OR_LAPSED, sellable
from hub.availability.policy import by_policy, of_products
from hub.catalogue import Picking
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.ledger import lapsing
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction

LAPSED_MAX = 1_000  # promises past their end that one allocation releases
NEVER = "9999-12-31"  # units without a last day leave last


class AllocatedLine(TypedDict):
    """The columns of an order line that allocation reads."""

    id: str
    product_id: str | None
    unit_id: str | None


class PickOrder(TypedDict):
    """The columns of a unit that decide when it leaves."""

    expires_on: str | None
    received_at: int | None


class _SiteStock(TypedDict):
    site_id: str
    product_id: str
    units: int
    expires: str
    received: int | None


class _Id(TypedDict):
    id: str


def _today(context: CommandContext) -> str:
    return context.now.date().isoformat()


def _rule(tx: Transaction, product_id: str) -> Picking:
    return Picking(tx.value("SELECT picking FROM product WHERE id = :id", id=product_id))


def whole_site(
    tx: Transaction, context: CommandContext, channel: ChannelRow, wanted: Mapping[str, int]
) -> str | None:
    """Return the site that has all wanted quantities by product, or None if no single site does.

    Of several sites, the one with the unit that leaves first is chosen.
    """
    needed = {product_id: count for product_id, count in wanted.items() if count > 0}
    if sum(needed.values()) <= 1:
        return None  # the site of any single unit has it all
    sites: dict[str, dict[str, _SiteStock]] = {}
    for row in _by_site(tx, context, channel, sorted(needed)):
        if row["units"] >= needed[row["product_id"]]:
            sites.setdefault(row["site_id"], {})[row["product_id"]] = row
    first = next(iter(needed))
    by_expiry = _rule(tx, first) is Picking.FEFO
    able = [
        (found[first]["expires"] if by_expiry else "", found[first]["received"] or 0, site_id)
        for site_id, found in sites.items()
        if len(found) == len(needed)
    ]
    return min(able)[2] if able else None


def allocate(
    tx: Transaction,
    context: CommandContext,
    channel: ChannelRow,
    line: AllocatedLine,
    quantity: int,
    reference: str,
    *,
    site: str | None = None,
) -> int:
    """Allocate available units to an order line by its product's rule; return their number.

    Units at `site` come first; without one, those of a site that has the whole quantity. A line of
    a single-unit listing gets that unit.
    """
    product_id = line["product_id"]
    assert product_id is not None  # only mapped lines are served
    if site is None and line["unit_id"] is None:
        site = whole_site(tx, context, channel, {product_id: quantity})
    chosen = choose(tx, context, channel, product_id, quantity, site, unit_id=line["unit_id"])
    if not chosen:
        return 0
    verdicts = ledger.record(
        Work(tx, context, new_id()),
        UnitCommand(
            action=Action.ALLOCATE,
            line=line["id"],
            hold_reference=reference,
            details={"channel": channel["code"]},
        ),
        [Scan(unit_id) for unit_id in chosen],
    )
    return sum(verdict.accepted for verdict in verdicts)


def _by_site(
    tx: Transaction, context: CommandContext, channel: ChannelRow, product_ids: Sequence[str]
) -> list[_SiteStock]:
    """Return the quantities of products that a channel may sell, by site."""
    rows: list[_SiteStock] = []
    for policy, ids in by_policy(of_products(tx, channel, product_ids)):
        condition, values = sellable(policy, _today(context))
        rows += tx.rows_as(
            _SiteStock,
            "SELECT location.site_id, unit.product_id, COUNT(*) AS units, "
            "MIN(COALESCE(unit.expires_on, :never)) AS expires, MIN(unit.received_at) AS received "
            "FROM unit JOIN location ON location.id = unit.location_id "
            f"WHERE unit.product_id IN (:products...) AND {condition} AND {FREE_OR_LAPSED} "
            "GROUP BY location.site_id, unit.product_id",
            products=ids,
            never=NEVER,
            now=micros(context.now),
            **values,
        )
    return rows


def choose(
    tx: Transaction,
    context: CommandContext,
    channel: ChannelRow,
    product_id: str,
    quantity: int,
    site: str | None,
    *,
    unit_id: str | None = None,
) -> list[str]:
    """Lock the units that leave first, those at `site` before others; return their ids.

    Units locked by another transaction are skipped: that transaction is allocating them.
    """
    policy = of_products(tx, channel, [product_id])[product_id]
    lapsing.release_expired_of(Work(tx, context, new_id()), [product_id], limit=LAPSED_MAX)
    condition, values = sellable(policy, _today(context))
    rows = tx.rows_as(
        _Id,
        "SELECT unit.id FROM unit JOIN location ON location.id = unit.location_id "
        f"WHERE unit.product_id = :product AND {condition} AND {FREE} "
        f"{'' if unit_id is None else 'AND unit.id = :unit '}"
        "ORDER BY CASE WHEN location.site_id = :site THEN 0 ELSE 1 END, "
        "CASE WHEN :rule = 'fefo' THEN COALESCE(unit.expires_on, :never) ELSE '' END, "
        "unit.received_at, unit.id LIMIT :quantity FOR UPDATE OF unit SKIP LOCKED",
        product=product_id,
        site=site or "",
        rule=str(_rule(tx, product_id)),
        never=NEVER,
        quantity=quantity,
        **({} if unit_id is None else {"unit": unit_id}),
        **values,
    )
    return [row["id"] for row in rows]


def broken_rule(rule: str, directed: PickOrder, picked: PickOrder) -> Picking | None:
    """Return the picking rule that picking another unit than the directed one breaks, or None."""
    if rule == Picking.FEFO:
        last, other = (each["expires_on"] or NEVER for each in (directed, picked))
        return Picking.FEFO if other > last else None
    received, later = (each["received_at"] or 0 for each in (directed, picked))
    return Picking.FIFO if later > received else None
