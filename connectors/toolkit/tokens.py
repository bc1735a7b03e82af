"""Access tokens that run out: fetched by one, used by all.

A channel that gives tokens for an hour describes how to get the next one (`TokenAuth.exchange`);
where it is kept, and that only one worker of a cluster fetches it, is the business of the store.
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
    Conflict,
    ConnectorError,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
    Unknown,
)
from connectors.toolkit.retry_after import retry_after_seconds

EARLY_SECONDS = 60.0  # a token is fetched anew before it runs out
FETCH_SECONDS_MAX = 10.0
LIFETIME_SECONDS_DEFAULT = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What opens the door, until when (seconds since 1970), and what fetches the next one."""

    access: str = field(repr=False)
    expires_at: float
    refresh: str | None = field(default=None, repr=False)


Exchange = Callable[[Token | None], Awaitable[Token]]


class TokenStore(ABC):
    """Keeps the token of one account."""

    @abstractmethod
    async def current(self) -> Token | None:
        """Return the newest token that is known."""

    @abstractmethod
    async def renew(self, used: Token | None, exchange: Exchange) -> Token:
        """Fetch the successor of a token; whoever comes second gets what the first fetched.

        Raises what `exchange` raises, and Transient when another is too long about it.
        """


class LocalTokens(TokenStore):
    """The token of a process that has the account for itself."""

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
    """Puts a token that is good for now on each request, and fetches another after a 401."""

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
        """Fetch tokens on the way on which calls are made."""
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
    """How a token is fetched by OAuth 2.0 (RFC 6749): a form is posted to an address.

    `form` is given the last token, whose refresh token it may need; `basic` are the client's
    credentials where they travel in the header, `headers` what else the server wants to see.
    Raises one of the six; AuthFailed when the server refuses.
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
    """A way that somebody else closes."""

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
    """Say why no token was given; never with the body, which may echo what we sent."""
    status, word = answer.status_code, str(said.get("error") or "")
    message = f"no token was given: {status}"
    if status == 429:
        return RateLimited(message, retry_after_seconds(answer.headers.get("retry-after", "")))
    if status in (401, 403) or word.startswith("invalid_") or answer.is_success:
        return AuthFailed(message)
    if status in (404, 410):
        return NotFound(message)
    if status in (409, 412):
        return Conflict(message)
    return Transient(message) if status in (408, 425) or status >= 500 else Rejected(message)


def oauth(
    url: str,
    form: Callable[[Token | None], Mapping[str, str]],
    *,
    basic: tuple[str | bytes, str | bytes] | None = None,
    headers: Callable[[], Mapping[str, str]] | None = None,
    clock: Callable[[], float] = time.time,
) -> Exchange:
    """Return how a token is fetched by OAuth 2.0; see `OAuth`."""
    return OAuth(url, form, basic=basic, headers=headers, clock=clock)
