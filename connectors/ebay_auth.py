"""How eBay knows us: a user token of two hours, bought with a refresh token that stays the same."""

import time
from collections.abc import Callable, Generator

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
from connectors.retry_after import retry_after_seconds

EARLY_SECONDS = 120.0  # a token is renewed before it dies on the way


class RefreshTokenAuth(httpx.Auth):
    """Send a bearer token; buy one when there is none, when it grows old, or once after a 401."""

    requires_response_body = True

    def __init__(
        self,
        address: str,
        client: tuple[str, str],
        refresh_token: str,
        scopes: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._client = httpx.BasicAuth(*client)
        self._form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "scope": scopes,
        }
        self._clock = clock
        self._token = ""
        self._old_at = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request; what the token endpoint refuses is raised as one of the six."""
        kept = bool(self._token) and self._clock() < self._old_at
        if not kept:
            self._take((yield self._asking()))
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401 and kept:
            self._take((yield self._asking()))
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _asking(self) -> httpx.Request:
        return next(self._client.auth_flow(httpx.Request("POST", self._address, data=self._form)))

    def _take(self, response: httpx.Response) -> None:
        self._token = ""
        if not response.is_success:
            raise _refusal(response)
        try:
            answer = response.json()
            token, seconds = str(answer["access_token"]), float(answer.get("expires_in") or 0)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unknown("the token endpoint answered no token") from error
        self._token, self._old_at = token, self._clock() + seconds - EARLY_SECONDS


def _refusal(response: httpx.Response) -> ConnectorError:
    """Say what became of asking for a token; never with the body, which may echo what we sent."""
    status, word = response.status_code, _word(response)
    what = f"asking for a token: {status} {word}".rstrip()
    if status == 429:
        return RateLimited(what, retry_after_seconds(response.headers.get("retry-after", "")))
    if status in (401, 403) or word.startswith("invalid_"):
        return AuthFailed(f"{what}: the refresh token or the keys of the application are refused")
    if status in (404, 410):
        return NotFound(what)
    if status in (409, 412):
        return Conflict(what)
    if status in (408, 425) or status >= 500:
        return Transient(what)
    return Rejected(what)


def _word(response: httpx.Response) -> str:
    """Read the error code of OAuth (RFC 6749, 5.2), where it is one."""
    try:
        word = str(response.json()["error"])
    except (ValueError, TypeError, KeyError):
        return ""
    return word if word.replace("_", "").isalpha() and len(word) < 40 else ""
