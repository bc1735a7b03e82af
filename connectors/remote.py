"""HTTP client of one remote API: credentials, rate limits, quick retries, and the six errors.

This is the only module of the connectors that uses httpx's client and tenacity. A call succeeds or
raises one of the six errors; slow retries belong to the jobs.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from connectors.errors import (
    RateLimited,
    Transient,
    Unknown,
)
from connectors.toolkit.rate_limits import (
    LocalRateLimits,
    RateLimit,
    RateLimitReading,
    RateLimitStore,
)
from connectors.toolkit.retry_after import retry_after_seconds
from connectors.toolkit.status_errors import status_error
from connectors.toolkit.tokens import TokenAuth, TokenStore

SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
ATTEMPTS_DEFAULT = 3
RATE_LIMIT_WAIT_SECONDS_DEFAULT = 1.0
CALLS = "calls"
RETRY_WAIT_SECONDS_MAX = 2.0
ERROR_TEXT_CHARS_MAX = 200
SECRET_CHARS_MIN = 6  # shorter header values are words, not secrets

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_NAMES_A_SECRET = re.compile(r"auth|token|key|secret|cookie|signature", re.IGNORECASE)
_QUERY_OF_A_URL = re.compile(r"\?[^\s\"'<>]*=[^\s\"'<>]*")


_may_send: ContextVar[Callable[[], bool]] = ContextVar("may_send", default=lambda: True)
_rate_limit_wait: ContextVar[float] = ContextVar(
    "patience", default=RATE_LIMIT_WAIT_SECONDS_DEFAULT
)


@contextmanager
def send_only_while(may_send: Callable[[], bool]) -> Iterator[None]:
    """Send requests within the block only while `may_send` returns true.

    A process that was suspended resumes where it stopped. Without this it would send what it
    decided earlier, although its lease has expired and another worker has done the work since.
    """
    before = _may_send.set(may_send)
    try:
        yield
    finally:
        with suppress(ValueError):  # a generator may be closed from another context
            _may_send.reset(before)


def ensure_may_send() -> None:
    """Raise Transient where the lease has expired; called right before each request."""
    if not _may_send.get()():
        raise Transient("the lease was over before the call was sent")


@contextmanager
def rate_limit_wait(seconds: float) -> Iterator[None]:
    """Set how long calls in the block may wait for a rate limit before they raise RateLimited.

    Holders of a lease set 0: what cannot be called now is released.
    """
    before = _rate_limit_wait.set(seconds)
    try:
        yield
    finally:
        # Whoever is swept away with its loop ends in another context: nothing is left to reset.
        with suppress(ValueError):
            _rate_limit_wait.reset(before)


def _no_rate_limit_readings(_response: httpx.Response) -> Sequence[RateLimitReading]:
    return ()


@cache
def _trust() -> ssl.SSLContext:
    """Read the certificates of this machine once in a process: 20 ms for each reading."""
    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """The remote: its address, the credentials, the rate limits.

    `calls_per_second` limits all calls together; `rate_limits` are further limits, and
    `rate_limit_readings` extracts from a response what the remote reports about any of them.
    """

    base_url: str
    auth: httpx.Auth | tuple[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What else must not show if the remote repeats it."""
    calls_per_second: float = 4.0
    rate_limits: tuple[RateLimit, ...] = ()
    rate_limit_readings: Callable[[httpx.Response], Sequence[RateLimitReading]] = (
        _no_rate_limit_readings
    )
    timeout: float = 20.0

    def all_rate_limits(self) -> tuple[RateLimit, ...]:
        """Return the limit of all calls and the further ones; one of the same name replaces it."""
        if any(rate_limit.name == CALLS for rate_limit in self.rate_limits):
            return self.rate_limits
        rate = self.calls_per_second
        return (
            RateLimit(name=CALLS, capacity=max(1.0, float(int(rate))), per_second=rate),
            *self.rate_limits,
        )


