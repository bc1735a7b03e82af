"""Mutations for availability settings."""

from dataclasses import asdict
from typing import Any

import strawberry

from hub.access.keys import Scope
from hub.availability import policy as policies
from hub.storage.sql import Transaction
from hub.sync import availability_settings, channels
from hub_api.availability.types import AvailabilityPolicy, AvailabilityPolicyInput, PolicySet
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer


@strawberry.type
class AvailabilityMutation:
    """Changing policies."""

    @strawberry.mutation(
        description="Set the availability policy of a channel, or with our SKU the points in which "
        "its listing differs. What was set before is replaced, and the levels are told anew.",
        graphql_type=answer("SetAvailabilityPolicyResult", PolicySet),
    )
    async def set_availability_policy(
        self,
        info: Info,
        idempotency_key: str,
        channel: str,
        policy: AvailabilityPolicyInput,
        sku: str | None = None,
    ) -> PolicySet:
        """Set a policy."""
        info.context.require(Scope.ADMIN)
        context, card = info.context.command_context(), policy.plain()

        def do(tx: Transaction, _: str) -> dict[str, Any]:
            row = channels.get(tx, channel)
            if sku is None:
                return availability_settings.set_for_channel(tx, context, row, card)
            return availability_settings.set_for_listing(tx, context, row, sku, card)

        given = [channel, sku, asdict(card)]
        done = await once(info.context, context, idempotency_key, "set_policy", given, do)

        def show(tx: Transaction) -> AvailabilityPolicy:
            row = channels.get(tx, channel)
            if sku is None:
                return AvailabilityPolicy.of_channel(tx, row)
            own = policies.listed(tx, row, sku)["policy"]
            return AvailabilityPolicy.of(tx, policies.of_listing(row, own), own or row["policy"])

        return PolicySet(policy=await info.context.read(show), replayed=done.replayed)
