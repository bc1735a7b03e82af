"""Job services for the API: the implementation of `hub_api.common.context.Services`."""

from datetime import datetime
from typing import Any

from connectors import Connector
from connectors.registry import ConnectorUnknown, SettingsInvalid
from hub.after_sales import warranty_answers as _warranty
from hub.availability.rows import ChannelLike
from hub.catalogue import medical_devices as _devices
from hub.commands.context import CommandContext
from hub.errors import StepNotAllowed
from hub.reconciliation import healing as fixes
from hub.reconciliation.kinds import Fix, Kind, Scope
from hub.reconciliation.schedules import Planned, planned
from hub.storage.rows import ChannelRow
from hub.sync import channels
from jobs import backfill
from jobs.reconciliation import healing
from jobs.reconciliation import run as reconcile
from jobs.reconciliation.options import RunOptions
from jobs.runtime import Runtime
from jobs.warranty import device_lookup
from jobs.warranty import lookup as warranty


class JobServices:
    """The jobs of one process, for its API."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def warranty(self, unit_id: str) -> _warranty.Known | None:
        """Return a unit's warranty, asking the manufacturer if necessary."""
        return await warranty.answer(self._runtime, unit_id)

    async def device(self, identifier: str) -> _devices.Known | None:
        """Return the record of a medical device, asking the registry if necessary."""
        return await device_lookup.answer(self._runtime, identifier)

    async def reconcile(
        self, channel: ChannelLike, scope: Scope | None, actor: str, *, heal: bool = True
    ) -> list[str]:
        """Reconcile a channel now and return the ids of the runs; without `heal` compare only."""
        options = RunOptions(trigger=actor, grace=self._runtime.grace, heal=heal)
        current = await self._current(channel)
        return await reconcile.reconcile(self._runtime, current, options, scope)

    async def heal(
        self, channel: ChannelRow, difference_id: str, fix: Fix | None, context: CommandContext
    ) -> None:
        """Apply the fix of one difference now, send the channel what it queued, and look again."""
        current = await self._current(channel)
        await healing.heal_one(self._runtime, current, difference_id, context, fix)
        await healing.send(self._runtime, current, [difference_id])
        await reconcile.look_again(self._runtime, current, [difference_id])

    async def heal_many(
        self,
        channel: ChannelRow,
        fix: Fix,
        context: CommandContext,
        kind: Kind | None = None,
        *,
        limit: int,
    ) -> tuple[int, int, int]:
        """Apply one fix to many differences, and look at the channel again.

        Returns how many it was applied to, how many of these hold, and how many refused it.
        """
        current = await self._current(channel)
        applied, refused = await healing.heal_many(
            self._runtime, current, fix, context, kind, limit=limit
        )
        await healing.send(self._runtime, current, applied)
        await reconcile.look_again(self._runtime, current, applied)
        healed = await self._runtime.database.read(lambda tx: fixes.healed(tx, applied))
        return len(applied), healed, refused

    async def schedules(self, channel: ChannelRow) -> list[Planned]:
        """Return when each scope of a channel is compared."""
        scopes = {channel["id"]: reconcile.supported_if_connected(self._runtime, channel)}
        found = await self._runtime.database.read(
            lambda tx: planned(tx, [channel], scopes, self._runtime.reconcile_every)
        )
        return found[channel["id"]]

    async def pull_orders(
        self, channel: ChannelLike, since: datetime, until: datetime
    ) -> tuple[int, int]:
        """Read a channel's orders of a period again; return their number, and that of new ones."""
        current = await self._current(channel)
        return await backfill.pull_orders(self._runtime, current, since, until)

    async def check(self, channel: ChannelLike) -> None:
        """Make the cheapest call that proves a channel's credentials."""
        await self.connector(channel).check()

    async def _current(self, channel: ChannelLike) -> ChannelRow:
        """Return a channel as it is now; raises StepNotAllowed where there is nothing to call."""
        channel_id = channel["id"]
        current = await self._runtime.database.read(lambda tx: channels.by_id(tx, channel_id))
        self.connector(current)
        return current

    def connector(self, channel: ChannelLike) -> Connector[Any]:
        """Return the open connector of a channel; raises StepNotAllowed if it cannot be called."""
        channels.require_remote(channel)
        try:
            return self._runtime.connections.of(channel)
        except (SettingsInvalid, ConnectorUnknown) as error:
            raise StepNotAllowed(
                f"channel {channel['code']!r} cannot be called: {error}",
                allowed=["registerChannel"],
            ) from error
