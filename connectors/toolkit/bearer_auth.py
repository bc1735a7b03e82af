"""Bearer token authentication: fetch a token with the connector's own client, and renew it.

A refusal by the token endpoint is raised as one of the six connector errors, so that authors handle
one kind of failure.
"""

import time
from collections.abc import Callable, Generator

import httpx

from connectors.errors import (
    AuthFailed,
    ConnectorError,
    Unknown,
)
from connectors.toolkit.status_errors import status_error, wall

EARLY_SECONDS = 120.0  # a token is renewed before it dies on the way


class BearerTokenAuth(httpx.Auth):
    """Send a bearer token; fetch one when there is none, before it expires, or once after a 401.

    `ask` builds the request for a token; `refused` explains a refusal in plain words.
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
        """Send the request; raise AuthFailed and the like where the token endpoint refuses."""
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
        """Return the values that error messages must not repeat."""
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
        refused = status != 429 and not wall(response)
        if refused and (status in (401, 403) or word.startswith("invalid_")):
            return AuthFailed(f"{what}: {self._refused}")
        return status_error(response, what)


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
    """Return the auth of an application with client id and secret (RFC 6749, section 4.4).

    `client` is (id, secret). They travel in the Authorization header, or with `in_body` in the
    form.
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
