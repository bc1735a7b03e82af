"""The ASGI application: the API, the webhooks, the console, and whether the hub is well."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection
from starlette_compress import CompressMiddleware, remove_compress_type

from hub.access.keys import Scope
from hub.clock import now
from hub.settings import PREFIX, RESEAL, Settings
from hub.storage.database import TROUBLES, Database
from hub_api.common.commands import COMMANDS
from hub_api.common.context import Context, Services
from hub_api.common.problems import expose
from hub_api.console.pages import Console
from hub_api.engine.documents import Document, Documents, read_documents
from hub_api.engine.execution import Execution
from hub_api.engine.limits import Limits
from hub_api.engine.wire import EVENT_STREAM, TRY_AGAIN, TRY_AGAIN_WORDS
from hub_api.http import graphiql
from hub_api.http.access import Access
from hub_api.http.channel_webhooks import Webhooks
from hub_api.http.cors import CrossOrigin, KnownOrigins
from hub_api.http.graphiql import GraphiQL
from hub_api.http.hygiene import Hygiene
from hub_api.http.limiter import Limiter
from hub_api.http.openapi import openapi
from hub_api.http.schema_files import SchemaFiles
from hub_api.http.sockets import GraphQLSockets
from hub_api.http.uploads import Uploads
from hub_api.http.view import GraphQLView
from hub_api.public.gate import PublicGate
from hub_api.schema import schema

OPERATIONS = Path(__file__).parent / "operations"
READY_SECONDS_MAX = 2.0  # to see the database; longer is away
# A stream would keep a compressor of its own for each of a thousand clients.
remove_compress_type(EVENT_STREAM)
# Each costs about 0.1 ms for 10 kB. Pages of the console are left as they are: they bear tokens
# beside texts of others, whose lengths compression would give away (BREACH).
_COMPRESSION: dict[str, Any] = {
    "minimum_size": 1_400,
    "gzip_level": 4,
    "brotli_quality": 4,
    "zstd_level": 3,
}


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the application is put together from; `serial_hub.cli` brings them."""

    database: Database
    services: Services
    settings: Settings
    clock: Callable[[], datetime] = now
    beside: Callable[[], AbstractAsyncContextManager[None]] = field(default=_nothing)
    """What runs while the application runs: the jobs, in a process that also works."""
    stopping: asyncio.Event | None = None
    """Set when the process is to end: streams end too."""


