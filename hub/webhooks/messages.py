"""Messages for endpoints: created from the feed, due by a schedule, settled with each attempt.

Only the worker that holds an endpoint's lease creates and settles its messages; a late worker has
an old fence and changes nothing. A message that was sent and not settled is sent again under the
same id.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from hub import cases, webhooks
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros, moment, new_id
from hub.commands.context import CommandContext
from hub.errors import UnknownReference
from hub.history import event_feed
from hub.history.event_feed import Position
from hub.storage.rows import WebhookAttemptRow, WebhookEndpointRow, WebhookMessageRow
from hub.storage.sql import Row, Transaction
from hub.webhooks import EndpointState, Filter, payload

# Between attempts, as in the example of the Standard Webhooks specification: 76 hours in total.
DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
ATTEMPTS_MAX = len(DELAYS) + 1
JITTER = 0.2
GONE = 410
THROTTLES = frozenset({429, 502, 503, 504})
PROBED_FROM = 5  # consecutive failures: from then on one message at a time is sent
REST_MAX = timedelta(minutes=5)
RETRY_AFTER_MAX = timedelta(days=1)
DISABLED_AFTER = timedelta(days=5)  # without one success
WAITING_MAX = 1_000  # messages of an endpoint; what follows waits in the ledger
EVENTS_MAX = 500  # of the feed, read at a time
ANSWER_CHARS_MAX = 500
KEPT = timedelta(days=30)
_random = random.SystemRandom()


class _Id(TypedDict):
    id: str


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """Outcome of one attempt: HTTP status (None: no answer), text, duration."""

    status: int | None
    text: str
    duration_ms: int
    retry_after: timedelta | None = None

    @property
    def is_success(self) -> bool:
        """Return whether the endpoint accepted the message."""
        return self.status is not None and 200 <= self.status < 300


def lease(
    tx: Transaction, endpoint_id: str, now: datetime, lasts: timedelta
) -> WebhookEndpointRow | None:
    """Lease an endpoint for one worker; None while another worker has it."""
    return tx.row_as(
        WebhookEndpointRow,
        "UPDATE webhook_endpoint SET lease_until = :until, fence = fence + 1 "
        "WHERE id = :id AND lease_until <= :now AND state <> 'deleted' RETURNING *",
        id=endpoint_id,
        now=micros(now),
        until=micros(now + lasts),
    )


def _held(tx: Transaction, endpoint_id: str, fence: int) -> WebhookEndpointRow | None:
    return tx.row_as(
        WebhookEndpointRow,
        "SELECT * FROM webhook_endpoint WHERE id = :id AND fence = :fence "
        "AND state <> 'deleted' FOR UPDATE",
        id=endpoint_id,
        fence=fence,
    )


_PUT = (
    # An existing message is sent again: a recovery moved the cursor back.
    "INSERT INTO webhook_message(id, endpoint_id, event_id, subject, topic, body, due_at, "
    "created_at) VALUES(:id, :endpoint, :event, :subject, :topic, :body, :now, :now) "
    "ON CONFLICT(endpoint_id, event_id) DO UPDATE SET state = 'waiting', "
    "due_at = excluded.due_at, attempts = 0, settled_at = NULL"
)


def fill(
    tx: Transaction,
    endpoint_id: str,
    fence: int,
    now: datetime,
    skipped: tuple[Position, Position] | None = None,
) -> int:
    """Create messages for the events after the cursor, and move it; return their number.

    `skipped` are two positions between which no event matches the endpoint. It applies only while
    the cursor is at the first: a recovery may have moved it meanwhile.
    """
    endpoint = _held(tx, endpoint_id, fence)
    if endpoint is None or endpoint["state"] != EndpointState.ACTIVE:
        return 0
    room = WAITING_MAX - waiting(tx, endpoint_id)
    if room <= 0:
        return 0
    here = Position(endpoint["cursor_transaction"], endpoint["cursor_seq"])
    if skipped is not None and here == skipped[0]:
        here = skipped[1]
    events = event_feed.after(tx, here, limit=min(room, EVENTS_MAX))
    chosen = Filter.of(endpoint).choose(tx, events)
    tx.run_many(
        _PUT,
        [
            {
                "id": new_id(),
                "endpoint": endpoint_id,
                "event": event["id"],
                "subject": event["unit_id"],
                "topic": payload.topic_of(event),
                "body": payload.of_event(event),
                "now": micros(now),
            }
            for event in chosen
        ],
    )
    here = Position.behind(events[-1]) if events else here
    tx.run(
        "UPDATE webhook_endpoint SET cursor_transaction = :transaction, cursor_seq = :seq "
        "WHERE id = :id",
        transaction=here.transaction,
        seq=here.seq,
        id=endpoint_id,
    )
    return len(chosen)


def waiting(tx: Transaction, endpoint_id: str) -> int:
    """Count the unsent messages of an endpoint."""
    return int(
        tx.value(
            "SELECT COUNT(*) FROM webhook_message WHERE endpoint_id = :id AND state = 'waiting'",
            id=endpoint_id,
        )
    )


def webhook_id(message: WebhookMessageRow | Row) -> str:
    """Return the id that all attempts of a message carry: that of its event, or of the test.

    A message that was deleted and created again from the ledger carries the same id.
    """
    return str(message["event_id"] or message["id"])


def due(
    tx: Transaction, endpoint: WebhookEndpointRow, now: datetime, *, limit: int
) -> list[WebhookMessageRow]:
    """Return due messages, the oldest first; for a disabled endpoint only tests."""
    tests = "" if endpoint["state"] == EndpointState.ACTIVE else " AND event_id IS NULL"
    return tx.rows_as(
        WebhookMessageRow,
        "SELECT * FROM webhook_message WHERE endpoint_id = :id AND state = 'waiting' "
        f"AND due_at <= :now{tests} ORDER BY due_at, event_id, id LIMIT :limit",
        id=endpoint["id"],
        now=micros(now),
        limit=limit,
    )


def settle(
    tx: Transaction,
    endpoint_id: str,
    fence: int,
    tried: Sequence[tuple[WebhookMessageRow, DeliveryAttempt]],
    now: datetime,
) -> bool:
    """Store attempts and their consequences; return False if the lease was lost."""
    endpoint = _held(tx, endpoint_id, fence)
    if endpoint is None:
        return False
    for message, attempt in tried:
        endpoint = _settle(tx, endpoint, message["id"], attempt, now)
    _keep(tx, endpoint)
    if any(attempt.status == GONE for _, attempt in tried):
        _close(tx, endpoint, "it answered 410: it wants no more webhooks", now)
    elif _fails_too_long(endpoint, now):
        days = DISABLED_AFTER.days
        _close(tx, endpoint, f"it accepted nothing for {days} days: {tried[-1][1].text}", now)
    elif any(attempt.is_success for _, attempt in tried) and endpoint["state"] == "active":
        cases.settle(tx, CaseKind.WEBHOOK_FAILING, endpoint_id, None, now)
    return True


def _settle(
    tx: Transaction,
    endpoint: WebhookEndpointRow,
    message_id: str,
    attempt: DeliveryAttempt,
    now: datetime,
) -> WebhookEndpointRow:
    """Store one attempt of a message that still waits; return the endpoint after it."""
    message = tx.row_as(
        WebhookMessageRow, "SELECT * FROM webhook_message WHERE id = :id", id=message_id
    )
    if message is None or message["state"] != "waiting":
        return endpoint
    _note(tx, message, attempt, now)
    if attempt.is_success:
        _delivered(tx, message, now)
        return {
            **endpoint,
            "failures": 0,
            "failing_since": None,
            "rests_until": 0,
            "last_success_at": micros(now),
        }
    _failed(tx, endpoint, message, attempt, now)
    return endpoint if message["event_id"] is None else _failing(endpoint, attempt, now)


def _note(
    tx: Transaction, message: WebhookMessageRow, answer: DeliveryAttempt, now: datetime
) -> None:
    tx.insert(
        "webhook_attempt",
        ("id", "message_id", "number", "status", "answer", "duration_ms", "at"),
        [
            (
                new_id(),
                message["id"],
                message["attempts"] + 1,
                answer.status,
                answer.text[:ANSWER_CHARS_MAX],
                answer.duration_ms,
                micros(now),
            )
        ],
    )


def _delivered(tx: Transaction, message: WebhookMessageRow, now: datetime) -> None:
    tx.run(
        "UPDATE webhook_message SET state = 'delivered', attempts = attempts + 1, "
        "last_error = NULL, settled_at = :now WHERE id = :id",
        now=micros(now),
        id=message["id"],
    )


def _failed(
    tx: Transaction,
    endpoint: WebhookEndpointRow,
    message: WebhookMessageRow,
    answer: DeliveryAttempt,
    now: datetime,
) -> None:
    attempts = message["attempts"] + 1
    is_test = message["event_id"] is None
    given_up = is_test or attempts >= ATTEMPTS_MAX
    tx.run(
        "UPDATE webhook_message SET state = :state, attempts = :attempts, due_at = :due, "
        "last_error = :error, settled_at = :settled WHERE id = :id",
        state="given_up" if given_up else "waiting",
        attempts=attempts,
        due=0 if given_up else micros(now + delay(attempts, answer.retry_after)),
        error=_error_of(answer),
        settled=micros(now) if given_up else None,
        id=message["id"],
    )
    if given_up and not is_test:
        finding = Finding(
            kind=CaseKind.WEBHOOK_FAILING,
            subject=endpoint["id"],
            summary=f"{endpoint['url']} did not accept a message in {attempts} attempts; "
            "it can be replayed.",
            details={"error": _error_of(answer), "message": message["id"]},
        )
        cases.report(tx, finding, now)


def delay(attempts: int, retry_after: timedelta | None) -> timedelta:
    """Return the time until the next attempt, with jitter; at least `retry_after`."""
    planned = DELAYS[min(attempts, len(DELAYS)) - 1] * _random.uniform(1, 1 + JITTER)
    return max(planned, min(retry_after or timedelta(), RETRY_AFTER_MAX))


def _error_of(answer: DeliveryAttempt) -> str:
    status = "no answer" if answer.status is None else str(answer.status)
    return f"{status}: {answer.text}"[:ANSWER_CHARS_MAX]


def _failing(
    endpoint: WebhookEndpointRow, answer: DeliveryAttempt, now: datetime
) -> WebhookEndpointRow:
    """Count a failure; pause an endpoint that asks for it or keeps failing."""
    failures = endpoint["failures"] + 1
    pause = timedelta()
    if failures >= PROBED_FROM or answer.status in THROTTLES:
        doubled = timedelta(seconds=5) * 2 ** min(max(failures - PROBED_FROM, 0), 10)
        asked = min(answer.retry_after or timedelta(), RETRY_AFTER_MAX)
        pause = max(min(doubled, REST_MAX), asked)
    return {
        **endpoint,
        "failures": failures,
        "failing_since": endpoint["failing_since"] or micros(now),
        "rests_until": max(endpoint["rests_until"], micros(now + pause) if pause else 0),
    }


def _keep(tx: Transaction, endpoint: WebhookEndpointRow) -> None:
    tx.run(
        "UPDATE webhook_endpoint SET failures = :failures, failing_since = :since, "
        "rests_until = :rests, last_success_at = :success WHERE id = :id",
        failures=endpoint["failures"],
        since=endpoint["failing_since"],
        rests=endpoint["rests_until"],
        success=endpoint["last_success_at"],
        id=endpoint["id"],
    )


def _fails_too_long(endpoint: WebhookEndpointRow, now: datetime) -> bool:
    since = endpoint["failing_since"]
    return since is not None and now - moment(since) >= DISABLED_AFTER


def _close(tx: Transaction, endpoint: WebhookEndpointRow, reason: str, now: datetime) -> None:
    """Disable an endpoint and open a case."""
    if endpoint["state"] != EndpointState.ACTIVE:
        return
    webhooks.disable(tx, endpoint["id"], reason, now)
    finding = Finding(
        kind=CaseKind.WEBHOOK_FAILING,
        subject=endpoint["id"],
        severity=Severity.HIGH,
        summary=f"Delivery to {endpoint['url']} stopped: {reason}"[:500],
        details={"reason": reason},
    )
    cases.report(tx, finding, now)


# --- Operations -----------------------------------------------------------------------------


def test(tx: Transaction, context: CommandContext, endpoint_id: str) -> str:
    """Queue an empty message, sent once, also while the endpoint is disabled; return its id."""
    webhooks.get(tx, endpoint_id)
    message_id = new_id()
    tx.run(
        "INSERT INTO webhook_message(id, endpoint_id, subject, topic, body, due_at, created_at) "
        "VALUES(:id, :endpoint, :endpoint, :topic, :body, :now, :now)",
        id=message_id,
        endpoint=endpoint_id,
        topic=payload.TEST,
        body=payload.of_test(context.now, endpoint_id),
        now=micros(context.now),
    )
    tx.wake("webhooks")
    return message_id


def replay(tx: Transaction, context: CommandContext, message_id: str) -> str:
    """Send one message again under its id, in any state; return its endpoint's id."""
    message = get(tx, message_id)
    webhooks.get(tx, message["endpoint_id"])
    tx.run(
        "UPDATE webhook_message SET state = 'waiting', attempts = 0, due_at = :now, "
        "settled_at = NULL WHERE id = :id",
        now=micros(context.now),
        id=message_id,
    )
    tx.wake("webhooks")
    return message["endpoint_id"]


