"""Listings and their levels: the quantity that each channel should show, and the one it showed.

A level is a desired state, not a message. Its row is its own work queue: there is work while the
wanted version is ahead of the done one. The value is counted when it is sent, so that ten changes
make one call and a late repeat can not overwrite a newer figure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from hub.availability import counting
from hub.availability.policy import of_channel
from hub.availability.rows import ChannelLike
from hub.clock import micros
from hub.storage.documents import document
from hub.storage.rows import ChannelRow, ListingLevelRow
from hub.storage.sql import Transaction
from hub.sync.leases import LEASE

JOB_CHARS_MAX = 500  # the name that a channel gives a job
# The hub keeps the quantity of this product; the channel keeps that of any other by itself.
KEPT = (
    "EXISTS (SELECT 1 FROM product WHERE product.id = listing_level.product_id "
    "AND product.tracking IN ('serial', 'serial_lot'))"
)


@dataclass(frozen=True, slots=True)
class LeasedLevel:
    """A leased level, with the quantity to show now."""

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
    job: str | None = None  # of the channel, which processes the level
    job_at: int | None = None


class ListedProduct(TypedDict):
    """The columns that say which units a listing sells."""

    listing_id: str
    product_id: str
    unit_id: str | None
    parts: int
    part: int


class _Binding(TypedDict):
    id: str
    sku: str
    remote: str


class _Id(TypedDict):
    id: str


def touch(
    tx: Transaction,
    product_ids: Iterable[str],
    now: datetime,
    unit_ids: Iterable[str] | None = None,
) -> None:
    """Queue level updates for the listings of products whose availability changed.

    A listing that sells a single unit is updated only if it is one of `unit_ids` (None: all).

    Rows are locked in the order of their ids, so that two commands never deadlock. A listing that
    waits after a failure keeps waiting; a dead one is retried.
    """
    ids = sorted(product_ids)
    if not ids:
        return
    if unit_ids is None:
        _want(tx, "product_id IN (:ids...)", now, ids=ids)
        return
    which = "product_id IN (:ids...) AND unit_id IS NULL OR unit_id IN (:units...)"
    _want(tx, which, now, ids=ids, units=sorted(unit_ids))


def touch_channel(tx: Transaction, channel_id: str, now: datetime) -> None:
    """Queue updates of all levels of a channel, as after a change of its policy."""
    _want(tx, "channel_id = :channel", now, channel=channel_id)


def touch_listing(tx: Transaction, listing_id: str, now: datetime) -> None:
    """Queue an update of the level of one listing."""
    _want(tx, "listing_id = :listing", now, listing=listing_id)


def touch_early(tx: Transaction, product_ids: Iterable[str], now: datetime) -> None:
    """Queue level updates after a change of incoming stock, on listings with pre-orders only."""
    ids = sorted(product_ids)
    if ids:
        _want(
            tx,
            "product_id IN (:ids...) AND listing_id IN (SELECT listing.id FROM listing "
            "JOIN channel ON channel.id = listing.channel_id WHERE listing.product_id IN (:ids...) "
            "AND (listing.policy LIKE '%\"pre_order\"%' OR channel.policy LIKE '%\"pre_order\"%'))",
            now,
            ids=ids,
        )


def _want(tx: Transaction, condition: str, now: datetime, **values: Any) -> None:
    tx.send(
        "UPDATE listing_level SET wanted_version = wanted_version + 1, "
        "wanted_at = CASE WHEN wanted_version > done_version THEN wanted_at ELSE :now END, "
        "due_at = CASE WHEN attempts > 0 THEN due_at ELSE :now END, state = 'live', "
        # A sold-out product is sent first: it may be oversold at any moment.
        "urgency = CASE WHEN EXISTS (SELECT 1 FROM unit WHERE unit.product_id = "
        "listing_level.product_id AND unit.status = 'in_stock' AND unit.promised_to IS NULL "
        "AND unit.blocks = 0) THEN 1 ELSE 0 END "
        "WHERE listing_id IN (SELECT listing_id FROM listing_level "
        f"WHERE ({condition}) AND {KEPT} ORDER BY listing_id FOR UPDATE)",
        now=micros(now),
        **values,
    )
    tx.wake("levels")


def available(
    tx: Transaction, channel: ChannelLike, product_ids: Sequence[str], now: datetime | None = None
) -> dict[str, int]:
    """Count the units that a channel shows of each product, by its policy (`hub.availability`).

    With `now` expired units are excluded before the sweep blocks them.
    """
    found = counting.figures(tx, channel, product_ids, now)
    return {product_id: each.shown for product_id, each in found.items()}


def desired(
    tx: Transaction, channel: ChannelRow, levels: Sequence[ListedProduct], now: datetime
) -> dict[str, int]:
    """Count the units that levels should show, by listing.

    A listing of a single unit shows 1 while the unit may be sold and is not allocated; share,
    buffer and cap do not apply to it. Listings that divide the figure of a product show parts that
    add up to it; the first parts are one larger where it does not divide evenly.
    """
    of_products = [level["product_id"] for level in levels if level["unit_id"] is None]
    of_units = [level["unit_id"] for level in levels if level["unit_id"] is not None]
    counts = available(tx, channel, sorted(set(of_products)), now) if of_products else {}
    free = _free(tx, channel, of_units, now) if of_units else set()
    return {
        level["listing_id"]: _part(counts[level["product_id"]], level)
        if level["unit_id"] is None
        else int(level["unit_id"] in free)
        for level in levels
    }


def _part(figure: int, level: ListedProduct) -> int:
    parts, part = level["parts"], level["part"]
    if parts <= 1:
        return figure * parts
    return figure // parts + (part < figure % parts)


def _free(tx: Transaction, channel: ChannelRow, unit_ids: Sequence[str], now: datetime) -> set[str]:
    policy = of_channel(channel)
    if policy.selling_paused:
        return set()
    condition, values = counting.sellable(policy, now.date().isoformat())
    rows = tx.rows_as(
        _Id,
        "SELECT unit.id FROM unit JOIN location ON location.id = unit.location_id "
        f"WHERE unit.id IN (:ids...) AND {condition} AND {counting.FREE_OR_LAPSED}",
        ids=list(unit_ids),
        now=micros(now),
        **values,
    )
    return {row["id"] for row in rows}


def lease(
    tx: Transaction, channel: ChannelRow, now: datetime, *, limit: int, lasts: timedelta = LEASE
) -> list[LeasedLevel]:
    """Lease due levels, and those whose lease ran out, with the quantities to show."""
    rows = tx.rows_as(
        ListingLevelRow,
        "UPDATE listing_level SET lease_until = :until, fence = fence + 1 "
        "WHERE listing_id IN (SELECT listing_id FROM listing_level WHERE channel_id = :channel "
        "AND wanted_version > done_version AND due_at <= :now AND lease_until <= :now "
        f"AND state = 'live' AND {KEPT} ORDER BY urgency, due_at, listing_id LIMIT :limit "
        "FOR UPDATE SKIP LOCKED) RETURNING *",
        channel=channel["id"],
        now=micros(now),
        until=micros(now + lasts),
        limit=limit,
    )
    if not rows:
        return []
    counts = desired(tx, channel, rows, now)
    bindings = {
        row["id"]: row
        for row in tx.rows_as(
            _Binding,
            "SELECT id, sku, remote FROM listing WHERE id IN (:ids...)",
            ids=[row["listing_id"] for row in rows],
        )
    }
    return [_leased(row, bindings[row["listing_id"]], counts) for row in rows]


def anything_due(tx: Transaction, channel_id: str, now: datetime) -> bool:
    """Return whether any level of a channel is due, without a lock."""
    due = tx.value(
        "SELECT 1 FROM listing_level WHERE channel_id = :channel "
        "AND wanted_version > done_version AND due_at <= :now AND lease_until <= :now "
        # In the order of their index: otherwise PostgreSQL expects to find one soon, and reads all.
        "AND state = 'live' ORDER BY urgency, due_at LIMIT 1",
        channel=channel_id,
        now=micros(now),
    )
    return due is not None


def _leased(row: ListingLevelRow, binding: _Binding, counts: dict[str, int]) -> LeasedLevel:
    pending = row["job"] is not None
    counted = row["job_quantity"] if pending else None
    return LeasedLevel(
        listing_id=row["listing_id"],
        sku=binding["sku"],
        remote=document(binding["remote"]),
        desired=counts[row["listing_id"]] if counted is None else counted,
        observed=row["observed"],
        version=row["job_version"] if pending else row["wanted_version"],
        fence=row["fence"],
        attempts=row["attempts"],
        wanted_at=row["wanted_at"],
        # From observations and versions, never from the value: writing the same value again
        # after a foreign edit must be a new request.
        key=f"{row['listing_id']}:{row['observations']}:{row['wanted_version']}",
        job=row["job"],
        job_at=row["job_at"],
    )


def wait_for(
    tx: Transaction, level: LeasedLevel, job: str, began: datetime, due_at: datetime
) -> None:
    """Record that a channel processes a level as a job since `began`; it is read at `due_at`."""
    tx.run(
        "UPDATE listing_level SET job = :job, job_version = :version, job_quantity = :quantity, "
        "job_at = :began, lease_until = 0, due_at = :due WHERE listing_id = :listing "
        "AND fence = :fence",
        job=job[:JOB_CHARS_MAX],
        version=level.version,
        quantity=level.desired,
        began=micros(began),
        due=micros(due_at),
        listing=level.listing_id,
        fence=level.fence,
    )


def acknowledge(tx: Transaction, level: LeasedLevel, quantity: int, now: datetime) -> bool:
    """Record that the channel shows the desired quantity; return False if the lease was lost."""
    touched = tx.run(
        "UPDATE listing_level SET done_version = :version, acknowledged = :quantity, "
        "acknowledged_at = :now, observed = :quantity, observed_at = :now, "
        "observations = observations + 1, lease_until = 0, attempts = 0, last_error = NULL, "
        "job = NULL, "
        "wanted_at = :now WHERE listing_id = :listing AND fence = :fence",
        version=level.version,
        quantity=quantity,
        now=micros(now),
        listing=level.listing_id,
        fence=level.fence,
    )
    if touched:
        tx.wake("levels")  # it may have changed again while it was being sent
    return touched == 1


def retry(
    tx: Transaction,
    level: LeasedLevel,
    error: str,
    due_at: datetime,
    *,
    counted: bool,
    observed: int | None = None,
    keeps_job: bool = False,
) -> bool:
    """Requeue a level for `due_at`; return False if the lease was lost.

    `observed` is the quantity that the channel showed, `counted` whether an attempt was spent,
    `keeps_job` whether the job that it waits for is still to be read.
    """
    seen = "" if observed is None else "observed = :observed, observations = observations + 1, "
    values: dict[str, Any] = {} if observed is None else {"observed": observed}
    touched = tx.run(
        f"UPDATE listing_level SET {seen}lease_until = 0, due_at = :due, attempts = :attempts, "
        "job = CASE WHEN :keeps = 1 THEN job END, last_error = :error "
        "WHERE listing_id = :listing AND fence = :fence",
        due=micros(due_at),
        attempts=level.attempts + counted,
        error=error[:500],
        keeps=int(keeps_job),
        listing=level.listing_id,
        fence=level.fence,
        **values,
    )
    return touched == 1


def give_up(tx: Transaction, level: LeasedLevel, error: str) -> bool:
    """Stop sending a level until its product changes or a person replays it."""
    touched = tx.run(
        "UPDATE listing_level SET state = 'dead', job = NULL, lease_until = 0, "
        "last_error = :error, "
        "attempts = 0 WHERE listing_id = :listing AND fence = :fence",
        error=error[:500],
        listing=level.listing_id,
        fence=level.fence,
    )
    return touched == 1


def revive(tx: Transaction, channel_id: str, now: datetime, *, sku: str | None = None) -> int:
    """Requeue the dead levels of a channel, or that of one of its SKUs; return their number."""
    tx.wake("levels")
    return tx.run(
        "UPDATE listing_level SET state = 'live', due_at = :now, attempts = 0 "
        "WHERE channel_id = :channel AND state = 'dead' AND (:sku = '' OR listing_id IN "
        "(SELECT id FROM listing WHERE channel_id = :channel AND sku = :sku))",
        now=micros(now),
        channel=channel_id,
        sku=sku or "",
    )


def correct(tx: Transaction, listing_id: str, observed: int, now: datetime) -> None:
    """Queue a level again because the channel shows another quantity."""
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
    """Record the time at which levels were last observed on their channel."""
    tx.run(
        "UPDATE listing_level SET observed_at = :now WHERE listing_id IN (:ids...)",
        now=micros(now),
        ids=list(listing_ids),
    )
