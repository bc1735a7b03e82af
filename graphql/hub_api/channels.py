"""Channels: accounts at marketplaces, POS systems and manufacturers, and their lag."""

from datetime import datetime

import orjson
import strawberry

from connectors import capabilities, installed
from connectors.registry import ConnectorUnknown, SettingsInvalid, connect
from hub import clients, orders
from hub.access.keys import Scope
from hub.availability.policy import PolicyCard
from hub.catalogue import reference
from hub.clock import moment
from hub.errors import InvalidInput
from hub.ledger import units
from hub.storage.sql import Row, Transaction
from hub.sync import channels, circuit, listings
from hub.sync.channels import ChannelCard, Health, Oversell
from hub.sync.circuit import CircuitState
from hub_api.availability import AvailabilityPolicy, AvailabilityPolicyInput
from hub_api.context import Context
from hub_api.problems import answer, settings_problem

Info = strawberry.Info[Context, None]
WAITING_MAX = 1_000  # orders that are bound at once; the sweep takes the others

strawberry.enum(Oversell, description="What is done when a channel sold more than there is.")

strawberry.enum(CircuitState, description="Whether a channel is talked to.")


@strawberry.type(description="How far a channel is behind.")
class ChannelLag:
    """How far a channel is behind."""

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
    """How a channel has been failing."""

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


@strawberry.type(description="One account at a marketplace, a POS or a manufacturer.")
class Channel:
    """One account."""

    id: strawberry.ID
    code: str
    name: str
    connector: str
    capabilities: list[str]
    state: str = strawberry.field(description="active or paused.")
    paused_reason: str | None
    safety_buffer: int
    oversell: Oversell
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
            capabilities=orjson.loads(row["capabilities"]),
            state=row["state"],
            paused_reason=row["paused_reason"],
            safety_buffer=row["safety_buffer"],
            oversell=Oversell(row["oversell"]),
            waits_until=moment(row["waits_until"]) if row["waits_until"] else None,
            client_id=row["client_id"],
            row=row,
        )

    @strawberry.field(description="Which units count for it, and how many of them it shows.")
    async def policy(self, info: Info) -> AvailabilityPolicy:
        """Show its availability policy."""
        row = self.row
        return await info.context.read(lambda tx: AvailabilityPolicy.of_channel(tx, row))

    @strawberry.field(description="The client whose goods it sells, by code; null: our own.")
    async def client(self, info: Info) -> str | None:
        """Say whose goods it sells."""
        if self.client_id is None:
            return None
        code: str | None = await info.context.loaders.of(clients.codes).load(self.client_id)
        return code

    @strawberry.field(description="Whether it answers; what is to be told waits until it does.")
    async def circuit(self, info: Info) -> Circuit:
        """Say how it has been failing."""
        found = await info.context.read(lambda tx: circuit.of(tx, self.id))
        return Circuit.of(found, info.context.clock())

    @strawberry.field(description="How far it is behind.")
    async def lag(self, info: Info) -> ChannelLag:
        """Measure."""
        health = await info.context.read(lambda tx: channels.health(tx, self.id))
        return ChannelLag.of(health, info.context.clock())


@strawberry.type(description="A message to or from a channel that was given up.")
class DeadLetter:
    """A message that was given up."""

    id: strawberry.ID
    channel: str
    direction: str = strawberry.field(description="out: a fact; in: a delivery.")
    topic: str
    subject: str
    attempts: int
    error: str | None
    settled_at: datetime | None


@strawberry.input(description="A channel; the same code again changes it.")
class ChannelInput:
    """A channel."""

    code: str
    name: str
    connector: str = strawberry.field(description="The name of an installed connector.")
    settings: strawberry.scalars.JSON = strawberry.field(
        description="What the connector needs; sealed before it is stored, never shown again."
    )
    manufacturer: str | None = strawberry.field(
        description="For a warranty database: whose it is.", default=None
    )
    client: str | None = strawberry.field(
        description="The code of the client whose goods it sells, and no others; null: our own.",
        default=None,
    )
    sites: list[str] = strawberry.field(
        description="Codes of the sites whose units count; none: all of them.",
        default_factory=list,
    )
    safety_buffer: int = strawberry.field(
        description="Units of each product that are kept back from it.", default=0
    )
    oversell: Oversell = strawberry.field(
        description="What is done when it sold more than there is; there is always a case.",
        default=Oversell.BACK_ORDER,
    )
    policy: AvailabilityPolicyInput | None = strawberry.field(
        description="Further points of its availability policy; null: what was set stays. Its "
        "sites and safety buffer come before those beside it.",
        default=None,
    )


