"""Queries for fulfillment."""

import strawberry

from hub.access.keys import Scope
from hub.fulfillment import dispatch
from hub.lifecycle import Action
from hub_api.common.command_inputs import UnitInput, scans_of
from hub_api.common.context import Info
from hub_api.fulfillment.types import DispatchCheck, DispatchStep


@strawberry.type
class FulfillmentQuery:
    """Checking orders."""

    @strawberry.field(
        description="Check serials against an order before they are packed, shipped or collected: "
        "each exists, has the right status and product, and is promised to it. Nothing is changed.",
        metadata={"cost": 20},
    )
    async def check_dispatch(
        self,
        info: Info,
        order_id: strawberry.ID,
        scanned: list[UnitInput],
        step: DispatchStep = DispatchStep.SHIP,
    ) -> DispatchCheck:
        info.context.require(Scope.SCANNER, Scope.POS)
        action = Action(step.value)
        context = info.context.command_context()
        found = await info.context.read(
            lambda tx: dispatch.verify(tx, context, order_id, scans_of(scanned), action)
        )
        return DispatchCheck.of(found.as_json())
