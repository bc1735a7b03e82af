"""Explanation of a shown quantity: each unit with the reason why it counts or does not."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from hub.availability import counting, incoming
from hub.availability.counting import Figure
from hub.availability.incoming import Incoming
from hub.availability.policy import Policy, of_products
from hub.availability.rows import BlockRow, ChannelLike, ExplainedUnitRow, ReasonCount
from hub.catalogue import SELLING_KINDS
from hub.clock import micros
from hub.lifecycle import Status
from hub.storage.paging import page_size
from hub.storage.rows import ListingLevelRow
from hub.storage.sql import Row, Transaction

ACTIVE = "active"  # a channel that is not paused, as in `hub.sync.channels`


class Reason(StrEnum):
    """Why a unit counts for a channel, or does not: the first of them that holds."""

    COUNTS = "counts"
    OTHER_OWNER = "other_owner"  # a client's goods, or our own on a client's channel
    PROMISED = "promised"  # to an order or a reservation
    EXPECTED = "expected"
    NOT_PUT_AWAY = "not_put_away"
    IN_TRANSIT = "in_transit"  # between two of our sites
    RETURNED = "returned"  # back, and not inspected yet
    IN_REPAIR = "in_repair"
    IN_KIT = "in_kit"
    MISSING = "missing"
    STOLEN = "stolen"
    CONDEMNED = "condemned"
    BLOCKED = "blocked"  # quality, recall, fraud
    NOT_FOR_SALE_HERE = "not_for_sale_here"  # nothing is sold from a place of this kind
    OTHER_SITE = "other_site"
    WRONG_CONDITION = "wrong_condition"
    WRONG_GRADE = "wrong_grade"
    EXPIRED = "expired"


class PendingReason(StrEnum):
    """Reason why the newest quantity was not sent to a channel yet."""

    WAITING = "waiting"  # for its turn, at once
    SENDING = "sending"
    RETRYING = "retrying"  # it failed, and is retried later
    RATE_LIMITED = "rate_limited"  # the channel asked us to slow down
    CHANNEL_PAUSED = "channel_paused"
    DEAD_LETTER = "dead_letter"  # it was given up


OF_STATUS = {
    Status.PICKED: Reason.PROMISED,
    Status.PACKED: Reason.PROMISED,
    Status.EXPECTED: Reason.EXPECTED,
    Status.RECEIVED: Reason.NOT_PUT_AWAY,
    Status.IN_TRANSFER: Reason.IN_TRANSIT,
    Status.RETURNED: Reason.RETURNED,
    Status.IN_REPAIR: Reason.IN_REPAIR,
    Status.IN_KIT: Reason.IN_KIT,
    Status.MISSING: Reason.MISSING,
    Status.STOLEN: Reason.STOLEN,
    Status.CONDEMNED: Reason.CONDEMNED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The calculation of the quantity that a channel shows of a product."""

    policy: Policy
    figure: Figure
    incoming: Incoming
    units: dict[Reason, int]


def explain(tx: Transaction, channel: ChannelLike, product_id: str, now: datetime) -> Explanation:
    """Explain the quantity that a channel shows of a product now."""
    policy = of_products(tx, channel, [product_id])[product_id]
    case, values = _reason(policy, now)
    rows = tx.rows_as(
        ReasonCount,
        f"SELECT reason, COUNT(*) AS units FROM (SELECT {case} AS reason FROM unit "
        "JOIN location ON location.id = unit.location_id WHERE unit.product_id = :product "
        "AND unit.status NOT IN ('shipped', 'sold', 'at_supplier', 'written_off', 'merged'"
        ")) AS each "
        "GROUP BY reason",
        product=product_id,
        **values,
    )
    return Explanation(
        policy=policy,
        figure=counting.figures(tx, channel, [product_id], now)[product_id],
        incoming=incoming.of_products(tx, channel, policy, [product_id])[product_id],
        units={Reason(row["reason"]): row["units"] for row in rows},
    )