@strawberry.input(description="A listing of a channel and the product that it sells.")
class ListingInput:
    """A binding."""

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
    """How many listings are bound."""

    bound: int


@strawberry.type(description="What a channel answered.")
class ChannelCheck:
    """What a channel answered."""

    ok: bool
    message: str


@strawberry.type(description="How many messages were put back in their queue.")
class Replayed:
    """How many messages were put back."""

    messages: int


@strawberry.type(description="What a channel was asked for again.")
class OrdersPulled:
    """What a channel was asked for again."""

    read: int = strawberry.field(description="Orders of the period that the channel has.")
    new: int = strawberry.field(description="Those that were not known, or not as they are now.")


@strawberry.type
class ChannelQuery:
    """Reading channels."""

    @strawberry.field(description="All channels, by code.")
    async def channels(self, info: Info) -> list[Channel]:
        """List channels."""
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: tx.rows("SELECT * FROM channel ORDER BY code LIMIT 1000")
        )
        return [Channel.of(row) for row in rows]

    @strawberry.field(description="One channel by its code.")
    async def channel(self, info: Info, code: str) -> Channel:
        """Find one channel."""
        info.context.require(Scope.OPS)
        return Channel.of(await info.context.read(lambda tx: channels.get(tx, code)))

    @strawberry.field(description="Messages that were given up, the newest first.")
    async def dead_letters(self, info: Info, channel: str) -> list[DeadLetter]:
        """List dead letters of a channel."""
        info.context.require(Scope.OPS)
        return await info.context.read(lambda tx: _dead_letters(tx, channel))


def _dead_letters(tx: Transaction, code: str) -> list[DeadLetter]:
    channel = channels.get(tx, code)
    rows = tx.rows(
        "SELECT id, 'out' AS direction, topic, subject, attempts, last_error, settled_at "
        "FROM outbox WHERE channel_id = :id AND state = 'dead' UNION ALL "
        "SELECT id, 'in', topic, delivery, attempts, last_error, settled_at "
        "FROM inbox WHERE channel_id = :id AND state = 'dead' "
        "ORDER BY settled_at DESC LIMIT 200",
        id=channel["id"],
    )
    return [
        DeadLetter(
            id=strawberry.ID(row["id"]),
            channel=code,
            direction=row["direction"],
            topic=row["topic"],
            subject=row["subject"],
            attempts=row["attempts"],
            error=row["last_error"],
            settled_at=moment(row["settled_at"]) if row["settled_at"] else None,
        )
        for row in rows
    ]


