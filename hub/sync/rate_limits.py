"""What all workers share of one account at a channel: what it may still ask, and its token.

What is kept is a text that only the jobs read; here it is kept so that two workers never change it
at once, and so that only one of them fetches a token.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from hub.clock import micros
from hub.storage.sql import Row, Transaction

Result = TypeVar("Result")

FETCH_LEASE = timedelta(seconds=30)


def change_budget(
    tx: Transaction,
    channel_id: str,
    name: str,
    change: Callable[[str | None], tuple[str, Result]],
) -> Result:
    """Change what is left of a budget: `change` takes what is kept and returns what is to be."""
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


def token(tx: Transaction, channel_id: str) -> Row | None:
    """Return the sealed token of a channel, if one was ever fetched."""
    return tx.row("SELECT * FROM channel_token WHERE channel_id = :id", id=channel_id)


def claim_token(tx: Transaction, channel_id: str, now: datetime) -> int | None:
    """Claim the fetching of a channel's next token: the fence, or None while another fetches."""
    row = tx.row(
        "INSERT INTO channel_token(channel_id, sealed, lease_until, fence) "
        "VALUES(:id, '', :until, 1) ON CONFLICT(channel_id) DO UPDATE "
        "SET lease_until = excluded.lease_until, fence = channel_token.fence + 1 "
        "WHERE channel_token.lease_until <= :now RETURNING fence",
        id=channel_id,
        now=micros(now),
        until=micros(now + FETCH_LEASE),
    )
    return int(row["fence"]) if row else None


def keep_token(tx: Transaction, channel_id: str, sealed: str | None, fence: int) -> bool:
    """Keep a token that was fetched (None: it could not be); False if the claim was lost."""
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
    """Forget a channel's token: its credentials were changed."""
    tx.run("DELETE FROM channel_token WHERE channel_id = :id", id=channel_id)
