"""Warranties: what the manufacturer said about a unit, with its source and its age."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import orjson

from hub.clock import micros, moment
from hub.storage.sql import Row, Transaction
from hub.vocabulary import Coverage, Warranty, WarrantyQuestion, WarrantyStatus

FRESH = timedelta(days=7)
FRESH_UNKNOWN = timedelta(hours=1)  # a serial that the maker does not know yet may be known soon


@dataclass(frozen=True, slots=True)
class Known:
    """A remembered answer."""

    warranty: Warranty
    source: str  # the channel's code
    observed_at: datetime
    is_stale: bool


def question(tx: Transaction, unit_id: str) -> tuple[str, WarrantyQuestion] | None:
    """Say which channel knows a unit's warranty and what to ask it; None if nobody does.

    The manufacturer comes from the product; it is never guessed from the serial.
    """
    row = tx.row(
        "SELECT channel.id, unit.serial, product.model_number, product.sku FROM unit "
        "JOIN product ON product.id = unit.product_id "
        "JOIN channel ON channel.manufacturer_id = unit.manufacturer_id "
        "WHERE unit.id = :unit AND channel.capabilities LIKE '%\"lookup_warranty\"%' "
        "ORDER BY channel.created_at LIMIT 1",
        unit=unit_id,
    )
    if row is None:
        return None
    return row["id"], _question(row)


def remember(
    tx: Transaction, unit_id: str, channel_id: str, warranty: Warranty, now: datetime
) -> None:
    """Keep an answer. Unknown is kept too, for a shorter time."""
    fresh = FRESH_UNKNOWN if warranty.status is WarrantyStatus.UNKNOWN else FRESH
    tx.run(
        "INSERT INTO warranty_record(unit_id, channel_id, status, registered, starts_on, ends_on, "
        "coverages, observed_at, stale_at) VALUES(:unit, :channel, :status, :registered, :starts, "
        ":ends, :coverages, :now, :stale) ON CONFLICT(unit_id) DO UPDATE SET "
        "channel_id = excluded.channel_id, status = excluded.status, "
        "registered = excluded.registered, starts_on = excluded.starts_on, "
        "ends_on = excluded.ends_on, coverages = excluded.coverages, "
        "observed_at = excluded.observed_at, stale_at = excluded.stale_at",
        unit=unit_id,
        channel=channel_id,
        status=str(warranty.status),
        registered=warranty.registered,
        starts=_text(warranty.starts_on),
        ends=_text(warranty.ends_on),
        coverages=orjson.dumps(
            [[each.name, _text(each.starts_on), _text(each.ends_on)] for each in warranty.coverages]
        ).decode(),
        now=micros(now),
        stale=micros(now + fresh),
    )


def known(tx: Transaction, unit_ids: Sequence[str], now: datetime) -> dict[str, Known]:
    """Return what is remembered of units, however old."""
    rows = tx.rows(
        "SELECT warranty_record.*, channel.code, unit.serial FROM warranty_record "
        "JOIN channel ON channel.id = warranty_record.channel_id "
        "JOIN unit ON unit.id = warranty_record.unit_id WHERE unit_id IN (:ids...)",
        ids=list(unit_ids),
    )
    return {row["unit_id"]: _known(row, now) for row in rows}


def _known(row: Row, now: datetime) -> Known:
    coverages = tuple(
        Coverage(name=name, starts_on=_day(starts), ends_on=_day(ends))
        for name, starts, ends in orjson.loads(row["coverages"])
    )
    return Known(
        Warranty(
            serial=row["serial"],
            status=_aged(WarrantyStatus(row["status"]), _day(row["ends_on"]), now),
            registered=bool(row["registered"]),
            starts_on=_day(row["starts_on"]),
            ends_on=_day(row["ends_on"]),
            coverages=coverages,
        ),
        row["code"],
        moment(row["observed_at"]),
        row["stale_at"] <= micros(now),
    )


def _aged(status: WarrantyStatus, ends_on: date | None, now: datetime) -> WarrantyStatus:
    """Return EXPIRED for a stored cover that has ended since, otherwise its status."""
    ended = status is WarrantyStatus.COVERED and ends_on is not None and ends_on < now.date()
    return WarrantyStatus.EXPIRED if ended else status


def stale_of(
    tx: Transaction, channel_id: str, now: datetime, *, limit: int
) -> list[tuple[str, WarrantyQuestion]]:
    """Return units whose answer of a channel has grown old, oldest first, with what to ask."""
    rows = tx.rows(
        "SELECT warranty_record.unit_id, unit.serial, product.model_number, product.sku "
        "FROM warranty_record JOIN unit ON unit.id = warranty_record.unit_id "
        "JOIN product ON product.id = unit.product_id "
        "WHERE warranty_record.channel_id = :channel AND stale_at <= :now "
        "ORDER BY stale_at, unit_id LIMIT :limit",
        channel=channel_id,
        now=micros(now),
        limit=limit,
    )
    return [(row["unit_id"], _question(row)) for row in rows]


def _question(row: Row) -> WarrantyQuestion:
    return WarrantyQuestion(serial=row["serial"], product=row["model_number"] or row["sku"])


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