def units(
    tx: Transaction,
    channel: ChannelLike,
    product_id: str,
    now: datetime,
    *,
    first: int,
    after: str | None,
    reason: Reason | None = None,
) -> list[ExplainedUnitRow]:
    """Return the units of a product with their reasons, one more than `first`.

    Units that were sold or written off are excluded.
    """
    policy = of_products(tx, channel, [product_id])[product_id]
    case, values = _reason(policy, now)
    return tx.rows_as(
        ExplainedUnitRow,
        "SELECT * FROM (SELECT unit.id, unit.serial, unit.status, unit.grade, unit.condition, "
        "unit.expires_on, location.code AS location, client.code AS client, "
        f"hold.reference AS promised_to, {case} AS reason FROM unit "
        "JOIN location ON location.id = unit.location_id "
        "LEFT JOIN client ON client.id = unit.client_id "
        "LEFT JOIN hold ON hold.id = unit.promised_to WHERE unit.product_id = :product "
        "AND unit.status NOT IN ('shipped', 'sold', 'at_supplier', 'written_off', 'merged') "
        "AND unit.id > :after) AS each "
        "WHERE :reason = '' OR reason = :reason ORDER BY id LIMIT :limit",
        product=product_id,
        after=after or "",
        reason=str(reason or ""),
        limit=page_size(first) + 1,
        **values,
    )


def blocks(tx: Transaction, unit_ids: list[str]) -> dict[str, list[str]]:
    """Return the kinds of the blocks of units."""
    found: dict[str, list[str]] = {unit_id: [] for unit_id in unit_ids}
    for row in tx.rows_as(
        BlockRow,
        "SELECT unit_id, kind FROM hold WHERE unit_id IN (:ids...) AND released_at IS NULL "
        "AND kind <> 'sale' ORDER BY kind",
        ids=unit_ids,
    ):
        found[row["unit_id"]].append(row["kind"])
    return found


def _reason(policy: Policy, now: datetime) -> tuple[str, dict[str, Any]]:
    """Return an SQL expression of the reason, with its values: `counting.sellable` in parts."""
    statuses = " ".join(
        f"WHEN unit.status = '{status}' THEN '{reason}'" for status, reason in OF_STATUS.items()
    )
    kinds = ", ".join(f"'{kind}'" for kind in SELLING_KINDS)
    asked = [
        ("COALESCE(unit.client_id, '') <> :client", Reason.OTHER_OWNER),
        (
            "unit.promised_to IS NOT NULL AND COALESCE(unit.promised_until, :now + 1) > :now",
            Reason.PROMISED,
        ),
    ]
    later = [
        ("unit.blocks > 0", Reason.BLOCKED),
        (f"location.kind NOT IN ({kinds})", Reason.NOT_FOR_SALE_HERE),
    ]
    values: dict[str, Any] = {
        "client": policy.client_id or "",
        "today": now.date().isoformat(),
        "now": micros(now),
    }
    for column, name, wanted, reason in (
        ("location.site_id", "sites", policy.site_ids, Reason.OTHER_SITE),
        ("unit.condition", "conditions", policy.conditions, Reason.WRONG_CONDITION),
        ("COALESCE(unit.grade, '')", "grades", policy.grades, Reason.WRONG_GRADE),
    ):
        if wanted:
            later.append((f"NOT ({column} IN (:{name}...))", reason))
            values[name] = list(wanted)
    later.append(("unit.expires_on < :today", Reason.EXPIRED))
    before, behind = (
        " ".join(f"WHEN {condition} THEN '{reason}'" for condition, reason in each)
        for each in (asked, later)
    )
    return f"CASE {before} {statuses} {behind} ELSE '{Reason.COUNTS}' END", values


def untold(
    channel: ChannelLike, level: ListingLevelRow | Row, now: datetime
) -> PendingReason | None:
    """Return why the newest quantity was not sent to a channel yet; None if it was."""
    if level["state"] == "dead":
        return PendingReason.DEAD_LETTER
    if level["wanted_version"] <= level["done_version"]:
        return None
    if channel["state"] != ACTIVE:
        return PendingReason.CHANNEL_PAUSED
    if channel["waits_until"] > micros(now):
        return PendingReason.RATE_LIMITED
    if level["lease_until"] > micros(now):
        return PendingReason.SENDING
    if level["attempts"] > 0 and level["due_at"] > micros(now):
        return PendingReason.RETRYING
    return PendingReason.WAITING
