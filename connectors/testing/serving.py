"""Serve an ASGI application on a loopback port inside the running event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Literal

import uvicorn

Lifespan = Literal["on", "off"]
START_SECONDS_MAX = 10.0
_START_POLL_SECONDS = 0.001
_TICK_SECONDS = 0.1  # as uvicorn has it
_CLOSING_STEPS = 50  # turns of the loop in which connections close


class _EmbeddedServer(uvicorn.Server):
    """A server that leaves the signals of the process alone, and ends without a wait."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end(self) -> None:
        """Ask the server to end."""
        self.should_exit = True
        self._ended.set()

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close at once where nobody is connected any more; otherwise as uvicorn does, by ticks."""
        for _ in range(_CLOSING_STEPS):
            for connection in list(self.server_state.connections):
                connection.shutdown()
            if not self.server_state.connections and not self.server_state.tasks:
                break
            await asyncio.sleep(0)
        else:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        for each in sockets or ():
            each.close()
        await self.lifespan.shutdown()


@asynccontextmanager
async def serve(app: Any, *, port: int = 0, lifespan: Lifespan = "off") -> AsyncIterator[str]:
    """Serve `app` until the block ends; yields its base URL, as in ``http://127.0.0.1:40001``.

    Port 0 takes any free one. The server runs in this loop: an application that blocks, blocks
    its caller.
    """
    # asyncio turns off Nagle's algorithm only where the protocol is named: without it each answer
    # of two packets waits some 40 ms for the confirmation of the first.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    config = uvicorn.Config(
        app,
        lifespan=lifespan,
        log_level="warning",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
        ws="none" if lifespan == "off" else "auto",
    )
    server = _EmbeddedServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.wait_for(_started(server, task), START_SECONDS_MAX)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.end()
        await task
        listener.close()


async def _started(server: uvicorn.Server, task: "asyncio.Task[None]") -> None:
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError("the server ended before it began")
        await asyncio.sleep(_START_POLL_SECONDS)
