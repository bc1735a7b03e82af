"""Recovery from failed calls: the six errors of connectors, and the consequences of each.

| error       | attempts | the message              | the channel | a person         |
|-------------|----------|--------------------------|-------------|------------------|
| Transient   | + 1      | waits, then dead letter  | goes on     | the dead letter  |
| RateLimited | -        | waits                    | waits (1)   | no               |
| AuthFailed  | -        | waits                    | paused      | at once          |
| Rejected    | -        | dead letter              | goes on     | yes              |
| NotFound    | -        | dead letter (2)          | goes on     | yes              |
| Conflict    | + 1      | rebuilt                  | goes on     | no               |
| a bug       | -        | dead letter, with trace  | goes on     | yes, as our fault|
| no database | -        | waits                    | goes on     | no               |

(1) unless our own budget was used up: then the channel was not called.
(2) unless it may exist soon: a channel may announce an order before it can be read.

Transient failures of different messages in a row open the channel's circuit
(`hub.sync.circuit`): calls stop, no message spends an attempt, and one worker at a time probes the
channel at intervals.
"""

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors import (
    AuthFailed,
    Conflict,
    ConnectorError,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
)
from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.storage.database import TROUBLES
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import channels, circuit

logger = logging.getLogger(__name__)

BACKOFF_SECONDS = (1, 5, 30, 120, 600, 1_800, 3_600, 7_200)
ATTEMPTS_MAX = len(BACKOFF_SECONDS)
CONFLICTS_AT_ONCE_MAX = 3
SOON_ATTEMPTS_MAX = 4  # within about three minutes
JITTER = 0.2
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Decision:
    """Consequence of a failure: the message is sent again at `due_at`, or dead (None)."""

    error: str
    due_at: datetime | None
    counted: bool = False
    slow_down_until: datetime | None = None
    pauses: bool = False
    is_outage: bool = False  # the channel, or the way to it, may be down


def decide(
    error: BaseException, attempts: int, now: datetime, *, may_come: bool = False
) -> Decision:
    """Decide on a failed call; `attempts` counts the failures before it.

    `may_come`: an object that was not found may exist soon.
    """
    text = f"{type(error).__name__}: {error}"
    match error:
        case RateLimited():
            until = now + timedelta(seconds=error.retry_after)
            return Decision(text, until, slow_down_until=None if error.own else until)
        case AuthFailed():
            return Decision(text, now, pauses=True)
        case NotFound() if may_come and attempts < SOON_ATTEMPTS_MAX:
            return Decision(text, now + _backoff(attempts), counted=True)
        case Rejected() | NotFound():
            return Decision(text, None)
        case Conflict() if attempts < CONFLICTS_AT_ONCE_MAX:
            return Decision(text, now, counted=True)
        case Conflict() if attempts + 1 < ATTEMPTS_MAX:
            # The channel answers; the immediate retries do not count for the back-off.
            return Decision(text, now + _backoff(attempts - CONFLICTS_AT_ONCE_MAX), counted=True)
        case ConnectorError():
            outage = isinstance(error, Transient)
            if attempts + 1 >= ATTEMPTS_MAX:
                return Decision(text, None, is_outage=outage)
            return Decision(text, now + _backoff(attempts), counted=True, is_outage=outage)
    if isinstance(error, TROUBLES):  # our own database was away: not counted as an attempt
        return Decision(text, now + _backoff(0))
    logger.error("a connector failed in a way that it should not", exc_info=error)
    return Decision(f"bug: {text}", None)


def _backoff(attempts: int) -> timedelta:
    spread = _random.uniform(1 - JITTER, 1 + JITTER)
    return timedelta(seconds=BACKOFF_SECONDS[attempts] * spread)


def apply_to_channel(
    tx: Transaction, channel: ChannelRow, decision: Decision, now: datetime, subject: str = ""
) -> None:
    """Apply a decision to its channel: slow it down, open its circuit, or pause it with a case.

    `subject` identifies the failed message: only failures of different messages open the circuit.
    """
    if decision.is_outage and circuit.failed(tx, channel["id"], subject, now):
        finding = Finding(
            kind=CaseKind.CHANNEL_DOWN,
            subject=channel["code"],
            channel_id=channel["id"],
            severity=Severity.HIGH,
            summary=f"{channel['name']} does not answer; pending messages wait.",
            details={"error": decision.error},
        )
        cases.report(tx, finding, now)
    if decision.slow_down_until is not None:
        channels.slow_down(tx, channel["id"], decision.slow_down_until)
    if decision.pauses:
        channels.pause(tx, channel["id"], decision.error)
        finding = Finding(
            kind=CaseKind.AUTHENTICATION,
            subject=channel["code"],
            channel_id=channel["id"],
            severity=Severity.HIGH,
            summary=f"{channel['name']} refuses our credentials; it is paused.",
            details={"error": decision.error},
        )
        cases.report(tx, finding, now)


def reached(tx: Transaction, channel: ChannelRow, now: datetime) -> None:
    """Record a successful call: close the circuit and the cases of the channel."""
    circuit.succeeded(tx, channel["id"])
    for kind in (CaseKind.CHANNEL_DOWN, CaseKind.AUTHENTICATION):
        cases.settle(tx, kind, channel["code"], channel["id"], now)


def report_dead(
    tx: Transaction, channel: ChannelRow, subject: str, what: str, decision: Decision, now: datetime
) -> None:
    """Open a case for a dead message."""
    finding = Finding(
        kind=CaseKind.SYNC_FAILURE,
        subject=subject,
        channel_id=channel["id"],
        summary=f"{channel['name']} could not be told {what}: {decision.error}",
        details={"error": decision.error},
    )
    cases.report(tx, finding, now)
