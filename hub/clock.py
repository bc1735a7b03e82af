"""Time as the database keeps it: whole microseconds since 1970, in UTC; and time-ordered ids."""

from datetime import UTC, date, datetime, timedelta

import uuid_utils

from hub.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000

# What a caller can mean: outside stand the default values of programming languages and clocks
# (0001-01-01, 1970-01-01, 1980-01-06), which say that no time was set.
EARLIEST = datetime(1981, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
# Days may be older, as of a machine's production, and 9999-12-31 is how many say "never".
EARLIEST_DAY = date(1900, 1, 1)
# What `moment` can show, in every time zone.
_SHOWN_MIN = (datetime(1, 1, 3, tzinfo=UTC) - EPOCH) // MICROSECOND
_SHOWN_MAX = (datetime(9999, 12, 29, tzinfo=UTC) - EPOCH) // MICROSECOND


def now() -> datetime:
    """Return the present. Only entrances call this; everything below takes time as an argument."""
    return datetime.now(UTC)


def micros(at: datetime) -> int:
    """Turn an aware time into microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def moment(value: int) -> datetime:
    """Turn microseconds since 1970 into an aware time.

    A stored value outside the years 1 to 9999 is shown as the nearest that can be: a reader never
    fails because of one record.
    """
    return EPOCH + timedelta(microseconds=min(max(value, _SHOWN_MIN), _SHOWN_MAX))


def stated(at: datetime, field: str) -> datetime:
    """Return a time that a caller gave, in its own zone.

    Raises InvalidInput for one without a zone, or outside `EARLIEST` and `LATEST`.
    """
    if at.tzinfo is None:
        raise InvalidInput(f"{field} needs its time zone: 2026-11-30T12:00:00Z", field=field)
    if not EARLIEST <= at < LATEST:
        raise InvalidInput(
            f"{field} is {at.isoformat()}: a time lies between {EARLIEST:%Y} and {LATEST:%Y}",
            field=field,
        )
    return at


def stated_day(day: date, field: str) -> date:
    """Return a day that a caller gave; raises InvalidInput for one before `EARLIEST_DAY`."""
    if day < EARLIEST_DAY:
        raise InvalidInput(f"{field} is {day}: a day is {EARLIEST_DAY} or later", field=field)
    return day


AHEAD_HOURS_MAX = 14
"""By so much the calendar of the easternmost zone is ahead of UTC's."""


def happened(at: datetime | date, now: datetime, field: str) -> None:
    """Raise InvalidInput for a time or day of something that happened, if it lies ahead."""
    is_ahead = (
        at > now
        if isinstance(at, datetime)
        else at > (now + timedelta(hours=AHEAD_HOURS_MAX)).astimezone(UTC).date()
    )
    if is_ahead:
        raise InvalidInput(f"{field} is in the future: {at.isoformat()}", field=field)


def new_id() -> str:
    """Make an id (UUID version 7, RFC 9562): time-ordered, so that indexes grow at one end."""
    return str(uuid_utils.uuid7())
