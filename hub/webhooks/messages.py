"""Messages for endpoints: made from the feed, due by a schedule, settled with each try.

Only the worker that holds an endpoint's lease makes and settles its messages; one that comes back
late finds that the fence is another's and changes nothing. What was sent and not settled is sent
again under the same id.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub import cases, webhooks
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros, moment, new_id
from hub.commands.context import CommandContext
from hub.errors import UnknownReference
from hub.history import event_feed
from hub.history.event_feed import Position
from hub.storage.sql import Row, Transaction
from hub.webhooks import EndpointState, Filter, payload

# Between tries, as the specification's example has it: some 76 hours altogether.
DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
ATTEMPTS_MAX = len(DELAYS) + 1
JITTER = 0.2
GONE = 410
THROTTLES = frozenset({429, 502, 503, 504})
PROBED_FROM = 5  # failures in a row: from then on one message at a time is tried
REST_MAX = timedelta(minutes=5)
RETRY_AFTER_MAX = timedelta(days=1)
DISABLED_AFTER = timedelta(days=5)  # without one success
WAITING_MAX = 1_000  # messages of an endpoint; what follows waits in the ledger
EVENTS_MAX = 500  # of the feed, read at a time
ANSWER_CHARS_MAX = 500
KEPT = timedelta(days=30)
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one try: the status, or none and why; how long it took."""

    status: int | None
    text: str
    duration_ms: int
    retry_after: timedelta | None = None

    @property
    def is_success(self) -> bool:
        """Say whether the message was taken."""
        return self.status is not None and 200 <= self.status < 300


def lease(tx: Transaction, endpoint_id: str, now: datetime, lasts: timedelta) -> Row | None:
    """Take an endpoint for one worker; None while another has it."""
    return tx.row(
        "UPDATE webhook_endpoint SET lease_until = :until, fence = fence + 1 "
        "WHERE id = :id AND lease_until <= :now AND state <> 'deleted' RETURNING *",
        id=endpoint_id,
        now=micros(now),
        until=micros(now + lasts),
    )


def _held(tx: Transaction, endpoint_id: str, fence: int) -> Row | None:
    return tx.row(
        "SELECT * FROM webhook_endpoint WHERE id = :id AND fence = :fence "
        "AND state <> 'deleted' FOR UPDATE",
        id=endpoint_id,
        fence=fence,
    )


def fill(
    tx: Transaction,
    endpoint_id: str,
    fence: int,
    now: datetime,
    skipped: tuple[Position, Position] | None = None,
) -> int:
    """Make messages of what follows the cursor, and move it; return how many were made.

    `skipped` are two positions between which, as the caller saw, nothing is for this endpoint. It
    holds only while the cursor is at the first: a recovery may have moved it meanwhile.
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
        # A message that is there already is sent again: the cursor went back to recover it.
        "INSERT INTO webhook_message(id, endpoint_id, event_id, subject, topic, body, due_at, "
        "created_at) VALUES(:id, :endpoint, :event, :subject, :topic, :body, :now, :now) "
        "ON CONFLICT(endpoint_id, event_id) DO UPDATE SET state = 'waiting', "
        "due_at = excluded.due_at, attempts = 0, settled_at = NULL",
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
    """Count the messages of an endpoint that are to be sent."""
    return int(
        tx.value(
            "SELECT COUNT(*) FROM webhook_message WHERE endpoint_id = :id AND state = 'waiting'",
            id=endpoint_id,
        )
    )


def webhook_id(message: Row) -> str:
    """Return what all tries of a message bear: the id of its event, or of the test.

    A message that was dropped and is made again from the ledger bears the same.
    """
    return str(message["event_id"] or message["id"])


def due(tx: Transaction, endpoint: Row, now: datetime, *, limit: int) -> list[Row]:
    """Return messages that are due, the oldest first; for a disabled endpoint only tests."""
    tests = "" if endpoint["state"] == EndpointState.ACTIVE else " AND event_id IS NULL"
    return tx.rows(
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
    tried: Sequence[tuple[Row, Answer]],
    now: datetime,
) -> bool:
    """Write what became of tries, and what follows for the endpoint; False if it is another's."""
    endpoint = _held(tx, endpoint_id, fence)
    if endpoint is None:
        return False
    for message, answer in tried:
        known = tx.row("SELECT * FROM webhook_message WHERE id = :id", id=message["id"])
        if known is None or known["state"] != "waiting":
            continue
        _note(tx, known, answer, now)
        if answer.is_success:
            _delivered(tx, known, now)
            endpoint = {**endpoint, "failures": 0, "failing_since": None, "rests_until": 0}
            endpoint["last_success_at"] = micros(now)
        else:
            _failed(tx, endpoint, known, answer, now)
            if known["event_id"] is not None:
                endpoint = _failing(endpoint, answer, now)
    _keep(tx, endpoint)
    if any(answer.status == GONE for _, answer in tried):
        _close(tx, endpoint, "it answered 410: it wants no more webhooks", now)
    elif _fails_too_long(endpoint, now):
        days = DISABLED_AFTER.days
        _close(tx, endpoint, f"it took nothing for {days} days: {tried[-1][1].text}", now)
    elif any(answer.is_success for _, answer in tried) and endpoint["state"] == "active":
        cases.settle(tx, CaseKind.WEBHOOK_FAILING, endpoint_id, None, now)
    return True


