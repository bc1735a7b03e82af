"""Who may call, from where and for how long; who approved what; and the trail of it all."""

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from hub.storage.model.columns import Sequence, instant, integer, own_id, to, words


class ApiKey(SQLModel, table=True):
    """Who may call: the digest of a secret, and its scopes."""

    __tablename__ = "api_key"

    id: str = own_id()
    name: str = Field(max_length=100)
    digest: str = Field(max_length=64, unique=True)
    scopes: str = words(nullable=False)  # JSON list
    client_id: str | None = to("client", nullable=True)  # sees this client's goods only
    origins: str | None = words()  # JSON list of web origins: the key is publishable
    location_id: str | None = to("location", nullable=True)  # acts at this site only
    commands: str | None = words()  # JSON list of commands and groups; None: as the scopes allow
    addresses: str | None = words()  # JSON list of networks; None: from anywhere
    created_by: str = words(nullable=False, default="hub")
    created_by_key: str | None = Field(default=None, max_length=36)
    created_at: int = instant()
    expires_at: int | None = instant(nullable=True)
    last_used_at: int | None = instant(nullable=True)  # to some minutes
    last_used_from: str | None = Field(default=None, max_length=64)
    revoked_at: int | None = instant(nullable=True)


class TrustedDocument(SQLModel, table=True):
    """A GraphQL document that publishable keys may ask, by the SHA-256 of its text."""

    __tablename__ = "trusted_document"

    sha256: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=200)
    text: str = words(nullable=False)
    pushed_by: str = Field(max_length=100)
    pushed_at: int = instant()


class LoginSession(SQLModel, table=True):
    """Somebody is signed in: the digest of a token, its owner, and when it ends."""

    __tablename__ = "login_session"
    __table_args__ = (Index("login_session_owner", "owner_kind", "owner_id"),)

    id: str = own_id()
    digest: str = Field(max_length=64, unique=True)
    owner_kind: str = Field(max_length=10)  # key, person
    owner_id: str = Field(max_length=36)
    address: str = Field(default="", max_length=64)
    created_at: int = instant()
    seen_at: int = instant()  # to a minute
    expires_at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True), default=None)
    ended_at: int | None = instant(nullable=True)


class FailedAttempt(SQLModel, table=True):
    """How often signing in failed from an address, or with a prefix, since a time."""

    __tablename__ = "failed_attempt"

    name: str = Field(primary_key=True, max_length=100)
    failures: int = integer()
    since: int = instant()


class Approval(SQLModel, table=True):
    """A dangerous command that a second person allows or refuses."""

    __table_args__ = (Index("approval_asked", "command", "digest", "requested_by_key"),)

    id: str = own_id()
    command: str = Field(max_length=60)
    digest: str = Field(max_length=64)  # of the arguments
    arguments: str = words(nullable=False, default="{}")  # JSON, without secrets
    state: str = Field(max_length=10)  # requested, approved, rejected, used
    requested_by: str = Field(max_length=100)
    requested_by_key: str = Field(max_length=36)
    requested_at: int = instant()
    expires_at: int = instant()
    decided_by: str | None = Field(default=None, max_length=100)
    decided_at: int | None = instant(nullable=True)
    reason: str | None = Field(default=None, max_length=300)


class TrailChange(SQLModel, table=True):
    """What the database noted of a change to a table of settings, until an entry takes it up."""

    __tablename__ = "trail_change"

    seq: int = Field(sa_column=Column(Sequence, primary_key=True), default=None)
    transaction_id: int = integer()
    subject: str = Field(max_length=40)  # the table
    row_id: str = Field(max_length=100)
    before: str | None = words()  # JSON, without secrets; None: it was made
    after: str | None = words()  # JSON; None: it was removed


class TrailEntry(SQLModel, table=True):
    """One administrative command, chained to the one before; never changed."""

    __tablename__ = "trail_entry"

    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    recorded_at: int = instant()
    actor: str = Field(max_length=100)
    key_id: str | None = Field(default=None, max_length=36)
    session_id: str | None = Field(default=None, max_length=36)
    address: str = Field(default="", max_length=64)
    command: str = Field(max_length=60)
    command_id: str | None = Field(default=None, max_length=36)
    arguments: str = words(nullable=False, default="{}")  # JSON, without secrets
    changes: str = words(nullable=False, default="[]")  # JSON: before and after of each row
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)
