"""Medical devices: cached registry records, with source and age."""

import re
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import orjson

from hub.clock import micros, moment
from hub.errors import InvalidInput
from hub.identifiers.numbers import check_digit
from hub.storage.rows import ChannelRow, DeviceRecordRow
from hub.storage.sql import Transaction
from hub.vocabulary import Device

FRESH = timedelta(days=30)  # labels rarely change
FRESH_UNKNOWN = timedelta(days=1)  # a new device may be registered soon
_NUMBER = re.compile(r"[0-9A-Z]{6,23}")


class _SourcedRecordRow(DeviceRecordRow):
    code: str


@dataclass(frozen=True, slots=True)
class Known:
    """A cached record; `device` is None for a device that the registry does not list."""

    identifier: str
    device: Device | None
    source: str  # the channel's code
    observed_at: datetime
    is_stale: bool


def identifier_of(text: str) -> str:
    """Return the device identifier in a text: a GTIN in 14 digits, or another agency's number.

    Raise InvalidInput for any other text, and for a GTIN with a wrong check digit.
    """
    number = text.strip().upper()
    if number.isascii() and number.isdigit() and len(number) in (8, 12, 13, 14):
        number = number.zfill(14)
        if check_digit(number[:-1]) != number[-1]:
            raise InvalidInput("the check digit of this GTIN is wrong", field="identifier")
    if not _NUMBER.fullmatch(number):
        text = "a device identifier has 6 to 23 letters and digits"
        raise InvalidInput(text, field="identifier")
    return number


def channel(tx: Transaction) -> ChannelRow | None:
    """Return the oldest active channel that reads a device registry, or None."""
    return tx.row_as(
        ChannelRow,
        "SELECT * FROM channel WHERE state = 'active' "
        "AND capabilities LIKE '%\"lookup_device\"%' ORDER BY created_at, id LIMIT 1",
    )


def remember(
    tx: Transaction, identifier: str, channel_id: str, device: Device | None, now: datetime
) -> None:
    """Store a registry record; device None (not registered) is stored for a shorter time."""
    facts = None if device is None else orjson.dumps(asdict(device)).decode()
    tx.run(
        "INSERT INTO device_record(identifier, channel_id, facts, observed_at, stale_at) "
        "VALUES(:identifier, :channel, :facts, :now, :stale) ON CONFLICT(identifier) DO UPDATE "
        "SET channel_id = excluded.channel_id, facts = excluded.facts, "
        "observed_at = excluded.observed_at, stale_at = excluded.stale_at",
        identifier=identifier,
        channel=channel_id,
        facts=facts,
        now=micros(now),
        stale=micros(now + (FRESH if device else FRESH_UNKNOWN)),
    )


def known(tx: Transaction, identifier: str, now: datetime) -> Known | None:
    """Return the cached record of a device at any age, or None."""
    row = tx.row_as(
        _SourcedRecordRow,
        "SELECT device_record.*, channel.code FROM device_record "
        "JOIN channel ON channel.id = device_record.channel_id WHERE identifier = :identifier",
        identifier=identifier,
    )
    if row is None:
        return None
    return Known(
        identifier,
        _device(row["facts"]),
        row["code"],
        moment(row["observed_at"]),
        row["stale_at"] <= micros(now),
    )


def _device(facts: str | None) -> Device | None:
    if facts is None:
        return None
    kept = orjson.loads(facts)
    published = kept["published_on"]
    kept |= {
        "terms": tuple(kept["terms"]),
        "product_codes": tuple(kept["product_codes"]),
        "published_on": date.fromisoformat(published) if published else None,
    }
    return Device(**kept)
