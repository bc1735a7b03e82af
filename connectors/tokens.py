"""Access tokens that run out: fetched by one, used by all.

A channel that gives tokens for an hour describes how to get the next one (`TokenAuth.exchange`);
where it is kept, and that only one worker of a cluster fetches it, is the business of the store.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import httpx

from connectors.errors import AuthFailed, Transient

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


def oauth(
    url: str,
    form: Callable[[Token | None], Mapping[str, str]],
    *,
    basic: tuple[str | bytes, str | bytes] | None = None,
    headers: Callable[[], Mapping[str, str]] | None = None,
    clock: Callable[[], float] = time.time,
) -> Exchange:
    """Return how a token is fetched by OAuth 2.0 (RFC 6749): a form is posted to `url`.

    `form` is given the last token, whose refresh token it may need; `basic` are the client's
    credentials where they travel in the header, `headers` what else the server wants to see.
    Raises AuthFailed when the server refuses.
    """

    async def exchange(last: Token | None) -> Token:
        now = clock()
        try:
            async with httpx.AsyncClient(timeout=FETCH_SECONDS_MAX) as client:
                answer = await client.post(
                    url,
                    data=dict(form(last)),
                    auth=basic or httpx.USE_CLIENT_DEFAULT,
                    headers=dict(headers()) if headers else None,
                )
        except httpx.HTTPError as error:
            raise Transient(f"no token could be fetched: {type(error).__name__}") from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Transient(f"no token could be fetched: {answer.status_code}")
        said = answer.json() if answer.is_success else {}
        if "access_token" not in said:
            raise AuthFailed(f"no token was given: {answer.status_code}")
        lifetime = float(said.get("expires_in") or LIFETIME_SECONDS_DEFAULT)
        refresh = said.get("refresh_token") or (last.refresh if last else None)
        return Token(access=said["access_token"], expires_at=now + lifetime, refresh=refresh)

    return exchange
