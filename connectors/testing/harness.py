"""Harness of a conformance case: a simulator, its connector, a clock, and a faulty transport.

The connector calls the simulator in this process. Only a connector that fetches access tokens is
served over a socket: it fetches them with a client of its own.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import httpx

from connectors.contract import Page, PushedLevel
from connectors.errors import ConnectorError, Unknown
from connectors.remote import RemoteApi
from connectors.testing.broken_records import Recorded, Replay
from connectors.testing.case import Case, Class, ConformanceFailure, require
from connectors.testing.serving import serve
from connectors.testing.simulator_driver import SimulatorDriver
from connectors.toolkit.rate_limits import NoRateLimits
from hub.vocabulary import Fulfillment, FulfillmentLine, Order, StockLevel

SIMULATOR_URL = "http://twin.test"
PAGES_MAX = 200
CALLS_MAX = 40
LOOKS_MAX = 10  # at a job
CASE_SECONDS_MAX = 60.0
ELSEWHERE = timezone(timedelta(hours=5, minutes=30))
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
_RFC2822 = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:\+0000|GMT)")

Answer = Callable[[httpx.Request], httpx.Response]
Rewrite = Callable[[str], str]


class Clock:
    """The simulator's time: some hours ago, and moved only by `advance`."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=6)

    def __call__(self) -> datetime:
        """Return the time of the simulator."""
        return self.now

    def advance(self, seconds: float) -> datetime:
        """Move time forward by `seconds`; return the new time."""
        self.now += timedelta(seconds=seconds)
        return self.now


class FaultyTransport(httpx.AsyncBaseTransport):
    """Transport to the simulator. `requests` were sent; responses may be lost or changed.

    `exchanges` are the requests that the simulator answered, with its own answers.

    `recorded` keeps the answers; `replay` gives kept answers, and nothing is sent.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.requests: list[httpx.Request] = []
        self.exchanges: list[tuple[httpx.Request, httpx.Response]] = []
        self.rewrite: Rewrite | None = None
        self.rewritten = 0
        self._answers: list[Answer] = []
        self._lost: int | None = None
        self._arrives = True
        self.repaired_late = False
        self._meanwhile: tuple[int, Callable[[], None]] | None = None
        self.recorded: Recorded | None = None
        self.replay: Replay | None = None

    def answer_next(self, answer: Answer) -> None:
        """Answer the next call in place of the simulator."""
        self._answers.append(answer)

    def lose(self, number: int, *, arrives: bool) -> None:
        """Break the connection at a call, counted from 1: after it arrived, or before."""
        self._lost = len(self.requests) + number
        self._arrives = arrives

    def before_call(self, number: int, happens: Callable[[], None]) -> None:
        """Run something on the simulator just before a call arrives, counted from 1."""
        self._meanwhile = (len(self.requests) + number, happens)

    def repair(self) -> bool:
        """Stop breaking; return whether a break was still pending."""
        self.repaired_late, self._lost = self._lost is not None, None
        return self.repaired_late

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one call."""
        await request.aread()
        if self.replay and (given := self.replay(request)) is not None:
            return given
        self.requests.append(request)
        if self._meanwhile and len(self.requests) == self._meanwhile[0]:
            self._meanwhile[1]()
        if len(self.requests) == self._lost:
            self._lost = None
            if self._arrives:
                await (await self.inner.handle_async_request(request)).aread()
            raise httpx.ReadTimeout("silence", request=request)
        if self._answers:
            return self._answers.pop(0)(request)
        answer = await self.inner.handle_async_request(request)
        await answer.aread()
        self.exchanges.append((request, answer))
        if self.recorded is not None:
            self.recorded.add(request, answer)
        return await self._rewritten(answer) if self.rewrite else answer

    async def _rewritten(self, answer: httpx.Response) -> httpx.Response:
        content = await answer.aread()
        try:
            before = content.decode()
        except UnicodeDecodeError:  # a file, packed perhaps: there is nothing to rewrite
            return answer
        after = self.rewrite(before) if self.rewrite else before
        self.rewritten += before != after
        kept = {"content-length", "content-encoding", "transfer-encoding"}
        headers = [(k, v) for k, v in answer.headers.multi_items() if k.lower() not in kept]
        return httpx.Response(answer.status_code, headers=headers, content=after.encode())

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self.inner.aclose()


