"""Chronology: the events of a unit follow each other in time as they do in the ledger.

A command may be recorded after it happened, but it never happened before an event that it follows:
a sale before the receipt, or before a transfer that is recorded already, would make untrue where
the unit stood at past instants. Such a step is refused; the event with the wrong time is corrected
first. A device whose clock is a little behind is no such case: its event takes the time of the
event before it, and the stated time is sealed in its details.
"""

from collections.abc import Iterable
from typing import Any, TypedDict

from hub.clock import SECOND, micros, moment
from hub.commands.context import CommandContext
from hub.errors import OutOfOrder
from hub.ledger.units import UnitState
from hub.storage.documents import document
from hub.storage.sql import Transaction

SKEW = 300 * SECOND
"""How far the clock of a device may be behind, in microseconds."""


class _Newest(TypedDict):
    unit_id: str
    occurred_at: int


class _Correction(TypedDict):
    unit_id: str
    details: str


class _Occurred(TypedDict):
    version: int
    occurred_at: int


class Chronology:
    """When the newest event of each unit happened, read where a command states its own time."""

    def __init__(self, tx: Transaction, context: CommandContext) -> None:
        self._tx = tx
        self._stated = None if context.occurred_at is None else micros(context.occurred_at)
        self._newest: dict[str, int] = {}

    def load(self, units: Iterable[UnitState]) -> None:
        """Read the time of the newest event of each unit, as corrected."""
        ids = sorted({unit.id for unit in units})
        if self._stated is None or not ids:
            return
        for row in self._tx.rows_as(
            _Newest,
            "SELECT unit_id, MAX(occurred_at) AS occurred_at FROM event "
            "WHERE unit_id IN (:ids...) AND corrects IS NULL GROUP BY unit_id",
            ids=ids,
        ):
            self._newest[row["unit_id"]] = row["occurred_at"]
        for correction in self._tx.rows_as(
            _Correction,
            "SELECT unit_id, details FROM event WHERE unit_id IN (:ids...) "
            "AND corrects IS NOT NULL ORDER BY unit_id, version",
            ids=ids,
        ):
            unit_id = correction["unit_id"]
            self._newest[unit_id] = self._as_corrected(unit_id, correction["details"])

    def _as_corrected(self, unit_id: str, details: str) -> int:
        restated: dict[int, dict[str, Any]] = {
            each["version"]: each for each in document(details).get("as_corrected", [])
        }
        recorded = self._tx.rows_as(
            _Occurred,
            "SELECT version, occurred_at FROM event WHERE unit_id = :id AND corrects IS NULL",
            id=unit_id,
        )
        return max(
            int(restated.get(row["version"], {}).get("occurred_at", row["occurred_at"]))
            for row in recorded
            if restated.get(row["version"], {}).get("occurred", True)
        )

    def time_of(self, unit: UnitState) -> int | None:
        """Return when the next event of a unit happened, if that is not as the command states.

        Raises OutOfOrder for one that would precede the event before it.
        """
        newest = self._newest.get(unit.id)
        if self._stated is None or newest is None or newest <= self._stated:
            return None
        if newest - self._stated > SKEW:
            follows = moment(newest).isoformat()
            raise OutOfOrder(
                f"the unit's last event happened at {follows}, and this step "
                f"at {moment(self._stated).isoformat()}: one of the two times is wrong",
                follows=follows,
            )
        return newest
