"""Channels: accounts at marketplaces, POS systems and manufacturers, and their lag."""

from datetime import datetime

import strawberry

from hub import clients
from hub.clock import moment
from hub.storage.documents import values
from hub.storage.rows import ChannelStreamRow
from hub.storage.sql import Row
from hub.sync import channel_health, circuit, streams
from hub.sync.channel_health import Health
from hub.sync.channels import GoneOrders, Oversell
from hub.sync.circuit import CircuitState
from hub_api.availability.types import AvailabilityPolicy, AvailabilityPolicyInput
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.engine.stored import each


@strawberry.type(description="How far a channel is behind.")
class ChannelLag:
    levels_waiting: int
    facts_waiting: int
    inbox_waiting: int
    dead: int = strawberry.field(description="Messages that were given up.")
    oldest_unsent_at: datetime | None
    seconds: float = strawberry.field(description="The age of the oldest unsent change.")
    last_success_at: datetime | None

    @classmethod
    def of(cls, health: Health, now: datetime) -> "ChannelLag":
        """Show a measurement."""
        oldest = moment(health.oldest_unsent_at) if health.oldest_unsent_at else None
        return cls(
            levels_waiting=health.levels_waiting,
            facts_waiting=health.facts_waiting,
            inbox_waiting=health.inbox_waiting,
            dead=health.dead,
            oldest_unsent_at=oldest,
            seconds=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
            last_success_at=moment(health.last_success_at) if health.last_success_at else None,
        )


@strawberry.type(description="How a channel has been failing.")
class Circuit:
    state: CircuitState
    failures: int = strawberry.field(description="Of different messages in a row.")
    opened_at: datetime | None
    asked_again_at: datetime | None = strawberry.field(
        description="When it is next asked whether it is back."
    )

    @classmethod
    def of(cls, found: circuit.Circuit, now: datetime) -> "Circuit":
        """Show a circuit."""
        return cls(
            state=found.state(now),
            failures=found.failures,
            opened_at=moment(found.opened_at) if found.opened_at else None,
            asked_again_at=moment(found.probe_at) if found.probe_at else None,
        )


@strawberry.type(description="Something that is done for a channel again and again.")
class ChannelStream:
    name: str = strawberry.field(
        description="`orders` and `returns` are pulled, `queue` is emptied, `pushes` are sent."
    )
    attempts: int = strawberry.field(description="Calls and pages so far.")
    failures: int = strawberry.field(description="Failures in a row; 0 after a success.")
    failing_since: datetime | None = strawberry.field(
        description="Time of the first of the failures in a row."
    )
    last_success_at: datetime | None = strawberry.field(
        description="Time of the last success; null: there was none yet."
    )
    error: str | None = strawberry.field(description="The newest error, while it fails.")
    page_divisor: int = strawberry.field(
        description="Pages are this many times smaller than usual, because they timed out."
    )

    @classmethod
    def of(cls, row: ChannelStreamRow) -> "ChannelStream":
        """Show a row."""
        return cls(
            name=row["stream"],
            attempts=row["attempts"],
            failures=row["failures"],
            failing_since=moment(row["failing_since"]) if row["failing_since"] else None,
            last_success_at=moment(row["succeeded_at"]) if row["succeeded_at"] else None,
            error=row["last_error"],
            page_divisor=row["page_divisor"],
        )


