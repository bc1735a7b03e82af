"""Availability policies: which units a channel may sell, and how many of them it shows.

A channel has a policy, and a listing may override any value of it. Sites, grades and conditions
select the units, for counting and for allocation alike. Share, safety buffer, cap and pause limit
the quantity that is shown only: orders beyond it are still served.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson

from hub.availability.rows import ChannelLike, ListingPolicy
from hub.catalogue import reference
from hub.clock import micros
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, UnknownReference
from hub.storage.documents import UNREADABLE, document
from hub.storage.rows import ListingRow
from hub.storage.sql import Transaction

CONDITIONS = ("new", "open_box", "refurbished", "used")
UNITS_MAX = 1_000_000
VALUES_MAX = 50
GRADE_CHARS_MAX = 20
logger = logging.getLogger(__name__)

MARK = "changed"  # actor and time of the last change, stored with the policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The effective policy of one listing: its own values, else those of its channel.

    `share` is a percentage of the units in stock, rounded down; `pre_order` is the number of units
    that may be sold before they arrive; at `low_stock` units or fewer a shop shows that few are
    left. Without sites, grades or conditions all of them count.
    """

    safety_buffer: int = 0
    site_ids: tuple[str, ...] = ()
    cap: int | None = None
    share: int = 100
    selling_paused: bool = False
    grades: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    pre_order: int = 0
    low_stock: int = 3
    client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCard:
    """The values that a user sets; None leaves a value to the channel, or to the default."""

    safety_buffer: int | None = None
    sites: tuple[str, ...] | None = None  # codes
    cap: int | None = None
    share: int | None = None
    selling_paused: bool | None = None
    grades: tuple[str, ...] | None = None
    conditions: tuple[str, ...] | None = None
    pre_order: int | None = None
    low_stock: int | None = None


def of_channel(channel: ChannelLike) -> Policy:
    """Return the policy of the listings of a channel that override nothing."""
    try:
        sites = _stored(channel["site_ids"], list) or ()
        base = {"safety_buffer": channel["safety_buffer"], "site_ids": sites}
        return _policy(channel, base | _points(channel["policy"]))
    except UNREADABLE as error:
        return _closed(channel, error)


def of_listing(channel: ChannelLike, own: str | None) -> Policy:
    """Return the policy of a listing that overrides these values."""
    base = of_channel(channel)
    if not own:
        return base
    try:
        return _policy(channel, asdict(base) | _points(own))
    except UNREADABLE as error:
        return _closed(channel, error)


def _closed(channel: ChannelLike, error: Exception) -> Policy:
    """Return the policy in the place of one that cannot be read: nothing is offered."""
    logger.warning("a policy of %s cannot be read, and offers nothing: %s", channel["code"], error)
    return Policy(selling_paused=True, client_id=channel["client_id"])


def _policy(channel: ChannelLike, given: dict[str, Any]) -> Policy:
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }
    return Policy(**plain | {"client_id": channel["client_id"]})


def of_products(
    tx: Transaction, channel: ChannelLike, product_ids: Sequence[str]
) -> dict[str, Policy]:
    """Return the policy of each product on a channel; without a listing, that of the channel."""
    base = of_channel(channel)
    own = {
        row["product_id"]: of_listing(channel, row["policy"])
        for row in tx.rows_as(
            ListingPolicy,
            "SELECT product_id, policy FROM listing WHERE channel_id = :channel "
            "AND product_id IN (:ids...) AND policy IS NOT NULL AND unit_id IS NULL",
            channel=channel["id"],
            ids=list(product_ids),
        )
    }
    return {product_id: own.get(product_id, base) for product_id in product_ids}


def by_policy(policies: dict[str, Policy]) -> list[tuple[Policy, list[str]]]:
    """Group products by their policy: one count serves each group."""
    groups: dict[Policy, list[str]] = {}
    for product_id, policy in policies.items():
        groups.setdefault(policy, []).append(product_id)
    return list(groups.items())


def points(stored: str | None) -> dict[str, Any]:
    """Return the values that a stored policy sets."""
    given = document(stored)
    given.pop(MARK, None)
    return given


def _points(stored: str | None) -> dict[str, Any]:
    """Return the values that a stored policy sets; raises ValueError for one that is unreadable."""
    given: dict[str, Any] = _stored(stored, dict) or {}
    given.pop(MARK, None)
    return given


def _stored(text: str | None, kind: type) -> Any:
    found = orjson.loads(text) if text else None
    if found is not None and not isinstance(found, kind):
        raise ValueError(f"no {kind.__name__}: {text}")
    return found


def changed(stored: str | None) -> tuple[str, int] | None:
    """Return the actor and the time of the last change of a stored policy."""
    mark = document(stored).get(MARK)
    return (mark[0], mark[1]) if mark else None


def stored_of(tx: Transaction, context: CommandContext, card: PolicyCard) -> dict[str, Any]:
    """Validate the values that a user sets; return them as they are stored, with actor and time.

    Raises InvalidInput for a value out of its bounds, UnknownReference for an unknown site.
    """
    _validate(card)
    given = {name: each for name, each in asdict(card).items() if each is not None}
    if "sites" in given:
        given["site_ids"] = [
            reference(tx, "location", "code", code)["site_id"] for code in given.pop("sites")
        ]
    return given | {MARK: [context.actor, micros(context.now)]}


def listed(tx: Transaction, channel: ChannelLike, sku: str) -> ListingRow:
    """Return a channel's listing of our product, or raise UnknownReference."""
    product = reference(tx, "product", "sku", sku)
    row = tx.row_as(
        ListingRow,
        "SELECT * FROM listing WHERE channel_id = :channel AND product_id = :product "
        "ORDER BY CASE WHEN unit_id IS NULL THEN 0 ELSE 1 END, created_at",
        channel=channel["id"],
        product=product["id"],
    )
    if row is None:
        raise UnknownReference(f"{channel['name']} does not list {sku}", field="sku")
    return row


def shown(policy: Policy) -> dict[str, Any]:
    """Return a policy as plain JSON values."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(policy).items()
    }


def _validate(card: PolicyCard) -> None:
    for name, least, most in (
        ("safety_buffer", 0, UNITS_MAX),
        ("cap", 0, UNITS_MAX),
        ("share", 0, 100),
        ("pre_order", 0, UNITS_MAX),
        ("low_stock", 0, UNITS_MAX),
    ):
        value = getattr(card, name)
        if value is not None and not least <= value <= most:
            raise InvalidInput(f"it is {least} to {most:,}", field=_camel(name))
    for each in fields(card):
        value = getattr(card, each.name)
        if isinstance(value, tuple) and len(value) > VALUES_MAX:
            raise InvalidInput(f"at most {VALUES_MAX} values", field=each.name)
    for grade in card.grades or ():
        if not 0 < len(grade.strip()) <= GRADE_CHARS_MAX:
            raise InvalidInput(f"a grade has 1 to {GRADE_CHARS_MAX} characters", field="grades")
    unknown = set(card.conditions or ()) - set(CONDITIONS)
    if unknown:
        allowed = ", ".join(CONDITIONS)
        raise InvalidInput(f"a condition is one of {allowed}", field="conditions")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(each.title() for each in rest)