def get(tx: Transaction, message_id: str) -> WebhookMessageRow:
    """Return a message by its id; raises UnknownReference."""
    row = tx.row_as(
        WebhookMessageRow, "SELECT * FROM webhook_message WHERE id = :id", id=message_id
    )
    if row is None:
        raise UnknownReference("there is no such message; they are kept for a month", field="id")
    return row


def page(
    tx: Transaction, endpoint_id: str, state: str | None, before: str | None, limit: int
) -> list[Row]:
    """Return messages of an endpoint, the newest first; `before` is the id of the last one read."""
    condition = " AND state = :state" if state else ""
    values = {"state": state} if state else {}
    return tx.rows(
        "SELECT * FROM webhook_message WHERE endpoint_id = :id AND id < :before"
        f"{condition} ORDER BY id DESC LIMIT :limit",
        id=endpoint_id,
        before=before or "~",
        limit=limit,
        **values,
    )


def attempts(tx: Transaction, message_ids: Sequence[str]) -> dict[str, list[WebhookAttemptRow]]:
    """Return the attempts of messages, the first one first, by message id."""
    found: dict[str, list[WebhookAttemptRow]] = {message_id: [] for message_id in message_ids}
    rows = tx.rows_as(
        WebhookAttemptRow,
        "SELECT * FROM webhook_attempt WHERE message_id IN (:ids...) ORDER BY message_id, id",
        ids=list(message_ids),
    )
    for row in rows:
        found[row["message_id"]].append(row)
    return found


def forget(tx: Transaction, now: datetime, *, limit: int) -> int:
    """Delete messages settled, and attempts made, over a month ago; return the messages' number."""
    old = micros(now - KEPT)
    ids = [
        row["id"]
        for row in tx.rows_as(
            _Id,
            "SELECT id FROM webhook_message WHERE state <> 'waiting' AND settled_at < :old "
            "ORDER BY settled_at LIMIT :limit",
            old=old,
            limit=limit,
        )
    ]
    tx.run(
        "DELETE FROM webhook_attempt WHERE message_id IN (:ids...) OR id IN "
        "(SELECT id FROM webhook_attempt WHERE at < :old ORDER BY at LIMIT :limit)",
        ids=ids,
        old=old,
        limit=limit,
    )
    return tx.run("DELETE FROM webhook_message WHERE id IN (:ids...)", ids=ids) if ids else 0
