"""What the inbox keeps, and for how long: bodies for days, identities for months.

A delivery's body may hold personal data and is of no use once it was understood; its id keeps a
repeated delivery out. Dead deliveries keep their bodies, because a person may replay them, and lose
what identifies a person when that person is erased.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from hub.clock import micros
from hub.storage.sql import Transaction

MARK = b"*"  # takes the place of each byte, so that the length of a text stays what it was
ROWS_MAX = 500  # read at a time
NEEDLE_CHARS_MIN = 4  # shorter texts are found in everything


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long the inbox keeps what it took.

    `bodies`: three days are a weekend, in which a fault of an import can still be looked into.
    `rows`: half a year is longer than any channel repeats a delivery, and than orders are disputed.
    """

    bodies: timedelta = timedelta(hours=72)
    rows: timedelta = timedelta(days=180)


class _Stored(TypedDict):
    id: str
    state: str
    body: bytes


def prune(tx: Transaction, retention: Retention, now: datetime, *, limit: int) -> int:
    """Empty bodies and delete rows that are older than their retention; return their number."""
    emptied = tx.run(
        "UPDATE inbox SET body = :nothing WHERE id IN (SELECT id FROM inbox "
        "WHERE state = 'done' AND settled_at < :before AND body <> :nothing LIMIT :limit)",
        nothing=b"",
        before=micros(now - retention.bodies),
        limit=limit,
    )
    deleted = tx.run(
        "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox "
        "WHERE state IN ('done', 'dead') AND settled_at < :before LIMIT :limit)",
        before=micros(now - retention.rows),
        limit=limit,
    )
    return emptied + deleted


def forget_account(tx: Transaction, channel_id: str) -> int:
    """Empty every understood delivery of a channel; return their number."""
    return tx.run(
        "UPDATE inbox SET body = :nothing "
        "WHERE channel_id = :channel AND state = 'done' AND body <> :nothing",
        nothing=b"",
        channel=channel_id,
    )


def forget_orders(tx: Transaction, channel_id: str, refs: Sequence[str]) -> int:
    """Empty every understood delivery about some orders of a channel; return their number."""
    if not refs:
        return 0
    return tx.run(
        "UPDATE inbox SET body = :nothing WHERE channel_id = :channel AND subject IN (:refs...) "
        "AND state = 'done' AND body <> :nothing",
        nothing=b"",
        channel=channel_id,
        refs=list(refs),
    )


def forget_person(
    tx: Transaction, identifiers: Sequence[str], channel_id: str | None = None
) -> int:
    """Remove a person from stored deliveries, of one channel or of all; return their number.

    An understood delivery that holds one of the identifiers is emptied. One that is still to be
    understood, or to be replayed, has the identifiers overwritten.
    """
    needles = [each.encode() for each in identifiers if len(each.strip()) >= NEEDLE_CHARS_MIN]
    touched, after = 0, ""
    of_channel = "AND channel_id = :channel " if channel_id else ""
    while needles:
        rows = tx.rows_as(
            _Stored,
            "SELECT id, state, body FROM inbox WHERE id > :after AND body <> :nothing "
            f"{of_channel}ORDER BY id LIMIT :limit",
            after=after,
            nothing=b"",
            limit=ROWS_MAX,
            **({"channel": channel_id} if channel_id else {}),
        )
        if not rows:
            break
        after = rows[-1]["id"]
        for row in rows:
            body = bytes(row["body"])
            left = _overwritten(body, needles)
            if left != body:
                touched += 1
                tx.run(
                    "UPDATE inbox SET body = :body WHERE id = :id",
                    body=b"" if row["state"] == "done" else left,
                    id=row["id"],
                )
    return touched


def _overwritten(body: bytes, needles: Sequence[bytes]) -> bytes:
    """Return a body without the needles, whatever case their ASCII letters have."""
    for needle in needles:
        lower, start = body.lower(), 0
        while (at := lower.find(needle.lower(), start)) >= 0:
            start = at + len(needle)
            body = body[:at] + MARK * len(needle) + body[start:]
    return body
