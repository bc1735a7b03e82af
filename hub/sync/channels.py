"""Channels: accounts at marketplaces, POS systems and manufacturers, with health and cursors."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

import orjson

from hub.availability.policy import PolicyCard, stored_of
from hub.availability.rows import ChannelLike
from hub.catalogue import reference
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import AccountInUse, InvalidInput, StepNotAllowed, UnknownReference
from hub.storage.documents import values
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import inbox, listings, outbox, rate_limits

ACCOUNT_SEPARATOR = " / "  # between the parts of an account, the widest first
HOURS_MAX = 8_760  # a year
CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")  # part of the address of webhooks
ACTIVE, PAUSED = "active", "paused"
OWN_CONNECTOR = "direct"  # no package: nothing is called


class Oversell(StrEnum):
    """Action of a channel when it sold more units than there are."""

    BACK_ORDER = "back_order"  # the order waits for units
    ALTERNATIVE = "alternative"  # another product is sent, where one is named for it
    CANCEL = "cancel"  # the channel is asked to cancel the order


class GoneOrders(StrEnum):
    """Action about an order that its channel no longer has."""

    CANCEL = "cancel"  # it is cancelled here, which frees its units
    ASK = "ask"  # a person decides


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCard:
    """Settings of a channel; `settings` are sealed (`hub.access.vault`), sites are codes."""

    code: str
    name: str
    connector: str
    settings: str
    capabilities: Sequence[str]
    manufacturer: str | None = None
    account: Sequence[str] = ()  # parts of the remote account that it serves, as its connector says
    share_account: bool = False  # whether other channels may serve the same parts
    client: str | None = None  # its code: sells the goods of this client, else our own
    sites: Sequence[str] = ()
    safety_buffer: int = 0
    oversell: Oversell = Oversell.BACK_ORDER
    unpaid_promise_hours: int | None = None  # None: promises of unpaid orders have no end
    gone_orders: GoneOrders = GoneOrders.CANCEL
    gone_order_minutes: int = 0  # between the looks that prove that an order is gone
    serves_test_orders: bool = False
    policy: PolicyCard | None = None  # None: keeps the current policy


class _Account(TypedDict):
    code: str
    account: str
    shares_account: bool


class _Registered(TypedDict):
    id: str
    connector: str


class _Id(TypedDict):
    id: str


_REGISTER = (
    "INSERT INTO channel(id, code, name, connector, settings, capabilities, account, "
    "shares_account, manufacturer_id, client_id, site_ids, safety_buffer, oversell, "
    "unpaid_promise_hours, gone_orders, gone_order_minutes, serves_test_orders, policy, state, "
    "created_at) VALUES(:id, :code, :name, :connector, :settings, :capabilities, :account, "
    ":shares, :manufacturer, :client, :sites, :buffer, :oversell, :unpaid, :gone, "
    ":gone_minutes, :tests, :policy, 'active', :now) "
    "ON CONFLICT(code) DO UPDATE SET name = excluded.name, settings = excluded.settings, "
    "capabilities = excluded.capabilities, manufacturer_id = excluded.manufacturer_id, "
    "client_id = excluded.client_id, account = excluded.account, "
    "shares_account = excluded.shares_account, "
    "site_ids = excluded.site_ids, safety_buffer = excluded.safety_buffer, "
    "oversell = excluded.oversell, unpaid_promise_hours = excluded.unpaid_promise_hours, "
    "gone_orders = excluded.gone_orders, gone_order_minutes = excluded.gone_order_minutes, "
    "serves_test_orders = excluded.serves_test_orders, "
    "policy = COALESCE(excluded.policy, channel.policy) "
    "RETURNING id, connector"
)


def register(tx: Transaction, context: CommandContext, card: ChannelCard) -> str:
    """Create or change a channel, queue its level updates, and return its id.

    Raises InvalidInput, UnknownReference, or AccountInUse where another channel serves the account.
    """
    _check(card)
    _check_account(tx, card)
    policy = _policy(tx, context, card)
    sites = [reference(tx, "location", "code", code)["site_id"] for code in card.sites]
    row = tx.row_as(
        _Registered,
        _REGISTER,
        id=new_id(),
        code=card.code,
        name=card.name,
        connector=card.connector,
        settings=card.settings,
        capabilities=orjson.dumps(list(card.capabilities)).decode(),
        account=orjson.dumps(list(card.account)).decode(),
        shares=card.share_account,
        manufacturer=_id_of(tx, "manufacturer", card.manufacturer),
        client=_id_of(tx, "client", card.client or None),
        sites=orjson.dumps(sites).decode() if sites else None,
        buffer=card.safety_buffer,
        oversell=str(card.oversell),
        unpaid=card.unpaid_promise_hours,
        gone=str(card.gone_orders),
        gone_minutes=card.gone_order_minutes,
        tests=card.serves_test_orders,
        policy=policy,
        now=micros(context.now),
    )
    assert row is not None
    if row["connector"] != card.connector:
        raise InvalidInput("the connector of a channel can not be changed", field="connector")
    rate_limits.forget_token(tx, row["id"])  # its credentials may have changed
    listings.touch_channel(tx, row["id"], context.now)
    return row["id"]


def _id_of(tx: Transaction, table: str, code: str | None) -> str | None:
    return None if code is None else str(reference(tx, table, "code", code)["id"])


def _check(card: ChannelCard) -> None:
    if not CODE.fullmatch(card.code):
        raise InvalidInput("a code has 1 to 64 of a-z, 0-9, - and _", field="code")
    if not 0 < len(card.name) <= 200:
        raise InvalidInput("the name needs 1 to 200 characters", field="name")
    if card.safety_buffer < 0:
        raise InvalidInput("a safety buffer is not negative", field="safetyBuffer")
    if card.unpaid_promise_hours is not None and not 0 < card.unpaid_promise_hours <= HOURS_MAX:
        raise InvalidInput(f"promises last 1 to {HOURS_MAX} hours", field="unpaidPromiseHours")
    if not 0 <= card.gone_order_minutes <= HOURS_MAX * 60:
        raise InvalidInput(f"0 to {HOURS_MAX * 60} minutes", field="goneOrderMinutes")


def _check_account(tx: Transaction, card: ChannelCard) -> None:
    """Raise AccountInUse where another channel of the connector serves a part of the account."""
    if not card.account or card.share_account:
        return
    others = tx.rows_as(
        _Account,
        "SELECT code, account, shares_account FROM channel "
        "WHERE connector = :connector AND code <> :code ORDER BY created_at",
        connector=card.connector,
        code=card.code,
    )
    for other in others:
        parts = values(other["account"])
        both = [each for each in card.account for part in parts if _overlap(each, part)]
        if both and not other["shares_account"]:
            raise AccountInUse(
                f"channel {other['code']!r} serves {both[0]} already: each of its orders would "
                "come in twice. Change that channel, or set shareAccount.",
                channel=other["code"],
            )


def accounts_of(channel: ChannelRow) -> frozenset[str]:
    """Return the accounts that a channel serves parts of: the widest name of each part."""
    return frozenset(part.partition(ACCOUNT_SEPARATOR)[0] for part in values(channel["account"]))


def _overlap(one: str, other: str) -> bool:
    """Return whether two parts of accounts are the same, or one is within the other."""
    one, other = one + ACCOUNT_SEPARATOR, other + ACCOUNT_SEPARATOR
    return one.startswith(other) or other.startswith(one)


def _policy(tx: Transaction, context: CommandContext, card: ChannelCard) -> str | None:
    if card.policy is None:
        return None
    # Sites and the buffer are fields of the card itself.
    card_policy = replace(card.policy, sites=None, safety_buffer=None)
    return orjson.dumps(stored_of(tx, context, card_policy)).decode()


def get(tx: Transaction, code: str) -> ChannelRow:
    """Return a channel by its code; raises UnknownReference."""
    row = tx.row_as(ChannelRow, "SELECT * FROM channel WHERE code = :code", code=code)
    if row is None:
        raise UnknownReference(f"there is no channel {code!r}", field="channel")
    return row


def by_id(tx: Transaction, channel_id: str) -> ChannelRow:
    """Return a channel by its id; raises UnknownReference."""
    row = tx.row_as(ChannelRow, "SELECT * FROM channel WHERE id = :id", id=channel_id)
    if row is None:
        raise UnknownReference(f"there is no channel {channel_id!r}", field="channel")
    return row


def ids(tx: Transaction) -> list[str]:
    """Return the ids of all channels, oldest first."""
    rows = tx.rows_as(_Id, "SELECT id FROM channel ORDER BY created_at")
    return [row["id"] for row in rows]


def own(
    tx: Transaction, code: str, name: str, now: datetime, *, policy: str | None = None
) -> ChannelRow:
    """Return a channel that is the hub itself, and make it where there is none yet.

    `policy` is the availability policy that it begins with, as stored. Raises StepNotAllowed where
    a channel of another system has the code.
    """
    tx.run(
        "INSERT INTO channel(id, code, name, connector, settings, capabilities, policy, state, "
        "created_at) VALUES(:id, :code, :name, :connector, '', '[]', :policy, 'active', :now) "
        "ON CONFLICT(code) DO NOTHING",
        id=new_id(),
        code=code,
        name=name,
        connector=OWN_CONNECTOR,
        policy=policy,
        now=micros(now),
    )
    channel = get(tx, code)
    if channel["connector"] != OWN_CONNECTOR:
        raise StepNotAllowed(f"the channel {code} is one of {channel['connector']}", allowed=[])
    return channel


def with_capability(tx: Transaction, *capabilities: str) -> list[ChannelRow]:
    """Return the active channels that can do all of this, oldest first; not the hub itself."""
    rows = tx.rows_as(
        ChannelRow, "SELECT * FROM channel WHERE state = 'active' ORDER BY created_at, id"
    )
    return [
        row
        for row in rows
        if has_remote(row) and set(capabilities) <= set(values(row["capabilities"]))
    ]


def has_remote(channel: ChannelLike) -> bool:
    """Return whether a system is at the other end; the hub's own channel has none."""
    return bool(values(channel["capabilities"]))


