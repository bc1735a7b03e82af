"""Listings that a channel shows and that are not bound, decided when all were seen.

A SKU of ours that is bound to a reference which the channel does not show any more was replaced; a
further listing of a SKU is a duplicate; any other is unbound, or no product of ours.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import TypedDict

import orjson

from hub.cases import Severity
from hub.catalogue import SERIAL_TRACKED
from hub.clock import micros
from hub.reconciliation.kinds import Cause, Compared, Difference, Fix, Kind, Result, different
from hub.reconciliation.runs import Run
from hub.storage.rows import ObservedListingRow
from hub.storage.sql import Transaction
from hub.sync.bindings import reference_of
from hub.vocabulary import ObservedLevel


class _About(TypedDict):
    about: str


class NearMatch(TypedDict):
    """A product whose SKU is written almost like another one."""

    id: str
    sku: str


class _Alike(TypedDict):
    plain: str
    sku: str


class _Product(TypedDict):
    id: str
    sku: str
    name: str
    tracking: str


class _Bound(_Product):
    """A bound listing with its product; `sku` is the channel's, which may differ from ours."""

    listing_id: str
    reference: str
    seen: int | None


def note(
    tx: Transaction, run: Run, suspects: Sequence[ObservedLevel], now: datetime, *, unbound: bool
) -> None:
    """Keep listings that did not match, as the channel shows them.

    At the first look these are all for the second one; at the second one they are those that are
    not bound (`unbound`), for the end of the run.
    """
    tx.run_many(
        "INSERT INTO observed_listing(channel_id, about, sku, title, remote, quantity, run_id, "
        "seen_at, suspect, unbound) VALUES(:channel, :about, :sku, :title, :remote, :quantity, "
        ":run, :now, TRUE, :unbound) ON CONFLICT(channel_id, about) DO UPDATE "
        "SET sku = excluded.sku, title = excluded.title, remote = excluded.remote, "
        "quantity = excluded.quantity, run_id = excluded.run_id, seen_at = excluded.seen_at, "
        "suspect = TRUE, unbound = excluded.unbound",
        [
            {
                "channel": run.channel["id"],
                "about": reference_of(each.remote, each.sku),
                "sku": each.sku[:200],
                "title": each.title,
                "remote": orjson.dumps(dict(each.remote), option=orjson.OPT_SORT_KEYS).decode(),
                "quantity": each.quantity,
                "run": run.id,
                "now": micros(now),
                "unbound": unbound,
            }
            for each in suspects
        ],
    )


def suspects(tx: Transaction, run: Run, observed: Sequence[ObservedLevel]) -> list[ObservedLevel]:
    """Return those listings that did not match at the first look of the run, in their order."""
    rows = tx.rows_as(
        _About,
        "SELECT about FROM observed_listing WHERE channel_id = :channel AND run_id = :run "
        "AND suspect AND about IN (:abouts...)",
        channel=run.channel["id"],
        run=run.id,
        abouts=[reference_of(each.remote, each.sku) for each in observed],
    )
    found = {row["about"] for row in rows}
    return [each for each in observed if reference_of(each.remote, each.sku) in found]


def has_suspects(tx: Transaction, run: Run) -> bool:
    """Return whether any listing did not match at the first look of the run."""
    found = tx.value(
        "SELECT 1 FROM observed_listing WHERE channel_id = :channel AND run_id = :run "
        "AND suspect LIMIT 1",
        channel=run.channel["id"],
        run=run.id,
    )
    return found is not None


def forget(tx: Transaction, run: Run) -> None:
    """Forget the listings of earlier runs of the channel."""
    tx.run(
        "DELETE FROM observed_listing WHERE channel_id = :channel AND run_id <> :run",
        channel=run.channel["id"],
        run=run.id,
    )


def next_page(
    tx: Transaction, run: Run, after: tuple[str, str], *, limit: int
) -> list[ObservedListingRow]:
    """Return the next listings that both looks of a run saw unbound, by SKU and reference.

    A page never ends within a SKU, unless the SKU has more listings than a page.
    """
    rows = tx.rows_as(
        ObservedListingRow,
        "SELECT * FROM observed_listing WHERE channel_id = :channel AND run_id = :run AND unbound "
        "AND (sku > :sku OR sku = :sku AND about > :about) ORDER BY sku, about LIMIT :limit",
        channel=run.channel["id"],
        run=run.id,
        sku=after[0],
        about=after[1],
        limit=limit,
    )
    if len(rows) < limit or rows[0]["sku"] == rows[-1]["sku"]:
        return rows
    return [row for row in rows if row["sku"] != rows[-1]["sku"]]


