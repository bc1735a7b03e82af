"""API keys and their scopes. Only the digest of a secret is stored."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

import orjson

from hub.access import web_origins
from hub.catalogue import reference
from hub.clock import micros, new_id
from hub.errors import Forbidden, InvalidInput
from hub.storage.sql import Transaction

PREFIX = "shk_"
PUBLISHABLE_PREFIX = "shp_"
CHANGED = "keys"  # topic that a new or revoked key wakes
ORIGINS_MAX = 20  # of one publishable key


class Scope(StrEnum):
    """Permission of a key, named after its typical holder."""

    STOREFRONT = "storefront"  # availability and public facts of a unit
    QUANTITIES = "quantities"  # exact numbers of units that may be sold
    CARTS = "carts"  # reserves units for carts, and checks out what it reserved
    SCANNER = "scanner"  # everything that is done to a unit in the warehouse
    POS = "pos"  # sales and returns at a counter
    ORDERS = "orders"  # places, edits and cancels orders at the hub itself
    OPS = "ops"  # channels, cases, reconciliation, the console
    REFUNDS = "refunds"  # lets channels pay buyers back
    OVERRIDE = "override"  # lets an order leave that is on hold, acts on carts of other keys
    ADMIN = "admin"  # the catalogue, channels' settings, keys
    CLIENT = "client"  # owner of goods that we keep: reads its own data only


# A wider scope contains narrower ones.
CONTAINS = {
    Scope.STOREFRONT: {Scope.STOREFRONT},
    Scope.QUANTITIES: {Scope.QUANTITIES, Scope.STOREFRONT},
    Scope.CARTS: {Scope.CARTS, Scope.STOREFRONT},
    Scope.SCANNER: {Scope.SCANNER, Scope.QUANTITIES, Scope.STOREFRONT},
    Scope.POS: {Scope.POS, Scope.QUANTITIES, Scope.STOREFRONT},
    Scope.ORDERS: {Scope.ORDERS, Scope.CARTS, Scope.QUANTITIES, Scope.STOREFRONT},
    Scope.OPS: set(Scope) - {Scope.REFUNDS, Scope.OVERRIDE, Scope.ADMIN, Scope.CLIENT},
    Scope.REFUNDS: {Scope.REFUNDS},
    Scope.OVERRIDE: {Scope.OVERRIDE},
    Scope.ADMIN: set(Scope) - {Scope.CLIENT},
    Scope.CLIENT: {Scope.CLIENT},
}


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller; with `client_id`, only the goods of that client are visible."""

    key_id: str
    name: str
    scopes: frozenset[Scope]
    client_id: str | None = None
    client: str | None = None  # its code
    origins: frozenset[str] | None = None  # of web pages that a publishable key stands in

    @property
    def is_publishable(self) -> bool:
        """Return whether anybody may read the key in a web page."""
        return self.origins is not None

    def may(self, scope: Scope) -> bool:
        """Return whether the caller has a scope."""
        return scope in self.scopes

    def require(self, scope: Scope) -> None:
        """Require a scope of the caller; raises Forbidden."""
        if not self.may(scope):
            raise Forbidden(f"this needs a key with the scope {scope}", needs=str(scope))


def create(
    tx: Transaction,
    name: str,
    scopes: Iterable[Scope],
    now: datetime,
    *,
    client: str | None = None,
) -> tuple[str, str]:
    """Create a key; return its id and the secret, which is shown this once.

    A key of the scope CLIENT names its client by the code, and has no other scope; no other key
    names one. Raises InvalidInput, or UnknownReference for a client that does not exist.
    """
    wanted = sorted(set(scopes))
    if not name.strip() or len(name) > 100 or not wanted:
        raise InvalidInput("a key needs a name (at most 100 characters) and a scope", field="name")
    if (client is not None or Scope.CLIENT in wanted) and wanted != [Scope.CLIENT]:
        raise InvalidInput("the key of a client has the scope client and no other", field="scopes")
    if (client is None) == (Scope.CLIENT in wanted):
        raise InvalidInput("a key of the scope client names its client", field="client")
    client_id = reference(tx, "client", "code", client)["id"] if client is not None else None
    tx.wake(CHANGED)
    key_id, secret = new_id(), PREFIX + secrets.token_urlsafe(32)
    tx.run(
        "INSERT INTO api_key(id, name, digest, scopes, client_id, created_at) "
        "VALUES(:id, :name, :digest, :scopes, :client, :now)",
        id=key_id,
        name=name,
        digest=digest(secret),
        scopes=orjson.dumps([str(scope) for scope in wanted]).decode(),
        client=client_id,
        now=micros(now),
    )
    return key_id, secret


