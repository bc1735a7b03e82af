"""Comparison of the listings of a channel with those that are bound, batch by batch.

Listings are compared by the channel's own reference, never by their SKU alone. What is not bound is
decided at the end (`unbound_listings`), when all listings were seen: then it is known whether a
listing was replaced, or is listed twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

import orjson

from hub.cases import Severity
from hub.catalogue import SERIAL_TRACKED
from hub.clock import micros
from hub.reconciliation.comparison import level_causes
from hub.reconciliation.comparison.level_causes import Explained, WrongLevel
from hub.reconciliation.kinds import (
    Cause,
    Compared,
    Difference,
    Fix,
    Kind,
    Result,
    different,
    in_flight,
    matched,
)
from hub.reconciliation.rows import BoundLevel, Identified
from hub.reconciliation.runs import Run
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import listings
from hub.sync.bindings import may_be_same, reference_of
from hub.vocabulary import ObservedLevel

_BOUND = (
    "SELECT listing.sku, listing.remote, listing.reference, listing.copy_of, product.tracking, "
    "listing_level.* FROM listing JOIN listing_level ON listing_level.listing_id = listing.id "
    "JOIN product ON product.id = listing.product_id WHERE listing.channel_id = :channel "
)


class _Reference(TypedDict):
    reference: str


@dataclass(slots=True)
class Seen:
    """Outcome of a batch: what is decided, and the listings that are not bound."""

    compared: list[Compared] = field(default_factory=list)
    unbound: list[ObservedLevel] = field(default_factory=list)


@dataclass(slots=True)
class _Batch:
    by_reference: dict[str, BoundLevel]
    by_sku: dict[str, BoundLevel]
    adopted: dict[str, ObservedLevel] = field(default_factory=dict)

    def level_of(self, each: ObservedLevel) -> BoundLevel | None:
        """Return the bound level that a listing is; a listing seen first adopts its reference."""
        known = self.by_reference.get(reference_of(each.remote, each.sku))
        if known is not None:
            return known
        level = self.by_sku.get(each.sku)
        if level is None or level["reference"] or level["listing_id"] in self.adopted:
            return None
        if not may_be_same(orjson.loads(level["remote"]), each.remote):
            return None
        self.adopted[level["listing_id"]] = each
        return level


def levels(
    tx: Transaction,
    channel: ChannelRow,
    observed: Sequence[ObservedLevel],
    now: datetime,
    settles: timedelta = timedelta(0),
) -> Seen:
    """Compare the quantities that a channel shows with those that it should show.

    A quantity that the channel accepted within `settles` may not show yet: it is on its way.
    """
    settled = micros(now - settles)
    batch = _bound(tx, channel, observed)
    found = [(each, batch.level_of(each)) for each in observed]
    bound = [(each, level) for each, level in found if level is not None]
    desired = listings.desired(tx, channel, [level for _, level in bound], now)
    wrong = [
        WrongLevel(level, each.quantity, desired[level["listing_id"]])
        for each, level in bound
        if _is_wrong(each, level, desired[level["listing_id"]])
        and not (settles and (level["acknowledged_at"] or 0) > settled)
    ]
    causes = level_causes.explain(tx, channel, wrong)
    outcome = Seen(unbound=[each for each, level in found if level is None])
    for each, level in bound:
        outcome.compared.append(_compare(tx, each, level, desired, causes))
    _note_adopted(tx, batch)
    listings.saw(tx, [level["listing_id"] for _, level in bound], now)
    return outcome


def saw(tx: Transaction, channel: ChannelRow, references: Sequence[str], now: datetime) -> None:
    """Record that a channel shows listings, without comparing them."""
    rows = tx.rows_as(
        Identified,
        "SELECT id FROM listing WHERE channel_id = :channel AND reference IN (:references...)",
        channel=channel["id"],
        references=list(references),
    )
    listings.saw(tx, [row["id"] for row in rows], now)


def _bound(tx: Transaction, channel: ChannelRow, observed: Sequence[ObservedLevel]) -> _Batch:
    rows = tx.rows_as(
        BoundLevel,
        f"{_BOUND}AND (listing.reference IN (:references...) "
        "OR listing.sku IN (:skus...) AND listing.reference = '')",
        channel=channel["id"],
        references=[reference_of(each.remote, each.sku) for each in observed],
        skus=[each.sku for each in observed],
    )
    return _Batch(
        {row["reference"]: row for row in rows if row["reference"]},
        {row["sku"]: row for row in rows if not row["reference"]},
    )


def _note_adopted(tx: Transaction, batch: _Batch) -> None:
    tx.run_many(
        "UPDATE listing SET reference = :reference, remote = :remote WHERE id = :id",
        [
            {
                "id": listing_id,
                "reference": reference_of(each.remote, each.sku),
                "remote": orjson.dumps(
                    orjson.loads(batch.by_sku[each.sku]["remote"]) | dict(each.remote)
                ).decode(),
            }
            for listing_id, each in batch.adopted.items()
        ],
    )


def _is_wrong(each: ObservedLevel, level: BoundLevel, desired: int) -> bool:
    return (
        level["tracking"] in SERIAL_TRACKED
        and each.quantity != desired
        and not (level["wanted_version"] > level["done_version"] and level["state"] == "live")
    )


def _compare(
    tx: Transaction,
    each: ObservedLevel,
    level: BoundLevel,
    desired: dict[str, int],
    causes: dict[str, Explained],
) -> Compared:
    about = reference_of(each.remote, each.sku)
    explained = causes.get(level["listing_id"])
    if each.sku and each.sku != level["sku"]:
        return different(_renamed(tx, about, each, level))
    if level["tracking"] not in SERIAL_TRACKED:
        return Compared(about=about, result=Result.NOT_KEPT)
    if explained is not None:
        return different(_quantity(about, each, level, desired[level["listing_id"]], explained))
    if each.quantity == desired[level["listing_id"]]:
        return matched(about)
    return in_flight(about)


def _renamed(tx: Transaction, about: str, each: ObservedLevel, level: BoundLevel) -> Difference:
    other = tx.value("SELECT id FROM product WHERE sku = :sku", sku=each.sku)
    foreign = other is not None and other != level["product_id"]
    return Difference(
        kind=Kind.LISTING_RENAMED,
        about=about,
        subject=each.sku,
        ledger={"sku": level["sku"]},
        remote={"sku": each.sku},
        cause=Cause.FOREIGN_EDIT,
        evidence=f"The listing {about} was bound as {level['sku']}, and the channel calls it "
        f"{each.sku} now." + (" That is the SKU of another product of ours." if foreign else ""),
        fix=Fix.ASK if foreign else Fix.RENAME_LISTING,
        severity=Severity.HIGH if foreign else Severity.MEDIUM,
        listing_id=level["listing_id"],
        product_id=level["product_id"],
    )


def _quantity(
    about: str, seen: ObservedLevel, level: BoundLevel, desired: int, explained: Explained
) -> Difference:
    return Difference(
        kind=Kind.QUANTITY,
        about=about,
        subject=level["sku"],
        ledger={"quantity": desired},
        remote={"quantity": seen.quantity},
        cause=explained.cause,
        evidence=explained.evidence,
        proofs=explained.proofs,
        fix=Fix.PUSH_LEVEL,
        # More shown than in stock: customers can buy units that do not exist.
        severity=Severity.HIGH if seen.quantity > desired else Severity.MEDIUM,
        surplus=seen.quantity - desired,
        listing_id=level["listing_id"],
        product_id=level["product_id"],
    )


def missing(
    tx: Transaction, run: Run, since: datetime, after: str, *, limit: int
) -> list[BoundLevel]:
    """Return the next bound listings that were not seen since a run began, by their ids."""
    return tx.rows_as(
        BoundLevel,
        f"{_BOUND}AND product.tracking IN ('serial', 'serial_lot') AND listing.id > :after "
        "AND (listing_level.observed_at IS NULL OR listing_level.observed_at < :since) "
        "ORDER BY listing.id LIMIT :limit",
        channel=run.channel["id"],
        since=micros(since),
        after=after,
        limit=limit,
    )


def about_of(level: BoundLevel) -> str:
    """Return the reference of a bound listing, also of one that was never seen."""
    return level["reference"] or reference_of(orjson.loads(level["remote"]), level["sku"])


def missing_listing(level: BoundLevel) -> Compared:
    """Return the difference of a bound listing that the channel does not show."""
    seen_before = bool(level["reference"])
    copied = level["copy_of"] is not None
    return different(
        Difference(
            kind=Kind.MISSING_LISTING,
            about=about_of(level),
            subject=level["sku"],
            ledger={"sku": level["sku"], "reference": level["reference"]},
            remote={},
            cause=Cause.REMOVED_THERE if seen_before else Cause.UNEXPLAINED,
            evidence=f"{level['sku']} is bound here, and the channel "
            + ("does not list it any more." if seen_before else "was never seen to list it."),
            # A copy that is gone needs no part of the figure; the others show it then.
            fix=Fix.UNBIND_LISTING if copied and seen_before else Fix.ASK,
            listing_id=level["listing_id"],
            product_id=level["product_id"],
        )
    )


def not_bound(tx: Transaction, run: Run, references: Sequence[str]) -> list[Compared]:
    """Return those references that the channel does not show and that nothing is bound to."""
    bound = tx.rows_as(
        _Reference,
        "SELECT reference FROM listing WHERE channel_id = :channel "
        "AND reference IN (:references...)",
        channel=run.channel["id"],
        references=list(references),
    )
    known = {row["reference"] for row in bound}
    return [matched(each) for each in references if each not in known]
