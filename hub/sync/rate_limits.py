"""State that all workers share of one account at a channel: rate limit budgets and the token.

The stored text is opaque here; this module guarantees that two workers never change it at once,
and that only one of them fetches a token.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypedDict, TypeVar

from hub.clock import micros
from hub.storage.rows import ChannelTokenRow
from hub.storage.sql import Transaction

Result = TypeVar("Result")

FETCH_LEASE = timedelta(seconds=30)


class _Fence(TypedDict):
    fence: int


def change_budget(
    tx: Transaction,
    channel_id: str,
    name: str,
    change: Callable[[str | None], tuple[str, Result]],
) -> Result:
    """Change the state of a budget, under a lock; return the result of `change`.

    `change` takes the stored state (None: none yet) and returns the new state with a result.
    """
    kept = tx.value(
        "SELECT state FROM budget WHERE channel_id = :channel AND name = :name FOR UPDATE",
        channel=channel_id,
        name=name,
    )
    state, result = change(kept)
    if kept is None:
        tx.run(
            "INSERT INTO budget(channel_id, name, state) VALUES(:channel, :name, :state)",
            channel=channel_id,
            name=name,
            state=state,
        )
    elif state != kept:
        tx.run(
            "UPDATE budget SET state = :state WHERE channel_id = :channel AND name = :name",
            channel=channel_id,
            name=name,
            state=state,
        )
    return result


def token(tx: Transaction, channel_id: str) -> ChannelTokenRow | None:
    """Return the sealed token of a channel, or None if none was fetched yet."""
    return tx.row_as(
        ChannelTokenRow, "SELECT * FROM channel_token WHERE channel_id = :id", id=channel_id
    )


def claim_token(tx: Transaction, channel_id: str, now: datetime) -> int | None:
    """Claim the fetch of a channel's next token; return the fence, None while another fetches."""
    row = tx.row_as(
        _Fence,
        "INSERT INTO channel_token(channel_id, sealed, lease_until, fence) "
        "VALUES(:id, '', :until, 1) ON CONFLICT(channel_id) DO UPDATE "
        "SET lease_until = excluded.lease_until, fence = channel_token.fence + 1 "
        "WHERE channel_token.lease_until <= :now RETURNING fence",
        id=channel_id,
        now=micros(now),
        until=micros(now + FETCH_LEASE),
    )
    return row["fence"] if row else None


def keep_token(tx: Transaction, channel_id: str, sealed: str | None, fence: int) -> bool:
    """Store a fetched token (None: the fetch failed); return False if the claim was lost."""
    changed = "lease_until = 0" if sealed is None else "lease_until = 0, sealed = :sealed"
    return bool(
        tx.run(
            f"UPDATE channel_token SET {changed} WHERE channel_id = :id AND fence = :fence",
            id=channel_id,
            fence=fence,
            **({} if sealed is None else {"sealed": sealed}),
        )
    )


def forget_token(tx: Transaction, channel_id: str) -> None:
    """Delete a channel's token, after a change of its credentials."""
    tx.run("DELETE FROM channel_token WHERE channel_id = :id", id=channel_id)
