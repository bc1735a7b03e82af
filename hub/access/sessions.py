"""Sessions of people who are signed in: they live on the server, and end there.

A browser holds a random token; its digest is stored with who owns the session: an API key, or a
person. A session ends at a fixed time, when nobody has used it for a while, or when its owner
signs out; no page prolongs it beyond its fixed end.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hub.clock import micros, moment, new_id
from hub.storage.rows import LoginSessionRow
from hub.storage.sql import Transaction

SEEN_EVERY = timedelta(minutes=1)  # the last use is known to this much
KEPT = timedelta(days=30)  # after its end


class OwnerKind(StrEnum):
    """Who owns a session."""

    KEY = "key"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who is signed in."""

    kind: OwnerKind
    id: str


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long a session lives in all, and without being used."""

    absolute: timedelta = timedelta(hours=12)
    idle: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is open."""

    id: str
    owner: Owner
    seen_at: datetime


def begin(
    tx: Transaction, owner: Owner, now: datetime, lifetimes: Lifetimes, address: str = ""
) -> str:
    """Begin a session and return its token, which is stored nowhere."""
    token = secrets.token_urlsafe(32)
    tx.run(
        "INSERT INTO login_session(id, digest, owner_kind, owner_id, address, created_at, seen_at, "
        "expires_at) VALUES(:id, :digest, :kind, :owner, :address, :now, :now, :expires)",
        id=new_id(),
        digest=_digest(token),
        kind=str(owner.kind),
        owner=owner.id,
        address=address[:64],
        now=micros(now),
        expires=micros(now + lifetimes.absolute),
    )
    return token


def find(tx: Transaction, token: str, now: datetime, lifetimes: Lifetimes) -> Session | None:
    """Return the open session of a token; None if it ended, in whatever way."""
    row = tx.row_as(
        LoginSessionRow,
        "SELECT * FROM login_session WHERE digest = :digest AND ended_at IS NULL "
        "AND expires_at > :now AND seen_at > :idle",
        digest=_digest(token),
        now=micros(now),
        idle=micros(now - lifetimes.idle),
    )
    if row is None:
        return None
    owner = Owner(OwnerKind(row["owner_kind"]), row["owner_id"])
    return Session(row["id"], owner, moment(row["seen_at"]))


def touch(tx: Transaction, session_id: str, now: datetime) -> None:
    """Note that a session was used; asked at most once in SEEN_EVERY for each session."""
    tx.run("UPDATE login_session SET seen_at = :now WHERE id = :id", id=session_id, now=micros(now))


def end(tx: Transaction, token: str, now: datetime) -> None:
    """End the session of a token; nothing happens if it has ended."""
    tx.run(
        "UPDATE login_session SET ended_at = :now WHERE digest = :digest AND ended_at IS NULL",
        digest=_digest(token),
        now=micros(now),
    )


def end_all(tx: Transaction, owner: Owner, now: datetime) -> int:
    """End every session of an owner; return how many were open."""
    return tx.run(
        "UPDATE login_session SET ended_at = :now WHERE owner_kind = :kind AND owner_id = :owner "
        "AND ended_at IS NULL",
        kind=str(owner.kind),
        owner=owner.id,
        now=micros(now),
    )


def forget(tx: Transaction, now: datetime) -> int:
    """Delete sessions that ended a month ago; return how many."""
    return tx.run("DELETE FROM login_session WHERE expires_at < :before", before=micros(now - KEPT))


def _digest(token: str) -> str:
    # A token has 256 random bits, as the secret of a key has.
    return hashlib.sha256(token.encode()).hexdigest()