class _Hub(Starlette):
    """The application, with a short way to the endpoint of GraphQL.

    Routing and its wrappers would take longer than to find a unit.
    """

    def __init__(self, plain: ASGIApp, compressed: ASGIApp, **parts: Any) -> None:
        super().__init__(**parts)
        self._plain, self._compressed = plain, compressed

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Serve one request, socket or lifespan."""
        if scope["type"] != "http" or scope["path"] != "/graphql":
            await super().__call__(scope, receive, send)
            return
        accepts = any(name == b"accept-encoding" for name, _ in scope["headers"])
        endpoint = self._compressed if accepts else self._plain
        try:
            await endpoint(scope, receive, send)
        except TROUBLES as error:  # before the view: where the origins of pages are read
            answer = await _try_again(Request(scope), error)
            await answer(scope, receive, send)


def create_app(parts: Parts) -> Starlette:
    """Build the application around one database."""
    vault = parts.settings.vault()
    access = Access(
        parts.database,
        parts.services,
        vault,
        parts.clock,
        private_webhooks=parts.settings.webhooks_to_private_networks,
        lifetimes=parts.settings.session_lifetimes(),
        two_person=_two_person(parts.settings),
    )
    examples = read_documents(OPERATIONS)
    limiter = Limiter()
    execution = _execution(examples, limiter)
    endpoint = _endpoint(parts, access, execution, limiter, examples)
    schema_files = SchemaFiles(execution.schema, access.by_request, _may_introspect)
    webhooks = Webhooks(parts.database, parts.services.connector, parts.clock)
    uploads = Uploads(parts.database, access, parts.settings)
    console = Console(execution, access, examples)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with parts.beside():
            yield

    hosts = parts.settings.host_names()
    compressed = CompressMiddleware(endpoint, **_COMPRESSION)
    return _Hub(
        Hygiene(endpoint, hosts=hosts),
        Hygiene(compressed, hosts=hosts),
        routes=[
            Route("/", lambda _: RedirectResponse("/console/")),
            Route("/graphql", compressed),  # under a root path
            WebSocketRoute("/graphql", endpoint),
            *schema_files.routes(),
            Route("/openapi.json", openapi),
            Mount("/static/graphiql", graphiql.files()),
            Route("/webhooks/{channel}", webhooks.serve, methods=["GET", "POST"]),
            Route("/imports", uploads.receive, methods=["POST"]),
            Route("/healthz", lambda _: JSONResponse({"status": "alive"})),
            Route("/readyz", _ready(parts.database)),
            Mount("/console", routes=console.routes(), middleware=[_sessions(parts.settings)]),
        ],
        middleware=[Middleware(Hygiene, hosts=hosts)],
        lifespan=lifespan,
        exception_handlers=dict.fromkeys(TROUBLES, _try_again),
    )


def _sessions(settings: Settings) -> Middleware:
    """Return what keeps the name of a console session in a cookie; it ends on the server."""
    return Middleware(
        SessionMiddleware,
        secret_key=settings.vault().derive("console sessions"),
        session_cookie="serial_hub_session",
        max_age=settings.session_hours * 3600,
        same_site="lax",
        https_only=settings.public_url.startswith("https://"),
    )


def _endpoint(
    parts: Parts,
    access: Access,
    execution: Execution,
    limiter: Limiter,
    examples: Mapping[str, str],
) -> CrossOrigin:
    """Make the endpoint of GraphQL, over HTTP and WebSockets."""
    origins = KnownOrigins(access.origins)
    view = GraphQLView(
        execution,
        access.by_request,
        body_bytes_max=parts.settings.body_bytes_max,
        graphiql=GraphiQL(_for_people(examples)) if parts.settings.graphiql else None,
        sockets=GraphQLSockets(execution, access.by_socket, origins=origins),
        stopping=parts.stopping,
        allowance=limiter.left,
    )
    return CrossOrigin(view, origins)


def _two_person(settings: Settings) -> frozenset[str]:
    """Return the commands that a second person approves; raises ValueError for an unknown one."""
    named = frozenset(settings.two_person_commands())
    unknown = named - {each.field for each in COMMANDS.values()} - {RESEAL}
    if unknown:
        raise ValueError(f"{PREFIX}TWO_PERSON: there is no command {', '.join(sorted(unknown))}")
    return named


async def _try_again(_: Request, __: Exception) -> Response:
    """Say that the database is away: a channel sends its webhook again, a client its file."""
    error = {"code": TRY_AGAIN, "message": TRY_AGAIN_WORDS}
    headers = {"retry-after": "1", "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return JSONResponse({"error": error}, status_code=503, headers=headers)


def _execution(examples: Mapping[str, str], limiter: Limiter) -> Execution:
    return Execution(
        schema,
        Documents(schema, Limits(), trusted=_validated(tuple(examples.values()))),
        expose=expose,
        may_introspect=_may_introspect,
        spend=limiter.spend,
        gate=PublicGate(),
    )


@cache
def _validated(texts: tuple[str, ...]) -> Sequence[Document]:
    """Validate documents once in a process, however many applications it builds."""
    return Documents(schema, Limits(), trusted=texts).trusted


def _for_people(examples: Mapping[str, str]) -> dict[str, str]:
    """Leave out the console's own operations: they are no place to start from."""
    return {name: text for name, text in examples.items() if not name.startswith("console_")}


def _may_introspect(context: Context) -> bool:
    # A storefront key lies in a page that anybody reads: it need not draw a map of the house.
    return any(context.caller.may(scope) for scope in (Scope.SCANNER, Scope.POS, Scope.OPS))


def _ready(database: Database) -> Callable[[Request], object]:
    async def ready(_: Request) -> Response:
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                await database.read(lambda tx: tx.value("SELECT COUNT(*) FROM channel"))
        except Exception as error:
            answer = {"status": "not ready", "reason": type(error).__name__}
            return JSONResponse(answer, status_code=503)
        return JSONResponse({"status": "ready"})

    return ready
