"""Cached warranty answers of manufacturers, with their source and age."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypedDict

import orjson

from hub.clock import micros, moment
from hub.storage.documents import readable
from hub.storage.rows import WarrantyRecordRow
from hub.storage.sql import Transaction
from hub.vocabulary import Coverage, Warranty, WarrantyQuestion, WarrantyStatus

FRESH = timedelta(days=7)
FRESH_UNKNOWN = timedelta(
    hours=1
)  # a serial that the manufacturer does not know yet may be known soon


@dataclass(frozen=True, slots=True)
class Known:
    """A cached answer."""

    warranty: Warranty
    source: str  # the channel's code
    observed_at: datetime
    is_stale: bool


class _Question(TypedDict):
    serial: str
    model_number: str | None
    sku: str


class _ChannelQuestion(_Question):
    id: str


class _UnitQuestion(_Question):
    unit_id: str


class _AnswerRow(WarrantyRecordRow):
    code: str
    serial: str


def question(tx: Transaction, unit_id: str) -> tuple[str, WarrantyQuestion] | None:
    """Return the warranty channel of a unit and the question to ask it; None without a channel.

    The manufacturer comes from the product; it is never guessed from the serial.
    """
    row = tx.row_as(
        _ChannelQuestion,
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
    """Cache an answer; an unknown serial is cached too, for a shorter time."""
    fresh = FRESH_UNKNOWN if warranty.status is WarrantyStatus.UNKNOWN else FRESH
    tx.run(
        "INSERT INTO warranty_record(unit_id, channel_id, status, registered, starts_on, ends_on, "
        "latest_ends_on, coverages, observed_at, stale_at) VALUES(:unit, :channel, :status, "
        ":registered, :starts, :ends, :ends, :coverages, :now, :stale) "
        "ON CONFLICT(unit_id) DO UPDATE SET "
        "channel_id = excluded.channel_id, status = excluded.status, "
        "registered = excluded.registered, starts_on = excluded.starts_on, "
        "latest_ends_on = CASE WHEN warranty_record.latest_ends_on > excluded.ends_on "
        "OR excluded.ends_on IS NULL THEN warranty_record.latest_ends_on "
        "ELSE excluded.ends_on END, ends_on = excluded.ends_on, coverages = excluded.coverages, "
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
    """Return the cached answers of units, stale ones included, by unit id."""
    rows = tx.rows_as(
        _AnswerRow,
        "SELECT warranty_record.*, channel.code, unit.serial FROM warranty_record "
        "JOIN channel ON channel.id = warranty_record.channel_id "
        "JOIN unit ON unit.id = warranty_record.unit_id WHERE unit_id IN (:ids...)",
        ids=list(unit_ids),
    )
    return dict(readable(lambda row: (row["unit_id"], _known(row, now)), rows))


def known_at(
    tx: Transaction, asked: Sequence[tuple[str, datetime]]
) -> dict[tuple[str, datetime], Known]:
    """Return the cached answers of units, each as it is at a time, in one read."""
    if not asked:
        return {}
    found = known(tx, [unit_id for unit_id, _ in asked], max(at for _, at in asked))
    return {each: found[each[0]] for each in asked if each[0] in found}


def _known(row: _AnswerRow, now: datetime) -> Known:
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
    """Return the status of a cached cover on the present day: it may have ended since."""
    ended = status is WarrantyStatus.COVERED and ends_on is not None and ends_on < now.date()
    return WarrantyStatus.EXPIRED if ended else status


def stale_of(
    tx: Transaction, channel_id: str, now: datetime, *, limit: int
) -> list[tuple[str, WarrantyQuestion]]:
    """Return the units with stale answers of a channel, oldest first, with their questions."""
    rows = tx.rows_as(
        _UnitQuestion,
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


def _question(row: _Question) -> WarrantyQuestion:
    return WarrantyQuestion(serial=row["serial"], product=row["model_number"] or row["sku"])


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