def in_another_time_zone(text: str) -> str:
    """Write every time of a response with the offset of another time zone; the instants stay."""

    def moved(found: re.Match[str]) -> str:
        at = datetime.fromisoformat(found[0].replace("Z", "+00:00")).astimezone(ELSEWHERE)
        return at.isoformat(timespec="milliseconds" if "." in found[0] else "seconds")

    def outcome(found: re.Match[str]) -> str:
        return format_datetime(parsedate_to_datetime(found[0]).astimezone(ELSEWHERE))

    return _RFC2822.sub(outcome, _RFC3339.sub(moved, text))


def with_unknown_enum_values(fields: frozenset[str]) -> Rewrite:
    """Return a rewrite that puts an unknown value into these fields of a response."""

    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: new(v) if k in fields else changed(v) for k, v in value.items()}
        return [changed(each) for each in value] if isinstance(value, list) else value

    def new(value: Any) -> Any:
        if isinstance(value, str):
            return "A_WORD_OF_TOMORROW"
        return 987_654 if isinstance(value, int) and not isinstance(value, bool) else changed(value)

    def rewrite(text: str) -> str:
        try:
            return json.dumps(changed(json.loads(text)))
        except ValueError:
            return text

    return rewrite


@dataclass(frozen=True)
class Harness:
    """What a case works with."""

    driver: Any
    connector: Any
    transport: FaultyTransport
    clock: Clock

    def level(
        self, sku: str, available: int, remote: Any, expected: int | None = None, key: str = "1"
    ) -> StockLevel:
        """Return a level of one listing."""
        return StockLevel(
            listing=f"L-{sku}",
            sku=sku,
            available=available,
            remote=remote,
            expected=expected,
            key=f"{sku}:{key}",
        )

    async def pull_all(self, cursor: str = "", returns: bool = False) -> tuple[list[Any], str]:
        """Pull until there is no more for now; return the items and the cursor."""
        pull = self.connector.pull_returns if returns else self.connector.pull_orders
        found: list[Any] = []
        for _ in range(PAGES_MAX):
            page: Page[Any] = await pull(cursor)
            found, cursor = [*found, *page.items], page.cursor
            if not page.more:
                return found, cursor
        require(False, f"after {PAGES_MAX} pages there was still more")
        return found, cursor

    async def push(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Push levels, and read those that the channel processes as jobs until each is settled."""
        found = {each.listing: each for each in await self.connector.push_stock(levels)}
        for _ in range(LOOKS_MAX):
            by_job: dict[str, list[StockLevel]] = {}
            for level in levels:
                answer = found.get(level.listing)
                if answer is not None and answer.job is not None and answer.error is None:
                    by_job.setdefault(answer.job, []).append(level)
            if not by_job:
                return list(found.values())
            self.driver.work_off_jobs()
            for job, some in by_job.items():
                answers = await self.connector.read_stock_push(job, some)
                found |= {each.listing: each for each in answers}
        require(False, f"after {LOOKS_MAX} looks a job of levels was not at its end")
        return []

    async def stock(self) -> dict[str, int]:
        """Take a snapshot; return quantities by SKU. An article twice fails the case."""
        seen: dict[str, int] = {}
        async for each in self.connector.snapshot_stock():
            require(each.sku not in seen, f"the snapshot yields {each.sku} twice")
            seen[each.sku] = each.quantity
        return seen

    def shipment(self, order: Order, serials: Sequence[str], reference: str) -> Fulfillment:
        """Return a shipment of some units of an order's first line."""
        return Fulfillment(
            reference=reference,
            order_ref=order.ref,
            lines=(FulfillmentLine(order_line_ref=order.lines[0].ref, serials=tuple(serials)),),
            shipped_at=self.clock.now,
            carrier="UPS",
            tracking="1Z999",
        )

    async def lost_calls(self) -> AsyncIterator["LostCall"]:
        """Yield a fresh harness for every call of a case, on which that call gets no answer.

        First the calls reach the simulator and the answers are lost, then the calls are lost. The
        case says where to start (`arm`), and after each whether a call was lost; it ends when none
        was.
        """
        for arrives in (True, False):
            for number in range(1, CALLS_MAX + 1):
                clock = Clock()
                driver, connector = type(self.driver)(clock), type(self.connector)
                async with open_harness(connector, driver, clock) as fresh:
                    await fresh.connector.check()  # what is fetched once is there
                    loss = LostCall(
                        driver, fresh.connector, fresh.transport, clock, number, arrives
                    )
                    yield loss
                    self.transport.requests.extend(fresh.transport.requests)
                    self.transport.exchanges.extend(fresh.transport.exchanges)
                if loss.ended:
                    require(number > 1, "the story makes no call at all")
                    break


@dataclass(frozen=True)
class LostCall(Harness):
    """A harness on which one call of the case gets no answer."""

    number: int = 1
    arrives: bool = True

    @property
    def what(self) -> str:
        """Describe the lost call."""
        return f"{'answer' if self.arrives else 'call'} {self.number} lost"

    @property
    def ended(self) -> bool:
        """Return whether the case has no more calls that could be lost."""
        return self.transport.repaired_late

    def arm(self) -> None:
        """Break the transport from here."""
        self.transport.lose(self.number, arrives=self.arrives)

    async def error_of(self, work: Awaitable[Any]) -> object:
        """Await something; return its error, or None."""
        try:
            await work
        except ConnectorError as error:
            return error
        return None

    def was_lost(self, what: str, outcome: object) -> bool:
        """Return whether the call was lost; if so, require that it is reported as Unknown."""
        if self.transport.repair():
            require(outcome is None, f"{what} fails although nothing was lost: {outcome!r}")
            return False
        require(isinstance(outcome, Unknown), f"{self.what}, {what} says {outcome!r}, not Unknown")
        return True


@asynccontextmanager
async def open_harness(
    connector: Class, driver: SimulatorDriver, clock: Clock, *, with_tokens: bool = False
) -> AsyncIterator[Harness]:
    """Open a connector on a transport to the driver's simulator, without limits or retries."""
    if with_tokens:
        async with serve(driver.simulator.app) as url:
            given = driver.settings_with_tokens(url)
            async with _joined(connector, driver, clock, given, httpx.AsyncHTTPTransport()) as made:
                yield made
        return
    inner = httpx.ASGITransport(driver.simulator.app)
    async with _joined(connector, driver, clock, driver.settings(SIMULATOR_URL), inner) as made:
        yield made


@asynccontextmanager
async def _joined(
    connector: Class,
    driver: SimulatorDriver,
    clock: Clock,
    given: Any,
    inner: httpx.AsyncBaseTransport,
) -> AsyncIterator[Harness]:
    settings = connector.settings_model.model_validate(dict(given))
    transport = FaultyTransport(inner)
    api = RemoteApi(
        connector.remote(settings), attempts=1, transport=transport, rate_limits=NoRateLimits()
    )
    try:
        yield Harness(driver, connector(settings, api), transport, clock)
    finally:
        await api.aclose()
        await driver.simulator.aclose()


def _explained(case: Case, harness: Harness, said: str) -> str:
    made = [f"{each.method} {each.url.path}" for each in harness.transport.requests]
    return case.explained(said, made)


def run_case(case: Case, connector: Class, driver: type[SimulatorDriver]) -> list[httpx.Request]:
    """Run one case on a fresh harness; return the requests that the connector sent.

    Raises ConformanceFailure, or NotApplicable where only the case can say.
    """
    return play_case(case, connector, driver).requests


def play_case(case: Case, connector: Class, driver: type[SimulatorDriver]) -> FaultyTransport:
    """Run one case as `run_case` does; return the transport: what was sent, and answered."""

    async def outcome() -> FaultyTransport:
        clock = Clock()
        async with open_harness(connector, driver(clock), clock) as harness:
            try:
                await asyncio.wait_for(case.run(harness), CASE_SECONDS_MAX)
            except TimeoutError as error:
                said = f"the story is not at its end after {CASE_SECONDS_MAX:g} s"
                raise ConformanceFailure(_explained(case, harness, said)) from error
            except ConnectorError as error:
                said = f"the story ends with {error!r}"
                raise ConformanceFailure(_explained(case, harness, said)) from error
            except ConformanceFailure as error:
                raise ConformanceFailure(_explained(case, harness, str(error))) from error
            return harness.transport

    return asyncio.run(outcome())
