"""One remote API over HTTP: credentials, pace, quick retries, and the six errors.

This is the only module of the translators that knows httpx and tenacity. A call succeeds or raises
one of the six errors; slow retries belong to the jobs.
"""

import asyncio
import math
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from connectors.errors import (
    AuthFailed,
    Conflict,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
    Unknown,
)

SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
ATTEMPTS_DEFAULT = 3
PACE_WAIT_SECONDS_MAX = 1.0
RETRY_WAIT_SECONDS_MAX = 2.0
RETRY_AFTER_SECONDS_MIN = 1.0
RETRY_AFTER_SECONDS_MAX = 86_400.0
RETRY_AFTER_SECONDS_DEFAULT = 60.0
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """The other side: where it is, how it knows us, how fast we may call."""

    base_url: str
    auth: httpx.Auth | tuple[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    calls_per_second: float = 4.0
    timeout: float = 20.0


class RemoteApi:
    """A thin httpx client that can only succeed or raise one of the six errors."""

    def __init__(
        self,
        remote: Remote,
        *,
        attempts: int = ATTEMPTS_DEFAULT,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._attempts = attempts
        self._pace = Pace(remote.calls_per_second, clock)
        self._secrets = _secrets_of(remote)
        self._client = httpx.AsyncClient(
            base_url=remote.base_url,
            auth=remote.auth,
            headers=dict(remote.headers),
            transport=transport,
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
        **options: Any,
    ) -> httpx.Response:
        """Call the remote, or raise one of the six.

        `repeat` marks a POST that may be repeated at once: a search, or one that carries an
        idempotency key. A status in `accept` is handed back instead of raised.
        """
        safe = method in SAFE_TO_REPEAT if repeat is None else repeat
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            stop=stop_after_attempt(self._attempts if safe else 1),
            wait=wait_random_exponential(multiplier=0.1, max=RETRY_WAIT_SECONDS_MAX),
            reraise=True,
        ):
            with attempt:
                response = await self._request_once(method, path, options)
                if response.status_code not in accept:
                    self._raise_for_error(response)
        return response

    async def json(
        self,
        method: str,
        path: str,
        *,
        repeat: bool | None = None,
        accept: Collection[int] = (),
        **options: Any,
    ) -> Any:
        """Call the remote as `request` does and decode the JSON of its answer."""
        response = await self.request(method, path, repeat=repeat, accept=accept, **options)
        try:
            return response.json()
        except ValueError as error:
            # A proxy's page with status 200 says nothing about what the remote did.
            raise Unknown(f"{_what(response)}: the answer is not JSON") from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _request_once(
        self, method: str, path: str, options: Mapping[str, Any]
    ) -> httpx.Response:
        await asyncio.sleep(self._pace.take())
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
        status, what = response.status_code, _what(response)
        said = f"{what} {self._clean(response.text)}"[:ERROR_TEXT_CHARS_MAX].rstrip()
        if status == 429:
            raise RateLimited(what, retry_after_seconds(response.headers.get("retry-after", "")))
        if status in (401, 403):
            raise AuthFailed(what)
        if status in (404, 410):
            raise NotFound(said)
        if status in (409, 412):
            raise Conflict(said)
        if status in (408, 425) or status >= 500:
            raise Transient(what)
        raise Rejected(said)

    def _clean(self, text: str) -> str:
        """Take our own secrets and query strings out of what the remote said."""
        head = text[: 4 * ERROR_TEXT_CHARS_MAX]
        for secret in self._secrets:
            head = head.replace(secret, "***")
        return " ".join(_QUERY_OF_A_URL.sub("", head).split())


class Pace:
    """Our own speed limit: short waits are served here, long ones belong to the jobs."""

    def __init__(self, calls_per_second: float, clock: Callable[[], float]) -> None:
        self._interval_seconds = 1.0 / calls_per_second
        self._burst_seconds = (max(1, int(calls_per_second)) - 1) * self._interval_seconds
        self._clock = clock
        self._next_slot = clock()

    def take(self) -> float:
        """Take the next slot and return the seconds to wait for it, or raise RateLimited."""
        now = self._clock()
        slot = max(self._next_slot, now)
        wait = max(0.0, slot - now - self._burst_seconds)
        if wait > PACE_WAIT_SECONDS_MAX:
            raise RateLimited("our own pace for this account is used up", wait)
        self._next_slot = slot + self._interval_seconds
        return wait


def retry_after_seconds(value: str, now: float | None = None) -> float:
    """Read ``Retry-After`` in either of its two forms (RFC 9110), never below one second."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value).timestamp()
        except ValueError:
            return RETRY_AFTER_SECONDS_DEFAULT
        seconds = moment - (time.time() if now is None else now)
    if not math.isfinite(seconds):
        return RETRY_AFTER_SECONDS_DEFAULT
    return min(max(RETRY_AFTER_SECONDS_MIN, seconds), RETRY_AFTER_SECONDS_MAX)


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
    found = {word for word in (*values, *words) if len(word) >= SECRET_CHARS_MIN}
    return tuple(sorted(found - {"Bearer"}, key=len, reverse=True))
