"""Reserving: choose and promise the units of all lines of a cart, in one command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypedDict

from hub import ledger
from hub.availability import counting
from hub.availability.policy import Policy, of_products
from hub.catalogue import Picking
from hub.clock import micros
from hub.commands.work import Work
from hub.errors import NotEnoughStock, Refused, UnknownReference
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders.allocation import whole_site
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.storefront import carts
from hub.storefront.carts import CartLine
from hub.storefront.choosing import Shelf, Wish, choose, condition_of
from hub.sync import own_channels


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of one line: how many units were reserved, and why no more of them."""

    line: CartLine
    reserved: int = 0
    code: str | None = None  # of the refusal; None: all of it is reserved
    message: str | None = None


class _Product(TypedDict):
    id: str
    sku: str
    picking: str


class _Site(TypedDict):
    code: str
    site_id: str


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is read once for all lines."""

    channel: ChannelRow
    products: Mapping[str, _Product]  # by SKU
    sites: Mapping[str, str]  # ids of sites, by the codes of their locations
    policies: Mapping[str, Policy]  # by product id


def reserve(
    work: Work,
    cart: str,
    lines: Sequence[CartLine],
    ttl: timedelta,
    *,
    partial: bool = False,
    near: Sequence[str] = (),
) -> list[Outcome]:
    """Reserve units for a cart until `ttl` from now; return the outcomes, in the order of `lines`.

    Without `partial`, all lines are reserved or nothing is. `near` are codes of sites, nearest
    first. Raises InvalidInput and, unless `partial`, UnknownReference and NotEnoughStock.
    """
    carts.check_lines(lines)
    outcomes = [Outcome(line=line) for line in lines]
    known = _read(work, lines, near)
    # The lines that ask for most come first: others would take what alone fits them.
    strict = sorted(
        outcomes,
        key=lambda each: (each.line.site is None, each.line.condition is None, each.line.sku),
    )
    chosen = _choose(work, known, strict, _near(work, known, lines, near))
    if not partial:
        _require_all(outcomes)
    _promise(work, cart, ttl, chosen)
    return outcomes


def policy_of(tx: Transaction, channel: ChannelRow, product_id: str) -> Policy:
    """Return the policy by which the storefront sells a product."""
    return of_products(tx, channel, [product_id])[product_id]


def _read(work: Work, lines: Sequence[CartLine], near: Sequence[str]) -> _Wanted:
    tx = work.tx
    channel = own_channels.ensure(tx, own_channels.STOREFRONT, work.context.now)
    found = tx.rows_as(
        _Product,
        "SELECT id, sku, picking FROM product WHERE sku IN (:skus...)",
        skus=sorted({line.sku for line in lines}),
    )
    codes = sorted({line.site for line in lines if line.site} | set(near))
    sites = _sites(tx, codes) if codes else {}
    ids = sorted(row["id"] for row in found)
    return _Wanted(
        channel, {row["sku"]: row for row in found}, sites, of_products(tx, channel, ids)
    )


def _sites(tx: Transaction, codes: Sequence[str]) -> dict[str, str]:
    rows = tx.rows_as(
        _Site, "SELECT code, site_id FROM location WHERE code IN (:codes...)", codes=list(codes)
    )
    return {row["code"]: row["site_id"] for row in rows}


def _near(
    work: Work, known: _Wanted, lines: Sequence[CartLine], near: Sequence[str]
) -> Sequence[str]:
    """Return the ids of the preferred sites: as asked, else one that has the whole cart."""
    unknown = [code for code in near if code not in known.sites]
    if unknown:
        raise UnknownReference(f"there is no site {unknown[0]!r}", field="near")
    if near:
        return [known.sites[code] for code in near]
    wanted: dict[str, int] = {}
    for line in lines:
        if line.sku in known.products and line.site is None:
            product_id = known.products[line.sku]["id"]
            wanted[product_id] = wanted.get(product_id, 0) + line.quantity
    site = whole_site(work.tx, work.context, known.channel, wanted)
    return [site] if site else []


def _choose(
    work: Work, known: _Wanted, outcomes: Sequence[Outcome], near: Sequence[str]
) -> list[str]:
    """Choose the units of each line; note in its outcome what it lacks."""
    chosen: list[str] = []
    shown = _shown(work, known)
    for each in outcomes:
        try:
            wish = _wish(known, each.line)
        except Refused as refusal:
            each.code, each.message = refusal.code, str(refusal)
            continue
        product_id = wish.product_id
        may = min(wish.quantity, shown.get(product_id, wish.quantity))
        units = choose(
            Shelf(work, known.policies[product_id], near), replace(wish, quantity=may), chosen
        )
        chosen += units
        each.reserved = len(units)
        if product_id in shown:
            shown[product_id] -= len(units)
        if each.reserved < each.line.quantity:
            each.code = NotEnoughStock.code
            each.message = f"there are not {each.line.quantity} of {each.line.sku}"
    return chosen


def _wish(known: _Wanted, line: CartLine) -> Wish:
    product = known.products.get(line.sku)
    if product is None:
        raise UnknownReference(f"there is no product {line.sku!r}", field="sku")
    if line.site is not None and line.site not in known.sites:
        raise UnknownReference(f"there is no site {line.site!r}", field="site")
    return Wish(
        product_id=product["id"],
        quantity=line.quantity,
        picking=Picking(product["picking"]),
        condition=condition_of(known.policies[product["id"]], line.condition),
        site_id=known.sites[line.site] if line.site else None,
    )


def _shown(work: Work, known: _Wanted) -> dict[str, int]:
    """Return how many may be sold of the products whose policy keeps some back."""
    kept_back = {
        product_id: policy
        for product_id, policy in known.policies.items()
        if policy.safety_buffer
        or policy.share < 100
        or policy.cap is not None
        or policy.selling_paused
    }
    found: dict[str, int] = {}
    for product_id, policy in kept_back.items():
        units = counting.counted(work.tx, policy, [product_id], work.context.now)
        found[product_id] = counting.figure(policy, units.get(product_id, 0), 0).shown
    return found


def _require_all(outcomes: Sequence[Outcome]) -> None:
    short = [each for each in outcomes if each.code is not None]
    for each in short:
        if each.code == UnknownReference.code:
            raise UnknownReference(each.message or "", field="lines")
    if short:
        raise NotEnoughStock(
            short[0].message or "",
            available=short[0].reserved,
            skus=sorted({each.line.sku for each in short}),
        )


def _promise(work: Work, cart: str, ttl: timedelta, chosen: Sequence[str]) -> None:
    if not chosen:
        return
    command = UnitCommand(
        action=Action.ALLOCATE,
        hold_reference=cart,
        expires_at=micros(work.context.now + ttl),
        owner=carts.owner_of(work.context),
        details={"channel": own_channels.STOREFRONT},
    )
    for verdict in ledger.record(work, command, [Scan(unit_id) for unit_id in chosen]):
        if not verdict.accepted:  # what is chosen is locked and free: nothing refuses it
            raise NotEnoughStock(verdict.message or "", available=0, skus=[])
