"""Streams of server-sent events: memory of the serving process while many clients listen.

A thousand streams hear eighteen events each. The yardstick is the memory of the same process after
the first four of them: what grows between is what streams keep.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.benchmarks.harness import (
    Measurement,
    Server,
    fresh_ground,
    hub_server,
    make_keys,
    opened,
    receive,
    register,
    run,
    say,
)

STREAMS = 1_000
EVENTS_EACH = 18
WARM = 4
SECONDS_MAX = 300.0
STOCK = """subscription { unitEvents { action unit { serial status product { sku } } } }"""


def stream_memory(backend: str) -> Measurement:
    """Measure the resident memory, in MiB, after all events and after the first four."""
    with fresh_ground(backend) as ground, opened(ground) as database:
        (sku,) = database.write_now(lambda tx: register(tx, 1))
        secrets = make_keys(database, 1)

        def happen(number: int) -> None:  # two events: received, and put away
            database.write_now(lambda tx: receive(tx, [f"S{number:05}"], [sku]))

        most = str(STREAMS + 100)
        with hub_server(
            ground, CONNECTIONS_MAX=most, CONNECTIONS_PER_ADDRESS=most, PROCESSES="1"
        ) as server:
            warm, end = run(lambda: _measured(server, secrets[0], happen))
    say(f"{STREAMS:,} streams, {STREAMS * EVENTS_EACH:,} events: {warm:.1f}, then {end:.1f} MiB")
    return Measurement("stream_memory", end, "MiB", warm, end / warm)


async def _measured(
    server: Server, secret: str, happen: Callable[[int], None]
) -> tuple[float, float]:
    """Return the memory of a server after WARM and after all events, each heard by all streams."""
    heard, warm = _Heard(), 0.0
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}",
        headers={"authorization": f"Bearer {secret}", "accept": "text/event-stream"},
        limits=httpx.Limits(max_connections=None),
        timeout=SECONDS_MAX,
    ) as http:
        listeners = [asyncio.create_task(_listen(http, heard)) for _ in range(STREAMS)]
        await heard.all_open()
        for count in range(2, EVENTS_EACH + 1, 2):
            await asyncio.to_thread(happen, count)
            await heard.all_heard(count)
            if count == WARM:
                warm = _resident(server.pid)
        end = _resident(server.pid)
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
    return warm, end


class _Heard:
    """What all streams have heard so far."""

    def __init__(self) -> None:
        self.open = 0
        self.events = 0
        self._changed = asyncio.Event()

    def count(self, *, opened: int = 0, events: int = 0) -> None:
        self.open += opened
        self.events += events
        self._changed.set()

    async def all_open(self) -> None:
        await self._until(lambda: self.open >= STREAMS)
        await asyncio.sleep(2)  # each reads the end of the feed once it is open

    async def all_heard(self, each: int) -> None:
        await self._until(lambda: self.events >= STREAMS * each)

    async def _until(self, is_reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            while not is_reached():
                self._changed.clear()
                await self._changed.wait()


async def _listen(http: httpx.AsyncClient, heard: _Heard) -> None:
    async with http.stream("POST", "/graphql", json={"query": STOCK}) as answer:
        heard.count(opened=1)
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                assert "errors" not in json.loads(line[6:]), line
                heard.count(events=1)


def _resident(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20