class RemoteApi:
    """A thin httpx client whose calls succeed or raise one of the six errors."""

    def __init__(
        self,
        remote: Remote,
        *,
        attempts: int = ATTEMPTS_DEFAULT,
        transport: httpx.AsyncBaseTransport | None = None,
        rate_limits: RateLimitStore | None = None,
        tokens: TokenStore | None = None,
    ) -> None:
        self._attempts = attempts
        self._limits = remote.all_rate_limits()
        self._rate_limit_readings = remote.rate_limit_readings
        self._rate_limit_store = rate_limits or LocalRateLimits()
        if tokens is not None and isinstance(remote.auth, TokenAuth):
            remote.auth.store = tokens
        if transport is not None and isinstance(remote.auth, TokenAuth):
            remote.auth.use_transport(transport)
        self._secrets = _secrets_of(remote)
        self._auth = remote.auth
        self._client = httpx.AsyncClient(
            base_url=remote.base_url,
            auth=remote.auth,
            headers=dict(remote.headers),
            transport=transport,
            verify=_trust(),
            timeout=httpx.Timeout(remote.timeout, connect=min(5.0, remote.timeout)),
            follow_redirects=False,
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        repeat: bool | None = None,
        accept: Collection[int] = (),
        operation: str = "",
        cost: float = 1.0,
        **options: Any,
    ) -> httpx.Response:
        """Call the remote and return its response, or raise one of the six errors.

        `repeat` marks a POST that may be repeated at once: a search, or one with an idempotency
        key. A status in `accept` is returned instead of raised. `operation` and `cost` state what
        the call draws from the rate limits. Further `options` are those of
        ``httpx.AsyncClient.request``.

        Raises RateLimited, AuthFailed, NotFound, Conflict, Transient or Rejected by status (see
        `status_error`), Transient where the request was never sent, Unknown where no response
        arrived.
        """
        safe = method in SAFE_TO_REPEAT if repeat is None else repeat
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            stop=stop_after_attempt(self._attempts if safe else 1),
            wait=wait_random_exponential(multiplier=0.1, max=RETRY_WAIT_SECONDS_MAX),
            reraise=True,
        ):
            with attempt:
                await self._spend(operation, cost)
                response = await self._request_once(method, path, options)
                await self._learn(operation, response)
                if response.status_code not in accept:
                    self._raise_for_error(response)
        return response

    async def json(self, method: str, path: str, **options: Any) -> Any:
        """Call the remote as `request` does and return the decoded JSON; raise Unknown for none."""
        response = await self.request(method, path, **options)
        try:
            return response.json()
        except ValueError as error:
            # A proxy's page with status 200 says nothing about what the remote did.
            raise Unknown(f"{_what(response)}: the answer is not JSON") from error

    async def json_object(self, method: str, path: str, **options: Any) -> Mapping[str, Any]:
        """Call the remote as `json` does; the response must be a JSON object.

        Raises Unknown where it is anything else, as a proxy's page is.
        """
        found = await self.json(method, path, **options)
        if not isinstance(found, dict):
            raise Unknown(f"{method} {path}: the answer is not an object")
        return found

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def wait(self, operation: str = "") -> float:
        """Return the seconds until a call may be made, without making one."""
        waits = [
            await self._rate_limit_store.wait(each)
            for each in self._limits
            if each.applies_to(operation)
        ]
        return max(waits, default=0.0)

    async def _spend(self, operation: str, cost: float) -> None:
        """Draw the cost of a call from every limit that applies; wait only as long as allowed."""
        left = _rate_limit_wait.get()
        for rate_limit in self._limits:
            if not rate_limit.applies_to(operation):
                continue
            price = cost if rate_limit.weighted else 1.0
            while wait := await self._rate_limit_store.take(rate_limit, price):
                if wait > left:
                    raise RateLimited(
                        f"our own budget of {rate_limit.name} is used up", wait, own=True
                    )
                left -= wait
                await asyncio.sleep(wait)

    async def _learn(self, operation: str, response: httpx.Response) -> None:
        by_name = {rate_limit.name: rate_limit for rate_limit in self._limits}
        for reading in self._rate_limit_readings(response):
            if reading.rate_limit in by_name:
                await self._rate_limit_store.learn(by_name[reading.rate_limit], reading)
        if response.status_code == 429:
            seconds = retry_after_seconds(response.headers.get("retry-after", ""))
            for rate_limit in self._limits:
                if rate_limit.applies_to(operation):
                    await self._rate_limit_store.block(rate_limit, seconds)

    async def _request_once(
        self, method: str, path: str, options: Mapping[str, Any]
    ) -> httpx.Response:
        ensure_may_send()
        try:
            return await self._client.request(method, path, **options)
        except _NEVER_SENT as error:
            raise Transient(f"{method} {_bare(path)}: {type(error).__name__}") from error
        except httpx.RequestError as error:
            raise Unknown(f"{method} {_bare(path)}: {type(error).__name__}") from error

    def _raise_for_error(self, response: httpx.Response) -> None:
        """Turn a response into silence or one of the six. An unknown 4xx is never retried."""
        if response.is_success:
            return
        what = _what(response)
        details = f"{what} {self._clean(response.text)}"[:ERROR_TEXT_CHARS_MAX].rstrip()
        raise status_error(response, what, details)

    def _clean(self, text: str) -> str:
        """Remove our own secrets and query strings from the remote's text."""
        head = text[: 4 * ERROR_TEXT_CHARS_MAX]
        fetched: tuple[str, ...] = getattr(self._auth, "used", ())
        for secret in (*self._secrets, *fetched):
            head = head.replace(secret, "***")
        return " ".join(_QUERY_OF_A_URL.sub("", head).split())


def _what(response: httpx.Response) -> str:
    # The path may be logged, the query may not: some APIs put tokens there.
    request = response.request
    return f"{request.method} {request.url.path}: {response.status_code}"[:ERROR_TEXT_CHARS_MAX]


def _bare(path: str) -> str:
    return httpx.URL(path).path[:ERROR_TEXT_CHARS_MAX]


def _secrets_of(remote: Remote) -> tuple[str, ...]:
    """Collect the values that must never show, longest first."""
    values = [value for name, value in remote.headers.items() if _NAMES_A_SECRET.search(name)]
    words = [word for value in values for word in value.split()]
    if isinstance(remote.auth, tuple):
        words.extend(remote.auth)
    found = {word for word in (*values, *words, *remote.secrets) if len(word) >= SECRET_CHARS_MIN}
    return tuple(sorted(found - {"Bearer"}, key=len, reverse=True))
