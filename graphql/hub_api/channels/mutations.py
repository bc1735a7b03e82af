"""Mutations for channels."""

from datetime import datetime
from typing import Annotated, Any, Union

import strawberry

from connectors import capabilities, installed
from connectors.registry import ConnectorUnknown, SettingsInvalid, connect
from hub import cases, orders
from hub.access.keys import Scope
from hub.availability.policy import PolicyCard
from hub.cases import CaseKind
from hub.catalogue import reference
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.ledger import units
from hub.sync import bindings, channels
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
from hub_api.common.commands import Call, command
from hub_api.common.context import Context
from hub_api.common.problems import AccountInUse, AnyProblem, answer, settings_problem

RegisterChannelResult = Annotated[
    Union[Channel, AnyProblem, AccountInUse],  # noqa: UP007 # of a computed union
    strawberry.union("RegisterChannelResult"),
]
WAITING_MAX = 1_000  # orders that are bound at once; the sweep takes the others


@strawberry.type
class ChannelMutation:
    """Changing channels."""

    @command(
        Scope.ADMIN,
        description="Connect a channel, or change its settings.",
        result=RegisterChannelResult,
        secret=True,
    )
    async def register_channel(self, call: Call, channel: ChannelInput) -> Channel:
        """Register a channel; its settings are checked by its connector, without a call."""
        card = _card(call.context, channel)
        context = call.context.command_context()

        done = await call.once(context, lambda work: channels.register(work.tx, context, card))
        return Channel.of(await call.context.read(lambda tx: channels.by_id(tx, done.value)))

    @command(
        Scope.ADMIN,
        description="Bind listings of a channel to products.",
        result=answer("BindListingsResult", ListingsBound),
    )
    async def bind_listings(
        self, call: Call, channel: str, listings: list[ListingInput]
    ) -> ListingsBound:
        """Bind; each listing's quantity is told to the channel soon after.

        Orders that wait for one of these listings are served at once.
        """
        done = await call.once(
            call.context.command_context(), lambda work: _bind(work, channel, listings)
        )
        return ListingsBound(bound=done.value)

    @command(
        Scope.OPS,
        description="Make the cheapest call that proves the credentials.",
        result=answer("CheckChannelResult", ChannelCheck),
    )
    async def check_channel(self, call: Call, code: str) -> ChannelCheck:
        """Check a channel; a call that fails is an answer, not an error."""

        async def check() -> dict[str, Any]:
            row = await call.context.read(lambda tx: channels.get(tx, code))
            try:
                await call.context.services.check(row)
            except Exception as error:
                return {"ok": False, "message": f"{type(error).__name__}: {error}"[:500]}
            return {"ok": True, "message": "The channel accepts our credentials."}

        done = await call.once_outside(call.context.command_context(), check)
        return ChannelCheck(**done.value)

    @command(
        Scope.OPS,
        description="Pause a channel; pushes wait.",
        result=answer("PauseChannelResult", Channel),
    )
    async def pause_channel(self, call: Call, code: str, reason: str) -> Channel:
        def do(work: Work) -> None:
            channels.pause(work.tx, channels.get(work.tx, code)["id"], reason)

        await call.once(call.context.command_context(), do)
        return Channel.of(await call.context.read(lambda tx: channels.get(tx, code)))

    @command(
        Scope.OPS,
        description="Talk to a channel again.",
        result=answer("ResumeChannelResult", Channel),
    )
    async def resume_channel(self, call: Call, code: str) -> Channel:
        def do(work: Work) -> None:
            channel = channels.get(work.tx, code)
            channels.resume(work.tx, channel["id"])
            # Its circuit is closed: if it still does not answer, that is a case again.
            now = work.context.now
            cases.settle(work.tx, CaseKind.CHANNEL_DOWN, code, channel["id"], now)

        await call.once(call.context.command_context(), do)
        return Channel.of(await call.context.read(lambda tx: channels.get(tx, code)))

    @command(
        Scope.OPS,
        description="Read again all orders that were placed at a channel in a period. "
        "What is known already is not taken twice.",
        result=answer("PullOrdersResult", OrdersPulled),
    )
    async def pull_orders(
        self, call: Call, channel: str, since: datetime, until: datetime
    ) -> OrdersPulled:
        if since.tzinfo is None or until.tzinfo is None or since >= until:
            raise InvalidInput("a period begins before it ends, with time zones", field="since")
        row = await call.context.read(lambda tx: channels.get(tx, channel))
        if not channels.can(row, "snapshot_orders"):
            raise InvalidInput("this channel can not list the orders of a period", field="channel")

        async def pull() -> list[int]:
            return list(await call.context.services.pull_orders(row, since, until))

        read, new = (await call.once_outside(call.context.command_context(), pull)).value
        return OrdersPulled(read=read, new=new)

    @command(
        Scope.OPS,
        description="Put messages that were given up back in their queue.",
        result=answer("ReplayDeadLettersResult", Replayed),
    )
    async def replay_dead_letters(
        self, call: Call, channel: str, ids: list[strawberry.ID] | None = None
    ) -> Replayed:
        """Replay some dead letters of a channel; without ids, all, and its dead levels too."""
        context = call.context.command_context()
        done = await call.once(
            context, lambda work: channels.replay(work.tx, channel, ids, context.now)
        )
        return Replayed(messages=done.value)


def _card(context: Context, channel: ChannelInput) -> ChannelCard:
    settings = channel.settings
    if not isinstance(settings, dict):
        raise InvalidInput("settings are a JSON object", field="settings")
    try:
        connector = connect(channel.connector, settings)
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
        account=found.account(connector.settings),
        share_account=channel.share_account,
        manufacturer=channel.manufacturer,
        client=channel.client,
        sites=channel.sites if policy.sites is None else policy.sites,
        safety_buffer=channel.safety_buffer if kept is None else kept,
        oversell=channel.oversell,
        unpaid_promise_hours=_hours(channel, found),
        gone_orders=channel.gone_orders,
        gone_order_minutes=channel.gone_order_minutes,
        serves_test_orders=channel.serves_test_orders,
        policy=policy if channel.policy else None,
    )


def _hours(channel: ChannelInput, connector: type) -> int | None:
    """Return for how long an unpaid order keeps its units; None: without end."""
    given = channel.unpaid_promise_hours
    if given is None:
        advised = getattr(connector, "unpaid_promise_hours", None)
        return advised if isinstance(advised, int) else None
    return given or None


def _bind(work: Work, code: str, inputs: list[ListingInput]) -> int:
    tx = work.tx
    channel = channels.get(tx, code)
    channels.require_remote(channel)
    for binding in inputs:
        remote = binding.remote
        if not isinstance(remote, dict) or not all(isinstance(v, str) for v in remote.values()):
            raise InvalidInput("remote is a JSON object of texts", field="remote")
        product = reference(tx, "product", "sku", binding.sku)
        bindings.bind(
            tx,
            channel["id"],
            product["id"],
            binding.remote_sku,
            remote,
            work.context.now,
            unit_id=units.find(tx, binding.unit, binding.sku)["id"] if binding.unit else None,
        )
    orders.bind_waiting(tx, work.context, limit=WAITING_MAX, channel_id=channel["id"])
    return int(tx.value("SELECT COUNT(*) FROM listing WHERE channel_id = :id", id=channel["id"]))
