"""Queries for channels."""

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.storage.sql import Transaction
from hub.sync import channels
from hub_api.channels.types import Channel, DeadLetter
from hub_api.common.context import Info
from hub_api.engine.stored import each


@strawberry.type
class ChannelQuery:
    """Reading channels."""

    @strawberry.field(description="All channels, by code.")
    async def channels(self, info: Info) -> list[Channel]:
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: tx.rows("SELECT * FROM channel ORDER BY code LIMIT 1000")
        )
        return each(Channel.of, rows)

    @strawberry.field(description="One channel by its code.")
    async def channel(self, info: Info, code: str) -> Channel:
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
