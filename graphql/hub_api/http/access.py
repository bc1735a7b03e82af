"""Access: which caller stands behind a request, by the secret that it brings."""

from collections.abc import Callable, Mapping
from datetime import datetime
from time import monotonic
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from hub.access import keys
from hub.access.keys import Caller
from hub.access.vault import Vault
from hub.storage.database import Database
from hub_api.common.context import Context, Loaders, Services
from hub_api.common.stock_changes import StockChanges
from hub_api.engine.wire import RequestError
from hub_api.http.view import Unauthenticated

KEY_SECONDS = 2.0
KEYS_KNOWN_MAX = 10_000


class Access:
    """Makes the context of each request."""

    def __init__(
        self,
        database: Database,
        services: Services,
        vault: Vault,
        clock: Callable[[], datetime],
        *,
        private_webhooks: bool = False,
    ) -> None:
        self._database = database
        self._services = services
        self._vault = vault
        self._clock = clock
        self._private_webhooks = private_webhooks
        self._stock_changes = StockChanges(database)
        self._active: dict[str, tuple[bool, float]] = {}
        self._callers: dict[str, tuple[Caller, int, float]] = {}

    async def by_request(self, request: Request) -> Context:
        """Find the caller by ``Authorization: Bearer``, or raise Unauthenticated."""
        header = dict(request.scope["headers"]).get(b"authorization", b"")
        return await self._opened(request, header.decode("latin-1"))

    async def by_socket(self, socket: WebSocket, parameters: Mapping[str, Any]) -> Context:
        """Find the caller by the socket's header, or by ``authorization`` in connection_init."""
        given = parameters.get("authorization") or parameters.get("Authorization")
        header = given if isinstance(given, str) else socket.headers.get("authorization")
        return await self._opened(socket, header)

    async def by_session(self, connection: HTTPConnection) -> Context | None:
        """Find the caller of a console session; None if there is none, or its key was revoked."""
        key_id = connection.session.get("key")
        if not isinstance(key_id, str):
            return None
        caller = await self._database.read(lambda tx: keys.caller_by_id(tx, key_id))
        return self.of(caller) if caller else None

    async def by_secret(self, secret: str) -> Caller | None:
        """Find the caller of a secret; None if there is none."""
        return await self._database.read(lambda tx: keys.caller(tx, secret))

    async def origins(self) -> frozenset[str]:
        """Return the origins of pages that may call."""
        return await self._database.read(keys.origins)

    async def _opened(self, connection: HTTPConnection, header: str | None) -> Context:
        caller = await self._caller(_bearer(header))
        headers = dict(connection.scope["headers"])
        check_origin(caller, _text(headers.get(b"origin")))
        context = self.of(caller)
        client = connection.scope.get("client")
        context.address = client[0] if client else ""
        context.is_key_active = lambda: self._is_active(caller.key_id)
        context.resume_after = _text(headers.get(b"last-event-id"))
        return context

    async def _is_active(self, key_id: str) -> bool:
        """Return whether a key is good still; read once in KEY_SECONDS for all its streams."""
        known = self._active.get(key_id)
        if known is not None and known[1] > monotonic():
            return known[0]
        found = await self._database.read(lambda tx: keys.caller_by_id(tx, key_id)) is not None
        if len(self._active) > KEYS_KNOWN_MAX:
            self._active.clear()
        self._active[key_id] = (found, monotonic() + KEY_SECONDS)
        return found

    def of(self, caller: Caller) -> Context:
        """Make a context for a caller."""
        return Context(
            caller=caller,
            database=self._database,
            services=self._services,
            vault=self._vault,
            clock=self._clock,
            loaders=Loaders(self._database),
            stock_changes=self._stock_changes,
            private_webhooks=self._private_webhooks,
        )

    async def _caller(self, secret: str) -> Caller:
        """Return the caller of a secret; remembered until a key changes, and for KEY_SECONDS."""
        digest = keys.digest(secret)
        mark, now = self._database.mark(keys.CHANGED), monotonic()
        known = self._callers.get(digest)
        if known is not None and mark is not None and known[1] == mark and known[2] > now:
            return known[0]
        caller = await self._database.read_once(lambda tx: keys.caller_by_digest(tx, digest))
        if caller is None:
            self._callers.pop(digest, None)
            raise Unauthenticated("This API key is not known, or was revoked.")
        if mark is not None:
            if len(self._callers) > KEYS_KNOWN_MAX:
                self._callers.clear()
            self._callers[digest] = (caller, mark, now + KEY_SECONDS)
        return caller


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")


def check_origin(caller: Caller, origin: str | None) -> None:
    """Raise RequestError where a publishable key does not come from a page of its origins."""
    if caller.origins is None or origin in caller.origins:
        return
    shown = origin or "none"
    raise RequestError.of(
        f"This key is for pages of other origins, and the request states {shown[:200]}.",
        "ORIGIN_NOT_ALLOWED",
        403,
    )


def _bearer(header: str | None) -> str:
    scheme, _, secret = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("Send an API key: Authorization: Bearer shk_… or shp_…")
    return secret.strip()
