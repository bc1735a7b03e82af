"""Availability policies: what a channel may sell, and how much of it it is to show.

A channel has a policy, and each of its listings may differ from it in any point. Which units count
is one thing: sites, grades and conditions say it, for counting and for promising alike. How many
of them are shown is another: the share, the safety buffer, the cap and the pause limit the figure
only, and what was sold all the same is served.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson

from hub.catalogue import reference
from hub.clock import micros
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, UnknownReference
from hub.storage.sql import Row, Transaction

CONDITIONS = ("new", "open_box", "refurbished", "used")
UNITS_MAX = 1_000_000
VALUES_MAX = 50
GRADE_CHARS_MAX = 20
MARK = "changed"  # who changed a policy, and when; kept beside what it says


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What holds for one listing: its own points, else those of its channel.

    `share` is a percentage of what is there, rounded down; `pre_order` is how many units may be
    sold before they are here. Without sites, grades or conditions all of them count.
    """

    safety_buffer: int = 0
    site_ids: tuple[str, ...] = ()
    cap: int | None = None
    share: int = 100
    selling_paused: bool = False
    grades: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    pre_order: int = 0
    client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCard:
    """The points that somebody sets; None leaves one to the channel, and of a channel to nobody."""

    safety_buffer: int | None = None
    sites: tuple[str, ...] | None = None  # codes
    cap: int | None = None
    share: int | None = None
    selling_paused: bool | None = None
    grades: tuple[str, ...] | None = None
    conditions: tuple[str, ...] | None = None
    pre_order: int | None = None


def of_channel(channel: Row) -> Policy:
    """Return what holds for the listings of a channel that have no points of their own."""
    sites = orjson.loads(channel["site_ids"]) if channel["site_ids"] else ()
    base = {"safety_buffer": channel["safety_buffer"], "site_ids": sites}
    return _policy(channel, base | points(channel["policy"]))


def of_listing(channel: Row, own: str | None) -> Policy:
    """Return what holds for a listing with these points of its own."""
    base = of_channel(channel)
    if not own:
        return base
    return _policy(channel, asdict(base) | points(own))


def _policy(channel: Row, given: dict[str, Any]) -> Policy:
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }
    return Policy(**plain | {"client_id": channel["client_id"]})


def of_products(tx: Transaction, channel: Row, product_ids: Sequence[str]) -> dict[str, Policy]:
    """Return what holds on a channel for each product; one that is not listed has the channel's."""
    base = of_channel(channel)
    own = {
        row["product_id"]: of_listing(channel, row["policy"])
        for row in tx.rows(
            "SELECT product_id, policy FROM listing WHERE channel_id = :channel "
            "AND product_id IN (:ids...) AND policy IS NOT NULL AND unit_id IS NULL",
            channel=channel["id"],
            ids=list(product_ids),
        )
    }
    return {product_id: own.get(product_id, base) for product_id in product_ids}


def by_policy(policies: dict[str, Policy]) -> list[tuple[Policy, list[str]]]:
    """Put together the products for which the same holds: one count serves them all."""
    groups: dict[Policy, list[str]] = {}
    for product_id, policy in policies.items():
        groups.setdefault(policy, []).append(product_id)
    return list(groups.items())


def points(stored: str | None) -> dict[str, Any]:
    """Return the points that a stored policy sets."""
    given: dict[str, Any] = orjson.loads(stored) if stored else {}
    given.pop(MARK, None)
    return given


def changed(stored: str | None) -> tuple[str, int] | None:
    """Say who changed a stored policy last, and when."""
    mark = orjson.loads(stored).get(MARK) if stored else None
    return (mark[0], mark[1]) if mark else None


def stored_of(tx: Transaction, context: CommandContext, card: PolicyCard) -> dict[str, Any]:
    """Check what somebody sets; return it as it is stored, with his name and the time."""
    _sensible(card)
    given = {name: each for name, each in asdict(card).items() if each is not None}
    if "sites" in given:
        given["site_ids"] = [
            reference(tx, "location", "code", code)["site_id"] for code in given.pop("sites")
        ]
    return given | {MARK: [context.actor, micros(context.now)]}


def listed(tx: Transaction, channel: Row, sku: str) -> Row:
    """Return a channel's listing of our product, or raise UnknownReference."""
    product = reference(tx, "product", "sku", sku)
    row = tx.row(
        "SELECT * FROM listing WHERE channel_id = :channel AND product_id = :product "
        "ORDER BY CASE WHEN unit_id IS NULL THEN 0 ELSE 1 END, created_at",
        channel=channel["id"],
        product=product["id"],
    )
    if row is None:
        raise UnknownReference(f"{channel['name']} does not list {sku}", field="sku")
    return row


def shown(policy: Policy) -> dict[str, Any]:
    """Return a policy in plain values."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(policy).items()
    }


def _sensible(card: PolicyCard) -> None:
    for name, least, most in (
        ("safety_buffer", 0, UNITS_MAX),
        ("cap", 0, UNITS_MAX),
        ("share", 0, 100),
        ("pre_order", 0, UNITS_MAX),
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
        words = ", ".join(CONDITIONS)
        raise InvalidInput(f"a condition is one of {words}", field="conditions")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(each.title() for each in rest)
