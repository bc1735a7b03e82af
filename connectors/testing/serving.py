"""Serve an ASGI application on a loopback port inside the running event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

import uvicorn

Lifespan = Literal["on", "off"]
START_SECONDS_MAX = 10.0
_START_POLL_SECONDS = 0.005


class _EmbeddedServer(uvicorn.Server):
    """A server that leaves the signals of the process to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(app: Any, *, port: int = 0, lifespan: Lifespan = "off") -> AsyncIterator[str]:
    """Serve `app` until the block ends; yields its base URL, as in ``http://127.0.0.1:40001``.

    Port 0 takes any free one. The server runs in this loop: an application that blocks, blocks
    its caller.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
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
        server.should_exit = True
        await task
        listener.close()


async def _started(server: uvicorn.Server, task: "asyncio.Task[None]") -> None:
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError("the server ended before it began")
        await asyncio.sleep(_START_POLL_SECONDS)
