"""Subscriptions over WebSockets: the protocol's doors, and the same limits as over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import orjson
import pytest
import strawberry
from starlette.requests import Request
from starlette.websockets import WebSocket

from hub_api.engine.documents import Documents
from hub_api.engine.execution import Execution
from hub_api.engine.limits import Limits
from hub_api.http.sockets import GraphQLSockets
from hub_api.http.view import GraphQLView, Unauthenticated

SECONDS_MAX = 5.0


@strawberry.type
class Query:
    @strawberry.field
    def whoami(self, info: strawberry.Info) -> str:
        return str(info.context["who"])

    @strawberry.field
    def broken(self) -> str:
        raise RuntimeError("the secret is 4711")


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, info: strawberry.Info, upto: int) -> AsyncIterator[str]:
        for number in range(upto):
            yield f"{info.context['who']} {number}"

    @strawberry.subscription
    async def silent(self) -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1


async def connect(socket: WebSocket, params: Mapping[str, Any]) -> dict[str, str]:
    key = str(params.get("authorization", "")).removeprefix("Bearer ")
    if not key:
        raise Unauthenticated("Send a key.")
    return {"who": key}


def make(limits: Limits | None = None, **options: Any) -> GraphQLSockets:
    schema = strawberry.Schema(Query, subscription=Subscription)
    execution = Execution(
        schema,
        Documents(schema, limits),
        expose=lambda error: None,
        may_introspect=lambda context: context["who"] == "admin",
    )
    return GraphQLSockets(execution, connect, **options)


class Client:
    """The other end of one socket, spoken by hand."""

    def __init__(self) -> None:
        self.inwards: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.outwards: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def say(self, message: object) -> None:
        text = message if isinstance(message, str) else orjson.dumps(message).decode()
        await self.inwards.put({"type": "websocket.receive", "text": text})

    async def hear(self) -> Any:
        message = await asyncio.wait_for(self.outwards.get(), SECONDS_MAX)
        if message["type"] == "websocket.send":
            assert "bytes" not in message, "clients read text frames only"
            return orjson.loads(message["text"])
        return message

    async def open(self, params: object = None) -> Any:
        await self.inwards.put({"type": "websocket.connect"})
        assert (await self.hear())["type"] == "websocket.accept"
        await self.say(
            {"type": "connection_init", "payload": params or {"authorization": "Bearer ops"}}
        )
        return await self.hear()

    async def ask(self, query: str, id: str = "1", variables: object = None) -> None:  # noqa: A002
        payload = {"query": query, "variables": variables}
        await self.say({"type": "subscribe", "id": id, "payload": payload})


def talk(
    sockets: GraphQLSockets | GraphQLView,
    talking: Callable[[Client], Awaitable[None]],
    headers: Mapping[str, str] | None = None,
) -> None:
    """Let `talking` hold a conversation, then hang up."""

    async def run() -> None:
        client = Client()
        scope = {
            "type": "websocket",
            "path": "/graphql",
            "headers": [(b"host", b"hub")]
            + [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
            "subprotocols": ["graphql-transport-ws"],
        }
        serving = asyncio.create_task(sockets(scope, client.inwards.get, client.outwards.put))
        try:
            await talking(client)
        finally:
            await client.inwards.put({"type": "websocket.disconnect", "code": 1000})
            await asyncio.wait_for(serving, SECONDS_MAX)

    asyncio.run(run())


def test_a_subscription_delivers_and_completes() -> None:
    async def talking(client: Client) -> None:
        assert await client.open() == {"type": "connection_ack"}
        await client.ask("subscription S($n: Int!) { count(upto: $n) }", variables={"n": 2})
        for number in range(2):
            payload = {"data": {"count": f"ops {number}"}}
            assert await client.hear() == {"id": "1", "type": "next", "payload": payload}
        assert await client.hear() == {"id": "1", "type": "complete"}

    talk(make(), talking)


def test_the_view_hands_sockets_on() -> None:
    sockets = make()

    async def context(request: Request) -> None: ...

    async def talking(client: Client) -> None:
        assert await client.open() == {"type": "connection_ack"}

    schema = strawberry.Schema(Query)
    execution = Execution(schema, Documents(schema), expose=lambda error: None, may_introspect=bool)
    talk(GraphQLView(execution, context, sockets=sockets), talking)


def test_strangers_are_shown_out() -> None:
    async def talking(client: Client) -> None:
        closed = await client.open({"authorization": ""})
        assert (closed["type"], closed["code"]) == ("websocket.close", 4403)

    talk(make(), talking)


def test_a_key_is_asked_again_for_every_operation() -> None:
    sockets = make()
    asked: list[Mapping[str, Any]] = []

    async def counting(socket: WebSocket, params: Mapping[str, Any]) -> dict[str, str]:
        asked.append(params)
        if len(asked) > 2:
            raise Unauthenticated("This key was revoked.")
        return await connect(socket, params)

    sockets = make()
    sockets._connect = sockets.schema._connect = counting

    async def talking(client: Client) -> None:
        await client.open()
        await client.ask("{ whoami }", "1")
        assert (await client.hear())["payload"] == {"data": {"whoami": "ops"}}
        assert (await client.hear())["type"] == "complete"
        await client.ask("{ whoami }", "2")
        refused = await client.hear()
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"

    talk(sockets, talking)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { a: count(upto: 1) b: count(upto: 2) }", "ALIAS_LIMIT"),
        ("{ whoami whoami whoami whoami whoami whoami whoami whoami }", "TOKEN_LIMIT"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ", "GRAPHQL_PARSE_FAILED"),
        ("{ __schema { queryType { name } } }", "INTROSPECTION_DISABLED"),
        ("subscription S($n: Int!) { count(upto: $n) }", "BAD_USER_INPUT"),
    ],
)
def test_limits_and_errors_are_those_of_http_and_the_socket_lives_on(query: str, code: str) -> None:
    async def talking(client: Client) -> None:
        await client.open()
        await client.ask(query)
        refused = await client.hear()
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", code)
        await client.ask("{ whoami }")
        assert (await client.hear())["type"] == "next"

    limits = Limits(tokens_max=9 if code == "TOKEN_LIMIT" else 100, aliases_max=1)
    talk(make(limits), talking)


def test_a_bug_is_masked_with_an_id(caplog: pytest.LogCaptureFixture) -> None:
    async def talking(client: Client) -> None:
        await client.open()
        await client.ask("{ broken }")
        payload = (await client.hear())["payload"]
        assert payload["data"] is None
        assert payload["errors"][0]["extensions"]["code"] == "INTERNAL"
        assert "4711" not in str(payload)

    talk(make(), talking)
    assert "4711" in caplog.text


def test_the_number_of_subscriptions_is_bounded() -> None:
    async def talking(client: Client) -> None:
        await client.open()
        for number in range(3):
            await client.ask("subscription { silent }", str(number))
        refused = await client.hear()
        assert (refused["id"], refused["type"]) == ("2", "error")

    talk(make(subscriptions_max=2), talking)


def test_who_does_not_introduce_himself_is_closed() -> None:
    async def talking(client: Client) -> None:
        await client.inwards.put({"type": "websocket.connect"})
        await client.hear()
        assert (await client.hear())["code"] == 4408

    talk(make(init_timeout_seconds=0.01), talking)


@pytest.mark.parametrize(
    ("origin", "allowed", "first"),
    [
        ("http://hub", (), "websocket.accept"),
        ("https://evil.example", (), "websocket.close"),
        ("https://shop.example", ("https://shop.example",), "websocket.accept"),
    ],
)
def test_pages_of_foreign_origins_are_refused(
    origin: str, allowed: tuple[str, ...], first: str
) -> None:
    async def talking(client: Client) -> None:
        await client.inwards.put({"type": "websocket.connect"})
        assert (await client.hear())["type"] == first

    talk(make(allowed_origins=allowed), talking, {"origin": origin})


@pytest.mark.parametrize(
    "message",
    [
        "1",
        "[]",
        "{",
        '{"type":1}',
        '{"type":"subscribe"}',
        '{"type":"subscribe","id":["x"],"payload":{"query":"{ whoami }"}}',
        '{"type":"subscribe","id":"1","payload":1}',
        '{"type":"subscribe","id":"1","payload":{"query":1}}',
        '{"type":"subscribe","id":"1","payload":{"query":"{ whoami }","variables":[]}}',
        '{"type":"complete","id":{}}',
        '{"type":"nonsense"}',
    ],
)
def test_a_malformed_message_closes_the_socket(message: str) -> None:
    async def talking(client: Client) -> None:
        await client.open()
        await client.say(message)
        closed = await client.hear()
        assert (closed["type"], closed["code"]) == ("websocket.close", 4400)

    talk(make(), talking)


def test_a_message_that_is_too_long_closes_the_socket() -> None:
    async def talking(client: Client) -> None:
        await client.open()
        await client.ask("{ whoami } #" + "x" * 300)
        assert (await client.hear())["code"] == 1009

    talk(make(message_chars_max=200), talking)


def test_the_number_of_sockets_is_bounded() -> None:
    async def talking(client: Client) -> None:
        assert (await client.hear())["code"] == 1013

    talk(make(connections_max=0), talking)