def _note(tx: Transaction, message: Row, answer: Answer, now: datetime) -> None:
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


def _delivered(tx: Transaction, message: Row, now: datetime) -> None:
    tx.run(
        "UPDATE webhook_message SET state = 'delivered', attempts = attempts + 1, "
        "last_error = NULL, settled_at = :now WHERE id = :id",
        now=micros(now),
        id=message["id"],
    )


def _failed(tx: Transaction, endpoint: Row, message: Row, answer: Answer, now: datetime) -> None:
    attempts = message["attempts"] + 1
    is_test = message["event_id"] is None
    given_up = is_test or attempts >= ATTEMPTS_MAX
    tx.run(
        "UPDATE webhook_message SET state = :state, attempts = :attempts, due_at = :due, "
        "last_error = :error, settled_at = :settled WHERE id = :id",
        state="given_up" if given_up else "waiting",
        attempts=attempts,
        due=0 if given_up else micros(now + delay(attempts, answer.retry_after)),
        error=_said(answer),
        settled=micros(now) if given_up else None,
        id=message["id"],
    )
    if given_up and not is_test:
        finding = Finding(
            kind=CaseKind.WEBHOOK_FAILING,
            subject=endpoint["id"],
            summary=f"{endpoint['url']} did not take a message in {attempts} tries; "
            "it can be replayed.",
            details={"error": _said(answer), "message": message["id"]},
        )
        cases.report(tx, finding, now)


def delay(attempts: int, retry_after: timedelta | None) -> timedelta:
    """Say how long after so many tries the next one comes, spread so that not all come at once."""
    planned = DELAYS[min(attempts, len(DELAYS)) - 1] * _random.uniform(1, 1 + JITTER)
    return max(planned, min(retry_after or timedelta(), RETRY_AFTER_MAX))


def _said(answer: Answer) -> str:
    status = "no answer" if answer.status is None else str(answer.status)
    return f"{status}: {answer.text}"[:ANSWER_CHARS_MAX]


def _failing(endpoint: Row, answer: Answer, now: datetime) -> Row:
    """Count a failure; who asks for a pause, or fails on and on, is left alone for a while."""
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


def _keep(tx: Transaction, endpoint: Row) -> None:
    tx.run(
        "UPDATE webhook_endpoint SET failures = :failures, failing_since = :since, "
        "rests_until = :rests, last_success_at = :success WHERE id = :id",
        failures=endpoint["failures"],
        since=endpoint["failing_since"],
        rests=endpoint["rests_until"],
        success=endpoint["last_success_at"],
        id=endpoint["id"],
    )


def _fails_too_long(endpoint: Row, now: datetime) -> bool:
    since = endpoint["failing_since"]
    return since is not None and now - moment(since) >= DISABLED_AFTER


def _close(tx: Transaction, endpoint: Row, reason: str, now: datetime) -> None:
    """Disable an endpoint, and call a person: nothing of what is recorded since is told."""
    if endpoint["state"] != EndpointState.ACTIVE:
        return
    webhooks.disable(tx, endpoint["id"], reason, now)
    finding = Finding(
        kind=CaseKind.WEBHOOK_FAILING,
        subject=endpoint["id"],
        severity=Severity.HIGH,
        summary=f"{endpoint['url']} is told nothing more: {reason}"[:500],
        details={"reason": reason},
    )
    cases.report(tx, finding, now)


# --- For people -----------------------------------------------------------------------------


def test(tx: Transaction, context: CommandContext, endpoint_id: str) -> str:
    """Queue a message that says nothing, tried once, also while the endpoint is disabled."""
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
    """Send one message again under its id, whatever became of it; return its endpoint's id."""
    message = get(tx, message_id)
    webhooks.get(tx, message["endpoint_id"])
    tx.run(
        "UPDATE webhook_message SET state = 'waiting', attempts = 0, due_at = :now, "
        "settled_at = NULL WHERE id = :id",
        now=micros(context.now),
        id=message_id,
    )
    tx.wake("webhooks")
    return str(message["endpoint_id"])


def get(tx: Transaction, message_id: str) -> Row:
    """Return a message, or raise UnknownReference."""
    row = tx.row("SELECT * FROM webhook_message WHERE id = :id", id=message_id)
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


def attempts(tx: Transaction, message_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the tries of messages, the first one first."""
    found: dict[str, list[Row]] = {message_id: [] for message_id in message_ids}
    rows = tx.rows(
        "SELECT * FROM webhook_attempt WHERE message_id IN (:ids...) ORDER BY message_id, id",
        ids=list(message_ids),
    )
    for row in rows:
        found[row["message_id"]].append(row)
    return found


def forget(tx: Transaction, now: datetime, *, limit: int) -> int:
    """Drop what was settled more than a month ago, and tries as old; return how many messages."""
    old = micros(now - KEPT)
    ids = [
        row["id"]
        for row in tx.rows(
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
