"""Doors of simulators: how a remote knows who calls. Each refuses with the status of a real one.

A door holds the credentials that the remote knows, and its part of the connector's settings. Where
tokens are fetched, it is their endpoint as well.
"""

import base64
import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_SIGNED = ("key", "timestamp", "signature")


class Door(ABC):
    """How a simulator knows who calls."""

    fetches_tokens = False
    """Whether the connector fetches access tokens from it."""
    tokens_issued = 0

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the credentials, as the connector's settings name them."""

    @abstractmethod
    async def lets_in(self, request: Request) -> bool:
        """Say whether a request carries the right credentials."""

    @abstractmethod
    def revoke(self) -> None:
        """Refuse these credentials from now on."""

    def expire(self) -> None:
        """Expire every token that was issued; most doors issue none."""
        return

    def routes(self) -> Sequence[Route]:
        """Return the door's own endpoints."""
        return ()


class KeyDoor(Door):
    """One key or token that never changes, in a header."""

    def __init__(
        self, key: str, setting: str, header: str = "authorization", prefix: str = "Bearer "
    ) -> None:
        self.key = key
        self._setting, self._header, self._prefix = setting, header, prefix

    def settings(self) -> dict[str, Any]:
        """Return the key under its setting."""
        return {self._setting: self.key}

    async def lets_in(self, request: Request) -> bool:
        """Compare the header."""
        return request.headers.get(self._header) == f"{self._prefix}{self.key}"

    def revoke(self) -> None:
        """Know another key."""
        self.key = "another-key"


class OAuthDoor(Door):
    """Tokens by client credentials (RFC 6749, section 4.4), from an endpoint of its own."""

    fetches_tokens = True

    def __init__(
        self,
        client: tuple[str, str] = ("twin-client", "twin-client-secret"),
        path: str = "/oauth/token",
        lifetime: int = 3600,
    ) -> None:
        self.client, self.path, self.lifetime = client, path, lifetime
        self.tokens: set[str] = set()
        self._numbers = count(1)

    def settings(self) -> dict[str, Any]:
        """Return client id and secret."""
        return {"client_id": self.client[0], "client_secret": self.client[1]}

    async def lets_in(self, request: Request) -> bool:
        """Look for a live token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme == "Bearer" and token in self.tokens

    def revoke(self) -> None:
        """Know another client, and no token."""
        self.client = ("another-client", "another-secret")
        self.tokens.clear()

    def expire(self) -> None:
        """Forget every token."""
        self.tokens.clear()

    def routes(self) -> Sequence[Route]:
        """Return the token endpoint."""
        return (Route(self.path, self._token, methods=["POST"]),)

    async def _token(self, request: Request) -> Response:
        pair = base64.b64encode(":".join(self.client).encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = dict(parse_qsl((await request.body()).decode()))
        if asked.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        token = f"token-{next(self._numbers)}"
        self.tokens.add(token)
        self.tokens_issued += 1
        shown = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}
        return JSONResponse(shown)


class HmacDoor(Door):
    """Each request is signed: see `toolkit.signatures.HmacAuth`."""

    def __init__(
        self, key: str = "twin-key-id", secret: str = "twin-signing-secret", prefix: str = "x-twin"
    ) -> None:
        self.key, self.secret, self._prefix = key, secret, prefix

    def settings(self) -> dict[str, Any]:
        """Return the key's id and the secret."""
        return {"key_id": self.key, "signing_secret": self.secret}

    async def lets_in(self, request: Request) -> bool:
        """Compute the signature again."""
        sent = {name: request.headers.get(f"{self._prefix}-{name}", "") for name in _SIGNED}
        query = f"?{request.url.query}" if request.url.query else ""
        body = hashlib.sha256(await request.body()).hexdigest()
        text = f"{request.method}\n{request.url.path}{query}\n{sent['timestamp']}\n{body}"
        made = hmac.digest(self.secret.encode(), text.encode(), "sha256").hex()
        return sent["key"] == self.key and hmac.compare_digest(made, sent["signature"])

    def revoke(self) -> None:
        """Know another secret."""
        self.secret = "another-signing-secret"
