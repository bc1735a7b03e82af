"""Access tokens that expire: fetched by one process, used by all.

A channel that issues tokens for an hour describes how to fetch the next one (`OAuth`); the store
decides where the token is kept, and that only one worker of a cluster fetches it.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from connectors.errors import (
    AuthFailed,
    ConnectorError,
    Transient,
    Unknown,
)
from connectors.toolkit.status_errors import status_error

EARLY_SECONDS = 60.0  # a token is fetched anew before it runs out
FETCH_SECONDS_MAX = 10.0
LIFETIME_SECONDS_DEFAULT = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token, when it expires (seconds since 1970), and the refresh token of the next."""

    access: str = field(repr=False)
    expires_at: float
    refresh: str | None = field(default=None, repr=False)


Exchange = Callable[[Token | None], Awaitable[Token]]


class TokenStore(ABC):
    """Store of the token of one account."""

    @abstractmethod
    async def current(self) -> Token | None:
        """Return the newest known token, None before the first."""

    @abstractmethod
    async def renew(self, used: Token | None, exchange: Exchange) -> Token:
        """Fetch the successor of `used`; a later caller gets the token that the first one fetched.

        Raises what `exchange` raises, and Transient when another process takes too long to fetch
        it.
        """


class LocalTokens(TokenStore):
    """The token of one process that uses the account alone."""

    def __init__(self) -> None:
        self._token: Token | None = None
        self._lock = asyncio.Lock()

    async def current(self) -> Token | None:
        return self._token

    async def renew(self, used: Token | None, exchange: Exchange) -> Token:
        async with self._lock:
            if self._token is None or self._token == used:
                self._token = await exchange(self._token)
            return self._token


class TokenAuth(httpx.Auth):
    """Put a valid token on each request, and fetch another once after a 401."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        header: str = "Authorization",
        prefix: str = "Bearer ",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store: TokenStore = LocalTokens()
        self._exchange = exchange
        self._header, self._prefix = header, prefix
        self._clock = clock
        self.used: tuple[str, ...] = ()  # what must not show if the remote repeats it

    def use_transport(self, transport: httpx.AsyncBaseTransport) -> None:
        """Fetch tokens over the same transport as the calls."""
        if isinstance(self._exchange, OAuth):
            self._exchange.transport = transport

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sign a request; a token that is refused is replaced once."""
        token = await self.store.current()
        if token is None or token.expires_at - EARLY_SECONDS <= self._clock():
            token = await self.store.renew(token, self._exchange)
        self._sign(request, token)
        response = yield request
        if response.status_code == 401:
            fresh = await self.store.renew(token, self._exchange)
            self._sign(request, fresh)
            yield request

    def _sign(self, request: httpx.Request, token: Token) -> None:
        self.used = (token.access, *self.used[:1])
        request.headers[self._header] = f"{self._prefix}{token.access}"


class OAuth:
    """Fetch tokens by OAuth 2.0 (RFC 6749): post a form to the token endpoint.

    `form` receives the last token, whose refresh token it may need; `basic` are client credentials
    for the Authorization header; `headers` are further headers that the server requires. Raises
    AuthFailed when the server refuses, and the other connector errors by status.
    """

    def __init__(
        self,
        url: str,
        form: Callable[[Token | None], Mapping[str, str]],
        *,
        basic: tuple[str | bytes, str | bytes] | None = None,
        headers: Callable[[], Mapping[str, str]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url, self._form, self._basic = url, form, basic
        self._headers, self._clock = headers, clock
        self.transport: httpx.AsyncBaseTransport | None = None
        """The way to the server; None is a connection of its own."""

    async def __call__(self, last: Token | None) -> Token:
        """Fetch the successor of a token."""
        now = self._clock()
        way = _SharedTransport(self.transport) if self.transport else None
        try:
            async with httpx.AsyncClient(timeout=FETCH_SECONDS_MAX, transport=way) as client:
                answer = await client.post(
                    self._url,
                    data=dict(self._form(last)),
                    auth=self._basic or httpx.USE_CLIENT_DEFAULT,
                    headers=dict(self._headers()) if self._headers else None,
                )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Transient(f"no token could be fetched: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise Unknown(f"no token could be fetched: {type(error).__name__}") from error
        said = _said(answer)
        if not answer.is_success or "access_token" not in said:
            raise _refusal(answer, said)
        lifetime = float(said.get("expires_in") or LIFETIME_SECONDS_DEFAULT)
        refresh = said.get("refresh_token") or (last.refresh if last else None)
        return Token(access=said["access_token"], expires_at=now + lifetime, refresh=refresh)


class _SharedTransport(httpx.AsyncBaseTransport):
    """A transport that its owner closes."""

    def __init__(self, way: httpx.AsyncBaseTransport) -> None:
        self._way = way

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._way.handle_async_request(request)


def _said(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError as error:
        if not answer.is_success:
            return {}
        raise Unknown("no token could be fetched: the answer is not JSON") from error
    return said if isinstance(said, dict) else {}


def _refusal(answer: httpx.Response, said: Mapping[str, Any]) -> ConnectorError:
    """Return the error of a refused token request, without the body: it may echo what was sent."""
    status, word = answer.status_code, str(said.get("error") or "")
    message = f"no token was given: {status}"
    if status != 429 and (word.startswith("invalid_") or answer.is_success):
        return AuthFailed(message)
    return status_error(answer, message)


def oauth(
    url: str,
    form: Callable[[Token | None], Mapping[str, str]],
    *,
    basic: tuple[str | bytes, str | bytes] | None = None,
    headers: Callable[[], Mapping[str, str]] | None = None,
    clock: Callable[[], float] = time.time,
) -> Exchange:
    """Return an exchange that fetches tokens by OAuth 2.0; see `OAuth`."""
    return OAuth(url, form, basic=basic, headers=headers, clock=clock)


def client_credentials_auth(url: str, client_id: str, secret: str) -> TokenAuth:
    """Return the auth of an application by OAuth 2.0 client credentials (RFC 6749, section 4.4).

    The id and the secret travel in the Authorization header; the token is kept in the store that
    all workers share.
    """
    form = {"grant_type": "client_credentials"}
    return TokenAuth(OAuth(url, lambda _: form, basic=(client_id, secret)))
