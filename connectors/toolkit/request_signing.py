"""Requests that are signed one by one with a shared secret, over all that matters of them."""

import hashlib
import hmac
import time
from collections.abc import Callable, Generator

import httpx


class HmacAuth(httpx.Auth):
    """Sign each request with HMAC-SHA256, in hexadecimal.

    Signed are method, path with its query, time (seconds since 1970) and the SHA-256 of the body,
    each on a line of its own. The headers are `prefix` and ``-key``, ``-timestamp``,
    ``-signature``. Adapt it to what your channel documents.
    """

    requires_request_body = True

    def __init__(
        self, key: str, secret: str, prefix: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._key, self._secret, self._prefix, self._clock = key, secret, prefix, clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign a request; a repeat of it gets a time of its own."""
        stamp = str(int(self._clock()))
        path = request.url.raw_path.decode()
        body = hashlib.sha256(request.content).hexdigest()
        text = f"{request.method}\n{path}\n{stamp}\n{body}"
        request.headers[f"{self._prefix}-key"] = self._key
        request.headers[f"{self._prefix}-timestamp"] = stamp
        request.headers[f"{self._prefix}-signature"] = hmac.digest(
            self._secret.encode(), text.encode(), "sha256"
        ).hex()
        yield request
