"""API keys: who may call, and for what. Only the digest of a secret is kept."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import orjson

from hub.catalogue import reference
from hub.clock import micros, new_id
from hub.errors import Forbidden, InvalidInput
from hub.sql import Transaction

PREFIX = "shk_"


class Scope(StrEnum):
    """What a key may do. Each names who carries such a key."""

    STOREFRONT = "storefront"  # availability and public facts of a unit
    SCANNER = "scanner"  # everything that is done to a unit in the warehouse
    POS = "pos"  # sales and returns at a counter
    OPS = "ops"  # channels, cases, reconciliation, the console
    ADMIN = "admin"  # the catalogue, channels' settings, keys


# A wider scope contains narrower ones.
CONTAINS = {
    Scope.STOREFRONT: {Scope.STOREFRONT},
    Scope.SCANNER: {Scope.SCANNER, Scope.STOREFRONT},
    Scope.POS: {Scope.POS, Scope.STOREFRONT},
    Scope.OPS: {Scope.OPS, Scope.SCANNER, Scope.POS, Scope.STOREFRONT},
    Scope.ADMIN: set(Scope),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling."""

    key_id: str
    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Say whether the caller may do what needs a scope."""
        return scope in self.scopes

    def require(self, scope: Scope) -> None:
        """Raise Forbidden unless the caller may do what needs the scope."""
        if not self.may(scope):
            raise Forbidden(f"this needs a key with the scope {scope}", needs=str(scope))


def create(tx: Transaction, name: str, scopes: Iterable[Scope], now: datetime) -> tuple[str, str]:
    """Make a key; return its id and the secret, which is shown this once."""
    wanted = sorted(set(scopes))
    if not name.strip() or len(name) > 100 or not wanted:
        raise InvalidInput("a key needs a name (at most 100 characters) and a scope", field="name")
    key_id, secret = new_id(), PREFIX + secrets.token_urlsafe(32)
    tx.run(
        "INSERT INTO api_key(id, name, digest, scopes, created_at) "
        "VALUES(:id, :name, :digest, :scopes, :now)",
        id=key_id,
        name=name,
        digest=_digest(secret),
        scopes=orjson.dumps([str(scope) for scope in wanted]).decode(),
        now=micros(now),
    )
    return key_id, secret


def revoke(tx: Transaction, key_id: str, now: datetime) -> None:
    """Refuse a key from now on; UnknownReference if there is none."""
    reference(tx, "api_key", "id", key_id)
    tx.run(
        "UPDATE api_key SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL",
        id=key_id,
        now=micros(now),
    )


def caller(tx: Transaction, secret: str) -> Caller | None:
    """Return who a secret belongs to; None if nobody, or if the key was revoked."""
    return _caller(tx, "digest = :value", _digest(secret))


def caller_by_id(tx: Transaction, key_id: str) -> Caller | None:
    """Return who a key belongs to, for sessions that were opened with it."""
    return _caller(tx, "id = :value", key_id)


def _caller(tx: Transaction, condition: str, value: str) -> Caller | None:
    row = tx.row(
        f"SELECT id, name, scopes FROM api_key WHERE {condition} AND revoked_at IS NULL",
        value=value,
    )
    if row is None:
        return None
    granted = (CONTAINS[Scope(scope)] for scope in orjson.loads(row["scopes"]))
    return Caller(row["id"], row["name"], frozenset().union(*granted))


def _digest(secret: str) -> str:
    # A secret has 256 random bits: a plain digest can not be searched, and costs microseconds.
    return hashlib.sha256(secret.encode()).hexdigest()
