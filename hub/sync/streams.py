"""Streams: what is done for each channel again and again, how it goes, and who does it.

A stream is named after its work: ``orders`` and ``returns`` are pulled, ``queue`` is emptied,
``pushes`` are sent, ``poll`` and ``reconcile`` are the runs themselves. Its row counts attempts and
failures in a row, so that silence is noticed, and it is the lease of a run: each channel has its
own, and one that hangs holds up no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from hub.clock import micros, moment
from hub.storage.rows import ChannelStreamRow
from hub.storage.sql import Transaction

ORDERS, RETURNS, QUEUE, PUSHES = "orders", "returns", "queue", "pushes"
SHOWN = (ORDERS, RETURNS, QUEUE, PUSHES)
"""Streams that a person sees; the others are runs, whose parts these are."""
NOTED_EVERY = timedelta(minutes=1)
COUNT_MAX = 10**9
DIVISOR_MAX = 16  # a page of 100 shrinks to 6; one item that times out is no matter of its page
SHRUNK = timedelta(hours=24)
"""After this time a larger page is tried again: what was slow was often a busy day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilencePolicy:
    """When a stream that fails is reported to a person.

    After `failures` in a row that took at least `shortest`: a deploy or a restart of the remote
    fails some calls within minutes and needs nobody. After `longest` at the latest: orders that
    are late for longer are late for customers too.
    """

    failures: int = 5
    shortest: timedelta = timedelta(minutes=2)
    longest: timedelta = timedelta(minutes=10)

    def alarms(self, row: ChannelStreamRow, now: datetime) -> bool:
        """Return whether a failing stream is reported."""
        if row["failing_since"] is None or row["failures"] < 2:
            return False
        silent = now - moment(row["failing_since"])
        enough = row["failures"] >= self.failures and silent >= self.shortest
        return enough or silent >= self.longest


class _Claimed(TypedDict):
    fence: int


def streams_of(tx: Transaction, channel_ids: Sequence[str]) -> dict[str, list[ChannelStreamRow]]:
    """Return the streams of channels that a person sees, by name, for each channel."""
    found: dict[str, list[ChannelStreamRow]] = {each: [] for each in channel_ids}
    for row in tx.rows_as(
        ChannelStreamRow,
        "SELECT * FROM channel_stream WHERE channel_id IN (:ids...) AND stream IN (:shown...) "
        "ORDER BY stream",
        ids=list(channel_ids),
        shown=list(SHOWN),
    ):
        found[row["channel_id"]].append(row)
    return found


def get(tx: Transaction, channel_id: str, stream: str) -> ChannelStreamRow | None:
    """Return a stream; None before its first attempt."""
    return tx.row_as(
        ChannelStreamRow,
        "SELECT * FROM channel_stream WHERE channel_id = :id AND stream = :stream",
        id=channel_id,
        stream=stream,
    )


def succeeded(tx: Transaction, channel_id: str, stream: str, now: datetime) -> None:
    """Record a success: the failures in a row end, and after a day its pages grow again."""
    row = get(tx, channel_id, stream)
    divisor = row["page_divisor"] if row else 1
    shrunk = row["shrunk_at"] if row else None
    if shrunk is not None and moment(shrunk) + SHRUNK <= now:
        divisor = max(1, divisor // 2)
        shrunk = micros(now) if divisor > 1 else None
    tx.run(
        "INSERT INTO channel_stream(channel_id, stream, attempts, succeeded_at) "
        "VALUES(:id, :stream, 1, :now) ON CONFLICT(channel_id, stream) DO UPDATE "
        f"SET attempts = {_one_more('attempts')}, failures = 0, failing_since = NULL, "
        "last_error = NULL, succeeded_at = :now, page_divisor = :divisor, shrunk_at = :shrunk",
        id=channel_id,
        stream=stream,
        now=micros(now),
        divisor=divisor,
        shrunk=shrunk,
    )


def _one_more(count: str) -> str:
    """Return the SQL that counts one more; a count that can be none begins anew."""
    count = f"channel_stream.{count}"
    return f"CASE WHEN {count} BETWEEN 0 AND {COUNT_MAX} THEN {count} + 1 ELSE 1 END"


def recovered(tx: Transaction, channel_id: str, stream: str, now: datetime) -> bool:
    """Record a success of a stream, if it has been failing; return whether it has."""
    row = get(tx, channel_id, stream)
    if row is None or not row["failures"]:
        return False
    succeeded(tx, channel_id, stream, now)
    return True


def failed(
    tx: Transaction,
    channel_id: str,
    stream: str,
    error: str,
    now: datetime,
    *,
    timed_out: bool = False,
) -> ChannelStreamRow:
    """Record a failure and return the stream; `timed_out` halves its pages."""
    row = tx.row_as(
        ChannelStreamRow,
        "INSERT INTO channel_stream(channel_id, stream, attempts, failures, failing_since, "
        "last_error) VALUES(:id, :stream, 1, 1, :now, :error) "
        f"ON CONFLICT(channel_id, stream) DO UPDATE SET attempts = {_one_more('attempts')}, "
        f"failures = {_one_more('failures')}, "
        "failing_since = COALESCE(channel_stream.failing_since, :now), last_error = :error "
        "RETURNING *",
        id=channel_id,
        stream=stream,
        error=error[:500],
        now=micros(now),
    )
    assert row is not None
    if timed_out and 0 < row["page_divisor"] < DIVISOR_MAX:
        tx.run(
            "UPDATE channel_stream SET page_divisor = page_divisor * 2, shrunk_at = :now "
            "WHERE channel_id = :id AND stream = :stream",
            id=channel_id,
            stream=stream,
            now=micros(now),
        )
    return row


def is_stale(row: ChannelStreamRow | None, now: datetime) -> bool:
    """Return whether a success is worth a write: after failures, and once a minute."""
    if row is None or row["failures"] or row["succeeded_at"] is None:
        return True
    return moment(row["succeeded_at"]) + NOTED_EVERY <= now


def claim(
    tx: Transaction, channel_id: str, stream: str, now: datetime, lasts: timedelta
) -> int | None:
    """Claim a run of a stream; return its fence, None while another worker runs it."""
    row = tx.row_as(
        _Claimed,
        "INSERT INTO channel_stream(channel_id, stream, lease_until, fence) "
        "VALUES(:id, :stream, :until, 1) ON CONFLICT(channel_id, stream) DO UPDATE "
        "SET lease_until = excluded.lease_until, fence = channel_stream.fence + 1 "
        "WHERE channel_stream.lease_until <= :now RETURNING fence",
        id=channel_id,
        stream=stream,
        now=micros(now),
        until=micros(now + lasts),
    )
    return row["fence"] if row else None


def extend(tx: Transaction, channel_id: str, stream: str, fence: int, until: datetime) -> bool:
    """Extend a claim; return False if another worker has it."""
    return _keep(tx, channel_id, stream, fence, micros(until))


def release(tx: Transaction, channel_id: str, stream: str, fence: int) -> bool:
    """End a claim, so that the next run may begin; return False if another worker has it."""
    return _keep(tx, channel_id, stream, fence, 0)


def _keep(tx: Transaction, channel_id: str, stream: str, fence: int, until: int) -> bool:
    return bool(
        tx.run(
            "UPDATE channel_stream SET lease_until = :until "
            "WHERE channel_id = :id AND stream = :stream AND fence = :fence",
            id=channel_id,
            stream=stream,
            fence=fence,
            until=until,
        )
    )
