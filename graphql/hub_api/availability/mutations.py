"""Mutations for availability settings."""

from typing import Any

import strawberry

from hub.access.keys import Scope
from hub.availability import policy as policies
from hub.commands.work import Work
from hub.storage.sql import Transaction
from hub.sync import availability_settings, channels, own_channels
from hub_api.availability.types import AvailabilityPolicy, AvailabilityPolicyInput, PolicySet
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer


@strawberry.type
class AvailabilityMutation:
    """Changing policies."""

    @command(
        Scope.ADMIN,
        description="Set the availability policy of a channel, or with a SKU the settings in "
        "which its listing differs, and queue the level updates. Former settings are "
        "replaced.",
        result=answer("SetAvailabilityPolicyResult", PolicySet),
    )
    async def set_availability_policy(
        self,
        call: Call,
        channel: str,
        policy: AvailabilityPolicyInput,
        sku: str | None = None,
    ) -> PolicySet:
        context, card = call.context.command_context(), policy.plain()

        def do(work: Work) -> dict[str, Any]:
            row = own_channels.get_or_make(work.tx, channel, context.now)
            if sku is None:
                return availability_settings.set_for_channel(work.tx, context, row, card)
            return availability_settings.set_for_listing(work.tx, context, row, sku, card)

        done = await call.once(context, do)

        def show(tx: Transaction) -> AvailabilityPolicy:
            row = channels.get(tx, channel)
            if sku is None:
                return AvailabilityPolicy.of_channel(tx, row)
            own = policies.listed(tx, row, sku)["policy"]
            return AvailabilityPolicy.of(tx, policies.of_listing(row, own), own or row["policy"])

        return PolicySet(policy=await call.context.read(show), replayed=done.replayed)
