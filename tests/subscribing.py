"""Clients of the subscription over a real WebSocket, for tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from api_client import Hub, play
from connectors.testing.serving import serve
from world import World

SECONDS_MAX = 20.0


QUIET_SECONDS = 1.5  # longer than the subscription sleeps between two looks


EVENTS = """subscription($sku: String, $location: String) {
  unitEvents(sku: $sku, location: $location) { id version action location unit { serial } } }"""


Event = dict[str, Any]


class Listener:
    """One client of graphql-transport-ws with one subscription."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self) -> Any:
        async with asyncio.timeout(SECONDS_MAX):
            message = await self.socket.recv()
        assert isinstance(message, str)  # text frames: browsers read no binary ones
        return json.loads(message)

    async def introduce(self, secret: str) -> None:
        payload = {"authorization": f"Bearer {secret}"}
        await self.say(type="connection_init", payload=payload)

    async def refusal(self) -> str:
        """Hear that the subscription is refused, before it began or at once, and return why."""
        message = await self.hear()
        payload = message["payload"]
        if message["type"] == "next":
            assert payload["data"] is None
            payload = payload["errors"]
            assert (await self.hear())["type"] == "complete"
        return str(payload[0]["extensions"]["code"])

    async def subscribe(self, **variables: Any) -> None:
        payload = {"query": EVENTS, "variables": variables}
        await self.say(type="subscribe", id="1", payload=payload)

    async def events(self, count: int) -> list[Event]:
        """Hear so many events."""
        return [await self.event() for _ in range(count)]

    async def event(self) -> Event:
        message = await self.hear()
        assert (message["type"], message["id"]) == ("next", "1"), message
        assert "errors" not in message["payload"], message
        event: Event = message["payload"]["data"]["unitEvents"]
        return event

    async def is_quiet(self) -> bool:
        """Say whether nothing more comes."""
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                await self.socket.recv()
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def socket_to(url: str, origin: str | None = None) -> AsyncIterator[Listener]:
    """Open a socket, as a page of an origin would."""
    address = url.replace("http://", "ws://") + "/graphql"
    protocol = Subprotocol("graphql-transport-ws")
    async with connect(
        address, subprotocols=[protocol], origin=None if origin is None else Origin(origin)
    ) as socket:
        assert socket.subprotocol == protocol
        yield Listener(socket)


@asynccontextmanager
async def server_sent(
    url: str, secret: str, document: str, *, last: str | None = None, **variables: Any
) -> AsyncIterator[AsyncIterator[tuple[str | None, Any]]]:
    """Open a stream of server-sent events; yields the id and the payload of each."""
    headers = {"authorization": f"Bearer {secret}", "accept": "text/event-stream"}
    if last is not None:
        headers["last-event-id"] = last
    body = {"query": document, "variables": variables}
    async with (
        httpx.AsyncClient(base_url=url, headers=headers, timeout=SECONDS_MAX) as http,
        http.stream("POST", "/graphql", json=body) as answer,
    ):

        async def events() -> AsyncIterator[tuple[str | None, Any]]:
            event_id = None
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    event_id = line[4:]
                elif line.startswith("data: "):
                    yield event_id, json.loads(line[6:])

        yield events()


@asynccontextmanager
async def listening(url: str, secret: str) -> AsyncIterator[Listener]:
    """Connect, introduce oneself, and be let in."""
    async with socket_to(url) as listener:
        await listener.introduce(secret)
        assert (await listener.hear())["type"] == "connection_ack"
        yield listener


def over_a_socket(world: World, story: Callable[[str], Awaitable[None]]) -> None:
    """Serve the application with its sockets while a story lasts."""

    async def told(hub: Hub) -> None:
        async with serve(hub.app, lifespan="on") as url:
            await story(url)

    play(world, told)


def told(events: list[Event]) -> list[tuple[str, str]]:
    return [(event["unit"]["serial"], event["action"]) for event in events]


async def begun(world: World, listeners: list[Listener]) -> None:
    """Wait until every subscription stands: until each has heard of a unit that it asks for."""
    waiting = dict.fromkeys(listeners)
    number = 0
    while waiting:
        number += 1
        await asyncio.to_thread(world.receive, f"BEGIN-{number}", sku="SAW", place="SHOP")
        for listener in list(waiting):
            try:
                async with asyncio.timeout(0.3):
                    await listener.event()
            except TimeoutError:
                continue
            del waiting[listener]
        assert number < 50
    for listener in listeners:
        last = (f"BEGIN-{number}", "PUT_AWAY")
        while told([await listener.event()]) != [last]:
            pass
