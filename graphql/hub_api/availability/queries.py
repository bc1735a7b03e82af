"""Queries for availability settings."""

from dataclasses import asdict
from datetime import datetime

import strawberry

from hub.access.keys import Scope
from hub.availability import policy as policies
from hub.availability import reasons
from hub.availability.reasons import PendingReason, Reason
from hub.clock import moment
from hub.storage.sql import Transaction
from hub.sync import channels
from hub_api.availability.types import (
    AvailabilityExplained,
    AvailabilityPolicy,
    AvailabilitySteps,
    IncomingUnits,
    ReasonCount,
)
from hub_api.common.context import Info


@strawberry.type
class AvailabilityQuery:
    """Asking why."""

    @strawberry.field(
        description="Why a channel shows what it shows of one of our SKUs, step by step.",
        metadata={"cost": 20},
    )
    async def explain_availability(
        self, info: Info, channel: str, sku: str
    ) -> AvailabilityExplained:
        """Explain a quantity; nothing is asked of the channel."""
        info.context.require(Scope.OPS)
        now = info.context.clock()
        return await info.context.read(lambda tx: _explained(tx, channel, sku, now))


def _explained(tx: Transaction, code: str, sku: str, now: datetime) -> AvailabilityExplained:
    channel = channels.get(tx, code)
    listing = policies.listed(tx, channel, sku)
    found = reasons.explain(tx, channel, listing["product_id"], now)
    level = tx.row("SELECT * FROM listing_level WHERE listing_id = :id", id=listing["id"])
    assert level is not None  # it is made with the listing
    pending = reasons.untold(channel, level, now)
    return AvailabilityExplained(
        channel=code,
        sku=sku,
        remote_sku=listing["sku"],
        policy=AvailabilityPolicy.of(tx, found.policy, listing["policy"] or channel["policy"]),
        has_own_policy=listing["policy"] is not None,
        steps=AvailabilitySteps(**asdict(found.figure)),
        incoming=IncomingUnits(**asdict(found.incoming)),
        reasons=[
            ReasonCount(reason=reason, units=found.units[reason])
            for reason in Reason
            if reason in found.units
        ],
        acknowledged=level["acknowledged"],
        acknowledged_at=_moment(level["acknowledged_at"]),
        observed=level["observed"],
        observed_at=_moment(level["observed_at"]) if level["observed"] is not None else None,
        pending=pending,
        pending_since=moment(level["wanted_at"]) if pending else None,
        due_at=moment(level["due_at"])
        if pending not in {None, PendingReason.DEAD_LETTER}
        else None,
        attempts=level["attempts"],
        last_error=level["last_error"],
        row=channel,
        product_id=listing["product_id"],
    )


def _moment(at: int | None) -> datetime | None:
    return moment(at) if at else None
