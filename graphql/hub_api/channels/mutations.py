"""Mutations for channels."""

from datetime import datetime

import strawberry

from connectors import capabilities, installed
from connectors.registry import ConnectorUnknown, SettingsInvalid, connect
from hub import orders
from hub.access.keys import Scope
from hub.availability.policy import PolicyCard
from hub.catalogue import reference
from hub.errors import InvalidInput
from hub.ledger import units
from hub.storage.sql import Transaction
from hub.sync import channels, listings
from hub.sync.channels import ChannelCard
from hub_api.channels.types import (
    Channel,
    ChannelCheck,
    ChannelInput,
    ListingInput,
    ListingsBound,
    OrdersPulled,
    Replayed,
)
from hub_api.common.context import Context, Info
from hub_api.common.problems import answer, settings_problem

WAITING_MAX = 1_000  # orders that are bound at once; the sweep takes the others


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
