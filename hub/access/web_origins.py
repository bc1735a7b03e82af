"""Web origins: scheme, host and port of a page, as browsers state them (RFC 6454)."""

import re
from typing import TypedDict

import orjson

from hub.errors import InvalidInput
from hub.storage.sql import Transaction

CHARS_MAX = 200
_ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?", re.ASCII)
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})


def checked(text: str) -> str:
    """Return an origin as browsers state it.

    Raises InvalidInput for what is none, and for http anywhere but on this machine: anybody between
    could change such a page.
    """
    origin = text.strip().lower().removesuffix("/")
    found = _ORIGIN.fullmatch(origin) if len(origin) <= CHARS_MAX else None
    if found is None:
        raise InvalidInput("an origin is https://host or https://host:port", field="origins")
    scheme, host, port = found.groups()
    if scheme == "http" and host not in _LOCAL:
        raise InvalidInput(f"a page of {origin} is not safe: use https", field="origins")
    usual = ":443" if scheme == "https" else ":80"
    return f"{scheme}://{host}{'' if port == usual else port or ''}"


class _Origins(TypedDict):
    origins: str


def allowed(tx: Transaction) -> frozenset[str]:
    """Return the origins of all publishable keys that were not revoked."""
    rows = tx.rows_as(
        _Origins,
        "SELECT origins FROM api_key WHERE origins IS NOT NULL AND revoked_at IS NULL "
        "ORDER BY id DESC LIMIT 1000",
    )
    return frozenset(each for row in rows for each in orjson.loads(row["origins"]))
