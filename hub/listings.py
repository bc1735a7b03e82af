"""Listings and their levels: which quantity each channel is to show, and what it last showed.

A level is a desired state, not a message. Its row is its own work queue: there is work while the
wanted version is ahead of the done one. The value is counted when it is sent, so that ten changes
make one call and a late repeat can not overwrite a newer figure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from hub.catalogue import SELLING_KINDS
from hub.clock import micros, new_id
from hub.leases import LEASE
from hub.sql import Row, Transaction


@dataclass(frozen=True, slots=True)
class LeasedLevel:
    """A level that a worker holds, with the quantity that is to be shown now."""

    listing_id: str
    sku: str
    remote: dict[str, str]
    desired: int
    observed: int | None
    version: int
    fence: int
    attempts: int
    wanted_at: int
    key: str


def touch(tx: Transaction, product_ids: Iterable[str], now: datetime) -> None:
    """Note that the availability of products changed: their listings have to be told.

    Rows are locked in the order of their ids, so that two commands never wait for each other. A
    listing that waits after a failure keeps waiting; one that was given up is tried again.
    """
    ids = sorted(product_ids)
    if ids:
        _want(tx, "product_id IN (:ids...)", now, ids=ids)


def touch_channel(tx: Transaction, channel_id: str, now: datetime) -> None:
    """Note that all levels of a channel have to be told anew, as after a change of its policy."""
    _want(tx, "channel_id = :channel", now, channel=channel_id)


def _want(tx: Transaction, condition: str, now: datetime, **values: Any) -> None:
    tx.send(
        "UPDATE listing_level SET wanted_version = wanted_version + 1, "
        "wanted_at = CASE WHEN wanted_version > done_version THEN wanted_at ELSE :now END, "
        "due_at = CASE WHEN attempts > 0 THEN due_at ELSE :now END, state = 'live', "
        # What is sold out is told before all else: each moment may sell it twice.
        "urgency = CASE WHEN EXISTS (SELECT 1 FROM unit WHERE unit.product_id = "
        "listing_level.product_id AND unit.status = 'in_stock' AND unit.promised_to IS NULL "
        "AND unit.blocks = 0) THEN 1 ELSE 0 END "
        "WHERE listing_id IN (SELECT listing_id FROM listing_level "
        f"WHERE {condition} ORDER BY listing_id FOR UPDATE)",
        now=micros(now),
        **values,
    )
    tx.wake("levels")


def bind(
    tx: Transaction,
    channel_id: str,
    product_id: str,
    sku: str,
    remote: dict[str, str],
    now: datetime,
    *,
    observed: int | None = None,
) -> str:
    """Bind a product to a channel's listing, or change its references; its level is told soon."""
    row = tx.row(
        "INSERT INTO listing(id, channel_id, product_id, sku, remote, created_at) "
        "VALUES(:id, :channel, :product, :sku, :remote, :now) "
        "ON CONFLICT(channel_id, product_id) DO UPDATE "
        "SET sku = excluded.sku, remote = excluded.remote RETURNING id",
        id=new_id(),
        channel=channel_id,
        product=product_id,
        sku=sku,
        remote=orjson.dumps(remote).decode(),
        now=micros(now),
    )
    assert row is not None
    tx.run(
        "INSERT INTO listing_level(listing_id, channel_id, product_id, wanted_version, wanted_at, "
        "due_at, observed, observed_at) "
        "VALUES(:listing, :channel, :product, 1, :now, :now, :observed, :now) "
        "ON CONFLICT(listing_id) DO UPDATE SET wanted_version = listing_level.wanted_version + 1, "
        "due_at = :now",
        listing=row["id"],
        channel=channel_id,
        product=product_id,
        now=micros(now),
        observed=observed,
    )
    tx.wake("levels")
    return str(row["id"])


def available(tx: Transaction, channel: Row, product_ids: Sequence[str]) -> dict[str, int]:
    """Count what a channel may show of each product: sellable, unpromised, unblocked units.

    Only units at the channel's sites count (all selling sites, where it names none), less the
    safety buffer that is kept back from it. A channel of a client counts the goods of that client,
    every other our own.
    """
    condition, values = sellable(channel)
    counted = tx.rows(
        "SELECT unit.product_id, COUNT(*) AS units FROM unit "
        "JOIN location ON location.id = unit.location_id "
        f"WHERE unit.product_id IN (:ids...) AND {condition} GROUP BY unit.product_id",
        ids=list(product_ids),
        **values,
    )
    found = {row["product_id"]: row["units"] for row in counted}
    return {each: max(0, found.get(each, 0) - channel["safety_buffer"]) for each in product_ids}


def sellable(channel: Row) -> tuple[str, dict[str, Any]]:
    """Say which units, joined with their locations, a channel may sell: condition and values."""
    condition = (
        "unit.status = 'in_stock' AND unit.promised_to IS NULL AND unit.blocks = 0 "
        "AND location.kind IN (:kinds...)"
    )
    values: dict[str, Any] = {"kinds": [str(kind) for kind in SELLING_KINDS]}
    if channel["client_id"] is None:
        condition += " AND unit.client_id IS NULL"
    else:
        condition += " AND unit.client_id = :client"
        values["client"] = channel["client_id"]
    if channel["site_ids"]:
        condition += " AND location.site_id IN (:sites...)"
        values["sites"] = orjson.loads(channel["site_ids"])
    return condition, values