@strawberry.type(description="One account at a marketplace, a POS or a manufacturer.")
class Channel(Node):
    id: strawberry.ID
    code: str
    name: str
    connector: str
    capabilities: list[str]
    state: str = strawberry.field(description="active or paused.")
    paused_reason: str | None
    account: list[str] = strawberry.field(
        description="Parts of the remote account that it serves; empty where this is not known."
    )
    shares_account: bool = strawberry.field(
        description="Whether other channels may serve the same parts."
    )
    safety_buffer: int
    oversell: Oversell
    unpaid_promise_hours: int | None = strawberry.field(
        description="Hours for which an unpaid order keeps its units; null: without end."
    )
    gone_orders: GoneOrders = strawberry.field(
        description="Action about an order that the channel no longer has."
    )
    gone_order_minutes: int = strawberry.field(
        description="Minutes between the two looks that prove that an order is gone."
    )
    serves_test_orders: bool = strawberry.field(description="Whether test orders take units.")
    waits_until: datetime | None = strawberry.field(description="It asked us to slow down.")
    client_id: strawberry.Private[str | None]
    row: strawberry.Private[Row]

    @classmethod
    def of(cls, row: Row) -> "Channel":
        """Show a row; its settings are never shown."""
        return cls(
            id=strawberry.ID(row["id"]),
            code=row["code"],
            name=row["name"],
            connector=row["connector"],
            capabilities=values(row["capabilities"]),
            state=row["state"],
            paused_reason=row["paused_reason"],
            account=values(row["account"]),
            shares_account=bool(row["shares_account"]),
            safety_buffer=row["safety_buffer"],
            oversell=Oversell(row["oversell"]),
            unpaid_promise_hours=row["unpaid_promise_hours"],
            gone_orders=GoneOrders(row["gone_orders"]),
            gone_order_minutes=row["gone_order_minutes"],
            serves_test_orders=bool(row["serves_test_orders"]),
            waits_until=moment(row["waits_until"]) if row["waits_until"] else None,
            client_id=row["client_id"],
            row=row,
        )

    @strawberry.field(description="Which units count for it, and how many of them it shows.")
    async def policy(self, info: Info) -> AvailabilityPolicy:
        row = self.row
        return await info.context.read(lambda tx: AvailabilityPolicy.of_channel(tx, row))

    @strawberry.field(description="The client whose goods it sells, by code; null: our own.")
    async def client(self, info: Info) -> str | None:
        if self.client_id is None:
            return None
        code: str | None = await info.context.loaders.of(clients.codes).load(self.client_id)
        return code

    @strawberry.field(description="State of the circuit breaker; pushes wait while it is open.")
    async def circuit(self, info: Info) -> Circuit:
        """Say how it has been failing."""
        found = await info.context.loaders.of(circuit.circuits_of).load(str(self.id))
        return Circuit.of(found, info.context.clock())

    @strawberry.field(description="How its pulls and pushes go, by name, and since when they fail.")
    async def streams(self, info: Info) -> list[ChannelStream]:
        rows = await info.context.loaders.of(streams.streams_of).load(str(self.id))
        return each(ChannelStream.of, rows)

    @strawberry.field(description="How far it is behind.")
    async def lag(self, info: Info) -> ChannelLag:
        health = await info.context.loaders.of(channel_health.healths_of).load(str(self.id))
        return ChannelLag.of(health, info.context.clock())


@strawberry.type(description="A message to or from a channel that was given up.")
class DeadLetter:
    id: strawberry.ID
    channel: str
    direction: str = strawberry.field(
        description="Direction of the message: `out` for a fact, `in` for a webhook call."
    )
    topic: str
    subject: str
    attempts: int
    error: str | None
    settled_at: datetime | None


@strawberry.input(description="A channel; the same code again changes it.")
class ChannelInput:
    code: str
    name: str
    connector: str = strawberry.field(description="The name of an installed connector.")
    settings: strawberry.scalars.JSON = strawberry.field(
        description="Settings of the connector; sealed before they are stored, never shown again."
    )
    manufacturer: str | None = strawberry.field(
        description="For a warranty database: whose it is.", default=None
    )
    client: str | None = strawberry.field(
        description="The code of the client whose goods it sells, and no others; null: our own.",
        default=None,
    )
    share_account: bool = strawberry.field(
        description="Whether other channels may serve the same part of the account, as a shop that "
        "is split by its locations; else a second one is refused.",
        default=False,
    )
    sites: list[str] = strawberry.field(
        description="Codes of the sites whose units count; none: all of them.",
        default_factory=list,
    )
    safety_buffer: int = strawberry.field(
        description="Units of each product that are kept back from it.", default=0
    )
    oversell: Oversell = strawberry.field(
        description="Handling of orders for more than there is; a case is opened in any event.",
        default=Oversell.BACK_ORDER,
    )
    unpaid_promise_hours: int | None = strawberry.field(
        description="Hours for which an unpaid order keeps its units; 0: without end; null: as "
        "its connector advises.",
        default=None,
    )
    gone_orders: GoneOrders = strawberry.field(
        description="Action about an order that the channel no longer has.",
        default=GoneOrders.CANCEL,
    )
    gone_order_minutes: int = strawberry.field(
        description="Minutes between the two looks that prove that an order is gone; 0: the next "
        "look is enough.",
        default=0,
    )
    serves_test_orders: bool = strawberry.field(
        description="Whether test orders take units.", default=False
    )
    policy: AvailabilityPolicyInput | None = strawberry.field(
        description="Further points of its availability policy; null: what was set stays. Its "
        "sites and safety buffer come before those beside it.",
        default=None,
    )


@strawberry.input(description="A listing of a channel and the product that it sells.")
class ListingInput:
    sku: str = strawberry.field(description="Our SKU.")
    remote_sku: str = strawberry.field(description="The channel's SKU.")
    remote: strawberry.scalars.JSON = strawberry.field(
        description="The channel's own references, as its connector documents them."
    )
    unit: str | None = strawberry.field(
        description="Any identifier of a unit of the product: the listing sells only this one.",
        default=None,
    )


@strawberry.type(description="How many listings are bound.")
class ListingsBound:
    bound: int


@strawberry.type(description="Response of a channel to the check.")
class ChannelCheck:
    ok: bool
    message: str


@strawberry.type(description="How many messages were put back in their queue.")
class Replayed:
    messages: int


@strawberry.type(description="Orders that were read again.")
class OrdersPulled:
    """What a channel was asked for again."""

    read: int = strawberry.field(description="Orders of the period that the channel has.")
    new: int = strawberry.field(description="Those that were not known, or not as they are now.")
