"""What the jobs do for those who ask in between: `hub_api.common.context.Services`, made real."""

from datetime import datetime
from typing import Any

from connectors import Connector
from hub.after_sales import warranty_answers as _warranty
from hub.catalogue import medical_devices as _devices
from hub.commands.context import CommandContext
from hub.reconciliation.differences import Scope
from hub.storage.sql import Row
from jobs import backfill, intake, reconcile, relay
from jobs.runtime import Runtime
from jobs.warranty import device_lookup
from jobs.warranty import lookup as warranty


class JobServices:
    """The jobs of one process, for its API."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def warranty(self, unit_id: str) -> _warranty.Known | None:
        """Answer a unit's warranty, asking the manufacturer if need be."""
        return await warranty.answer(self._runtime, unit_id)

    async def device(self, identifier: str) -> _devices.Known | None:
        """Answer what is registered of a medical device, asking the registry if need be."""
        return await device_lookup.answer(self._runtime, identifier)

    async def reconcile(self, channel: Row, scope: Scope | None, actor: str) -> list[str]:
        """Reconcile a channel now and return the ids of the runs."""
        policy = reconcile.Policy(trigger=actor)
        return await reconcile.reconcile(self._runtime, channel, policy, scope)

    async def heal(self, channel: Row, difference: Row, context: CommandContext) -> None:
        """Heal one difference now, and tell the channel."""
        await reconcile.heal_one(self._runtime, channel, difference, context)
        await intake.drain(self._runtime)
        await relay.drain(self._runtime, channel["id"])

    async def pull_orders(self, channel: Row, since: datetime, until: datetime) -> tuple[int, int]:
        """Read a channel's orders of a period again; return how many, and how many were new."""
        return await backfill.pull_orders(self._runtime, channel, since, until)

    async def check(self, channel: Row) -> None:
        """Make the cheapest call that proves that a channel's credentials work."""
        await self.connector(channel).check()

    def connector(self, channel: Row) -> Connector[Any]:
        """Return the open connector of a channel."""
        return self._runtime.connections.of(channel)
