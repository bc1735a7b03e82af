"""Warranty registrations: sold units are sent to their manufacturer, once, in order."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypedDict

from hub.storage.documents import document
from hub.storage.rows import OutboxRow
from hub.storage.sql import Transaction
from hub.sync import outbox

TOPIC = "registration"


class SoldUnit(Protocol):
    """A unit after its sale; `sold_at` is in microseconds since 1970."""

    id: str
    version: int
    manufacturer_id: str
    sold_at: int | None


class _ManufacturerChannel(TypedDict):
    id: str
    manufacturer_id: str


def request(tx: Transaction, units: Iterable[SoldUnit], now: datetime) -> None:
    """Queue the registration of sold units whose manufacturer has a channel for registrations."""
    sold = list(units)
    channels = {
        row["manufacturer_id"]: row["id"]
        for row in tx.rows_as(
            _ManufacturerChannel,
            "SELECT id, manufacturer_id FROM channel WHERE manufacturer_id IN (:manufacturers...) "
            "AND capabilities LIKE '%\"register_warranty\"%' ORDER BY created_at DESC",
            manufacturers=sorted({unit.manufacturer_id for unit in sold}),
        )
    }
    outbox.put(
        tx,
        [
            outbox.Fact(
                channel_id=channels[unit.manufacturer_id],
                topic=TOPIC,
                subject=unit.id,
                # The unit's version makes each sale of a unit one registration.
                key=f"{TOPIC}:{unit.id}:{unit.version}",
                payload={"unit": unit.id, "sold_at": unit.sold_at},
            )
            for unit in sold
            if unit.manufacturer_id in channels
        ],
        now,
    )


def again(tx: Transaction, unit_id: str, reference: str, now: datetime) -> None:
    """Queue the registration of a sold unit again: the dead fact if there is one, else a new one.

    `reference` makes the key of a new fact unique.
    """
    facts = tx.rows_as(
        OutboxRow,
        "SELECT * FROM outbox WHERE subject = :unit AND topic = :topic ORDER BY seq DESC",
        unit=unit_id,
        topic=TOPIC,
    )
    dead = [fact["id"] for fact in facts if fact["state"] == "dead"]
    if dead:
        outbox.replay(tx, dead, now)
    elif facts:
        newest = facts[0]
        key = f"{TOPIC}:{unit_id}:{reference}"
        payload = document(newest["payload"])
        outbox.put(tx, [outbox.Fact(newest["channel_id"], TOPIC, unit_id, key, payload)], now)
