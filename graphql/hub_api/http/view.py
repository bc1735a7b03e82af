"""GraphQL over HTTP: POST and GET as the specification asks, in JSON, whatever happens.

A bare ASGI callable: what a framework would add around it costs more than finding the unit.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import orjson
from graphql import OperationType
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.storage.database import TROUBLES
from hub_api.engine.asked import Asked
from hub_api.engine.documents import Document, Operation
from hub_api.engine.execution import Execution, Payload, log_bug, masked
from hub_api.engine.wire import (
    EVENT_STREAM,
    HTML,
    JSON,
    Accepted,
    ClientGone,
    EventStream,
    Headers,
    Reply,
    RequestError,
    accepted,
    check_content_type,
    parsed_json,
    query_parameters,
    read_body,
    refusal,
    request_id,
    try_again,
)
from hub_api.http.conditional import conditional
from hub_api.http.graphiql import GraphiQL
from hub_api.http.limiter import Allowance

MIB = 1024 * 1024
LARGE_BYTES = 256 * 1024
_POST_ONLY = ((b"allow", b"POST"),)


class Unauthenticated(Exception):
    """Nobody we know is asking. Next: 401; the client comes back with a key."""


class GraphQLView:
    """One GraphQL endpoint.

    `context` makes the context of one request out of its headers, before the body is read; it
    raises `Unauthenticated` for strangers who may not ask at all. The body limit leaves room
    for a bulk command of 10,000 serials (about 1 MiB).
    """

    def __init__(
        self,
        execution: Execution,
        context: Callable[[Request], Awaitable[Any]],
        *,
        body_bytes_max: int = 4 * MIB,
        graphiql: GraphiQL | None = None,
        get_trusted_only: bool = False,
        streams_max: int = 1_000,
        keep_alive_seconds: float = 12.0,
        sockets: ASGIApp | None = None,
        stopping: asyncio.Event | None = None,
        allowance: Callable[[Any], Allowance] | None = None,
    ) -> None:
        self._execution = execution
        self._context = context
        self._body_bytes_max = body_bytes_max
        self._graphiql = graphiql
        self._get_trusted_only = get_trusted_only
        self._streams_max = streams_max
        self._streams = 0
        self._keep_alive_seconds = keep_alive_seconds
        self._sockets = sockets
        self._stopping = stopping
        self._allowance = allowance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, or hand a WebSocket on."""
        if scope["type"] == "websocket" and self._sockets is not None:
            await self._sockets(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        correlation = request_id(scope, headers)
        media = JSON
        reply: Reply | EventStream
        try:
            accepts = accepted(headers.get(b"accept"))
            media = accepts.media
            reply = await self._answer(scope, receive, headers, accepts, correlation)
        except ClientGone:
            return
        except RequestError as error:
            reply = refusal(error, media)
        except Unauthenticated as error:
            reply = refusal(_unauthenticated(error), media)
        except TROUBLES:
            reply = refusal(try_again(), media)
        except Exception as error:
            log_bug(error, correlation)
            reply = refusal(RequestError([masked(correlation)], 500, forced=True), media)
        await reply.write(receive, send, correlation)

    async def _answer(
        self,
        scope: Scope,
        receive: Receive,
        headers: Headers,
        accepts: Accepted,
        correlation: str,
    ) -> Reply | EventStream:
        get = scope["method"] == "GET"
        if get:
            body: Any = query_parameters(scope)
            if self._graphiql is not None and accepts.media == HTML and "query" not in body:
                return self._graphiql.page()
        elif scope["method"] == "POST":
            check_content_type(headers.get(b"content-type"))
        else:
            raise RequestError.of(
                "Ask with POST or GET.",
                "METHOD_NOT_ALLOWED",
                405,
                headers=((b"allow", b"GET, POST"),),
            )
        context = await self._context(Request(scope, receive))
        if not get:
            read = await read_body(receive, headers, self._body_bytes_max)
            body = parsed_json(read)
            if len(read) > LARGE_BYTES:
                await asyncio.sleep(0)  # others first: reading it took some milliseconds
        asked = Asked.of(body)
        document = await self._execution.find(asked, context)
        if get:
            self._check_get(document, asked)
        operation = await self._execution.admit(document, asked, context)
        reply = await self._run(operation, asked, context, accepts, correlation)
        if get and isinstance(reply, Reply):
            return conditional(reply.body, reply.media, headers, reply.headers)
        return reply

    def _check_get(self, document: Document, asked: Asked) -> None:
        if self._get_trusted_only and not document.trusted:
            raise RequestError.of(
                "Only trusted documents may be asked with GET: use POST.",
                "METHOD_NOT_ALLOWED",
                405,
                headers=_POST_ONLY,
            )
        operation = document.operations.get(asked.operation_name)
        found = [operation] if operation else document.operations.values()
        if any(one.kind is OperationType.MUTATION for one in found):
            raise RequestError.of(
                "A mutation needs POST.", "METHOD_NOT_ALLOWED", 405, headers=_POST_ONLY
            )

    async def _run(
        self,
        operation: Operation,
        asked: Asked,
        context: Any,
        accepts: Accepted,
        correlation: str,
    ) -> Reply | EventStream:
        execution = self._execution
        if operation.kind is OperationType.SUBSCRIPTION:
            if not accepts.events:
                raise RequestError.of(
                    f"A subscription needs a WebSocket (graphql-transport-ws) or {EVENT_STREAM}."
                )
            self._check_streams()
            stream = await execution.stream(operation, asked, context, correlation)
            return self._stream(stream, self._stopping)
        payload = await execution.run(operation, asked, context, correlation)
        if accepts.media == EVENT_STREAM:
            return self._stream(_once(payload))
        media = JSON if accepts.media == HTML else accepts.media
        if self._allowance is None:
            return Reply(200, media, orjson.dumps(payload))
        allowance = self._allowance(context)
        if asked.extensions.get("cost") is True:
            left = max(0, int(allowance.left))
            payload["extensions"] = {"cost": {"asked": context.cost, "left": left}}
        return Reply(200, media, orjson.dumps(payload), allowance.headers())

    def _check_streams(self) -> None:
        if self._streams >= self._streams_max:
            raise RequestError.of(
                "Too many streams are open.",
                "STREAM_LIMIT",
                503,
                headers=((b"retry-after", b"30"),),
            )

    def _stream(
        self, payloads: AsyncGenerator[Payload, None], stopping: asyncio.Event | None = None
    ) -> EventStream:
        return EventStream(self._counted(payloads), self._keep_alive_seconds, stopping)

    async def _counted(
        self, payloads: AsyncGenerator[Payload, None]
    ) -> AsyncGenerator[Payload, None]:
        self._streams += 1
        try:
            async for payload in payloads:
                yield payload
        finally:
            self._streams -= 1
            await payloads.aclose()


async def _once(payload: Payload) -> AsyncGenerator[Payload, None]:
    yield payload


def _unauthenticated(error: Unauthenticated) -> RequestError:
    return RequestError.of(
        str(error) or "Send a valid API key.",
        "UNAUTHENTICATED",
        401,
        headers=((b"www-authenticate", b"Bearer"),),
    )