def decide(
    tx: Transaction, run: Run, page: Sequence[ObservedListingRow], started: datetime
) -> tuple[list[Compared], list[str]]:
    """Decide what unbound listings are; return the outcomes and the listings that are replaced."""
    skus = sorted({row["sku"] for row in page if row["sku"]})
    products = {
        row["sku"]: row
        for row in tx.rows_as(
            _Product, "SELECT id, sku, name, tracking FROM product WHERE sku IN (:skus...)",
            skus=skus,
        )
    }  # fmt: skip
    bound = {
        row["sku"]: row
        for row in tx.rows_as(
            _Bound,
            "SELECT product.id, listing.sku, product.name, product.tracking, "
            "listing.id AS listing_id, listing.reference, listing_level.observed_at AS seen "
            "FROM listing JOIN listing_level ON listing_level.listing_id = listing.id "
            "JOIN product ON product.id = listing.product_id "
            "WHERE listing.channel_id = :channel AND listing.sku IN (:skus...) "
            "AND listing.copy_of IS NULL",
            channel=run.channel["id"],
            skus=skus,
        )
    }
    near = _near_matches(tx, [sku for sku in skus if sku not in products and sku not in bound])
    outcomes, replaced = list[Compared](), list[str]()
    for sku, group in groupby(page, lambda row: row["sku"]):
        rows, listing = list(group), bound.get(sku)
        product = listing or products.get(sku)
        if product is None:
            outcomes += [_unknown(row, near.get(sku)) for row in rows]
        elif product["tracking"] not in SERIAL_TRACKED:
            outcomes += [Compared(about=row["about"], result=Result.NOT_KEPT) for row in rows]
        elif listing is not None and (listing["seen"] is None or listing["seen"] < micros(started)):
            outcomes.append(_replaced(rows[0], product, listing))
            outcomes += [_duplicate(row, product, len(rows)) for row in rows[1:]]
            replaced.append(listing["listing_id"])
        elif listing is not None or len(rows) > 1:
            number = len(rows) + (listing is not None)
            outcomes += [_duplicate(row, product, number) for row in rows]
        else:
            outcomes.append(_unbound(rows[0], product))
    return outcomes, replaced


def _remote(row: ObservedListingRow) -> dict[str, object]:
    """Return what the channel states; a quantity that moves with each sale is no part of it."""
    return {
        "sku": row["sku"],
        "title": row["title"],
        "remote": orjson.loads(row["remote"]),
    }


def _unbound(row: ObservedListingRow, product: _Product) -> Compared:
    return different(
        Difference(
            kind=Kind.UNBOUND_LISTING,
            about=row["about"],
            subject=row["sku"],
            ledger={"product": product["name"]},
            remote=_remote(row),
            cause=Cause.MAPPING_GAP,
            evidence=f"{row['sku']} is listed there and is not bound to the product here.",
            fix=Fix.BIND_LISTING,
            product_id=product["id"],
        )
    )


def _replaced(row: ObservedListingRow, product: _Product, listing: _Bound) -> Compared:
    return different(
        Difference(
            kind=Kind.LISTING_REPLACED,
            about=row["about"],
            subject=row["sku"],
            ledger={"reference": listing["reference"]},
            remote=_remote(row),
            cause=Cause.REMOVED_THERE,
            evidence=f"{row['sku']} was bound to {listing['reference'] or 'no reference'}, which "
            f"the channel does not list any more; it lists {row['sku']} as {row['about']} now.",
            fix=Fix.REBIND_LISTING,
            severity=Severity.HIGH,
            listing_id=listing["listing_id"],
            product_id=product["id"],
        )
    )


def _duplicate(row: ObservedListingRow, product: _Product, number: int) -> Compared:
    return different(
        Difference(
            kind=Kind.DUPLICATE_LISTING,
            about=row["about"],
            subject=row["sku"],
            ledger={"product": product["name"]},
            remote=_remote(row),
            cause=Cause.MAPPING_GAP,
            evidence=f"The channel lists {row['sku']} {number} times; {row['about']} is not bound "
            f"and offers {row['quantity']} by itself.",
            fix=Fix.ASK,
            severity=Severity.HIGH if row["quantity"] > 0 else Severity.MEDIUM,
            product_id=product["id"],
        )
    )


def _unknown(row: ObservedListingRow, near: NearMatch | None) -> Compared:
    hint = f" It is written like our {near['sku']}." if near else ""
    return different(
        Difference(
            kind=Kind.UNKNOWN_LISTING,
            about=row["about"],
            subject=row["sku"] or row["title"],
            ledger={"near_match": near["sku"]} if near else {},
            remote=_remote(row),
            cause=Cause.MAPPING_GAP,
            evidence=f"{row['sku'] or row['title']!r} is listed there and is no product of ours."
            + hint,
            fix=Fix.BIND_NEAR_MATCH if near else Fix.ASK,
            severity=Severity.LOW,
            product_id=near["id"] if near else None,
        )
    )


def written_alike(tx: Transaction, skus: Sequence[str]) -> dict[str, str]:
    """Return our SKUs that differ from some only in case and blanks, by their plain form.

    The plain form has neither blanks nor capitals; of several SKUs the first by the alphabet.
    """
    rows = tx.rows_as(
        _Alike,
        "SELECT LOWER(REPLACE(TRIM(sku), ' ', '')) AS plain, MIN(sku) AS sku FROM product "
        "WHERE LOWER(REPLACE(TRIM(sku), ' ', '')) IN (:plains...) "
        "GROUP BY LOWER(REPLACE(TRIM(sku), ' ', ''))",
        plains=sorted({each.strip().replace(" ", "").lower() for each in skus if each.strip()}),
    )
    return {row["plain"]: row["sku"] for row in rows}


def _near_matches(tx: Transaction, skus: Sequence[str]) -> dict[str, NearMatch]:
    """Return by SKU our only product whose SKU differs from it in case and blanks alone, if any."""
    plain = {sku: sku.strip().replace(" ", "").lower() for sku in skus if sku.strip()}
    if not plain:
        return {}
    found: dict[str, list[NearMatch]] = {}
    for row in tx.rows_as(
        NearMatch,
        "SELECT id, sku FROM product WHERE LOWER(REPLACE(TRIM(sku), ' ', '')) IN (:plain...)",
        plain=sorted(set(plain.values())),
    ):
        found.setdefault(row["sku"].strip().replace(" ", "").lower(), []).append(row)
    return {sku: found[text][0] for sku, text in plain.items() if len(found.get(text, ())) == 1}
