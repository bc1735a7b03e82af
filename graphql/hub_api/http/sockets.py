"""GraphQL over WebSockets (graphql-transport-ws), for subscriptions.

Strawberry speaks the protocol; what it executes goes through our own `Execution`, so limits,
masking, introspection and the limiter are the same as over HTTP. Pages of foreign origins are
refused, and a message that is not what the protocol says closes the connection.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from json import JSONDecodeError
from typing import Any, cast

import orjson
from graphql import GraphQLError, OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.schema import BaseSchema
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.unset import UNSET, UnsetType

from hub.storage.database import TROUBLES
from hub_api.engine.asked import Asked
from hub_api.engine.execution import Execution, Payload, log_bug, masked
from hub_api.engine.wire import RequestError, request_id, try_again
from hub_api.http.cors import KnownOrigins
from hub_api.http.view import Unauthenticated

MESSAGE_CHARS_MAX = 1024 * 1024
KNOWN = "known_origin"
#: What the protocol wants in a message, beside its type.
_STRINGS = {"subscribe": ("id",), "complete": ("id",)}

Connect = Callable[[WebSocket, Mapping[str, Any]], Awaitable[Any]]


@dataclass
class _Connection:
    """One socket; Strawberry fills in `connection_params` from connection_init."""

    socket: WebSocket
    correlation: str
    connection_params: Mapping[str, Any] = field(default_factory=dict)


class _Shown(GraphQLError):
    """An error that is already what the client shall see."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        super().__init__(str(entry["message"]))
        self._entry = dict(entry)

    @property
    def formatted(self) -> Any:
        return self._entry


class _Operations:
    """Stands where Strawberry expects its schema: runs what comes in over a socket."""

    def __init__(self, execution: Execution, connect: Connect) -> None:
        self._execution = execution
        self._connect = connect

    async def stream(
        self,
        query: str,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,  # noqa: ARG002
        operation_name: str | None = None,
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Return the results of one operation; refusals are the first and only result."""
        return self._results(query, variable_values, context_value, operation_name)

    async def _results(
        self,
        query: str,
        variables: Mapping[str, Any] | None,
        connection: _Connection,
        operation_name: str | None,
    ) -> AsyncGenerator[ExecutionResult, None]:
        correlation = connection.correlation
        try:
            async for payload in self._payloads(query, variables, connection, operation_name):
                errors = [_Shown(entry) for entry in payload.get("errors", ())]
                yield ExecutionResult(
                    data=payload["data"],
                    errors=cast("Any", errors) or None,
                    extensions=payload.get("extensions"),
                )
        except RequestError as error:
            yield _refusal(error.errors)
        except Unauthenticated as error:
            entry = {"message": str(error), "extensions": {"code": "UNAUTHENTICATED"}}
            yield _refusal([entry])
        except TROUBLES:
            yield _refusal(try_again().errors)
        except Exception as error:
            log_bug(error, correlation)
            yield _refusal([masked(correlation)])

    async def _payloads(
        self,
        query: str,
        variables: Mapping[str, Any] | None,
        connection: _Connection,
        operation_name: str | None,
    ) -> AsyncGenerator[Payload, None]:
        # A context of its own for each operation: a key may have been revoked since, and what
        # one operation has loaded must not answer the next.
        context = await self._connect(connection.socket, connection.connection_params)
        asked = Asked(query, operation_name, variables or {}, {}, None)
        execution, correlation = self._execution, connection.correlation
        document = await execution.find(asked, context)
        operation = await execution.admit(document, asked, context)
        if operation.kind is not OperationType.SUBSCRIPTION:
            yield await execution.run(operation, asked, context, correlation)
            return
        payloads = await execution.stream(operation, asked, context, correlation)
        try:
            async for payload in payloads:
                yield payload
        finally:
            await payloads.aclose()


def _refusal(errors: Sequence[Mapping[str, Any]]) -> PreExecutionError:
    return PreExecutionError(data=None, errors=[_Shown(entry) for entry in errors])


class GraphQLSockets(GraphQL[_Connection, None]):
    """The WebSocket endpoint beside `GraphQLView`.

    `connect` makes the context from the socket's headers and its connection_params, and raises
    `Unauthenticated` for strangers; it is asked when the connection opens and for every operation.
    `allowed_origins` are other sites whose pages may connect, as may those of `origins`; our own
    origin always may.
    """

    def __init__(
        self,
        execution: Execution,
        connect: Connect,
        *,
        subscriptions_max: int = 50,
        connections_max: int = 1_000,
        init_timeout_seconds: float = 10.0,
        message_chars_max: int = MESSAGE_CHARS_MAX,
        allowed_origins: Sequence[str] = (),
        origins: KnownOrigins | None = None,
    ) -> None:
        super().__init__(
            cast("BaseSchema", _Operations(execution, connect)),
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=init_timeout_seconds),
            max_subscriptions_per_connection=subscriptions_max,
            allowed_origins=allowed_origins,
        )
        self._connect = connect
        self._connections_max = connections_max
        self._connections = 0
        self._message_chars_max = message_chars_max
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        if scope["type"] != "websocket":
            raise RuntimeError("GraphQLSockets serves WebSockets only.")
        if self._connections >= self._connections_max:
            await send({"type": "websocket.close", "code": 1013, "reason": "Too many sockets"})
            return

        origin = dict(scope["headers"]).get(b"origin")
        if self._origins is not None and origin is not None:
            scope.setdefault("state", {})[KNOWN] = await self._origins.includes(origin)

        async def bounded() -> Message:
            message = await receive()
            if len(message.get("text") or "") > self._message_chars_max:
                await send({"type": "websocket.close", "code": 1009, "reason": "Message too long"})
                return {"type": "websocket.disconnect", "code": 1009}
            return message

        self._connections += 1
        try:
            await super().__call__(scope, bounded, send)
        finally:
            self._connections -= 1

    def is_websocket_origin_allowed(self, request: WebSocket, origin: str) -> bool:
        """Return whether a page of another origin may connect."""
        known = bool(request.scope.get("state", {}).get(KNOWN))
        return known or super().is_websocket_origin_allowed(request, origin)

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> _Connection:
        """Return what is known of a connection before it has introduced itself."""
        assert isinstance(response, WebSocket)
        correlation = request_id(request.scope, dict(request.scope["headers"]))
        return _Connection(response, correlation)

    async def on_ws_connect(self, context: _Connection) -> UnsetType | dict[str, object] | None:
        """Let the connection in, or refuse it."""
        try:
            await self._connect(context.socket, context.connection_params)
        except (Unauthenticated, RequestError):
            raise ConnectionRejectionError from None
        except Exception as error:
            log_bug(error, context.correlation)
            raise ConnectionRejectionError from error
        return cast("UnsetType", UNSET)

    def encode_json(self, data: object) -> str:
        """Write a message; as text, since clients do not read binary frames."""
        return orjson.dumps(data).decode()

    def decode_json(self, data: str | bytes) -> Any:
        """Read a message, and refuse what would break the handler further in."""
        message = orjson.loads(data)
        if not _well_formed(message):
            raise JSONDecodeError("not a message of graphql-transport-ws", "", 0)
        return message


def _well_formed(message: object) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if not all(isinstance(message.get(name), str) for name in _STRINGS.get(message["type"], ())):
        return False
    if message["type"] != "subscribe":
        return True
    payload = message.get("payload")
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
