"""A wire that can be cut: a TCP proxy in the test's own loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

BYTES_MAX = 65_536
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Wire:
    """Connections from a loopback port to somewhere; all of them can be cut, or fall silent."""

    def __init__(self, onward: Callable[[], Awaitable[Pair]]) -> None:
        self._onward = onward
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def restore(self) -> None:
        """Let everything through, what waited in silence first."""
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()
        await asyncio.sleep(0)

    def reset(self) -> None:
        """Break every connection, as a firewall does that forgot them."""
        for writer in tuple(self._open):
            writer.transport.abort()

    def silence(self) -> None:
        """Let nothing through any more and say nothing about it."""
        self._flows.clear()

    async def aclose(self) -> None:
        """End for good."""
        await self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            await self._flows.wait()
            there, back = await self._onward()
            self._open.add(back)
            try:
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            finally:
                back.transport.abort()
                self._open.discard(back)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._open.discard(writer)
            self._tasks.discard(task)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(BYTES_MAX):
                await self._flows.wait()
                target.write(data)
                await target.drain()
        target.close()


@asynccontextmanager
async def wire(onward: Callable[[], Awaitable[Pair]]) -> AsyncIterator[Wire]:
    """Lay a wire and let everything through."""
    laid = Wire(onward)
    await laid.restore()
    try:
        yield laid
    finally:
        await laid.aclose()
