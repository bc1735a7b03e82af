"""Recovery from failed calls: the six errors of connectors, and the consequences of each.

| error       | attempts | the message              | the channel | a person         |
|-------------|----------|--------------------------|-------------|------------------|
| Transient   | + 1      | waits, then dead letter  | goes on     | the dead letter  |
| RateLimited | -        | waits                    | waits (1)   | no               |
| AuthFailed  | -        | waits                    | paused (3)  | at once          |
| Rejected    | -        | dead letter              | goes on     | yes              |
| NotFound    | -        | dead letter (2)          | goes on     | yes              |
| Conflict    | + 1      | rebuilt                  | goes on     | no               |
| a bug       | -        | dead letter, with trace  | goes on     | yes, as our fault|
| no database | -        | waits                    | goes on     | no               |

(1) unless our own budget was used up: then the channel was not called.
(3) if its check is refused too; else only this call is refused (`jobs.probes`): the message
is tried again as a transient failure, a case is opened at once, and the channel goes on.
(2) unless it may exist soon: a channel may announce an order before it can be read.

Transient failures of different messages in a row open the channel's circuit
(`hub.sync.circuit`): calls stop, no message spends an attempt, and one worker at a time probes the
channel at intervals.
"""

import logging
import random
from collections.abc import Sequence
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
from connectors.toolkit.retirements import Retirement
from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros, moment
from hub.storage.database import TROUBLES
from hub.storage.rows import ChannelRow, ChannelStreamRow
from hub.storage.sql import Transaction
from hub.sync import channels, circuit, streams
from hub.sync.streams import SilencePolicy

logger = logging.getLogger(__name__)

BACKOFF_SECONDS = (1, 5, 30, 120, 600, 1_800, 3_600, 7_200)
ATTEMPTS_MAX = len(BACKOFF_SECONDS)
CONFLICTS_AT_ONCE_MAX = 3
SOON_ATTEMPTS_MAX = 4  # within about three minutes
JITTER = 0.2
RETIRES_SOON = timedelta(days=30)  # before the last day of a call, its case becomes urgent
_random = random.SystemRandom()


class CallRefused(Exception):
    """The channel refuses one call, and its check passes. Next: again with back-off, and a case."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Consequence of a failure: the message is sent again at `due_at`, or dead (None)."""

    error: str
    due_at: datetime | None
    counted: bool = False
    slow_down_until: datetime | None = None
    pauses: bool = False
    is_outage: bool = False  # the channel, or the way to it, may be down
    is_refusal: bool = False  # of this call only: the channel goes on
    timed_out: bool = False  # the channel took too long: smaller pages may help
    is_starved: bool = False  # our own budget is used up


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
            return Decision(
                text, until, slow_down_until=None if error.own else until, is_starved=error.own
            )
        case CallRefused():
            return _again(text, attempts, now, is_refusal=True)
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
            return _again(
                text,
                attempts,
                now,
                is_outage=isinstance(error, Transient),
                timed_out=getattr(error, "timed_out", False),
            )
    if isinstance(error, TROUBLES):  # our own database was away: not counted as an attempt
        return Decision(text, now + _backoff(0))
    logger.error("a connector failed in a way that it should not", exc_info=error)
    return Decision(f"bug: {text}", None)


def _again(
    text: str,
    attempts: int,
    now: datetime,
    *,
    is_outage: bool = False,
    is_refusal: bool = False,
    timed_out: bool = False,
) -> Decision:
    """Decide on a failure that may pass: again with back-off, at the end a dead letter."""
    due_at = now + _backoff(attempts) if attempts + 1 < ATTEMPTS_MAX else None
    return Decision(
        text,
        due_at,
        counted=due_at is not None,
        is_outage=is_outage,
        is_refusal=is_refusal,
        timed_out=timed_out,
    )


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


def reached(tx: Transaction, channel: ChannelRow, now: datetime, part: str = "") -> None:
    """Record a successful call: close the circuit and the cases of the channel.

    `part` names what was sent, which the channel may have refused before.
    """
    circuit.succeeded(tx, channel["id"])
    if streams.recovered(tx, channel["id"], streams.PUSHES, now):
        cases.settle(tx, CaseKind.SYNC_FAILURE, streams.PUSHES, channel["id"], now)
    if part:
        cases.settle(tx, CaseKind.AUTHENTICATION, _part(channel, part), channel["id"], now)
    for kind in (CaseKind.CHANNEL_DOWN, CaseKind.AUTHENTICATION):
        cases.settle(tx, kind, channel["code"], channel["id"], now)


def _part(channel: ChannelRow, part: str) -> str:
    return f"{channel['code']}: {part}"


def report_refusal(
    tx: Transaction, channel: ChannelRow, part: str, decision: Decision, now: datetime
) -> None:
    """Open a case for a call that the channel refuses while it accepts our credentials."""
    finding = Finding(
        kind=CaseKind.AUTHENTICATION,
        subject=_part(channel, part),
        channel_id=channel["id"],
        severity=Severity.HIGH,
        summary=f"{channel['name']} refuses {part}; the rest goes on.",
        details={"error": decision.error},
    )
    cases.report(tx, finding, now)


def report_silence(
    tx: Transaction,
    channel: ChannelRow,
    row: ChannelStreamRow,
    policy: SilencePolicy,
    now: datetime,
) -> None:
    """Open a case for a stream that has failed for too long."""
    if not policy.alarms(row, now):
        return
    since = moment(row["failing_since"] or micros(now))
    done = moment(row["succeeded_at"]).isoformat() if row["succeeded_at"] else "never"
    finding = Finding(
        kind=CaseKind.SYNC_FAILURE,
        subject=row["stream"],
        channel_id=channel["id"],
        severity=Severity.HIGH,
        summary=f"{row['stream']} of {channel['name']} have failed since {since.isoformat()}, "
        f"{row['failures']} times in a row; last success: {done}. {row['last_error']}",
        details={
            "error": row["last_error"],
            "failures": row["failures"],
            "failing_since": since.isoformat(),
            "last_success": done,
        },
    )
    cases.report(tx, finding, now)


def report_retirements(
    tx: Transaction, channel: ChannelRow, found: Sequence[Retirement], now: datetime
) -> None:
    """Open a case for calls whose end the channel announces in its headers."""
    days = sorted(each.ends_on for each in found if each.ends_on)
    soon = (now + RETIRES_SOON).date().isoformat()
    when = f"on {days[0]}" if days else "at a time that it does not name"
    finding = Finding(
        kind=CaseKind.API_RETIRING,
        subject=channel["code"],
        channel_id=channel["id"],
        severity=Severity.HIGH if days and days[0] <= soon else Severity.MEDIUM,
        summary=f"{channel['name']} retires {len(found)} calls of its API, the first {when}: "
        "bring in a newer version of the connector.",
        details={"calls": {each.call: dict(each.said) for each in found}},
    )
    cases.report(tx, finding, now)


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
