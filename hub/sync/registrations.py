"""Warranty registrations: what was sold is told to its manufacturer, once, in order."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import orjson

from hub.storage.sql import Transaction
from hub.sync import outbox

TOPIC = "registration"


class SoldUnit(Protocol):
    """A unit as its sale left it; `sold_at` is in microseconds since 1970."""

    id: str
    version: int
    manufacturer_id: str
    sold_at: int | None


def request(tx: Transaction, units: Iterable[SoldUnit], now: datetime) -> None:
    """Queue the registration of sold units whose manufacturer has a channel that takes them."""
    sold = list(units)
    channels = {
        row["manufacturer_id"]: row["id"]
        for row in tx.rows(
            "SELECT id, manufacturer_id FROM channel WHERE manufacturer_id IN (:makers...) "
            "AND capabilities LIKE '%\"register_warranty\"%' ORDER BY created_at DESC",
            makers=sorted({unit.manufacturer_id for unit in sold}),
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
    """Queue the registration of a sold unit once more: the dead one if there is one, else anew."""
    facts = tx.rows(
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
        payload = orjson.loads(newest["payload"])
        outbox.put(tx, [outbox.Fact(newest["channel_id"], TOPIC, unit_id, key, payload)], now)