def require_remote(channel: ChannelLike) -> None:
    """Raise StepNotAllowed for a channel at whose other end is nothing to call."""
    if not has_remote(channel):
        raise StepNotAllowed(f"channel {channel['code']!r} is the hub itself", allowed=[])


def can(channel: ChannelLike, capability: str) -> bool:
    """Return whether a channel's connector has a capability."""
    return capability in values(channel["capabilities"])


def pause(tx: Transaction, channel_id: str, reason: str) -> None:
    """Stop all calls to a channel until a person resumes it; pending work stays queued."""
    tx.run(
        "UPDATE channel SET state = 'paused', paused_reason = :reason WHERE id = :id",
        reason=reason[:300],
        id=channel_id,
    )


def resume(tx: Transaction, channel_id: str) -> None:
    """Resume calls to a paused channel and close its circuit."""
    tx.run(
        "UPDATE channel SET state = 'active', paused_reason = NULL, waits_until = 0 WHERE id = :id",
        id=channel_id,
    )
    tx.run(
        "UPDATE circuit SET failures = 0, openings = 0, probe_at = 0, opened_at = NULL "
        "WHERE channel_id = :id",
        id=channel_id,
    )
    tx.wake("levels", "facts", "inbox")


def slow_down(tx: Transaction, channel_id: str, until: datetime) -> None:
    """Stop calls to a channel until a time, as it requested."""
    tx.run(
        "UPDATE channel SET waits_until = :until WHERE id = :id AND waits_until < :until",
        until=micros(until),
        id=channel_id,
    )


