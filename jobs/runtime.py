"""Runtime of the jobs: database, open connectors, clock and name of the process."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.connections import Connections
from connectors.toolkit.retirements import Retirement
from hub.access.vault import Vault
from hub.clock import now
from hub.commands.context import CommandContext
from hub.reconciliation.retention import KEPT
from hub.storage.database import Database
from hub.sync.inbox_retention import Retention
from hub.sync.leases import LEASE
from hub.sync.streams import SilencePolicy
from jobs import shared_rate_limits
from jobs.egress import Egress
from jobs.single_flight import SingleFlight


def _own_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Runtime:
    """The resources of one process."""

    database: Database
    connections: Connections
    clock: Callable[[], datetime] = now
    vault: Vault | None = None
    """What seals contacts that channels show; None where nothing is kept."""
    holder: str = field(default_factory=_own_name)
    flights: SingleFlight = field(default_factory=SingleFlight)
    lease: timedelta = LEASE
    """Duration of a lease, which its worker extends while it is alive."""
    silence: SilencePolicy = field(default_factory=SilencePolicy)
    """When a stream of a channel that fails is reported to a person."""
    retention: Retention = field(default_factory=Retention)
    """How long the inbox keeps what it took."""
    announced: dict[str, tuple[Retirement, ...]] = field(default_factory=dict)
    """What each channel announced of the end of its API, as far as it was reported."""
    runs: "set[asyncio.Task[Any]]" = field(default_factory=set)
    """Runs of jobs over single channels that outlast their firing."""
    grace: timedelta = timedelta(seconds=60)
    """How long an order or a shipment may be on its way before it is missed."""
    reconcile_every: timedelta = timedelta(minutes=15)
    """Interval of the runs of a scope that has no schedule of its own."""
    reconciliation_kept: timedelta = KEPT
    """How long it is kept which run found which difference."""
    webhooks_to_private_networks: bool = False
    """Whether webhooks may go to http and to addresses of private networks: for development."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is to end: no work is started any more, started work is finished."""

    @classmethod
    def over(
        cls,
        database: Database,
        vault: Vault,
        clock: Callable[[], datetime] = now,
        egress: Egress | None = None,
        **more: Any,
    ) -> "Runtime":
        """Return a runtime that shares its channel accounts with the other processes.

        `egress` says where connectors may connect; without it, to the public internet only.
        """
        connections = Connections(
            vault.open,
            shared_rate_limits.stores(database, vault, clock),
            (egress or Egress()).transport,
        )
        return cls(database, connections, clock=clock, vault=vault, **more)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Close the connections to channels when the block ends."""
        try:
            yield
        finally:
            await self.flights.aclose()
            await self.connections.aclose()

    def context(self, job: str) -> CommandContext:
        """Return the command context of a job."""
        return CommandContext(actor=f"job:{job}", now=self.clock(), scope=f"job:{job}")
