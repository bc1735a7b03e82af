"""Half-sent requests, unread answers and floods of connections, over real sockets."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
import uvicorn
import websockets

from hub.access import keys
from hub.access.keys import Scope
from hub.settings import Settings
from serial_hub.connection_limits import TOO_LARGE, BoundedProtocol, ConnectionLimits
from serial_hub.secret_free_logs import without_secrets
from serial_hub.serving import configured
from world import KEY, World

SOON = 10.0
HEAD = b"GET /healthz HTTP/1.1\r\nhost: hub\r\n"
POST = b"POST /graphql HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\n"

OPENED: list[asyncio.StreamWriter] = []
Story = Callable[[int], Awaitable[None]]


def serve(
    world: World, story: Story, limits: ConnectionLimits | None = None, **settings: Any
) -> None:
    """Serve the whole hub as `serial-hub serve` does, on a free port of loopback."""

    async def run() -> None:
        given = Settings(database=world.database.url, secret_key=KEY, port=0, **settings)
        config = configured(given, world.runtime(), works=False)
        config.lifespan = "off"
        if limits is not None:
            assert isinstance(config.http, type)
            assert issubclass(config.http, BoundedProtocol)
            config.http.known.__init__(limits)  # type: ignore[misc] # times below a second
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve())
        while not server.started:
            assert not running.done()
            await asyncio.sleep(0.01)
        try:
            await story(server.servers[0].sockets[0].getsockname()[1])
        finally:
            while OPENED:
                OPENED.pop().close()
            server.should_exit = True
            await running

    asyncio.run(run())


async def begin(port: int, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    OPENED.append(writer)
    writer.write(data)
    return reader, writer


async def ends(reader: asyncio.StreamReader) -> bytes:
    """Return what came until the hub closed the connection."""
    try:
        return await asyncio.wait_for(reader.read(), SOON)
    except ConnectionError:
        return b""


async def healthy(port: int) -> bool:
    async with httpx.AsyncClient(timeout=SOON) as client:
        return (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200


FAST = ConnectionLimits(head_seconds=0.3, body_seconds=0.3, body_bytes_per_second=1e9)


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"G",
        b"\r\n",
        HEAD,
        HEAD + b"x-a: " + b"a" * 1_000,
        POST + b"content-length: 500\r\n\r\n{",
        POST + b"transfer-encoding: chunked\r\n\r\n5\r\n{",
        HEAD + b"\r\n" + HEAD,
        HEAD + b"\r\n\r\n",
    ],
    ids=range(9),
)
def test_half_open_connections_stop_nobody_and_are_closed_in_time(
    world: World, half: bytes
) -> None:
    async def story(port: int) -> None:
        opened = [await begin(port, half) for _ in range(50)]
        assert await healthy(port)
        answers = await asyncio.gather(*(ends(reader) for reader, _ in opened))
        assert len(answers) == 50
        assert await healthy(port)

    serve(world, story, FAST)


def test_a_head_without_end_is_closed(world: World) -> None:
    async def story(port: int) -> None:
        reader, writer = await begin(port, HEAD)
        with suppress(ConnectionError):
            for _ in range(200):
                writer.write(b"x-a: " + b"a" * 1_000 + b"\r\n")
                await writer.drain()
        assert (await ends(reader)).partition(b"\r\n")[0] in (b"", TOO_LARGE.partition(b"\r\n")[0])
        assert await healthy(port)

    serve(world, story, ConnectionLimits(head_seconds=60))


def test_a_body_that_trickles_is_closed_and_a_steady_one_is_read(world: World) -> None:
    _, secret = world.write(lambda tx: keys.create(tx, "x", [Scope.OPS], world.now))
    head = POST + b"authorization: Bearer " + secret.encode() + b"\r\ncontent-length: 60\r\n\r\n"
    body = b'{"query": "{ __typename }"}'.ljust(60)

    async def story(port: int) -> None:
        reader, writer = await begin(port, head)
        for number in range(len(body)):
            with suppress(ConnectionError):
                writer.write(body[number : number + 1])
                await writer.drain()
            await asyncio.sleep(0.02)
        assert b"200 OK" not in await ends(reader)
        reader, writer = await begin(port, head)
        writer.write(body)
        assert b"200 OK" in await asyncio.wait_for(reader.readline(), SOON)
        writer.close()

    limits = ConnectionLimits(head_seconds=5, body_seconds=0.3, body_bytes_per_second=200)
    serve(world, story, limits)


def test_an_address_has_so_many_connections_and_a_proxy_any_number(world: World) -> None:
    async def story(port: int) -> None:
        opened = [await begin(port, HEAD) for _ in range(5)]
        refused, _ = await begin(port, HEAD)
        assert await ends(refused) == b""
        opened[0][1].close()
        await asyncio.sleep(0.1)
        reader, _ = await begin(port, HEAD + b"\r\n")
        assert b"200 OK" in await asyncio.wait_for(reader.readline(), SOON)

    serve(world, story, ConnectionLimits(per_address_max=5, proxies=()))

    async def proxied(port: int) -> None:
        for _ in range(20):
            await begin(port, HEAD)
        assert await healthy(port)

    serve(world, proxied, ConnectionLimits(per_address_max=5))


def test_where_there_are_too_many_connections_the_oldest_without_a_request_goes(
    world: World,
) -> None:
    async def story(port: int) -> None:
        opened = [await begin(port, HEAD) for _ in range(30)]
        assert await healthy(port)
        assert await ends(opened[0][0]) == b""

    serve(world, story, ConnectionLimits(connections_max=20))


def test_sockets_count_and_are_forgotten_when_they_end(world: World) -> None:
    async def story(port: int) -> None:
        def socket() -> Any:
            return websockets.connect(
                f"ws://127.0.0.1:{port}/graphql",
                subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
            )

        for _ in range(4):  # they end each time
            async with socket(), socket():
                refused, _ = await begin(port, HEAD)
                assert await ends(refused) == b""
            await asyncio.sleep(0.05)
        assert await healthy(port)

    serve(world, story, ConnectionLimits(per_address_max=2, proxies=()))


def test_no_log_shows_the_key_or_the_cookie_of_a_handshake(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    _, secret = world.write(lambda tx: keys.create(tx, "x", [Scope.OPS], world.now))
    headers = {"authorization": f"Bearer {secret}", "cookie": "serial_hub_session=COOKIEVALUE"}

    async def story(port: int) -> None:
        async with websockets.connect(
            f"ws://127.0.0.1:{port}/graphql",
            subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
            additional_headers=headers,
            logger=logging.getLogger("test.client"),
        ) as socket:
            params = {"authorization": f"Bearer {secret}"}
            await socket.send(f'{{"type":"connection_init","payload":{str(params)!r}}}')
        async with httpx.AsyncClient(headers=headers) as client:
            await client.get(f"http://127.0.0.1:{port}/graphql?query={{__typename}}")

    logging.getLogger("test.client").setLevel(logging.ERROR)
    stream_handler = logging.StreamHandler()
    logging.getLogger().addHandler(stream_handler)
    try:
        serve(world, story, log_level="debug")
    finally:
        logging.getLogger().removeHandler(stream_handler)
    captured = capsys.readouterr()
    shown = captured.err + captured.out + caplog.text
    assert re.search("GET /graphql", shown)
    assert secret not in shown
    assert "COOKIEVALUE" not in shown


@pytest.mark.parametrize(
    "line",
    [
        "> authorization: Bearer TOPSECRET",
        "> Cookie: serial_hub_session=TOPSECRET; other=TOPSECRET",
        "headers [(b'X-Shopify-Access-Token', b'TOPSECRET'), (b'host', b'x')]",
        "{'x-api-key': 'TOPSECRET', 'host': 'x'}",
        "sec-websocket-protocol: shk_TOPSECRET_TOPSECRET",
        "Set-Cookie: a=TOPSECRET",
    ],
)
def test_headers_with_secrets_are_cleaned_in_every_form(line: str) -> None:
    assert "TOPSECRET" not in without_secrets(line)
    assert without_secrets("GET /healthz 200") == "GET /healthz 200"
