"""Stock as a shop shows it: a band for each SKU, by site and by condition, and what is to come.

What is counted is what a cart could reserve now: by the policy of the channel `storefront`, without
expired units, units of one condition at a time. What was sold is not read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

from hub.availability import counting, incoming
from hub.availability.policy import CONDITIONS, Policy, by_policy, of_products
from hub.availability.rows import ChannelLike
from hub.clock import micros
from hub.errors import InvalidInput, UnknownReference
from hub.storage.sql import Transaction
from hub.storefront.choosing import condition_of
from hub.sync import own_channels


class Band(StrEnum):
    """How much of a product there is, without saying how many."""

    IN_STOCK = "in_stock"
    LOW = "low"  # at the policy's threshold or below
    OUT = "out"
    PREORDER = "preorder"  # none is here; what is to arrive is sold already


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteStock:
    """The units of the asked condition at one site."""

    site: str
    name: str
    available: int
    band: Band


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionStock:
    """The units of one condition, at all sites or at the one that is asked."""

    condition: str
    available: int
    band: Band


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """The stock of a SKU; `next_arrival` is an ISO day, `pre_order_left` what may be sold early."""

    sku: str
    condition: str
    available: int
    band: Band
    sites: list[SiteStock]
    conditions: list[ConditionStock]
    pre_order_cap: int
    pre_order_left: int
    next_arrival: str | None


class _Product(TypedDict):
    id: str
    sku: str


class _Site(TypedDict):
    id: str
    code: str
    name: str
    site_id: str


class _Count(TypedDict):
    product_id: str
    site_id: str
    condition: str
    units: int


class _Arrival(TypedDict):
    product_id: str
    expected_on: str


# Units by id of the site and condition.
Counts = dict[tuple[str, str], int]


def of_skus(
    tx: Transaction,
    skus: Sequence[str],
    now: datetime,
    *,
    site: str | None = None,
    condition: str | None = None,
) -> list[Stock | None]:
    """Return the stock of SKUs, in their order; None for an unknown one.

    With `site` (a code) only what is there counts. Raises UnknownReference for an unknown site,
    InvalidInput for a condition that is none.
    """
    if condition is not None and condition not in CONDITIONS:
        raise InvalidInput(f"a condition is one of {', '.join(CONDITIONS)}", field="condition")
    wanted = sorted(set(skus))
    products = tx.rows_as(
        _Product, "SELECT id, sku FROM product WHERE sku IN (:skus...)", skus=wanted
    )
    ids = {row["sku"]: row["id"] for row in products}
    at = None if site is None else _site(tx, site)
    channel = own_channels.read(tx, own_channels.STOREFRONT)
    policies = of_products(tx, channel, sorted(ids.values()))
    counts = _counts(tx, policies, now)
    sites = _sites(tx, {key[0] for each in counts.values() for key in each})
    found = {
        sku: _stock(sku, policies[product_id], counts[product_id], sites, at, condition)
        for sku, product_id in ids.items()
    }
    out = [ids[sku] for sku, each in found.items() if each.available == 0]
    early = _early(tx, channel, {product_id: policies[product_id] for product_id in out})
    arrivals = _arrivals(tx, sorted(ids.values()), now)
    complete = {
        sku: _with_arrivals(each, early.get(ids[sku], 0), arrivals.get(ids[sku]))
        for sku, each in found.items()
    }
    return [complete.get(sku) for sku in skus]


def band_of(available: int, policy: Policy) -> Band:
    """Return the band of a number of units; what is to come is not considered."""
    if available <= 0:
        return Band.OUT
    return Band.LOW if available <= policy.low_stock else Band.IN_STOCK


def _site(tx: Transaction, code: str) -> str:
    row = tx.row_as(
        _Site, "SELECT id, code, name, site_id FROM location WHERE code = :code", code=code
    )
    if row is None:
        raise UnknownReference(f"there is no site {code!r}", field="site")
    return row["site_id"]


def _sites(tx: Transaction, ids: set[str]) -> Mapping[str, _Site]:
    rows = tx.rows_as(
        _Site,
        "SELECT id, code, name, site_id FROM location WHERE id IN (:ids...)",
        ids=sorted(ids),
    )
    return {row["id"]: row for row in rows}


def _counts(tx: Transaction, policies: Mapping[str, Policy], now: datetime) -> dict[str, Counts]:
    """Count what may be sold by product, site and condition: two statements for each policy."""
    found: dict[str, Counts] = {product_id: {} for product_id in policies}
    for policy, ids in by_policy(dict(policies)):
        condition, values = counting.sellable(policy, now.date().isoformat())
        for free in (counting.FREE, counting.LAPSED):
            rows = tx.rows_as(
                _Count,
                "SELECT unit.product_id, location.site_id, unit.condition, COUNT(*) AS units "
                "FROM unit JOIN location ON location.id = unit.location_id "
                f"WHERE unit.product_id IN (:ids...) AND {condition} AND {free} "
                "GROUP BY unit.product_id, location.site_id, unit.condition",
                ids=ids,
                **values,
                **_now(free, now),
            )
            for row in rows:
                counts, key = found[row["product_id"]], (row["site_id"], row["condition"])
                counts[key] = counts.get(key, 0) + row["units"]
    return found


def _now(free: str, now: datetime) -> dict[str, Any]:
    return {"now": micros(now)} if free is counting.LAPSED else {}


def _stock(
    sku: str,
    policy: Policy,
    counts: Counts,
    sites: Mapping[str, _Site],
    at: str | None,
    condition: str | None,
) -> Stock:
    asked = condition_of(policy, condition)
    by_condition: dict[str, int] = dict.fromkeys(policy.conditions or CONDITIONS, 0)
    everywhere: dict[str, int] = {}
    for (site_id, each), units in counts.items():
        everywhere[each] = everywhere.get(each, 0) + units
        if at in {None, site_id}:
            by_condition[each] = by_condition.get(each, 0) + units
    # Share, buffer and cap are of the whole stock; a site never shows more than all of them.
    most = {each: counting.figure(policy, units, 0).shown for each, units in everywhere.items()}
    shown = {each: min(units, most.get(each, 0)) for each, units in by_condition.items()}
    of_sites = [
        (sites[site_id], min(units, most.get(asked, 0)))
        for (site_id, each), units in counts.items()
        if each == asked and at in {None, site_id}
    ]
    return Stock(
        sku=sku,
        condition=asked,
        available=shown.get(asked, 0),
        band=band_of(shown.get(asked, 0), policy),
        sites=[
            SiteStock(
                site=row["code"], name=row["name"], available=units, band=band_of(units, policy)
            )
            for row, units in sorted(of_sites, key=lambda each: each[0]["code"])
        ],
        conditions=[
            ConditionStock(condition=each, available=units, band=band_of(units, policy))
            for each, units in shown.items()
        ],
        pre_order_cap=policy.pre_order,
        pre_order_left=0,
        next_arrival=None,
    )


def _early(tx: Transaction, channel: ChannelLike, policies: Mapping[str, Policy]) -> dict[str, int]:
    """Return how many may still be sold before they arrive, of products that are out of stock."""
    found: dict[str, int] = {}
    for policy, ids in by_policy(dict(policies)):
        if policy.pre_order and not policy.selling_paused:
            found |= incoming.open_to(tx, channel, policy, ids)
    return found


def _with_arrivals(stock: Stock, early: int, arrival: str | None) -> Stock:
    band = Band.PREORDER if stock.band is Band.OUT and early > 0 else stock.band
    return replace(stock, band=band, pre_order_left=early, next_arrival=arrival)


def _arrivals(tx: Transaction, ids: Sequence[str], now: datetime) -> dict[str, str]:
    """Return the day of the next announced delivery that still lacks units, by product."""
    rows = tx.rows_as(
        _Arrival,
        "SELECT line.product_id, MIN(delivery.expected_on) AS expected_on "
        "FROM delivery_line AS line JOIN delivery ON delivery.id = line.delivery_id "
        "WHERE line.product_id IN (:ids...) AND delivery.state = 'open' "
        "AND delivery.expected_on >= :today AND line.quantity > (SELECT COUNT(*) FROM unit "
        "WHERE unit.delivery_id = delivery.id AND unit.product_id = line.product_id "
        "AND unit.status <> 'expected') GROUP BY line.product_id",
        ids=list(ids),
        today=now.date().isoformat(),
    )
    return {row["product_id"]: row["expected_on"] for row in rows}
