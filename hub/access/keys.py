"""API keys: their scopes, and what narrows them. Only the digest of a secret is stored."""

import hashlib
import ipaddress
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypedDict

import orjson

from hub.access import web_origins
from hub.catalogue import reference
from hub.clock import micros, moment, new_id
from hub.errors import Forbidden, InvalidInput
from hub.storage.documents import NOTHING, readable, restriction
from hub.storage.sql import Transaction

PREFIX = "shk_"
PUBLISHABLE_PREFIX = "shp_"
CHANGED = "keys"  # topic that a new or revoked key wakes
ORIGINS_MAX = 20  # of one publishable key
ADDRESSES_MAX = 50  # networks of one key
COMMANDS_MAX = 100
NAME_CHARS_MAX = 100
USE_NOTED_EVERY = timedelta(minutes=10)  # the last use is known to this much


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
# Whose commands act on units alone, and so can be kept to a site or to one owner's goods.
CONFINABLE = frozenset({Scope.SCANNER, Scope.POS})


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    With `client_id`, only the goods of that client are visible and only they are acted on. With
    `site_id` the caller acts at that site only, with `commands` only by these commands or groups.
    """

    key_id: str
    name: str
    scopes: frozenset[Scope]
    client_id: str | None = None
    client: str | None = None  # its code
    origins: frozenset[str] | None = None  # of web pages that a publishable key stands in
    site_id: str | None = None
    commands: frozenset[str] | None = None
    addresses: tuple[str, ...] | None = None  # networks that it may call from
    last_used_at: datetime | None = None
    created_by_key: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None

    def has_ended(self, now: datetime) -> bool:
        """Return whether the key is past its end."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def is_publishable(self) -> bool:
        """Return whether anybody may read the key in a web page."""
        return self.origins is not None

    @property
    def is_confined(self) -> bool:
        """Return whether the caller may act only at a site, or only on one client's goods."""
        return self.site_id is not None or (
            self.client_id is not None and not self.may(Scope.CLIENT)
        )

    def may(self, scope: Scope) -> bool:
        """Return whether the caller has a scope."""
        return scope in self.scopes

    def require(self, scope: Scope) -> None:
        """Require a scope of the caller; raises Forbidden."""
        if not self.may(scope):
            raise Forbidden(f"this needs a key with the scope {scope}", needs=str(scope))

    def may_call_from(self, address: str) -> bool:
        """Return whether the caller may call from an address."""
        if self.addresses is None:
            return True
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in readable(ipaddress.ip_network, self.addresses))


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What narrows a key: codes of a client and of a site, commands, networks, and its end."""

    client: str | None = None
    site: str | None = None
    commands: Sequence[str] | None = None
    addresses: Sequence[str] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Creator:
    """Who makes a key: a name, and the key that was used."""

    name: str = "hub"
    key_id: str | None = None


def create(
    tx: Transaction,
    name: str,
    scopes: Iterable[Scope],
    now: datetime,
    *,
    client: str | None = None,
    narrowing: Narrowing | None = None,
    creator: Creator | None = None,
) -> tuple[str, str]:
    """Create a key; return its id and the secret, which is shown this once.

    A key of the scope CLIENT names its client by the code, and has no other scope; keys of SCANNER
    and POS may name a client and a site. Raises InvalidInput, or UnknownReference for a client or
    site that does not exist.
    """
    wanted, given = sorted(set(scopes)), narrowing or Narrowing(client=client)
    if not name.strip() or len(name) > NAME_CHARS_MAX or not wanted:
        raise InvalidInput("a key needs a name (at most 100 characters) and a scope", field="name")
    _check_scopes(wanted, given)
    tx.wake(CHANGED)
    client_id = reference(tx, "client", "code", given.client)["id"] if given.client else None
    key_id, secret = new_id(), PREFIX + secrets.token_urlsafe(32)
    maker = creator or Creator()
    tx.run(
        "INSERT INTO api_key(id, name, digest, scopes, client_id, location_id, commands, "
        "addresses, created_by, created_by_key, created_at, expires_at) VALUES(:id, :name, "
        ":digest, :scopes, :client, :site, :commands, :addresses, :by, :by_key, :now, :expires)",
        id=key_id,
        name=name,
        digest=digest(secret),
        scopes=orjson.dumps([str(scope) for scope in wanted]).decode(),
        client=client_id,
        site=_site(tx, given.site) if given.site else None,
        commands=_listed(_checked_commands(given.commands)),
        addresses=_listed(_networks(given.addresses)),
        by=maker.name[:NAME_CHARS_MAX],
        by_key=maker.key_id,
        now=micros(now),
        expires=_end(given.expires_at, now),
    )
    return key_id, secret


def _check_scopes(wanted: Sequence[Scope], given: Narrowing) -> None:
    if Scope.CLIENT in wanted:
        if wanted != [Scope.CLIENT]:
            raise InvalidInput("the key of a client has the scope client only", field="scopes")
        if given.client is None:
            raise InvalidInput("a key of the scope client names its client", field="client")
    elif given.client is not None and not CONFINABLE.issuperset(wanted):
        text = "only keys of the scopes client, scanner and pos name a client"
        raise InvalidInput(text, field="scopes")
    if given.site is not None and not CONFINABLE.issuperset(wanted):
        raise InvalidInput("only keys of the scopes scanner and pos name a site", field="scopes")


def _site(tx: Transaction, code: str) -> str:
    place = reference(tx, "location", "code", code)
    return str(place["site_id"])


def _checked_commands(commands: Sequence[str] | None) -> list[str] | None:
    if commands is not None and not 0 < len(set(commands)) <= COMMANDS_MAX:
        raise InvalidInput(f"name 1 to {COMMANDS_MAX} commands", field="commands")
    return None if commands is None else sorted(set(commands))


def _networks(addresses: Sequence[str] | None) -> list[str] | None:
    """Return addresses and networks in CIDR notation; raises InvalidInput."""
    if addresses is None:
        return None
    if not 0 < len(addresses) <= ADDRESSES_MAX:
        raise InvalidInput(f"name 1 to {ADDRESSES_MAX} networks", field="addresses")
    try:
        return sorted({str(ipaddress.ip_network(each.strip())) for each in addresses})
    except ValueError as error:
        text = "a network is written like 192.0.2.0/24 or 2001:db8::/48"
        raise InvalidInput(text, field="addresses") from error


def _end(expires_at: datetime | None, now: datetime) -> int | None:
    if expires_at is None:
        return None
    if expires_at.tzinfo is None or expires_at <= now:
        raise InvalidInput("a key expires later than now, at a time with its zone", field="expires")
    return micros(expires_at)


def _listed(values: Sequence[str] | None) -> str | None:
    return None if values is None else orjson.dumps(values).decode()


def create_publishable(
    tx: Transaction,
    name: str,
    origins: Sequence[str],
    now: datetime,
    creator: Creator | None = None,
) -> tuple[str, str]:
    """Create a key that stands in web pages; return its id and the key, which is no secret.

    It reserves and checks out carts, by trusted documents over public fields, for pages of
    `origins` such as ``https://shop.example``. Raises InvalidInput for a bad name or origin.
    """
    if not name.strip() or len(name) > NAME_CHARS_MAX:
        raise InvalidInput("a key needs a name, at most 100 characters", field="name")
    allowed = [web_origins.checked(each) for each in origins]
    if not 0 < len(set(allowed)) <= ORIGINS_MAX:
        raise InvalidInput(f"name 1 to {ORIGINS_MAX} origins", field="origins")
    tx.wake(CHANGED)
    key_id, secret = new_id(), PUBLISHABLE_PREFIX + secrets.token_urlsafe(24)
    maker = creator or Creator()
    tx.run(
        "INSERT INTO api_key(id, name, digest, scopes, origins, created_by, created_by_key, "
        "created_at) VALUES(:id, :name, :digest, :scopes, :origins, :by, :by_key, :now)",
        id=key_id,
        name=name,
        digest=digest(secret),
        scopes=orjson.dumps([str(Scope.CARTS)]).decode(),
        origins=orjson.dumps(sorted(set(allowed))).decode(),
        by=maker.name[:NAME_CHARS_MAX],
        by_key=maker.key_id,
        now=micros(now),
    )
    return key_id, secret


def revoke(tx: Transaction, key_id: str, now: datetime) -> None:
    """Revoke a key; raises UnknownReference."""
    reference(tx, "api_key", "id", key_id)
    tx.wake(CHANGED)
    tx.run(
        "UPDATE api_key SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL",
        id=key_id,
        now=micros(now),
    )


def note_use(tx: Transaction, key_id: str, address: str, now: datetime) -> None:
    """Note that a key was used; asked at most once in USE_NOTED_EVERY for each key."""
    tx.run(
        "UPDATE api_key SET last_used_at = :now, last_used_from = :address WHERE id = :id",
        id=key_id,
        address=address[:64],
        now=micros(now),
    )


class ListedKey(TypedDict):
    """A key without its secret, with the codes of its client and site."""

    id: str
    name: str
    scopes: str
    created_by: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    last_used_from: str | None
    revoked_at: int | None
    client: str | None
    site: str | None
    commands: str | None
    addresses: str | None
    origins: str | None


class _CallerRow(TypedDict):
    id: str
    name: str
    scopes: str
    client_id: str | None
    client: str | None
    origins: str | None
    location_id: str | None
    commands: str | None
    addresses: str | None
    last_used_at: int | None
    created_by_key: str | None
    created_at: int
    expires_at: int | None


def listed(tx: Transaction) -> list[ListedKey]:
    """Return all keys, the newest first, each with the codes of its client and site."""
    return tx.rows_as(
        ListedKey,
        "SELECT api_key.id, api_key.name, api_key.scopes, api_key.created_by, api_key.created_at, "
        "api_key.expires_at, api_key.last_used_at, api_key.last_used_from, api_key.revoked_at, "
        "client.code AS client, location.code AS site, api_key.commands, api_key.addresses, "
        "api_key.origins FROM api_key LEFT JOIN client ON client.id = api_key.client_id "
        "LEFT JOIN location ON location.id = api_key.location_id "
        "ORDER BY api_key.id DESC LIMIT 1000",
    )


def caller(tx: Transaction, secret: str, now: datetime) -> Caller | None:
    """Return the caller of a secret; None if it is unknown, revoked or past its end."""
    return caller_by_digest(tx, digest(secret), now)


def caller_by_digest(tx: Transaction, secret_digest: str, now: datetime) -> Caller | None:
    """Return the caller of a secret by its digest."""
    return _caller(tx, "api_key.digest = :value", secret_digest, now)


def caller_by_id(tx: Transaction, key_id: str, now: datetime) -> Caller | None:
    """Return the caller of a key id, for sessions that were opened with it."""
    return _caller(tx, "api_key.id = :value", key_id, now)


def _caller(tx: Transaction, condition: str, value: str, now: datetime) -> Caller | None:
    row = tx.row_as(
        _CallerRow,
        "SELECT api_key.id, api_key.name, api_key.scopes, api_key.client_id, "
        "client.code AS client, api_key.origins, api_key.location_id, api_key.commands, "
        "api_key.addresses, api_key.last_used_at, api_key.created_by_key, api_key.created_at, "
        "api_key.expires_at FROM api_key LEFT JOIN client ON client.id = api_key.client_id "
        f"WHERE {condition} AND api_key.revoked_at IS NULL "
        "AND (api_key.expires_at IS NULL OR api_key.expires_at > :now)",
        value=value,
        now=micros(now),
    )
    if row is None:
        return None
    granted = (CONTAINS[Scope(scope)] for scope in orjson.loads(row["scopes"]))
    return Caller(
        row["id"],
        row["name"],
        frozenset[Scope]().union(*granted),
        row["client_id"],
        row["client"],
        _set(row["origins"]),
        row["location_id"],
        _set(row["commands"]),
        None if row["addresses"] is None else tuple(restriction(row["addresses"])),
        None if row["last_used_at"] is None else moment(row["last_used_at"]),
        row["created_by_key"],
        moment(row["created_at"]),
        None if row["expires_at"] is None else moment(row["expires_at"]),
    )


def _set(text: str | None) -> frozenset[str] | None:
    """Return what a key is narrowed to; what cannot be read allows nothing."""
    return None if text is None else restriction(text) or NOTHING


def digest(secret: str) -> str:
    """Return what is stored of a secret."""
    # A secret has 256 random bits: a plain digest can not be searched, and costs microseconds.
    return hashlib.sha256(secret.encode()).hexdigest()
