"""Circuit breaker of a channel: stops calls while the channel fails, and probes it regularly.

Consecutive failures of different messages open it; repeated failures of one message do not, since
that message is the cause. While it is open, no message spends an attempt. One worker at a time
probes the channel (half open); an answer closes the circuit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hub.clock import micros
from hub.storage.rows import CircuitRow
from hub.storage.sql import Transaction
from hub.sync import channels

FAILURES_MAX = 5  # of different messages in a row
PAUSE_SECONDS = (15, 30, 60, 120, 300)  # between two probes
PROBE_LEASE = timedelta(seconds=30)


class CircuitState(StrEnum):
    """State of a circuit: calls pass only while it is closed."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"  # the next call is a probe


@dataclass(frozen=True, slots=True)
class Circuit:
    """Failures of a channel, and the time of its next probe."""

    failures: int = 0
    openings: int = 0
    opened_at: int | None = None
    probe_at: int = 0

    def state(self, now: datetime) -> CircuitState:
        """Return the state of the circuit at a time."""
        if not self.probe_at:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self.probe_at > micros(now) else CircuitState.HALF_OPEN


def of(tx: Transaction, channel_id: str) -> Circuit:
    """Return the circuit of a channel."""
    return circuits_of(tx, [channel_id])[channel_id]


def circuits_of(tx: Transaction, channel_ids: Sequence[str]) -> dict[str, Circuit]:
    """Return the circuits of channels, by id."""
    rows = tx.rows_as(
        CircuitRow, "SELECT * FROM circuit WHERE channel_id IN (:ids...)", ids=list(channel_ids)
    )
    found = {
        row["channel_id"]: Circuit(
            row["failures"], row["openings"], row["opened_at"], row["probe_at"]
        )
        for row in rows
    }
    return {each: found.get(each, Circuit()) for each in channel_ids}


def failed(tx: Transaction, channel_id: str, subject: str, now: datetime) -> bool:
    """Record the failure of a message; return whether it opened the circuit."""
    row = tx.row_as(
        CircuitRow,
        "INSERT INTO circuit(channel_id, failures, last_failed) VALUES(:id, 1, :subject) "
        "ON CONFLICT(channel_id) DO UPDATE SET last_failed = excluded.last_failed, "
        "failures = circuit.failures + "
        "CASE WHEN circuit.last_failed = excluded.last_failed THEN 0 ELSE 1 END RETURNING *",
        id=channel_id,
        subject=subject[:200],
    )
    assert row is not None
    if row["probe_at"] or row["failures"] < FAILURES_MAX:
        return False
    _open(tx, row, now)
    return True


def succeeded(tx: Transaction, channel_id: str) -> None:
    """Close the circuit after a successful call."""
    tx.send(
        "UPDATE circuit SET failures = 0, openings = 0, probe_at = 0, opened_at = NULL, "
        "last_failed = NULL WHERE channel_id = :id AND (failures > 0 OR probe_at > 0)",
        id=channel_id,
    )


def claim(tx: Transaction, channel_id: str, now: datetime) -> bool:
    """Claim the probe of an open channel; return whether this worker got it."""
    return bool(
        tx.run(
            "UPDATE circuit SET probe_at = :later "
            "WHERE channel_id = :id AND probe_at > 0 AND probe_at <= :now",
            id=channel_id,
            now=micros(now),
            later=micros(now + PROBE_LEASE),
        )
    )


def back(tx: Transaction, channel_id: str) -> None:
    """Close the circuit after a successful probe, and resume the queued work."""
    succeeded(tx, channel_id)
    channels.resume_pace(tx, channel_id)


def still_away(tx: Transaction, channel_id: str, now: datetime) -> None:
    """Extend the open period of a circuit after a failed probe."""
    row = _row(tx, channel_id)
    if row is not None and row["probe_at"]:
        _open(tx, row, now)


def _open(tx: Transaction, row: CircuitRow, now: datetime) -> None:
    pause = PAUSE_SECONDS[min(row["openings"], len(PAUSE_SECONDS) - 1)]
    probe_at = now + timedelta(seconds=pause)
    tx.run(
        "UPDATE circuit SET probe_at = :probe, openings = openings + 1, "
        "opened_at = COALESCE(opened_at, :now) WHERE channel_id = :id",
        id=row["channel_id"],
        probe=micros(probe_at),
        now=micros(now),
    )
    # No worker calls it until then; the first one afterwards probes it.
    channels.slow_down(tx, row["channel_id"], probe_at)


def _row(tx: Transaction, channel_id: str) -> CircuitRow | None:
    return tx.row_as(CircuitRow, "SELECT * FROM circuit WHERE channel_id = :id", id=channel_id)
