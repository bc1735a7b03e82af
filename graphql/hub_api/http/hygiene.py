"""What holds for every answer over HTTP: the name it is asked by, what browsers may keep or guess.

A request by a foreign name is refused, since pages of a foreign site could otherwise reach a hub of
an inner network by a name of their own (DNS rebinding). Nothing is kept by browsers and proxies but
files that name their version. A client that hangs up leaves no traceback.
"""

from collections.abc import Sequence

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Asked by whoever watches the machine, by its address.
WATCHED = ("/healthz", "/readyz")
MISDIRECTED = 421
KEPT = frozenset({b"etag", b"cache-control"})  # an answer that says itself how long it may be kept


class Hygiene:
    """ASGI middleware around the whole application; without `hosts` any name may be used."""

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if self._is_foreign(scope):
            await _refuse(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                names = {name for name, _ in headers}
                if b"x-content-type-options" not in names:
                    headers.append((b"x-content-type-options", b"nosniff"))
                if not names & KEPT:
                    headers.append((b"cache-control", b"no-store"))
                message["headers"] = headers
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except ClientDisconnect:
            return

    def _is_foreign(self, scope: Scope) -> bool:
        if not self._hosts or scope["path"] in WATCHED:
            return False
        return _host(scope) not in self._hosts


def _host(scope: Scope) -> str:
    """Return the name of the Host header, without its port; empty where it is not one."""
    named = [value for name, value in scope["headers"] if name == b"host"]
    text = named[0].decode("latin-1").lower() if len(named) == 1 else ""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "foreign host"})
        return
    message = "The hub is not asked by this name: SERIAL_HUB_HOSTS lists its names."
    error = {"code": "MISDIRECTED_REQUEST", "message": message}
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    answer = JSONResponse({"error": error}, status_code=MISDIRECTED, headers=headers)
    await answer(scope, receive, send)
