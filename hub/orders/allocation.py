"""Which units serve an order: the oldest, or those that expire first, and from one site if it can.

FIFO goes by the receipt, FEFO by the last day and then by the receipt; each product has its rule.
What has expired serves nobody.
"""

from collections.abc import Mapping, Sequence

from hub import ledger
from hub.availability.counting import sellable
from hub.availability.policy import by_policy, of_products
from hub.catalogue import Picking
from hub.clock import new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Row, Transaction

NEVER = "9999-12-31"  # what has no last day leaves after what has one


def _today(context: CommandContext) -> str:
    return context.now.date().isoformat()


def _rule(tx: Transaction, product_id: str) -> Picking:
    return Picking(tx.value("SELECT picking FROM product WHERE id = :id", id=product_id))


def whole_site(
    tx: Transaction, context: CommandContext, channel: Row, wanted: Mapping[str, int]
) -> str | None:
    """Return the site that has all that is wanted, by product; None if no single one has.

    Of several, the one with the unit that is to leave first is taken.
    """
    needed = {product_id: count for product_id, count in wanted.items() if count > 0}
    if sum(needed.values()) <= 1:
        return None  # whichever unit is first, its site has it all
    sites: dict[str, dict[str, Row]] = {}
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
    channel: Row,
    line: Row,
    quantity: int,
    reference: str,
    *,
    site: str | None = None,
) -> int:
    """Promise available units to an order line by its product's rule; return how many there were.

    Units at `site` come first; where none is named, those of a site that has them all. A line of a
    listing that sells one unit is promised that one.
    """
    product_id = line["product_id"]
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
    tx: Transaction, context: CommandContext, channel: Row, product_ids: Sequence[str]
) -> list[Row]:
    """Count what a channel may sell of products, site by site."""
    rows: list[Row] = []
    for policy, ids in by_policy(of_products(tx, channel, product_ids)):
        condition, values = sellable(policy, _today(context))
        rows += tx.rows(
            "SELECT location.site_id, unit.product_id, COUNT(*) AS units, "
            "MIN(COALESCE(unit.expires_on, :never)) AS expires, MIN(unit.received_at) AS received "
            "FROM unit JOIN location ON location.id = unit.location_id "
            f"WHERE unit.product_id IN (:products...) AND {condition} "
            "GROUP BY location.site_id, unit.product_id",
            products=ids,
            never=NEVER,
            **values,
        )
    return rows


def choose(
    tx: Transaction,
    context: CommandContext,
    channel: Row,
    product_id: str,
    quantity: int,
    site: str | None,
    *,
    unit_id: str | None = None,
) -> list[str]:
    """Lock and return the units that are to leave first, those at a site before all others.

    Units that somebody else has locked are passed over: he is promising them.
    """
    policy = of_products(tx, channel, [product_id])[product_id]
    condition, values = sellable(policy, _today(context))
    rows = tx.rows(
        "SELECT unit.id FROM unit JOIN location ON location.id = unit.location_id "
        f"WHERE unit.product_id = :product AND {condition} "
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


def broken_rule(rule: str, directed: Row, picked: Row) -> Picking | None:
    """Return the rule that is broken when one unit leaves in the place of another."""
    if rule == Picking.FEFO:
        last, other = (each["expires_on"] or NEVER for each in (directed, picked))
        return Picking.FEFO if other > last else None
    received, later = (each["received_at"] or 0 for each in (directed, picked))
    return Picking.FIFO if later > received else None