def resume_pace(tx: Transaction, channel_id: str) -> None:
    """Resume calls to a channel before the end of its pause."""
    tx.run("UPDATE channel SET waits_until = 0 WHERE id = :id", id=channel_id)
    tx.wake("levels", "facts", "inbox")


def cursor(tx: Transaction, channel_id: str, stream: str) -> str:
    """Return the position up to which a stream was read; "" is its beginning."""
    value = tx.value(
        "SELECT value FROM cursor WHERE channel_id = :channel AND stream = :stream",
        channel=channel_id,
        stream=stream,
    )
    return str(value or "")


def lock_cursor(tx: Transaction, channel_id: str, stream: str) -> None:
    """Lock the cursor of a stream until the end of the transaction: one worker reads it."""
    tx.value(
        "SELECT value FROM cursor WHERE channel_id = :channel AND stream = :stream FOR UPDATE",
        channel=channel_id,
        stream=stream,
    )


def move_cursor(tx: Transaction, channel_id: str, stream: str, value: str, now: datetime) -> None:
    """Store the position of a stream; call it in the transaction that stored the page."""
    tx.run(
        "INSERT INTO cursor(id, channel_id, stream, value, moved_at) "
        "VALUES(:id, :channel, :stream, :value, :now) ON CONFLICT(channel_id, stream) "
        "DO UPDATE SET value = excluded.value, moved_at = excluded.moved_at",
        id=new_id(),
        channel=channel_id,
        stream=stream,
        value=value,
        now=micros(now),
    )


def replay(tx: Transaction, code: str, ids: Sequence[str] | None, now: datetime) -> int:
    """Requeue dead letters of a channel; without ids all of them, and its dead levels too.

    Returns their number. Raises UnknownReference for an unknown channel.
    """
    channel = get(tx, code)
    dead = "channel_id = :channel AND state = 'dead'"
    values = {"channel": channel["id"]}
    facts = tx.rows_as(_Id, f"SELECT id FROM outbox WHERE {dead}", **values)
    deliveries = tx.rows_as(_Id, f"SELECT id FROM inbox WHERE {dead}", **values)
    wanted = None if ids is None else set(ids)
    chosen = [
        [row["id"] for row in rows if wanted is None or row["id"] in wanted]
        for rows in (facts, deliveries)
    ]
    count = outbox.replay(tx, chosen[0], now) + inbox.replay(tx, chosen[1], now)
    if ids is None:
        count += listings.revive(tx, channel["id"], now)
    return count
