"""Hash chain: each event seals its predecessor on the same unit, so that a change shows.

The digest is SHA-256 over the JSON array of the event's fields in the order of `SEALED`, encoded
as UTF-8 without blanks. The first event of a unit seals 64 zeros.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypedDict

import orjson

from hub.storage.documents import document
from hub.storage.rows import EventRow, UnitRow
from hub.storage.sql import Row, Transaction

GENESIS = "0" * 64
PAGE = 5_000

SEALED = (
    "previous_hash",
    "id",
    "unit_id",
    "version",
    "action",
    "biz_step",
    "status_from",
    "status",
    "disposition_from",
    "disposition",
    "location_from",
    "location_to",
    "document_type",
    "document_ref",
    "reason",
    "actor",
    "captured_by",
    "command_id",
    "corrects",
    "details",
    "occurred_at",
    "recorded_at",
)
_sealed = itemgetter(*SEALED)


def seal(event: Mapping[str, Any]) -> str:
    """Return the hash of an event, computed from its fields and its predecessor's hash."""
    return hashlib.sha256(orjson.dumps(_sealed(event))).hexdigest()


class _UnitVersion(TypedDict):
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class Break:
    """One inconsistency of the ledger."""

    unit_id: str
    version: int
    what: str


@dataclass(slots=True)
class Proof:
    """Result of a verification; the ledger is consistent if `breaks` is empty."""

    units: int = 0
    events: int = 0
    breaks: tuple[Break, ...] = ()


def verify(tx: Transaction) -> Proof:
    """Verify the seal of every event and the state of every unit; return the result."""
    proof, breaks = Proof(), []
    last: EventRow | None = None
    for event in _events(tx):
        proof.events += 1
        follows = last is not None and last["unit_id"] == event["unit_id"]
        if not follows:
            breaks += [] if last is None else _against_unit(tx, last)
            proof.units += 1
        breaks += _against_predecessor(event, last if follows else None)
        last = event
    breaks += [] if last is None else _against_unit(tx, last)
    breaks += [
        Break(row["id"], row["version"], "the unit has no event")
        for row in tx.rows_as(
            _UnitVersion,
            "SELECT id, version FROM unit WHERE NOT EXISTS "
            "(SELECT 1 FROM event WHERE event.unit_id = unit.id)",
        )
    ]
    proof.breaks = tuple(breaks)
    return proof


def _events(tx: Transaction) -> Iterator[EventRow]:
    unit_id, version = "", 0
    while True:
        page = tx.rows_as(
            EventRow,
            "SELECT * FROM event WHERE (unit_id, version) > (:unit_id, :version) "
            "ORDER BY unit_id, version LIMIT :page",
            unit_id=unit_id,
            version=version,
            page=PAGE,
        )
        yield from page
        if len(page) < PAGE:
            return
        unit_id, version = page[-1]["unit_id"], page[-1]["version"]


def _against_predecessor(event: EventRow, last: EventRow | None) -> list[Break]:
    expected_version = 1 if last is None else last["version"] + 1
    expected_hash = GENESIS if last is None else last["hash"]
    found = []
    if event["version"] != expected_version:
        found.append(f"version {expected_version} is missing")
    if event["previous_hash"] != expected_hash:
        found.append("does not follow its predecessor")
    if seal(event) != event["hash"]:
        found.append("was changed after it was sealed")
    return [Break(event["unit_id"], event["version"], what) for what in found]


def _against_unit(tx: Transaction, last: EventRow) -> list[Break]:
    unit: Row | None = tx.row_as(UnitRow, "SELECT * FROM unit WHERE id = :id", id=last["unit_id"])
    if unit is None:
        return [Break(last["unit_id"], last["version"], "the unit is missing")]
    origin = tx.value(
        "SELECT details FROM event WHERE unit_id = :id "
        "AND (version = 1 OR action = 'reidentify') ORDER BY version DESC LIMIT 1",
        id=last["unit_id"],
    )
    sealed = document(origin)
    claims = {
        "version": last["version"],
        "hash": last["hash"],
        "status": last["status"],
        "disposition": last["disposition"],
        "location_id": last["location_to"],
        "serial": sealed.get("serial"),
        "product_id": sealed.get("product"),
        "manufacturer_id": sealed.get("manufacturer"),
        "merged_into": _absorbed_by(tx, last),
    }
    return [
        Break(unit["id"], unit["version"], f"{name} of the unit differs from its events")
        for name, value in claims.items()
        if unit[name] != value
    ]


def _absorbed_by(tx: Transaction, last: EventRow) -> str | None:
    """Return the record that the merge of a record names, where its last event leaves it merged."""
    if last["status"] != "merged":
        return None
    merge = tx.value(
        "SELECT details FROM event WHERE unit_id = :id AND action = 'merge' "
        "ORDER BY version DESC LIMIT 1",
        id=last["unit_id"],
    )
    return document(merge).get("into")
