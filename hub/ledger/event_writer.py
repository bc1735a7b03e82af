"""Event writer: the sealed events of one command, and the verdict on each scan."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import orjson

from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, Refused
from hub.ledger.hash_chain import seal
from hub.ledger.units import UnitState
from hub.storage.sql import Transaction

SCANS_MAX = 20_000  # in one command


EVENT_COLUMNS = (
    "id", "unit_id", "version", "action", "biz_step", "status_from", "status", "disposition_from",
    "disposition", "location_from", "location_to", "document_type", "document_ref", "reason",
    "actor", "captured_by", "command_id", "corrects", "details", "occurred_at", "recorded_at",
    "previous_hash", "hash",
)  # fmt: skip
_in_order = itemgetter(*EVENT_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Result of one scan: accepted with the unit's new version, or refused with a reason."""

    index: int
    identifier: str
    unit_id: str | None = None
    version: int | None = None
    status: str | None = None
    code: str | None = None  # of the refusal; None: accepted
    message: str | None = None
    details: dict[str, Any] | None = None
    warning: str | None = None  # of an accepted scan: its serial looks like a known one

    @property
    def accepted(self) -> bool:
        """Return whether the scan changed the ledger."""
        return self.code is None

    def as_json(self) -> dict[str, Any]:
        """Return plain values, as stored under the idempotency key."""
        return {
            "index": self.index,
            "identifier": self.identifier,
            "unit_id": self.unit_id,
            "version": self.version,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "details": self.details,
            "warning": self.warning,
        }


class EventWriter:
    """Events of one command, sealed on append and written together."""

    def __init__(self, context: CommandContext, command_id: str) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self._common = {
            "document_type": context.document.type if context.document else None,
            "document_ref": context.document.ref if context.document else None,
            "reason": context.reason,
            "actor": context.actor,
            "captured_by": str(context.captured_by),
            "command_id": command_id,
            "occurred_at": micros(context.occurred_at or context.now),
            "recorded_at": micros(context.now),
        }

    def append(self, **fields: Any) -> str:
        """Seal and append one event; return its hash."""
        details = fields.pop("details", None)
        event = self._common | fields
        event["id"] = new_id()
        event.setdefault("corrects", None)
        event["details"] = orjson.dumps(details).decode() if details else None
        event["hash"] = seal(event)
        self.rows.append(_in_order(event))
        return str(event["hash"])

    def write(self, tx: Transaction) -> None:
        """Write the appended events and wake the readers of the feed."""
        tx.insert("event", EVENT_COLUMNS, self.rows)
        tx.wake("events")


def accepted(index: int, identifier: str, unit: UnitState) -> Verdict:
    """Return the verdict of an accepted scan with the current state of its unit."""
    return Verdict(
        index=index,
        identifier=identifier,
        unit_id=unit.id,
        version=unit.version,
        status=str(unit.status),
    )


def refused(
    index: int, identifier: str, refusal: Refused, unit: UnitState | Refused | None
) -> Verdict:
    """Return the verdict of a refused scan with its reason and the state of its unit."""
    known = unit if isinstance(unit, UnitState) else None
    return Verdict(
        index=index,
        identifier=identifier,
        unit_id=known.id if known else None,
        version=known.version if known else None,
        status=str(known.status) if known else None,
        code=refusal.code,
        message=str(refusal),
        details=dict(refusal.details) or None,
    )


def bounded(rows: Sequence[object]) -> None:
    """Raise InvalidInput for a command of no units, or of more than `SCANS_MAX`."""
    if not 0 < len(rows) <= SCANS_MAX:
        raise InvalidInput(f"a command takes 1 to {SCANS_MAX} units", field="units")
