"""Bindings of listings: which of a channel's listings sells which product of ours.

A listing is identified by the channel's own reference. Its SKU is a name that can change, and that
several listings can share: then one is bound, and the others are copies of it.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

import orjson

from hub.catalogue import SERIAL_TRACKED
from hub.clock import micros, new_id
from hub.errors import InvalidInput, StepNotAllowed
from hub.storage.rows import ListingRow
from hub.storage.sql import Transaction

REFERENCE_MAX = 200
COPIES_MAX = 50  # of one listing
LEARNED_MAX, LEARNED_CHARS_MAX = 20, 500
_OF_PRODUCT = "product_id) WHERE unit_id IS NULL AND copy_of IS NULL"
_OF_UNIT = "unit_id) WHERE unit_id IS NOT NULL"


class _Id(TypedDict):
    id: str


def reference_of(remote: Mapping[str, str], sku: str) -> str:
    """Return the channel's own reference of a listing as one text.

    A channel without references of its own identifies a listing by its SKU.
    """
    text = ";".join(f"{name}={value}" for name, value in sorted(remote.items())) or f"sku={sku}"
    if len(text) <= REFERENCE_MAX:
        return text
    return "sha256=" + hashlib.sha256(text.encode()).hexdigest()


def may_be_same(bound: Mapping[str, str], observed: Mapping[str, str]) -> bool:
    """Return whether no part of two references contradicts the other.

    A person may have bound a listing with a part of its reference, or with none.
    """
    return all(bound[name] == observed[name] for name in bound.keys() & observed.keys())


def is_kept(tx: Transaction, product_id: str) -> bool:
    """Return whether the hub keeps the quantity of a product: it is tracked by serial."""
    tracking = tx.value("SELECT tracking FROM product WHERE id = :id", id=product_id)
    return tracking in SERIAL_TRACKED


def bind(  # noqa: PLR0913 # the fields of one binding
    tx: Transaction,
    channel_id: str,
    product_id: str,
    sku: str,
    remote: Mapping[str, str],
    now: datetime,
    *,
    observed: int | None = None,
    unit_id: str | None = None,
) -> str:
    """Bind a product to a channel's listing, or change its references; return the listing's id.

    Queues the update of its level. With `unit_id` the listing sells only this unit of the product;
    with `observed` the channel was seen to show the listing, with this quantity. Raises
    InvalidInput for a SKU under which the channel sells something else.
    """
    _require_free(tx, channel_id, product_id, sku, unit_id)
    row = tx.row_as(
        _Id,
        "INSERT INTO listing(id, channel_id, product_id, unit_id, sku, remote, reference, "
        "created_at) VALUES(:id, :channel, :product, :unit, :sku, :remote, :reference, :now) "
        f"ON CONFLICT(channel_id, {_OF_PRODUCT if unit_id is None else _OF_UNIT} DO UPDATE "
        "SET sku = excluded.sku, remote = excluded.remote, reference = excluded.reference "
        "RETURNING id",
        id=new_id(),
        channel=channel_id,
        product=product_id,
        unit=unit_id,
        sku=sku,
        remote=orjson.dumps(dict(remote)).decode(),
        reference="" if observed is None else reference_of(remote, sku),
        now=micros(now),
    )
    assert row is not None
    _queue_level(tx, row["id"], channel_id, product_id, unit_id, observed, now)
    return row["id"]


def bind_copy(
    tx: Transaction,
    original_id: str,
    remote: Mapping[str, str],
    observed: int,
    now: datetime,
    *,
    shares: bool,
) -> str:
    """Bind a further listing of a bound SKU; return its id.

    A copy that shares shows its part of the figure, so that all parts together are never more than
    the figure of the product; another one shows 0. Raises StepNotAllowed for too many copies.
    """
    original = listing(tx, original_id)
    reference = reference_of(remote, original["sku"])
    known = tx.value(
        "SELECT id FROM listing WHERE channel_id = :channel AND reference = :reference",
        channel=original["channel_id"],
        reference=reference,
    )
    if known is None:
        copies = tx.value("SELECT COUNT(*) FROM listing WHERE copy_of = :id", id=original_id)
        if copies >= COPIES_MAX:
            raise StepNotAllowed(f"a listing has at most {COPIES_MAX} copies", allowed=[])
        known = new_id()
        tx.run(
            "INSERT INTO listing(id, channel_id, product_id, sku, remote, reference, copy_of, "
            "created_at) VALUES(:id, :channel, :product, :sku, :remote, :reference, :original, "
            ":now)",
            id=known,
            channel=original["channel_id"],
            product=original["product_id"],
            sku=original["sku"],
            remote=orjson.dumps(dict(remote)).decode(),
            reference=reference,
            original=original_id,
            now=micros(now),
        )
    channel_id, product_id = original["channel_id"], original["product_id"]
    _queue_level(tx, str(known), channel_id, product_id, None, observed, now)
    tx.run(
        "UPDATE listing_level SET parts = :parts WHERE listing_id = :id",
        parts=int(shares),
        id=known,
    )
    _divide(tx, original_id, now)
    return str(known)


def _divide(tx: Transaction, original_id: str, now: datetime) -> None:
    """Count and number the listings that divide the figure of a product, and queue their levels."""
    rows = tx.rows_as(
        _Id,
        "SELECT listing.id FROM listing "
        "JOIN listing_level ON listing_level.listing_id = listing.id "
        "WHERE (listing.id = :id OR listing.copy_of = :id) AND listing_level.parts > 0 "
        "ORDER BY CASE WHEN listing.copy_of IS NULL THEN 0 ELSE 1 END, listing.id",
        id=original_id,
    )
    tx.run_many(
        "UPDATE listing_level SET parts = :parts, part = :part, "
        "wanted_version = wanted_version + 1, due_at = :now, state = 'live' "
        "WHERE listing_id = :id",
        [
            {"id": row["id"], "part": part, "parts": len(rows), "now": micros(now)}
            for part, row in enumerate(rows)
        ],
    )
    tx.wake("levels")


def unbind(tx: Transaction, listing_id: str, now: datetime) -> None:
    """End the binding of a listing, so that it is not sent a quantity any more.

    Other copies then divide the figure. Raises StepNotAllowed for a listing that has copies.
    """
    known = listing(tx, listing_id)
    if tx.value("SELECT COUNT(*) FROM listing WHERE copy_of = :id", id=listing_id):
        raise StepNotAllowed("the listing has copies: end the bindings of these first", allowed=[])
    for statement in (
        "UPDATE reconciliation_difference SET listing_id = NULL WHERE listing_id = :id",
        "DELETE FROM listing_level WHERE listing_id = :id",
        "DELETE FROM listing WHERE id = :id",
    ):
        tx.run(statement, id=listing_id)
    if known["copy_of"] is not None:
        _divide(tx, known["copy_of"], now)


def listing(tx: Transaction, listing_id: str) -> ListingRow:
    """Return a listing by its id; raises StepNotAllowed if its binding was ended."""
    row = tx.row_as(ListingRow, "SELECT * FROM listing WHERE id = :id", id=listing_id)
    if row is None:
        raise StepNotAllowed("the listing is not bound any more", allowed=[])
    return row


def refer(
    tx: Transaction, listing_id: str, remote: Mapping[str, str], observed: int, now: datetime
) -> None:
    """Bind a listing to the channel's new reference of the same SKU, and queue its level."""
    known = listing(tx, listing_id)
    merged = orjson.loads(known["remote"]) | dict(remote)
    tx.run(
        "UPDATE listing SET remote = :remote, reference = :reference WHERE id = :id",
        remote=orjson.dumps(merged).decode(),
        reference=reference_of(remote, known["sku"]),
        id=listing_id,
    )
    product_id, unit_id = known["product_id"], known["unit_id"]
    _queue_level(tx, listing_id, known["channel_id"], product_id, unit_id, observed, now)


