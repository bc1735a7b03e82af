"""Serve the hub: one process, or several on one port, or a worker without an API."""

import asyncio
import gc
import logging
import signal
import socket
import sys

import uvicorn

from hub.settings import Settings, from_environment
from hub.storage.database import Database
from jobs import schedule
from jobs.runtime import Runtime
from serial_hub import processes
from serial_hub.compose import application, prepare, runtime_of, set_up
from serial_hub.connection_limits import ConnectionLimits, bounded
from serial_hub.secret_free_logs import hide_secrets

logger = logging.getLogger("serial_hub")

YOUNG = (10_000, 5, 2_000)  # objects, and rounds of the younger generations
COLLECT_TICKS = 600  # of a tenth of a second
MESSAGE_BYTES_MAX = 4 * 1024 * 1024  # of a WebSocket: as a request's body


def serve(settings: Settings, role: str) -> None:
    """Run the hub until it is told to stop."""
    count = 1 if role == "worker" else settings.processes_used()
    if count == 1:
        serve_alone(settings, role)
        return
    prepare(settings).close()  # what is wrong is said once, not by each of them
    try:
        address = processes.shared_socket(settings.host, settings.port)
    except OSError as error:
        sys.exit(f"{settings.host}:{settings.port} can not be listened on: {error.strerror}")
    with address:  # whatever ends and begins, the port stays ours
        processes.keep("serial_hub.serving:serve_beside_others", role, count)


def serve_beside_others(role: str) -> None:
    """Be one of several processes that serve one address."""
    settings = from_environment()
    set_up(settings)
    serve_alone(settings, role, processes.shared_socket(settings.host, settings.port))


def serve_alone(settings: Settings, role: str, *listening: socket.socket) -> None:
    """Run the hub in this process, on its address or on sockets that are bound already."""
    shared = settings.processes_used() if listening else 1
    database = prepare(settings, processes=shared)
    try:
        if role == "worker":
            asyncio.run(_work(settings, database))
            return
        # uvicorn raises the signal again when it has shut down: leave by the door, and close up.
        end = _End()
        signal.signal(signal.SIGTERM, end)
        runtime = runtime_of(settings, database)
        server = _Server(configured(settings, runtime, works=role == "all"), runtime)
        end.server = server
        settle_memory()
        if end.is_asked:
            sys.exit(0)
        server.run([*listening] or None)
        if not server.started:
            sys.exit("The hub could not start: see above.")
    finally:
        database.close()


def configured(settings: Settings, runtime: Runtime, *, works: bool) -> uvicorn.Config:
    """Return how uvicorn serves the application: its limits, logs and trusted proxies."""
    config = uvicorn.Config(
        application(settings, runtime, works=works),
        host=settings.host,
        port=settings.port,
        http=bounded(ConnectionLimits.of(settings)),
        ws_max_size=MESSAGE_BYTES_MAX,
        log_level=settings.log_level,
        timeout_graceful_shutdown=settings.drain_seconds,
        forwarded_allow_ips=list(settings.proxy_addresses()),
        server_header=False,
    )
    hide_secrets()  # uvicorn has made its own handlers by now
    return config


def settle_memory() -> None:
    """Keep what was built for good out of the search for garbage.

    The schema alone is a quarter of a million objects: to look through them all stops everything
    for a third of a second, every few seconds under load, and never finds anything.
    """
    gc.collect()
    gc.freeze()
    # The objects of a large answer are young and many: to look through them all, again and again
    # while it is made, would hold the loop for a tenth of a second. `_Server` does it in between.
    gc.set_threshold(*YOUNG)


class _End:
    """What a SIGTERM does while no loop runs: it ends the process.

    Python drops an exception that a signal raises within a callback of the garbage collector, which
    runs while a process starts: so the server is told, too, and ends as soon as it runs.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self.server: uvicorn.Server | None = None

    def __call__(self, *_: object) -> None:
        """End the process."""
        self.is_asked = True
        if self.server is not None:
            self.server.should_exit = True
        sys.exit(0)


class _Server(uvicorn.Server):
    """A server that has the jobs beside it stop when it stops, not after its last request."""

    def __init__(self, config: uvicorn.Config, runtime: Runtime) -> None:
        super().__init__(config)
        self._runtime = runtime

    async def on_tick(self, counter: int) -> bool:
        """Collect what is old once a minute."""
        if counter % COLLECT_TICKS == COLLECT_TICKS - 1:
            gc.collect()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, let requests and jobs finish, end."""
        self._runtime.stopping.set()
        await super().shutdown(sockets)


async def _work(settings: Settings, database: Database) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    runtime = runtime_of(settings, database)
    async with schedule.working(runtime, settings):
        logger.info("working as %s", runtime.holder)
        await stop.wait()
