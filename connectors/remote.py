"""HTTP client of one remote API: credentials, rate limits, quick retries, and the six errors.

This is the only module of the connectors that uses httpx's client and tenacity. A call succeeds or
raises one of the six errors; slow retries belong to the jobs.
"""

import asyncio
import json
import re
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote

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
from connectors.toolkit.retirements import Retirement, retirement
from connectors.toolkit.retry_after import retry_after_seconds
from connectors.toolkit.status_errors import status_error, target_of, wall
from connectors.toolkit.tokens import TokenAuth, TokenStore

SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
ATTEMPTS_DEFAULT = 3
RATE_LIMIT_WAIT_SECONDS_DEFAULT = 1.0
STARTED_WAIT_SECONDS = 60.0  # of work that was begun, between two of its calls
CALLS = "calls"
RETRY_WAIT_SECONDS_MAX = 2.0
ERROR_TEXT_CHARS_MAX = 200
NO_CONTENT = frozenset({204, 205})
RETIREMENTS_MAX = 50  # calls of one client whose retirement is remembered
SECRET_CHARS_MIN = 6  # shorter header values are words, not secrets
ECHOED_CHARS_MIN = 12  # of a secret that is looked for in whole answers

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


@dataclass(slots=True)
class _Patience:
    """How long calls may wait: until the first of them was made, and after it."""

    first: float
    started: float
    is_started: bool = False

    @property
    def seconds(self) -> float:
        return self.started if self.is_started else self.first


@contextmanager
def rate_limit_wait(seconds: float, *, started: float | None = None) -> Iterator[None]:
    """Set how long calls in the block may wait for a rate limit before they raise RateLimited.

    Holders of a lease set 0: what cannot be called now is released. `started` holds instead once
    a call of the block was made: work that needs several calls waits for its next one, since to
    begin again would need all of them again, which a small budget never has at once.
    """
    before = _rate_limit_wait.set(_Patience(seconds, seconds if started is None else started))
    try:
        yield
    finally:
        # Whoever is swept away with its loop ends in another context: nothing is left to reset.
        with suppress(ValueError):
            _rate_limit_wait.reset(before)


