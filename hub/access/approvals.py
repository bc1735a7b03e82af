"""The rule of two people: dangerous commands wait until somebody else approves of them.

Whoever sends such a command is refused with a request; a second holder of the same right approves
or rejects it; then the first one sends the same command again, once and in time. A request holds
the digest of its arguments, so that nothing but what was approved is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hub.access.keys import Caller
from hub.clock import micros, moment, new_id
from hub.errors import ApprovalNeeded, Forbidden, InvalidInput, StepNotAllowed, UnknownReference
from hub.storage.rows import ApprovalRow
from hub.storage.sql import Transaction

LIVES = timedelta(hours=24)
REASON_CHARS_MAX = 300
LISTED_MAX = 200


class State(StrEnum):
    """Where a request stands; EXPIRED is computed, never stored."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    USED = "used"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A command that somebody wants to give: its name, the digest of its arguments, and who."""

    command: str
    digest: str
    actor: str
    key_id: str
    arguments: str = "{}"
    """JSON, without secrets: what the second person sees."""


def state_of(row: ApprovalRow, now: datetime) -> State:
    """Return where a request stands at a time."""
    state = State(row["state"])
    open_still = state in (State.REQUESTED, State.APPROVED)
    return State.EXPIRED if open_still and row["expires_at"] <= micros(now) else state


def is_approved(tx: Transaction, wanted: Wanted, now: datetime) -> bool:
    """Return whether somebody approved of a command, in time and not used yet."""
    return _open(tx, wanted, now, State.APPROVED) is not None


def use(tx: Transaction, wanted: Wanted, now: datetime) -> bool:
    """Use up the approval of a command; return whether there was one."""
    row = _open(tx, wanted, now, State.APPROVED)
    if row is None:
        return False
    return bool(
        tx.run(
            "UPDATE approval SET state = 'used' WHERE id = :id AND state = 'approved'",
            id=row["id"],
        )
    )


def request(tx: Transaction, wanted: Wanted, now: datetime) -> ApprovalNeeded:
    """Return the refusal that names the open request for a command, which is made if need be."""
    row = _open(tx, wanted, now, State.REQUESTED)
    request_id, ends = (row["id"], moment(row["expires_at"])) if row else (new_id(), now + LIVES)
    if row is None:
        tx.run(
            "INSERT INTO approval(id, command, digest, arguments, state, requested_by, "
            "requested_by_key, requested_at, expires_at) VALUES(:id, :command, :digest, "
            ":arguments, 'requested', :actor, :key, :now, :ends)",
            id=request_id,
            command=wanted.command,
            digest=wanted.digest,
            arguments=wanted.arguments,
            actor=wanted.actor[:100],
            key=wanted.key_id,
            now=micros(now),
            ends=micros(ends),
        )
    return ApprovalNeeded(
        "a second person has to approve of this; then send it again, unchanged",
        approval=request_id,
        expires_at=ends.isoformat(),
    )


def by_id(tx: Transaction, request_id: str, *, lock: bool = False) -> ApprovalRow:
    """Return a request, locked where it is to be decided; raises UnknownReference."""
    locked = " FOR UPDATE" if lock else ""
    statement = f"SELECT * FROM approval WHERE id = :id{locked}"
    row = tx.row_as(ApprovalRow, statement, id=request_id)
    if row is None:
        raise UnknownReference(f"there is no request {request_id!r}", field="id")
    return row


def decide(
    tx: Transaction, request_id: str, caller: Caller, reason: str, now: datetime, *, approves: bool
) -> ApprovalRow:
    """Approve or reject a request.

    Raises Forbidden for the one who asked, for a key that the asking key made, and for a key that
    is younger than the request; StepNotAllowed for a request that is no longer open.
    """
    if not 0 < len(reason.strip()) <= REASON_CHARS_MAX:
        raise InvalidInput(f"a reason has 1 to {REASON_CHARS_MAX} characters", field="reason")
    row = by_id(tx, request_id, lock=True)
    if approves:
        _check_other(row, caller)
    state = state_of(row, now)
    if state is not State.REQUESTED:
        raise StepNotAllowed(f"this request is {state} already", allowed=[])
    tx.run(
        "UPDATE approval SET state = :state, decided_by = :by, decided_at = :now, "
        "reason = :reason WHERE id = :id",
        id=request_id,
        state=str(State.APPROVED if approves else State.REJECTED),
        by=caller.name[:100],
        now=micros(now),
        reason=reason.strip(),
    )
    return by_id(tx, request_id)


def _check_other(row: ApprovalRow, caller: Caller) -> None:
    asked = row["requested_by_key"]
    young = caller.created_at is not None and micros(caller.created_at) >= row["requested_at"]
    if caller.key_id == asked or caller.created_by_key == asked or young:
        raise Forbidden("somebody else has to approve: another key, made before and by others")


def listed(tx: Transaction, *, first: int) -> Sequence[ApprovalRow]:
    """Return requests, the newest first."""
    return tx.rows_as(
        ApprovalRow,
        "SELECT * FROM approval ORDER BY id DESC LIMIT :limit",
        limit=max(1, min(first, LISTED_MAX)),
    )


def _open(tx: Transaction, wanted: Wanted, now: datetime, state: State) -> ApprovalRow | None:
    return tx.row_as(
        ApprovalRow,
        "SELECT * FROM approval WHERE command = :command AND digest = :digest "
        "AND requested_by_key = :key AND state = :state AND expires_at > :now "
        "ORDER BY id LIMIT 1 FOR UPDATE",
        command=wanted.command,
        digest=wanted.digest,
        key=wanted.key_id,
        state=str(state),
        now=micros(now),
    )
