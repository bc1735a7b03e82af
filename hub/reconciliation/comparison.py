"""Comparison of a channel with the ledger, item by item.

Each function takes a batch of items read from a channel and returns the matches, the items in
flight and the differences, with the cause that the records prove.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from hub.cases import Severity
from hub.catalogue import SERIAL_TRACKED
from hub.clock import micros, moment
from hub.reconciliation.differences import Cause, Difference, Fix, Kind
from hub.storage.rows import ChannelRow, ListingLevelRow
from hub.storage.sql import Transaction
from hub.sync import listings
from hub.vocabulary import ObservedLevel, Warranty, WarrantyStatus


class BoundLevel(ListingLevelRow):
    """A level with the SKU of its listing."""

    sku: str
    tracking: str


class RegisteredUnit(TypedDict):
    """A sold unit; `telling` counts its registrations that are in flight."""

    id: str
    serial: str
    sku: str
    model_number: str | None
    product_id: str
    telling: int


class NearMatch(TypedDict):
    """A product whose SKU is written almost like another one."""

    id: str
    sku: str


class _ProductName(TypedDict):
    id: str
    name: str
    tracking: str


@dataclass(slots=True)
class Compared:
    """Outcome of one batch."""

    matched: int = 0
    in_flight: int = 0
    not_kept: int = 0  # the channel keeps their quantity: nothing is compared
    differences: list[Difference] = field(default_factory=list)


def levels(
    tx: Transaction, channel: ChannelRow, observed: Sequence[ObservedLevel], now: datetime
) -> Compared:
    """Compare the quantities that a channel shows with those that it should show."""
    outcome = Compared()
    bound = {
        row["sku"]: row
        for row in tx.rows_as(
            BoundLevel,
            "SELECT listing.sku, product.tracking, listing_level.* FROM listing "
            "JOIN listing_level ON listing_level.listing_id = listing.id "
            "JOIN product ON product.id = listing.product_id "
            "WHERE listing.channel_id = :channel AND listing.sku IN (:skus...)",
            channel=channel["id"],
            skus=[each.sku for each in observed],
        )
    }
    desired = listings.desired(tx, channel, list(bound.values()), now)
    for each in observed:
        level = bound.get(each.sku)
        if level is None:
            found = _unbound(tx, each)
            outcome.not_kept += found is None
            outcome.differences += [found] if found is not None else []
        elif level["tracking"] not in SERIAL_TRACKED:
            outcome.not_kept += 1
        elif each.quantity == desired[level["listing_id"]]:
            outcome.matched += 1
        elif level["wanted_version"] > level["done_version"] and level["state"] == "live":
            outcome.in_flight += 1
        else:
            outcome.differences.append(_quantity(each, level, desired[level["listing_id"]]))
    listings.saw(tx, [row["listing_id"] for row in bound.values()], now)
    return outcome


def _unbound(tx: Transaction, seen: ObservedLevel) -> Difference | None:
    """Return the difference of a listing that is not bound; None where nothing is to bind."""
    product = tx.row_as(
        _ProductName, "SELECT id, name, tracking FROM product WHERE sku = :sku", sku=seen.sku
    )
    if product is not None and product["tracking"] not in SERIAL_TRACKED:
        return None
    remote = {"quantity": seen.quantity, "title": seen.title, "remote": dict(seen.remote)}
    if product is not None:
        return Difference(
            kind=Kind.UNBOUND_LISTING,
            subject=seen.sku,
            ledger={"product": product["name"]},
            remote=remote,
            cause=Cause.MAPPING_GAP,
            evidence=f"{seen.sku} is listed there and is not bound to the product here.",
            fix=Fix.BIND_LISTING,
            product_id=product["id"],
        )
    near = near_match(tx, seen.sku)
    hint = f" It is written like our {near['sku']}." if near else ""
    return Difference(
        kind=Kind.UNKNOWN_LISTING,
        subject=seen.sku or seen.title,
        ledger={"near_match": near["sku"]} if near else {},
        remote=remote,
        cause=Cause.MAPPING_GAP,
        evidence=f"{seen.sku or seen.title!r} is listed there and is no product of ours.{hint}",
        fix=Fix.BIND_NEAR_MATCH if near else Fix.ASK,
        severity=Severity.LOW,
        product_id=near["id"] if near else None,
    )


def near_match(tx: Transaction, sku: str) -> NearMatch | None:
    """Return our only product whose SKU differs from this one in case and blanks alone, if any."""
    rows = tx.rows_as(
        NearMatch,
        "SELECT id, sku FROM product WHERE LOWER(REPLACE(TRIM(sku), ' ', '')) = :plain LIMIT 2",
        plain=sku.strip().replace(" ", "").lower(),
    )
    return rows[0] if len(rows) == 1 and sku.strip() else None


def same_sku_twice(sku: str, listings_seen: int) -> Difference:
    """Return the difference of a SKU under which a channel lists several things."""
    return Difference(
        kind=Kind.AMBIGUOUS_LISTING,
        subject=sku,
        ledger={},
        remote={"listings": listings_seen},
        cause=Cause.MAPPING_GAP,
        evidence=f"The channel lists {sku} {listings_seen} times: give each listing a SKU of its "
        "own, or bind the one that sells our product.",
        fix=Fix.ASK,
    )


def _quantity(seen: ObservedLevel, level: BoundLevel, desired: int) -> Difference:
    sent, at = level["acknowledged"], level["acknowledged_at"]
    since = f"{moment(at):%Y-%m-%d %H:%M:%S} UTC" if at else "never"
    if level["state"] == "dead":
        cause = Cause.FAILED_PUSH
        evidence = f"The channel refused the last change: {level['last_error']}"
    elif sent is not None and seen.quantity != sent:
        cause = Cause.FOREIGN_EDIT
        evidence = f"We set {sent} at {since} and sent nothing since; somebody else changed it."
    elif sent is not None:
        cause = Cause.UNPUSHED_CHANGE
        evidence = f"The channel still shows the {sent} that we set at {since}."
    else:
        cause, evidence = Cause.UNEXPLAINED, "The channel was never sent a quantity."
    return Difference(
        kind=Kind.QUANTITY,
        subject=seen.sku,
        ledger={"quantity": desired},
        remote={"quantity": seen.quantity},
        cause=cause,
        evidence=evidence,
        fix=Fix.PUSH_LEVEL,
        # More shown than in stock: customers can buy units that do not exist.
        severity=Severity.HIGH if seen.quantity > desired else Severity.MEDIUM,
        listing_id=level["listing_id"],
        product_id=level["product_id"],
    )


def missing_listings(tx: Transaction, channel: ChannelRow, since: datetime) -> list[Difference]:
    """Find bound listings that the channel did not show since a run started."""
    rows = tx.rows_as(
        BoundLevel,
        "SELECT listing.sku, product.tracking, listing_level.* FROM listing "
        "JOIN listing_level ON listing_level.listing_id = listing.id "
        "JOIN product ON product.id = listing.product_id "
        "WHERE listing.channel_id = :channel AND product.tracking IN ('serial', 'serial_lot') "
        "AND (listing_level.observed_at IS NULL OR listing_level.observed_at < :since)",
        channel=channel["id"],
        since=micros(since),
    )
    return [
        Difference(
            kind=Kind.MISSING_LISTING,
            subject=row["sku"],
            ledger={"acknowledged": row["acknowledged"]},
            remote={},
            cause=Cause.FOREIGN_EDIT,
            evidence=f"{row['sku']} is bound here and the channel does not list it any more.",
            fix=Fix.ASK,
            listing_id=row["listing_id"],
            product_id=row["product_id"],
        )
        for row in rows
    ]


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


def registration(unit: RegisteredUnit, answer: Warranty) -> Difference | str:
    """Compare one sold unit with its registration at the manufacturer."""
    if answer.registered:
        return "matched"
    if unit["telling"]:
        return "in_flight"
    foreign = answer.status in {WarrantyStatus.UNKNOWN, WarrantyStatus.INVALID}
    return Difference(
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
