"""Availability policies of channels and listings, and why a channel shows what it shows."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import strawberry

from hub.availability import policy as policies
from hub.availability import reasons
from hub.availability.policy import Policy, PolicyCard
from hub.availability.reasons import PendingReason, Reason
from hub.clock import moment
from hub.ledger.arrivals import Condition
from hub.lifecycle import Status
from hub.storage.sql import Row, Transaction
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position


@strawberry.input(
    description="The points that are set. Null leaves a point to the channel, and of a channel "
    "takes it away."
)
class AvailabilityPolicyInput:
    safety_buffer: int | None = strawberry.field(description="Units kept back.", default=None)
    sites: list[str] | None = strawberry.field(
        description="Codes of the sites whose units count; an empty list: all of them.",
        default=None,
    )
    cap: int | None = strawberry.field(description="At most so many are shown.", default=None)
    share: int | None = strawberry.field(
        description="Percent of what is there, rounded down.", default=None
    )
    selling_paused: bool | None = strawberry.field(
        description="Show 0 while the stock stays.", default=None
    )
    grades: list[str] | None = strawberry.field(
        description="Only units of these grades count; an empty list: all of them.", default=None
    )
    conditions: list[Condition] | None = strawberry.field(
        description="Only units in these conditions count; an empty list: all of them.",
        default=None,
    )
    pre_order: int | None = strawberry.field(
        description="Number of units that may be sold before they arrive: expected ones, and those "
        "of advance ship notices. Their orders are served when the units arrive.",
        default=None,
    )
    low_stock: int | None = strawberry.field(
        description="At so many units or fewer the band is LOW; 3 where nobody sets it.",
        default=None,
    )

    def plain(self) -> PolicyCard:
        """Return what is set."""
        given: dict[str, Any] = {
            name: tuple(str(value) for value in each) if isinstance(each, list) else each
            for name, each in vars(self).items()
        }
        return PolicyCard(**given)


@strawberry.type(description="Which units count, and how many of them are shown.")
class AvailabilityPolicy:
    safety_buffer: int
    sites: list[str] = strawberry.field(description="Codes; none: all of them.")
    cap: int | None
    share: int = strawberry.field(description="Percent of what is there.")
    selling_paused: bool
    grades: list[str]
    conditions: list[Condition]
    pre_order: int
    low_stock: int = strawberry.field(description="At so many units or fewer the band is LOW.")
    changed_by: str | None = strawberry.field(description="Who set it last; null: nobody did.")
    changed_at: datetime | None

    @classmethod
    def of(cls, tx: Transaction, policy: Policy, stored: str | None) -> "AvailabilityPolicy":
        """Show what holds, with the codes of its sites."""
        given = asdict(policy)
        del given["client_id"]
        ids = list(given.pop("site_ids"))
        sites = tx.rows("SELECT code FROM location WHERE id IN (:ids...) ORDER BY code", ids=ids)
        mark = policies.changed(stored)
        return cls(
            **given
            | {
                "sites": [row["code"] for row in sites],
                "grades": list(policy.grades),
                "conditions": [Condition(each) for each in policy.conditions],
                "changed_by": mark[0] if mark else None,
                "changed_at": moment(mark[1]) if mark else None,
            }
        )

    @classmethod
    def of_channel(cls, tx: Transaction, channel: Row) -> "AvailabilityPolicy":
        """Show what holds for listings that have no points of their own."""
        return cls.of(tx, policies.of_channel(channel), channel["policy"])


@strawberry.type(description="How the shown quantity comes about, step by step.")
class AvailabilitySteps:
    counted: int = strawberry.field(description="Units that may be sold.")
    after_share: int
    after_buffer: int
    pre_order: int = strawberry.field(description="Units that may still be sold early.")
    after_cap: int
    shown: int = strawberry.field(description="Level that the channel should show; 0 while paused.")


@strawberry.type(description="Incoming units of a product, and the orders that wait for them.")
class IncomingUnits:
    """What is to come of a product."""

    expected: int
    back_ordered: int = strawberry.field(description="By orders of all channels.")
    back_ordered_here: int


@strawberry.type(description="How many units count or do not, for one reason.")
class ReasonCount:
    reason: Reason
    units: int


@strawberry.type(description="A unit and why it counts for a channel, or does not.")
class ExplainedUnit:
    unit_id: strawberry.ID = strawberry.field(description="Our id of the unit.")
    serial: str
    reason: Reason
    status: Status
    location: str
    grade: str | None
    condition: Condition
    expires_on: str | None
    client: str | None
    promised_to: str | None = strawberry.field(description="The reference of its promise.")

    @classmethod
    def of(cls, row: Row) -> "ExplainedUnit":
        """Show a row."""
        given = {
            "unit_id": strawberry.ID(row["id"]),
            "reason": Reason(row["reason"]),
            "status": Status(row["status"]),
            "condition": Condition(row["condition"]),
        }
        return cls(**{name: row[name] for name in row if name != "id"} | given)

    @strawberry.field(description="The kinds of its blocks.")
    async def blocks(self, info: Info) -> list[str]:
        found: list[str] = await info.context.loaders.of(reasons.blocks).load(self.unit_id)
        return found


@strawberry.type(description="Why a channel shows what it shows of a product.")
class AvailabilityExplained:
    channel: str
    sku: str
    remote_sku: str
    policy: AvailabilityPolicy = strawberry.field(
        description="Settings in force for the listing: its own ones, else those of its channel."
    )
    has_own_policy: bool
    steps: AvailabilitySteps
    incoming: IncomingUnits
    reasons: list[ReasonCount] = strawberry.field(
        description="Units by reason; what was sold or written off is left out.",
        metadata={"size": 20},
    )
    acknowledged: int | None = strawberry.field(description="Level that the channel last accepted.")
    acknowledged_at: datetime | None
    observed: int | None = strawberry.field(
        description="Level that the channel was last seen to show."
    )
    observed_at: datetime | None
    pending: PendingReason | None = strawberry.field(
        description="Reason for which the newest level is pending; null when it was accepted."
    )
    pending_since: datetime | None
    due_at: datetime | None = strawberry.field(description="Instant of the next push.")
    attempts: int
    last_error: str | None
    row: strawberry.Private[Row]
    product_id: strawberry.Private[str]

    @strawberry.field(description="The units, one by one, with why they count or do not.")
    async def units(
        self, info: Info, first: int = 50, after: str | None = None, reason: Reason | None = None
    ) -> Connection[ExplainedUnit]:
        now, channel, product_id = info.context.clock(), self.row, self.product_id
        rows = await info.context.read(
            lambda tx: reasons.units(
                tx, channel, product_id, now, first=first, after=position(after), reason=reason
            )
        )
        return page(rows, first, after, ExplainedUnit.of)


@strawberry.type(description="A policy as it holds after a change.")
class PolicySet:
    policy: AvailabilityPolicy
    replayed: bool = strawberry.field(
        description="The key was used before: nothing was changed again."
    )