_rate_limit_wait: ContextVar[_Patience | None] = ContextVar("patience", default=None)


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
        self._retirements: dict[str, Retirement] = {}
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
        self._notice_retirement(response)
        return response

    async def json(self, method: str, path: str, **options: Any) -> Any:
        """Call the remote as `request` does and return the decoded JSON.

        "No content" in answer to a GET is None. Raises Unknown for anything that is not JSON.
        """
        response = await self.request(method, path, **options)
        if response.status_code in NO_CONTENT and method == "GET":
            return None
        try:
            return response.json()
        except (ValueError, RecursionError) as error:
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

    async def json_page(self, path: str, empty: str, **options: Any) -> Mapping[str, Any]:
        """Ask for one page of a list by GET; {} where the remote answers that the list is empty.

        It may say so with "no content" (204), or with 404 and a JSON object that contains the word
        `empty`, as Walmart does. Any other 404 is NotFound: the path is wrong, or the account has
        no such list. Otherwise as `json_object`.
        """
        response = await self.request("GET", path, accept=(404,), **options)
        if response.status_code in NO_CONTENT:
            return {}
        found = _object_in(response)
        if response.status_code == 404:
            if found is None or empty not in response.text:
                self._raise_for_error(response)
            return {}
        if found is None:
            raise Unknown(f"{_what(response)}: the answer is not an object")
        return found

    def retirements(self) -> tuple[Retirement, ...]:
        """Return what the remote announces about its end, one for each call that says so."""
        return tuple(self._retirements.values())

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
        patience = _rate_limit_wait.get()
        left = RATE_LIMIT_WAIT_SECONDS_DEFAULT if patience is None else patience.seconds
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
        if patience is not None:
            patience.is_started = True

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

    def _notice_retirement(self, response: httpx.Response) -> None:
        found = retirement(response)
        if found is not None and len(self._retirements) < RETIREMENTS_MAX:
            self._retirements[found.call] = found

    async def _request_once(
        self, method: str, path: str, options: Mapping[str, Any]
    ) -> httpx.Response:
        ensure_may_send()
        try:
            response = await self._client.request(method, path, **options)
            if _wants_https(response):
                # The same call, now encrypted; the later ones begin there.
                self._client.base_url = self._client.base_url.copy_with(scheme="https", port=None)
                response = await self._client.request(method, path, **options)
            return self._without_secrets(response)
        except _NEVER_SENT as error:
            raise Transient(f"{method} {_bare(path)}: {type(error).__name__}") from error
        except httpx.RequestError as error:
            slow = isinstance(error, httpx.TimeoutException)
            raise Unknown(
                f"{method} {_bare(path)}: {type(error).__name__}", timed_out=slow
            ) from error

    def _raise_for_error(self, response: httpx.Response) -> None:
        """Turn a response into silence or one of the six. An unknown 4xx is never retried."""
        if response.is_success and not wall(response):
            return
        what = _what(response)
        details = f"{what} {self._clean(response.text)}"[:ERROR_TEXT_CHARS_MAX].rstrip()
        raise status_error(response, what, details)

    def _without_secrets(self, response: httpx.Response) -> httpx.Response:
        """Return a response in which the remote repeats none of our secrets.

        This is the one place that texts of a remote pass, so that no error, record, log or case
        has to be cleaned. Short words may be part of any text, and stay.
        """
        fetched: tuple[str, ...] = getattr(self._auth, "used", ())
        secrets = {
            form
            for each in (*self._secrets, *fetched)
            if len(each) >= ECHOED_CHARS_MIN
            for form in _forms(each)
        }
        content, found = response.content, False
        for secret in sorted(secrets, key=len, reverse=True):
            if secret in content:
                content, found = content.replace(secret, b"***"), True
        if not found:
            return response
        plain = {
            name: value
            for name, value in response.headers.items()
            if name not in {"content-encoding", "content-length", "transfer-encoding"}
        }
        return httpx.Response(
            response.status_code,
            headers=plain,
            content=content,
            request=response.request,
            extensions={k: v for k, v in response.extensions.items() if k != "network_stream"},
        )

    def _clean(self, text: str) -> str:
        """Remove our own secrets and query strings from the remote's text."""
        head = text[: 4 * ERROR_TEXT_CHARS_MAX]
        fetched: tuple[str, ...] = getattr(self._auth, "used", ())
        for secret in (*self._secrets, *fetched):
            head = head.replace(secret, "***")
        return " ".join(_QUERY_OF_A_URL.sub("", head).split())


def _forms(secret: str) -> tuple[bytes, ...]:
    """Return how a secret stands in a body: plain, in JSON, with escaped slashes, in an address."""
    in_json = json.dumps(secret)[1:-1]
    forms = {secret, in_json, in_json.replace("/", r"\/"), quote(secret, safe="")}
    return tuple(form.encode() for form in forms)


def _what(response: httpx.Response) -> str:
    # The path may be logged, the query may not: some APIs put tokens there.
    request = response.request
    return f"{request.method} {request.url.path}: {response.status_code}"[:ERROR_TEXT_CHARS_MAX]


def _object_in(response: httpx.Response) -> Mapping[str, Any] | None:
    try:
        found = response.json()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _wants_https(response: httpx.Response) -> bool:
    """Return whether a redirect leads to the same address of the same host, by https.

    A port that is named stays a matter of the settings: nobody knows where its https is.
    """
    asked, target = response.request.url, target_of(response)
    return (
        target is not None
        and (asked.scheme, target.scheme) == ("http", "https")
        and (asked.port, target.port) == (None, None)
        and (asked.host, asked.path) == (target.host, target.path)
    )


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