@strawberry.type
class ChannelMutation:
    """Changing channels."""

    @strawberry.mutation(
        description="Connect a channel, or change its settings.",
        graphql_type=answer("RegisterChannelResult", Channel),
    )
    async def register_channel(self, info: Info, channel: ChannelInput) -> Channel:
        """Register a channel; its settings are checked by its connector, without a call."""
        info.context.require(Scope.ADMIN)
        card = _card(info.context, channel)
        context = info.context.command_context()

        def work(tx: Transaction) -> Channel:
            channel_id = channels.register(tx, context, card)
            return Channel.of(channels.by_id(tx, channel_id))

        return await info.context.write(work)

    @strawberry.mutation(
        description="Bind listings of a channel to products.",
        graphql_type=answer("BindListingsResult", ListingsBound),
    )
    async def bind_listings(
        self, info: Info, channel: str, listings: list[ListingInput]
    ) -> ListingsBound:
        """Bind; each listing's quantity is told to the channel soon after.

        Orders that wait for one of these listings are served at once.
        """
        info.context.require(Scope.ADMIN)
        return await info.context.write(lambda tx: _bind(tx, info.context, channel, listings))

    @strawberry.mutation(
        description="Make the cheapest call that proves the credentials.",
        graphql_type=answer("CheckChannelResult", ChannelCheck),
    )
    async def check_channel(self, info: Info, code: str) -> ChannelCheck:
        """Check a channel; a call that fails is an answer, not an error."""
        info.context.require(Scope.OPS)
        row = await info.context.read(lambda tx: channels.get(tx, code))
        try:
            await info.context.services.check(row)
        except Exception as error:
            return ChannelCheck(ok=False, message=f"{type(error).__name__}: {error}"[:500])
        return ChannelCheck(ok=True, message="The channel accepts our credentials.")

    @strawberry.mutation(
        description="Stop talking to a channel; what is to be told waits.",
        graphql_type=answer("PauseChannelResult", Channel),
    )
    async def pause_channel(self, info: Info, code: str, reason: str) -> Channel:
        """Pause a channel."""
        info.context.require(Scope.OPS)

        def work(tx: Transaction) -> Channel:
            channels.pause(tx, channels.get(tx, code)["id"], reason)
            return Channel.of(channels.get(tx, code))

        return await info.context.write(work)

    @strawberry.mutation(
        description="Talk to a channel again.", graphql_type=answer("ResumeChannelResult", Channel)
    )
    async def resume_channel(self, info: Info, code: str) -> Channel:
        """Resume a channel."""
        info.context.require(Scope.OPS)

        def work(tx: Transaction) -> Channel:
            channels.resume(tx, channels.get(tx, code)["id"])
            return Channel.of(channels.get(tx, code))

        return await info.context.write(work)

    @strawberry.mutation(
        description="Read again all orders that were placed at a channel in a period. "
        "What is known already is not taken twice.",
        graphql_type=answer("PullOrdersResult", OrdersPulled),
    )
    async def pull_orders(
        self, info: Info, channel: str, since: datetime, until: datetime
    ) -> OrdersPulled:
        """Fill a gap."""
        info.context.require(Scope.OPS)
        if since.tzinfo is None or until.tzinfo is None or since >= until:
            raise InvalidInput("a period begins before it ends, with time zones", field="since")
        row = await info.context.read(lambda tx: channels.get(tx, channel))
        if not channels.can(row, "snapshot_orders"):
            raise InvalidInput("this channel can not list the orders of a period", field="channel")
        read, new = await info.context.services.pull_orders(row, since, until)
        return OrdersPulled(read=read, new=new)

    @strawberry.mutation(
        description="Put messages that were given up back in their queue.",
        graphql_type=answer("ReplayDeadLettersResult", Replayed),
    )
    async def replay_dead_letters(
        self, info: Info, channel: str, ids: list[strawberry.ID] | None = None
    ) -> Replayed:
        """Replay some dead letters of a channel; without ids, all, and its dead levels too."""
        info.context.require(Scope.OPS)
        now = info.context.clock()
        return await info.context.write(
            lambda tx: Replayed(messages=channels.replay(tx, channel, ids, now))
        )


def _card(context: Context, channel: ChannelInput) -> ChannelCard:
    settings = channel.settings
    if not isinstance(settings, dict):
        raise InvalidInput("settings are a JSON object", field="settings")
    try:
        connect(channel.connector, settings)
        found = installed()[channel.connector]
    except (SettingsInvalid, ConnectorUnknown) as error:
        raise settings_problem(error) from None
    policy = channel.policy.plain() if channel.policy else PolicyCard()
    kept = policy.safety_buffer
    return ChannelCard(
        code=channel.code,
        name=channel.name,
        connector=channel.connector,
        settings=context.vault.seal(settings),
        capabilities=capabilities(found),
        manufacturer=channel.manufacturer,
        client=channel.client,
        sites=channel.sites if policy.sites is None else policy.sites,
        safety_buffer=channel.safety_buffer if kept is None else kept,
        oversell=channel.oversell,
        policy=policy if channel.policy else None,
    )


def _bind(
    tx: Transaction, context: Context, code: str, bindings: list[ListingInput]
) -> ListingsBound:
    channel = channels.get(tx, code)
    for binding in bindings:
        remote = binding.remote
        if not isinstance(remote, dict) or not all(isinstance(v, str) for v in remote.values()):
            raise InvalidInput("remote is a JSON object of texts", field="remote")
        product = reference(tx, "product", "sku", binding.sku)
        listings.bind(
            tx,
            channel["id"],
            product["id"],
            binding.remote_sku,
            remote,
            context.clock(),
            unit_id=units.find(tx, binding.unit, binding.sku)["id"] if binding.unit else None,
        )
    orders.bind_waiting(tx, context.command_context(), limit=WAITING_MAX, channel_id=channel["id"])
    return ListingsBound(
        bound=tx.value("SELECT COUNT(*) FROM listing WHERE channel_id = :id", id=channel["id"])
    )