def learn(tx: Transaction, listing_id: str, remote: Mapping[str, str]) -> None:
    """Keep what a push learned of a listing; its reference, which identifies it, stays.

    At most `LEARNED_MAX` facts of `LEARNED_CHARS_MAX` characters are kept; the rest is left out.
    """
    known = tx.row_as(ListingRow, "SELECT * FROM listing WHERE id = :id", id=listing_id)
    if known is None:
        return  # the binding was ended meanwhile
    facts = {
        name: value
        for name, value in sorted(remote.items())[:LEARNED_MAX]
        if len(name) <= LEARNED_CHARS_MAX and len(value) <= LEARNED_CHARS_MAX
    }
    tx.run(
        "UPDATE listing SET remote = :remote WHERE id = :id",
        remote=orjson.dumps(orjson.loads(known["remote"]) | facts).decode(),
        id=listing_id,
    )


def rename(tx: Transaction, listing_id: str, sku: str, now: datetime) -> None:
    """Give a listing the SKU that its channel uses for it now; raises InvalidInput if taken."""
    known = listing(tx, listing_id)
    _require_free(tx, known["channel_id"], known["product_id"], sku, known["unit_id"])
    tx.run("UPDATE listing SET sku = :sku WHERE id = :id", sku=sku, id=listing_id)
    product_id, unit_id = known["product_id"], known["unit_id"]
    _queue_level(tx, listing_id, known["channel_id"], product_id, unit_id, None, now)


def _queue_level(
    tx: Transaction,
    listing_id: str,
    channel_id: str,
    product_id: str,
    unit_id: str | None,
    observed: int | None,
    now: datetime,
) -> None:
    tx.run(
        "INSERT INTO listing_level(listing_id, channel_id, product_id, unit_id, wanted_version, "
        "wanted_at, due_at, observed, observed_at) "
        "VALUES(:listing, :channel, :product, :unit, :wanted, :now, :now, :observed, :now) "
        "ON CONFLICT(listing_id) DO UPDATE "
        "SET wanted_version = listing_level.wanted_version + :wanted, due_at = :now, "
        "attempts = 0, state = 'live', "
        "observed = COALESCE(excluded.observed, listing_level.observed)",
        listing=listing_id,
        channel=channel_id,
        product=product_id,
        unit=unit_id,
        now=micros(now),
        observed=observed,
        wanted=int(is_kept(tx, product_id)),
    )
    tx.wake("levels")


def _require_free(
    tx: Transaction, channel_id: str, product_id: str, sku: str, unit_id: str | None
) -> None:
    taken = tx.value(
        "SELECT COUNT(*) FROM listing WHERE channel_id = :channel AND sku = :sku "
        "AND (product_id <> :product OR COALESCE(unit_id, '') <> :unit)",
        channel=channel_id,
        sku=sku,
        product=product_id,
        unit=unit_id or "",
    )
    if taken:
        raise InvalidInput(f"the channel sells something else as {sku!r}", field="remoteSku")
