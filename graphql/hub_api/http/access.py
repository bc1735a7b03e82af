"""Access: which caller stands behind a request, by the secret that it brings."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from hub.access import guessing, keys, sessions, web_origins
from hub.access.keys import Caller
from hub.access.sessions import Lifetimes, Owner, OwnerKind
from hub.access.vault import Vault
from hub.storage.database import TROUBLES, Database
from hub_api.common import security_events
from hub_api.common.context import Context, Loaders, Services
from hub_api.common.security_events import SecurityEvent
from hub_api.common.stock_changes import StockChanges
from hub_api.engine.wire import RequestError
from hub_api.http.limiter import network
from hub_api.http.view import Unauthenticated

SESSION = "session"  # of the cookie: the token of the session
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
        lifetimes: Lifetimes = Lifetimes(),  # noqa: B008 # it is frozen
        two_person: frozenset[str] = frozenset(),
    ) -> None:
        self._database = database
        self._services = services
        self._vault = vault
        self._clock = clock
        self._private_webhooks = private_webhooks
        self._stock_changes = StockChanges(database)
        self._lifetimes = lifetimes
        self._two_person = two_person
        self._noted: dict[str, datetime] = {}
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
        """Find the caller of a console session; None if it ended, or its key was revoked."""
        token = connection.session.get(SESSION)
        if not isinstance(token, str):
            return None
        now = self._clock()
        session = await self._database.read(
            lambda tx: sessions.find(tx, token, now, self._lifetimes)
        )
        if session is None or session.owner.kind is not OwnerKind.KEY:
            return None
        caller = await self._database.read(lambda tx: keys.caller_by_id(tx, session.owner.id, now))
        address = address_of(connection)
        if caller is None or not caller.may_call_from(address):
            return None
        if now - session.seen_at >= sessions.SEEN_EVERY:
            await self._database.write(lambda tx: sessions.touch(tx, session.id, now))
        context = self.of(caller)
        context.address, context.session_id = address, session.id
        return context

    async def sign_in(self, connection: HTTPConnection, secret: str) -> Caller | int | None:
        """Find the caller of a secret that somebody types in.

        None if there is none; where too many attempts failed, how many seconds to wait.
        """
        now, address = self._clock(), address_of(connection)
        limits = guessing.names(network(address), secret)
        wait = await self._database.write(lambda tx: guessing.attempt(tx, limits, now))
        if wait > 0:
            security_events.note(SecurityEvent.SIGN_IN_LIMITED, address=address, seconds=wait)
            return wait
        caller = await self._database.read(lambda tx: keys.caller(tx, secret, now))
        if caller is None or not caller.may_call_from(address):
            security_events.note(SecurityEvent.FAILED_SIGN_IN, address=address)
            return None
        await self._database.write(lambda tx: guessing.succeeded(tx, limits))
        return caller

    async def begin_session(self, connection: HTTPConnection, caller: Caller) -> None:
        """Begin a session of a caller, in place of what the browser had before."""
        now, address = self._clock(), address_of(connection)
        owner = Owner(OwnerKind.KEY, caller.key_id)
        token = await self._database.write(
            lambda tx: sessions.begin(tx, owner, now, self._lifetimes, address)
        )
        security_events.note(SecurityEvent.SIGNED_IN, key=caller.key_id, address=address)
        # Nothing that was known before somebody signed in is trusted after.
        connection.session.clear()
        connection.session[SESSION] = token

    async def end_session(self, connection: HTTPConnection) -> None:
        """End the session of a browser, here and in every copy of its cookie."""
        token = connection.session.get(SESSION)
        connection.session.clear()
        if isinstance(token, str):
            now = self._clock()
            await self._database.write(lambda tx: sessions.end(tx, token, now))
            security_events.note(SecurityEvent.SIGNED_OUT, address=address_of(connection))

    async def origins(self) -> frozenset[str]:
        """Return the origins of pages that may call."""
        return await self._database.read(web_origins.allowed)

    async def _opened(self, connection: HTTPConnection, header: str | None) -> Context:
        address = address_of(connection)
        caller = await self._caller(_bearer(header), address)
        headers = dict(connection.scope["headers"])
        check_origin(caller, _text(headers.get(b"origin")))
        context = self.of(caller)
        context.address = address
        context.is_key_active = lambda: self._is_active(caller.key_id)
        context.resume_after = _text(headers.get(b"last-event-id"))
        return context

    async def _is_active(self, key_id: str) -> bool:
        """Return whether a key is good still; read once in KEY_SECONDS for all its streams."""
        known = self._active.get(key_id)
        if known is not None and known[1] > monotonic():
            return known[0]
        now = self._clock()
        found = await self._database.read(lambda tx: keys.caller_by_id(tx, key_id, now)) is not None
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
            two_person=self._two_person,
        )

    async def _caller(self, secret: str, address: str) -> Caller:
        """Return the caller of a secret, who may call from this address.

        Callers are remembered until a key changes or ends, and for KEY_SECONDS at most.
        """
        digest, now = keys.digest(secret), self._clock()
        mark, instant = self._database.mark(keys.CHANGED), monotonic()
        known = self._callers.get(digest)
        if known is not None and mark is not None and known[1] == mark and known[2] > instant:
            caller: Caller | None = known[0]
        else:
            caller = await self._database.read_once(
                lambda tx: keys.caller_by_digest(tx, digest, now)
            )
        if caller is None or caller.has_ended(now):
            self._callers.pop(digest, None)
            security_events.note(SecurityEvent.UNKNOWN_KEY, address=address)
            raise Unauthenticated("This API key is not known, was revoked, or has expired.")
        if mark is not None and (known is None or caller is not known[0]):
            if len(self._callers) > KEYS_KNOWN_MAX:
                self._callers.clear()
            self._callers[digest] = (caller, mark, instant + KEY_SECONDS)
        check_address(caller, address)
        await self._note_use(caller, address, now)
        return caller

    async def _note_use(self, caller: Caller, address: str, now: datetime) -> None:
        """Note the use of a key, sparingly; a database that takes no writes stops no reader."""
        noted = self._noted.get(caller.key_id, caller.last_used_at)
        if noted is not None and now - noted < keys.USE_NOTED_EVERY:
            return
        if len(self._noted) > KEYS_KNOWN_MAX:
            self._noted.clear()
        self._noted[caller.key_id] = now
        with suppress(*TROUBLES):
            await self._database.write(lambda tx: keys.note_use(tx, caller.key_id, address, now))


def address_of(connection: HTTPConnection) -> str:
    """Return the address of the client, as far as trusted proxies state it."""
    client = connection.scope.get("client")  # `connection.client` makes a tuple of its own
    return client[0] if client else ""


def check_address(caller: Caller, address: str) -> None:
    """Raise RequestError where a key is used from outside its networks."""
    if caller.may_call_from(address):
        return
    security_events.note(SecurityEvent.REFUSED_ADDRESS, key=caller.key_id, address=address)
    raise RequestError.of(
        f"This key is not taken from {address or 'here'}.", "ADDRESS_NOT_ALLOWED", 403
    )


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")


def check_origin(caller: Caller, origin: str | None) -> None:
    """Raise RequestError where a publishable key does not come from a page of its origins."""
    if caller.origins is None or origin in caller.origins:
        return
    security_events.note(SecurityEvent.REFUSED_ORIGIN, key=caller.key_id, origin=origin or "none")
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
