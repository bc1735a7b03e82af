"""Our events in the words of EPCIS 2.0 and the Core Business Vocabulary 2.0 (JSON-LD).

A unit is named by its GS1 Digital Link, or, where it has no GTIN, by an address of our own (CBV
2.0, section 8.2). An event of ours is an ObjectEvent about one unit, known by ``urn:uuid:`` and its
id; where the unit enters or leaves a kit it is an AggregationEvent with the kit as its parent. A
correction is the event in error once more with an error declaration, and what was right as an
event of its own that the declaration names.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from connectors.errors import Rejected
from hub.vocabulary import LedgerEvent, NamedUnit

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
GS1_ADDRESS = "https://id.gs1.org"
# Business steps of ours that are CBV's; the others are matters of our own house.
BIZ_STEPS = frozenset(
    {
        "commissioning", "receiving", "storing", "holding", "picking", "packing", "shipping",
        "retail_selling", "inspecting", "repairing", "destroying", "accepting", "assembling",
        "disassembling", "cycle_counting", "installing", "sensor_reporting",
    }
)  # fmt: skip
ADDS, DELETES = frozenset({"commissioning"}), frozenset({"destroying"})
SEPARATES = frozenset({"disassembling"})
TRANSACTIONS = frozenset({"bol", "desadv", "inv", "po", "prodorder", "recadv", "rma"})
_GLN = re.compile(r"\d{13}")
_SERIAL = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}")  # application identifier 21
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")


class Namer:
    """Names units, places and documents. `own_address` is where names of our own begin."""

    def __init__(self, own_address: str | None, locations: Mapping[str, str]) -> None:
        self._own = own_address.rstrip("/") if own_address else None
        self._locations = locations

    def unit(self, event: LedgerEvent | NamedUnit) -> str:
        """Name a unit, or raise Rejected: an event about nothing can not be reported."""
        if event.gtin and _SERIAL.fullmatch(event.serial):
            return f"{GS1_ADDRESS}/01/{event.gtin}/21/{quote(event.serial, safe='')}"
        if self._own is None:
            raise Rejected(
                f"{event.sku} has no GTIN, or the serial is no GS1 serial: set own_address"
            )
        name = f"{quote(event.sku, safe='')}.{quote(event.serial, safe='')}"
        return f"{self._own}/obj/{name}"

    def place(self, code: str) -> str | None:
        """Name a place by its GLN, by the address that was given for it, or by one of our own."""
        known = self._locations.get(code)
        if known is not None:
            return f"{GS1_ADDRESS}/414/{known}" if _GLN.fullmatch(known) else known
        return f"{self._own}/loc/{quote(code, safe='')}" if self._own else None

    def build_document(self, kind: str, reference: str) -> str | None:
        """Name a business document; one that is an address already is its own name."""
        if _URI.fullmatch(reference):
            return reference
        return f"{self._own}/bt/{kind}/{quote(reference, safe='')}" if self._own else None


def event_id(ours: str) -> str:
    """Return the eventID of an event of ours."""
    return f"urn:uuid:{ours}"


def build_events(event: LedgerEvent, namer: Namer) -> list[dict[str, Any]]:
    """Return what one event of ours is reported as: one event, or an error and what was right."""
    if event.error is None:
        return [_event(event, event.id, namer)]
    wrong = _event(event, event.error.event, namer)
    wrong["errorDeclaration"] = {
        "declarationTime": _instant(event.error.declared_at),
        "reason": event.error.reason,
    }
    if event.restated is None:
        return [wrong]
    wrong["errorDeclaration"]["correctiveEventIDs"] = [event_id(event.id)]
    return [wrong, _event(event.restated, event.id, namer)]


def _subject(event: LedgerEvent, namer: Namer) -> dict[str, Any]:
    """Return what an event is about: one unit, or a unit and the kit that it enters or leaves."""
    if event.parent is not None:
        return {
            "type": "AggregationEvent",
            "parentID": namer.unit(event.parent),
            "childEPCs": [namer.unit(event)],
            "action": "DELETE" if event.biz_step in SEPARATES else "ADD",
        }
    action = "OBSERVE"
    if event.biz_step in ADDS:
        action = "ADD"
    elif event.biz_step in DELETES:
        action = "DELETE"
    return {"type": "ObjectEvent", "epcList": [namer.unit(event)], "action": action}


def _event(event: LedgerEvent, ours: str, namer: Namer) -> dict[str, Any]:
    event_json: dict[str, Any] = {
        **_subject(event, namer),
        "eventID": event_id(ours),
        "eventTime": _instant(event.occurred_at),
        "eventTimeZoneOffset": "+00:00",  # we keep UTC, and not where the clock hung
        "bizStep": event.biz_step,
        "disposition": event.disposition,
    }
    if read_point := namer.place(event.read_point):
        event_json["readPoint"] = {"id": read_point}
    if event.location and (location := namer.place(event.location)):
        event_json["bizLocation"] = {"id": location}
    kind, reference = event.document_type, event.document_ref
    if kind in TRANSACTIONS and reference and (name := namer.build_document(str(kind), reference)):
        event_json["bizTransactionList"] = [{"type": kind, "bizTransaction": name}]
    return event_json


def build_document(events: Sequence[dict[str, Any]], made_at: datetime) -> dict[str, Any]:
    """Put events into a document."""
    return {
        "@context": [CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": _instant(made_at),
        "epcisBody": {"eventList": list(events)},
    }


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
