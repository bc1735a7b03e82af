"""Schedules of reconciliation: how often each scope of a channel is compared, and when not.

A scope without a schedule of its own is compared at the hub's interval. The jitter spreads the runs
of many channels: it is a part of the interval that follows from the channel, the scope and the last
run, so that every process computes the same time.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TypedDict
from zoneinfo import ZoneInfo

import orjson

from hub.clock import micros, moment
from hub.commands.context import CommandContext
from hub.errors import InvalidInput
from hub.reconciliation.kinds import Scope
from hub.storage.documents import readable
from hub.storage.rows import ChannelRow, ReconciliationScheduleRow
from hub.storage.sql import Transaction

EVERY_MIN, EVERY_MAX = timedelta(minutes=1), timedelta(days=31)
BLACKOUTS_MAX = 20
JITTER_SHARE = 10  # the jitter of a scope without a schedule is at most this part of its interval
JITTER_MAX = timedelta(minutes=1)
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
WEEK = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackout:
    """A time of the week in which no run starts: ISO weekdays, 1 is Monday, and clock times.

    One that begins later than it ends lasts over midnight, into the next day.
    """

    begin: str  # HH:MM
    end: str
    zone: str = "UTC"
    days: tuple[int, ...] = WEEK

    def covers(self, at: datetime) -> bool:
        """Return whether a time lies within it."""
        local = at.astimezone(ZoneInfo(self.zone))
        clock, day = f"{local:%H:%M}", local.isoweekday()
        if self.begin <= self.end:
            return day in self.days and self.begin <= clock < self.end
        yesterday = 7 if day == 1 else day - 1
        return (day in self.days and clock >= self.begin) or (
            yesterday in self.days and clock < self.end
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When one scope of a channel is compared."""

    every: timedelta
    jitter: timedelta
    blackouts: tuple[Blackout, ...] = ()
    changed_by: str | None = None  # None: the interval of the hub


@dataclass(frozen=True, slots=True)
class Planned:
    """A scope with its schedule and the time of its next run, black-outs not considered."""

    scope: Scope
    schedule: Schedule
    next_at: datetime


class _LastRun(TypedDict):
    channel_id: str
    scope: str
    started_at: int


def put(
    tx: Transaction,
    context: CommandContext,
    channel: ChannelRow,
    scope: Scope,
    schedule: Schedule,
) -> None:
    """Set the schedule of a scope; raises InvalidInput for a value out of its bounds."""
    _validate(schedule)
    tx.run(
        "INSERT INTO reconciliation_schedule(channel_id, scope, every_seconds, jitter_seconds, "
        "blackouts, changed_by, changed_at) VALUES(:channel, :scope, :every, :jitter, :blackouts, "
        ":actor, :now) ON CONFLICT(channel_id, scope) DO UPDATE SET "
        "every_seconds = excluded.every_seconds, jitter_seconds = excluded.jitter_seconds, "
        "blackouts = excluded.blackouts, changed_by = excluded.changed_by, "
        "changed_at = excluded.changed_at",
        channel=channel["id"],
        scope=str(scope),
        every=int(schedule.every.total_seconds()),
        jitter=int(schedule.jitter.total_seconds()),
        blackouts=orjson.dumps([asdict(each) for each in schedule.blackouts]).decode(),
        actor=context.actor,
        now=micros(context.now),
    )


def remove(tx: Transaction, channel: ChannelRow, scope: Scope) -> None:
    """Remove the schedule of a scope, which is compared at the hub's interval then."""
    tx.run(
        "DELETE FROM reconciliation_schedule WHERE channel_id = :channel AND scope = :scope",
        channel=channel["id"],
        scope=str(scope),
    )


def planned(
    tx: Transaction,
    channels: Sequence[ChannelRow],
    scopes: Mapping[str, Sequence[Scope]],
    every: timedelta,
) -> dict[str, list[Planned]]:
    """Return the scopes of channels with their next runs, by the id of the channel.

    `scopes` names those that each channel supports; `every` is the interval of the hub, and of a
    schedule that cannot be read.
    """
    ids = [channel["id"] for channel in channels]
    own = dict(
        readable(
            lambda row: ((row["channel_id"], row["scope"]), _schedule(row)),
            tx.rows_as(
                ReconciliationScheduleRow,
                "SELECT * FROM reconciliation_schedule WHERE channel_id IN (:ids...)",
                ids=ids,
            ),
        )
    )
    last = {
        (row["channel_id"], row["scope"]): moment(row["started_at"])
        for row in tx.rows_as(
            _LastRun,
            "SELECT channel_id, scope, MAX(started_at) AS started_at FROM reconciliation_run "
            "WHERE channel_id IN (:ids...) GROUP BY channel_id, scope",
            ids=ids,
        )
    }
    usual = Schedule(every=every, jitter=min(JITTER_MAX, every / JITTER_SHARE))
    return {
        channel["id"]: [
            _planned(
                channel,
                scope,
                own.get((channel["id"], str(scope)), usual),
                last.get((channel["id"], str(scope)), moment(channel["created_at"])),
            )
            for scope in scopes[channel["id"]]
        ]
        for channel in channels
    }


def is_due(planned: Planned, now: datetime) -> bool:
    """Return whether a run is due, and no black-out covers the time."""
    return planned.next_at <= now and not any(
        each.covers(now) for each in planned.schedule.blackouts
    )


def _planned(channel: ChannelRow, scope: Scope, schedule: Schedule, last: datetime) -> Planned:
    seed = hashlib.sha256(f"{channel['id']} {scope} {micros(last)}".encode()).digest()
    share = int.from_bytes(seed[:4]) / 2**32
    return Planned(scope, schedule, last + schedule.every + schedule.jitter * share)


def _schedule(row: ReconciliationScheduleRow) -> Schedule:
    """Read a stored schedule; raises ValueError or another error of `UNREADABLE`."""
    schedule = Schedule(
        every=timedelta(seconds=row["every_seconds"]),
        jitter=timedelta(seconds=row["jitter_seconds"]),
        blackouts=tuple(
            Blackout(**each | {"days": tuple(each["days"])})
            for each in orjson.loads(row["blackouts"])
        ),
        changed_by=row["changed_by"],
    )
    try:
        _validate(schedule)
    except InvalidInput as error:
        raise ValueError(str(error)) from error
    return schedule


def _validate(schedule: Schedule) -> None:
    if not EVERY_MIN <= schedule.every <= EVERY_MAX:
        raise InvalidInput("an interval is 60 to 2,678,400 seconds", field="everySeconds")
    if not timedelta(0) <= schedule.jitter <= schedule.every:
        raise InvalidInput("a jitter is 0 to the interval", field="jitterSeconds")
    if len(schedule.blackouts) > BLACKOUTS_MAX:
        raise InvalidInput(f"there are at most {BLACKOUTS_MAX} black-outs", field="blackouts")
    for each in schedule.blackouts:
        if not (TIME.fullmatch(each.begin) and TIME.fullmatch(each.end)):
            raise InvalidInput("a time of day is HH:MM", field="blackouts")
        if each.begin == each.end:
            raise InvalidInput("a black-out ends at another time than it begins", field="blackouts")
        if not each.days or not set(each.days) <= set(WEEK):
            raise InvalidInput("days are 1 (Monday) to 7 (Sunday)", field="blackouts")
        try:
            ZoneInfo(each.zone)
        except (KeyError, OSError, ValueError):  # as its name is unknown, or no name of a zone
            raise InvalidInput(f"{each.zone!r} is no time zone", field="blackouts") from None