def lease(
    tx: Transaction, channel: Row, now: datetime, *, limit: int, lasts: timedelta = LEASE
) -> list[LeasedLevel]:
    """Take levels that are due, and those whose worker died, with what they are to show."""
    rows = tx.rows(
        "UPDATE listing_level SET lease_until = :until, fence = fence + 1 "
        "WHERE listing_id IN (SELECT listing_id FROM listing_level WHERE channel_id = :channel "
        "AND wanted_version > done_version AND due_at <= :now AND lease_until <= :now "
        "AND state = 'live' ORDER BY urgency, due_at, listing_id LIMIT :limit "
        "FOR UPDATE SKIP LOCKED) RETURNING *",
        channel=channel["id"],
        now=micros(now),
        until=micros(now + lasts),
        limit=limit,
    )
    if not rows:
        return []
    counts = available(tx, channel, sorted({row["product_id"] for row in rows}))
    bindings = {
        row["id"]: row
        for row in tx.rows(
            "SELECT id, sku, remote FROM listing WHERE id IN (:ids...)",
            ids=[row["listing_id"] for row in rows],
        )
    }
    return [_leased(row, bindings[row["listing_id"]], counts) for row in rows]


def _leased(row: Row, binding: Row, counts: dict[str, int]) -> LeasedLevel:
    return LeasedLevel(
        listing_id=row["listing_id"],
        sku=binding["sku"],
        remote=orjson.loads(binding["remote"]),
        desired=counts[row["product_id"]],
        observed=row["observed"],
        version=row["wanted_version"],
        fence=row["fence"],
        attempts=row["attempts"],
        wanted_at=row["wanted_at"],
        # From what was observed and what is wanted, never from the value: writing the same value
        # again after a foreign edit must be a new request.
        key=f"{row['listing_id']}:{row['observations']}:{row['wanted_version']}",
    )


def acknowledge(tx: Transaction, level: LeasedLevel, quantity: int, now: datetime) -> bool:
    """Note that the channel shows the quantity that was wanted; False if the lease was lost."""
    touched = tx.run(
        "UPDATE listing_level SET done_version = :version, acknowledged = :quantity, "
        "acknowledged_at = :now, observed = :quantity, observed_at = :now, "
        "observations = observations + 1, lease_until = 0, attempts = 0, last_error = NULL, "
        "wanted_at = :now WHERE listing_id = :listing AND fence = :fence",
        version=level.version,
        quantity=quantity,
        now=micros(now),
        listing=level.listing_id,
        fence=level.fence,
    )
    if touched:
        tx.wake("levels")  # it may have been wanted anew while it was being told
    return touched == 1


def retry(
    tx: Transaction,
    level: LeasedLevel,
    error: str,
    due_at: datetime,
    *,
    counted: bool,
    observed: int | None = None,
) -> bool:
    """Give a level back, to be told at `due_at`; `observed` is what the channel showed."""
    seen = "" if observed is None else "observed = :observed, observations = observations + 1, "
    values: dict[str, Any] = {} if observed is None else {"observed": observed}
    touched = tx.run(
        f"UPDATE listing_level SET {seen}lease_until = 0, due_at = :due, attempts = :attempts, "
        "last_error = :error WHERE listing_id = :listing AND fence = :fence",
        due=micros(due_at),
        attempts=level.attempts + counted,
        error=error[:500],
        listing=level.listing_id,
        fence=level.fence,
        **values,
    )
    return touched == 1


def give_up(tx: Transaction, level: LeasedLevel, error: str) -> bool:
    """Stop telling a level until its product changes or a person replays it."""
    touched = tx.run(
        "UPDATE listing_level SET state = 'dead', lease_until = 0, last_error = :error, "
        "attempts = 0 WHERE listing_id = :listing AND fence = :fence",
        error=error[:500],
        listing=level.listing_id,
        fence=level.fence,
    )
    return touched == 1


def revive(tx: Transaction, channel_id: str, now: datetime) -> int:
    """Tell the levels of a channel again that were given up; return how many."""
    tx.wake("levels")
    return tx.run(
        "UPDATE listing_level SET state = 'live', due_at = :now, attempts = 0 "
        "WHERE channel_id = :channel AND state = 'dead'",
        now=micros(now),
        channel=channel_id,
    )


def correct(tx: Transaction, listing_id: str, observed: int, now: datetime) -> None:
    """Have a level told again because the channel shows something else: the only way to heal it."""
    tx.run(
        "UPDATE listing_level SET observed = :observed, observed_at = :now, "
        "observations = observations + 1, wanted_version = wanted_version + 1, "
        "wanted_at = CASE WHEN wanted_version > done_version THEN wanted_at ELSE :now END, "
        "due_at = :now, attempts = 0, state = 'live' WHERE listing_id = :listing",
        observed=observed,
        now=micros(now),
        listing=listing_id,
    )
    tx.wake("levels")


def saw(tx: Transaction, listing_ids: Sequence[str], now: datetime) -> None:
    """Note that a channel was seen to show what it should."""
    tx.run(
        "UPDATE listing_level SET observed_at = :now WHERE listing_id IN (:ids...)",
        now=micros(now),
        ids=list(listing_ids),
    )
