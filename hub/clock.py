"""Time as the database keeps it: whole microseconds since 1970, in UTC; and time-ordered ids."""

from datetime import UTC, datetime, timedelta

import uuid_utils

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000


def now() -> datetime:
    """Return the present. Only entrances call this; everything below takes time as an argument."""
    return datetime.now(UTC)


def micros(at: datetime) -> int:
    """Turn an aware time into microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def moment(value: int) -> datetime:
    """Turn microseconds since 1970 into an aware time."""
    return EPOCH + timedelta(microseconds=value)


def new_id() -> str:
    """Make an id (UUID version 7, RFC 9562): time-ordered, so that indexes grow at one end."""
    return str(uuid_utils.uuid7())
