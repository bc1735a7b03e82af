"""A bearer token that is bought over the connector's own wire, and bought anew when it grows old.

What the token endpoint refuses is raised as one of the six, so that a connector's author sees no
second way to fail.
"""

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
from connectors.toolkit.retry_after import retry_after_seconds

EARLY_SECONDS = 120.0  # a token is renewed before it dies on the way


class BearerTokenAuth(httpx.Auth):
    """Send a bearer token; buy one when there is none, when it grows old, or once after a 401.

    `ask` builds the request for a token; `refused` says in plain words what a refusal means.
    """

    requires_response_body = True

    def __init__(
        self,
        ask: Callable[[], httpx.Request],
        refused: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._refused = refused
        self._clock = clock
        self._token = ""
        self._old_at = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request; what the token endpoint refuses is raised as one of the six."""
        kept = bool(self._token) and self._clock() < self._old_at
        if not kept:
            self._take((yield self._ask()))
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401 and kept:
            self._take((yield self._ask()))
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    @property
    def used(self) -> tuple[str, ...]:
        """What must not show if the remote repeats it."""
        return (self._token,) if self._token else ()

    def _take(self, response: httpx.Response) -> None:
        self._token = ""
        if not response.is_success:
            raise self._refusal(response)
        try:
            answer = response.json()
            token, seconds = str(answer["access_token"]), float(answer.get("expires_in") or 0)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unknown("the token endpoint answered no token") from error
        self._token, self._old_at = token, self._clock() + seconds - EARLY_SECONDS

    def _refusal(self, response: httpx.Response) -> ConnectorError:
        """Say what became of asking for a token; not with the body, which may echo what we sent."""
        status, word = response.status_code, _word(response)
        what = f"asking for a token: {status} {word}".rstrip()
        if status == 429:
            return RateLimited(what, retry_after_seconds(response.headers.get("retry-after", "")))
        if status in (401, 403) or word.startswith("invalid_"):
            return AuthFailed(f"{what}: {self._refused}")
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


def client_credentials(
    address: str,
    client: tuple[str, str],
    *,
    scope: str = "",
    in_body: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> BearerTokenAuth:
    """Return the auth of an application that knows its id and secret (RFC 6749, 4.4).

    The two travel in the header, or with `in_body` in the form.
    """
    form = {"grant_type": "client_credentials"}
    if scope:
        form["scope"] = scope
    if in_body:
        form |= {"client_id": client[0], "client_secret": client[1]}

    def ask() -> httpx.Request:
        request = httpx.Request("POST", address, data=form)
        return request if in_body else next(httpx.BasicAuth(*client).auth_flow(request))

    refused = "the client id or the client secret is refused, or its access has ended"
    return BearerTokenAuth(ask, refused, clock)
