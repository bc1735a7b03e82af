"""Cross-origin requests (Fetch standard): pages of the origins of publishable keys may call.

No cookie is involved: a page calls with its key, and the answer is readable for the origins that
any publishable key names. Which of them a key is for is decided where the key is known.
"""

import time
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS_KNOWN = 10.0
PREFLIGHT_SECONDS = b"600"
_ALLOWED = b"authorization, content-type, accept, last-event-id, x-request-id, if-none-match"
_EXPOSED = b"x-request-id, retry-after, etag, ratelimit, ratelimit-policy"


class KnownOrigins:
    """The origins of publishable keys, read at most once in SECONDS_KNOWN."""

    def __init__(
        self,
        read: Callable[[], Awaitable[frozenset[str]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._known: tuple[frozenset[str], float] = (frozenset(), float("-inf"))

    async def includes(self, origin: bytes) -> bool:
        """Return whether pages of an origin, as a header states it, may call."""
        known, until = self._known
        if until < self._clock():
            known = await self._read()
            self._known = (known, self._clock() + SECONDS_KNOWN)
        return origin.decode("latin-1") in known


class CrossOrigin:
    """ASGI middleware of one endpoint, for pages of known origins."""

    def __init__(self, app: ASGIApp, origins: KnownOrigins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight request, or add the headers to an answer."""
        origin = None
        if scope["type"] == "http":
            origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if origin is None or not await self._origins.includes(origin):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await _preflight(origin, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"access-control-allow-origin", origin),
                    (b"access-control-expose-headers", _EXPOSED),
                    (b"vary", b"origin"),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)


async def _preflight(origin: bytes, send: Send) -> None:
    headers = [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", _ALLOWED),
        (b"access-control-max-age", PREFLIGHT_SECONDS),
        (b"vary", b"origin"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
