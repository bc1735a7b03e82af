"""Products from listings: what a channel lists and the hub does not know becomes products of ours.

The next run of levels finds a product for each of them: it binds the listing, or leaves its
quantity to the channel where the hub does not keep it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from hub.catalogue import ProductCard, Tracking, reference, register_product
from hub.commands.work import Work
from hub.errors import InvalidInput, Refused
from hub.reconciliation.comparison.unbound_listings import written_alike
from hub.storage.rows import ChannelRow

IMPORTED_MAX = 500  # listings that one command looks at, the oldest differences first
NAME_CHARS_MAX = 200


class _Listing(TypedDict):
    about: str
    subject: str
    sku: str | None
    title: str | None


@dataclass(frozen=True, slots=True)
class RefusedListing:
    """A listing that became no product, with the reason."""

    sku: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportedListings:
    """What one command did: the SKUs that are products now, and what was refused."""

    registered: list[str]
    refused: list[RefusedListing]


def register(
    work: Work,
    channel: ChannelRow,
    *,
    manufacturer: str,
    tracking: Tracking,
    skus: Sequence[str] | None = None,
) -> ImportedListings:
    """Register products from the open unknown listings of a channel, or from those of some SKUs.

    Titles become names. A SKU that is a product already is left as it is; one that differs from
    another only in case and blanks is refused. Raises UnknownReference for an unknown manufacturer,
    InvalidInput for too many SKUs.
    """
    if skus is not None and not 0 < len(skus) <= IMPORTED_MAX:
        raise InvalidInput(f"name 1 to {IMPORTED_MAX} SKUs", field="skus")
    reference(work.tx, "manufacturer", "code", manufacturer)
    listings = _unknown(work, channel, skus)
    alike = written_alike(work.tx, [row["sku"] or "" for row in listings])
    known = set[str]()
    done = ImportedListings([], [])
    for row in listings:
        sku = (row["sku"] or "").strip()
        plain = sku.replace(" ", "").lower()
        if sku in known:
            continue  # a second listing of the same SKU
        reason = _refusal(row, alike.get(plain)) or _registered(
            work,
            ProductCard(
                sku=row["sku"] or "",
                name=(row["title"] or "").strip()[:NAME_CHARS_MAX] or sku,
                manufacturer=manufacturer,
                tracking=tracking,
            ),
        )
        if reason:
            done.refused.append(RefusedListing(sku or row["subject"], reason))
        else:
            known.add(sku)
            alike[plain] = sku
            done.registered.append(sku)
    return done


def _unknown(work: Work, channel: ChannelRow, skus: Sequence[str] | None) -> list[_Listing]:
    wanted = "" if skus is None else " AND seen.sku IN (:skus...)"
    return work.tx.rows_as(
        _Listing,
        "SELECT difference.about, difference.subject, seen.sku, seen.title "
        "FROM reconciliation_difference AS difference LEFT JOIN observed_listing AS seen "
        "ON seen.channel_id = difference.channel_id AND seen.about = difference.about "
        "WHERE difference.channel_id = :channel AND difference.kind = 'unknown_listing' "
        f"AND difference.state = 'open' AND live{wanted} AND NOT EXISTS ("
        "SELECT 1 FROM product WHERE product.sku = seen.sku) "
        "ORDER BY difference.id LIMIT :limit",
        channel=channel["id"],
        limit=IMPORTED_MAX,
        **({} if skus is None else {"skus": list(skus)}),
    )


def _refusal(row: _Listing, alike: str | None) -> str | None:
    if row["sku"] is None:
        return "the last run did not see it"
    if not row["sku"].strip():
        return "it has no SKU"
    if row["sku"] != row["sku"].strip():
        return "its SKU begins or ends with a blank"
    if alike is not None:
        return f"its SKU differs from {alike} only in case and blanks"
    return None


def _registered(work: Work, card: ProductCard) -> str | None:
    """Register a product; return why it was refused, if it was."""
    try:
        register_product(work.tx, work.context, card)
    except Refused as refusal:
        return str(refusal)
    return None