def create_publishable(
    tx: Transaction, name: str, origins: Sequence[str], now: datetime
) -> tuple[str, str]:
    """Create a key that stands in web pages; return its id and the key, which is no secret.

    It reserves and checks out carts, by trusted documents over public fields, for pages of
    `origins` such as ``https://shop.example``. Raises InvalidInput for a bad name or origin.
    """
    if not name.strip() or len(name) > 100:
        raise InvalidInput("a key needs a name, at most 100 characters", field="name")
    allowed = [web_origins.checked(each) for each in origins]
    if not 0 < len(set(allowed)) <= ORIGINS_MAX:
        raise InvalidInput(f"name 1 to {ORIGINS_MAX} origins", field="origins")
    tx.wake(CHANGED)
    key_id, secret = new_id(), PUBLISHABLE_PREFIX + secrets.token_urlsafe(24)
    tx.run(
        "INSERT INTO api_key(id, name, digest, scopes, origins, created_at) "
        "VALUES(:id, :name, :digest, :scopes, :origins, :now)",
        id=key_id,
        name=name,
        digest=digest(secret),
        scopes=orjson.dumps([str(Scope.CARTS)]).decode(),
        origins=orjson.dumps(sorted(set(allowed))).decode(),
        now=micros(now),
    )
    return key_id, secret


def origins(tx: Transaction) -> frozenset[str]:
    """Return the origins of all publishable keys that were not revoked."""
    rows = tx.rows_as(
        _Origins,
        "SELECT origins FROM api_key WHERE origins IS NOT NULL AND revoked_at IS NULL "
        "ORDER BY id DESC LIMIT 1000",
    )
    return frozenset(each for row in rows for each in orjson.loads(row["origins"]))


def revoke(tx: Transaction, key_id: str, now: datetime) -> None:
    """Revoke a key; raises UnknownReference."""
    reference(tx, "api_key", "id", key_id)
    tx.wake(CHANGED)
    tx.run(
        "UPDATE api_key SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL",
        id=key_id,
        now=micros(now),
    )


class ListedKey(TypedDict):
    """A key without its secret, with the code of its client."""

    id: str
    name: str
    scopes: str
    created_at: int
    revoked_at: int | None
    client: str | None
    origins: str | None


class _Origins(TypedDict):
    origins: str


class _CallerRow(TypedDict):
    id: str
    name: str
    scopes: str
    client_id: str | None
    client: str | None
    origins: str | None


def listed(tx: Transaction) -> list[ListedKey]:
    """Return all keys, the newest first, each with the code of its client; never a secret."""
    return tx.rows_as(
        ListedKey,
        "SELECT api_key.id, api_key.name, api_key.scopes, api_key.created_at, api_key.revoked_at, "
        "client.code AS client, api_key.origins FROM api_key "
        "LEFT JOIN client ON client.id = api_key.client_id "
        "ORDER BY api_key.id DESC LIMIT 1000",
    )


def caller(tx: Transaction, secret: str) -> Caller | None:
    """Return the caller of a secret; None if it is unknown or revoked."""
    return caller_by_digest(tx, digest(secret))


def caller_by_digest(tx: Transaction, secret_digest: str) -> Caller | None:
    """Return the caller of a secret by its digest."""
    return _caller(tx, "api_key.digest = :value", secret_digest)


def caller_by_id(tx: Transaction, key_id: str) -> Caller | None:
    """Return the caller of a key id, for sessions that were opened with it."""
    return _caller(tx, "api_key.id = :value", key_id)


def _caller(tx: Transaction, condition: str, value: str) -> Caller | None:
    row = tx.row_as(
        _CallerRow,
        "SELECT api_key.id, api_key.name, api_key.scopes, api_key.client_id, "
        "client.code AS client, api_key.origins FROM api_key "
        "LEFT JOIN client ON client.id = api_key.client_id "
        f"WHERE {condition} AND api_key.revoked_at IS NULL",
        value=value,
    )
    if row is None:
        return None
    granted = (CONTAINS[Scope(scope)] for scope in orjson.loads(row["scopes"]))
    scopes = frozenset[Scope]().union(*granted)
    allowed = None if row["origins"] is None else frozenset[str](orjson.loads(row["origins"]))
    return Caller(row["id"], row["name"], scopes, row["client_id"], row["client"], allowed)


def digest(secret: str) -> str:
    """Return what is stored of a secret."""
    # A secret has 256 random bits: a plain digest can not be searched, and costs microseconds.
    return hashlib.sha256(secret.encode()).hexdigest()
