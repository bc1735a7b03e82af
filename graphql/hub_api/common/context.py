"""What every resolver may reach: who asks, the database, and what was loaded already."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from connectors import Connector
from hub.access.keys import Caller, Scope
from hub.access.vault import Vault
from hub.after_sales.warranty_answers import Known
from hub.catalogue.medical_devices import Known as KnownDevice
from hub.commands.context import CommandContext, Confinement, Document
from hub.ledger import unit_views
from hub.ledger.rules import client as client_rules
from hub.reconciliation.kinds import Fix, Kind
from hub.reconciliation.kinds import Scope as Comparison
from hub.reconciliation.schedules import Planned
from hub.storage.database import Database
from hub.storage.rows import ChannelRow
from hub.storage.sql import Row, Transaction
from hub.vocabulary import CaptureMethod
from hub_api.common import security_events
from hub_api.common.security_events import SecurityEvent
from hub_api.common.stock_changes import StockChanges

Result = TypeVar("Result")
Key = TypeVar("Key")
Value = TypeVar("Value")


class Services(Protocol):
    """What the API asks of the jobs; `serial_hub.cli` brings the two together."""

    async def warranty(self, unit_id: str) -> Known | None:
        """Answer a unit's warranty, asking the manufacturer if need be."""

    async def device(self, identifier: str) -> KnownDevice | None:
        """Answer what is registered of a medical device, asking the registry if need be."""

    async def reconcile(
        self, channel: Row, scope: Comparison | None, actor: str, *, heal: bool = True
    ) -> list[str]:
        """Reconcile a channel now and return the ids of the runs; without `heal` compare only."""

    async def heal(
        self, channel: ChannelRow, difference_id: str, fix: Fix | None, context: CommandContext
    ) -> None:
        """Apply the proposed fix of a difference, or another one, and look at the channel again."""

    async def heal_many(
        self,
        channel: ChannelRow,
        fix: Fix,
        context: CommandContext,
        kind: Kind | None = None,
        *,
        limit: int,
    ) -> tuple[int, int, int]:
        """Apply a fix to many differences; return how many, how many hold, and how many refused."""

    async def schedules(self, channel: ChannelRow) -> list[Planned]:
        """Return when each scope of a channel is compared."""

    async def pull_orders(self, channel: Row, since: datetime, until: datetime) -> tuple[int, int]:
        """Read a channel's orders of a period again; return how many, and how many were new."""

    async def check(self, channel: Row) -> None:
        """Make the cheapest call that proves that a channel's credentials work."""

    def connector(self, channel: Row) -> Connector[Any]:
        """Return the open connector of a channel."""


class Shared(DataLoader[Any, Any]):
    """A loader whose rows many fields wait for: the end of one of them does not end the others.

    Where a field that may not be null is refused, graphql-core cancels the fields beside it.
    """

    def load(self, key: Any) -> "asyncio.Future[Any]":
        """Load one key; to cancel the answer does not cancel the read."""
        return asyncio.shield(super().load(key))


@dataclass(slots=True)
class Loaders:
    """Batches of one request: what many rows ask for is read once."""

    database: Database
    _made: dict[tuple[str, str], DataLoader[Any, Any]] = field(default_factory=dict)

    def of(self, read: Callable[[Transaction, list[Any]], dict[Any, Any]]) -> DataLoader[Any, Any]:
        """Return the loader of a batch read, such as `hub.ledger.event_views.history`."""
        name = (read.__module__, read.__qualname__)  # several modules have an `of_orders`
        if name not in self._made:
            self._made[name] = Shared(load_fn=_batched(self.database, read))
        return self._made[name]


def _batched(
    database: Database, read: Callable[[Transaction, list[Key]], dict[Key, Value]]
) -> Callable[[list[Key]], Awaitable[list[Value | None]]]:
    async def load(keys: list[Key]) -> list[Value | None]:
        found = await database.read(lambda tx: read(tx, keys))
        return [found.get(key) for key in keys]

    return load


@dataclass(slots=True)
class Context:
    """One request."""

    caller: Caller
    database: Database
    services: Services
    vault: Vault
    clock: Callable[[], datetime]
    loaders: Loaders
    stock_changes: StockChanges
    private_webhooks: bool = False  # may go to http and to private networks
    address: str = ""  # of the client, as far as proxies state it
    session_id: str | None = None  # of the console session, where there is one
    two_person: frozenset[str] = frozenset()  # commands that a second person approves
    cost: int = 0  # of what the request has asked so far
    is_key_active: Callable[[], Awaitable[bool]] | None = None  # asked again while a stream runs
    resume_after: str | None = None  # cursor of the last event that the client of a stream has
    cursor: str | None = None  # of the event that a stream sends now

    def require(self, *scopes: Scope) -> None:
        """Raise Forbidden unless the caller has one of the scopes."""
        if not any(self.caller.may(scope) for scope in scopes):
            security_events.note(
                SecurityEvent.REFUSED_SCOPE,
                key=self.caller.key_id,
                name=self.caller.name,
                needs=scopes[0],
                address=self.address,
            )
            self.caller.require(scopes[0])

    async def read(self, work: Callable[[Transaction], Result]) -> Result:
        """Run a short read."""
        return await self.database.read(work)

    async def read_once(self, work: Callable[[Transaction], Result]) -> Result:
        """Run a short read of one statement."""
        return await self.database.read_once(work)

    async def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Run a piece of work that writes: all of it, or nothing."""
        return await self.database.write(work)

    def command_context(
        self,
        *,
        captured_by: CaptureMethod = CaptureMethod.API,
        occurred_at: datetime | None = None,
        reason: str | None = None,
        document: Document | None = None,
    ) -> CommandContext:
        """Return the context of a command that the caller gives now."""
        return CommandContext(
            actor=self.caller.name,
            now=self.clock(),
            scope=self.caller.key_id,
            occurred_at=occurred_at,
            captured_by=captured_by,
            document=document,
            reason=reason,
            key_id=self.caller.key_id,
            overrides=self.caller.may(Scope.OVERRIDE),
            confinement=Confinement(
                site_id=self.caller.site_id,
                client_id=self.caller.client_id,
                one_owner=self.caller.client_id is not None,
                own_counter=not self.caller.may(Scope.OPS),
            ),
        )

    async def units(self, unit_id: str) -> Row | None:
        """Load one unit's row together with the others that are asked for."""
        return self.own(await self.loaders.of(unit_views.units_by_id).load(unit_id))

    def own(self, unit: Row | None) -> Row | None:
        """Return what the caller may see of a unit's row: a client nothing of another's."""
        client = self.caller.client_id
        if unit is None or client is None:
            return unit
        return client_rules.shown_to(client, unit)

    def own_history(self, events: list[Row]) -> list[Row]:
        """Return what the caller may see of the history of a unit that they may see."""
        if self.caller.client_id is None:
            return events
        return client_rules.history_of_owner(events)


Info = strawberry.Info[Context, None]
