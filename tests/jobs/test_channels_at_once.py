"""One channel never delays another, and a channel that is silent is noticed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connectors import (
    AuthFailed,
    Connector,
    OrderRef,
    Page,
    PushedLevel,
    QueueMessage,
    RateLimited,
    ReceiveQueue,
    Transient,
    Unknown,
    capabilities,
)
from connectors.connections import Connections
from connectors.remote import RemoteApi
from connectors.toolkit.page_size import page_size
from connectors.toolkit.rate_limits import LocalRateLimits, RateLimit
from hub.storage.sql import Row
from hub.sync import inbox, streams
from hub.vocabulary import Order, StockLevel
from jobs import channel_runs, intake, poll, queues, relay
from jobs.reconciliation import run as reconcile
from jobs.runtime import Runtime
from recording import Calling, Recording, stage
from world import World


class Hanging(Calling):
    """A channel whose host takes the connection and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def _hang(self) -> Any:
        self.asked.set()
        await asyncio.Event().wait()

    async def pull_returns(self, cursor: str) -> Any:
        await self._hang()

    async def read_order(self, ref: str) -> Any:
        await self._hang()

    async def snapshot_orders(self, since: Any, until: Any) -> Any:
        await self._hang()
        yield


class ByChannel(Connections):
    def __init__(self, connectors: dict[str, Connector[Any]]) -> None:
        super().__init__(lambda _: {})
        self._connectors = connectors

    def of(self, channel: Any) -> Connector[Any]:
        return self._connectors[channel["code"]]


def several(
    world: World, **kinds: type[Recording]
) -> tuple[Runtime, dict[str, Any], dict[str, Row]]:
    """Connect a channel of each kind, in this order; return the runtime, connectors and rows."""
    made: dict[str, Any] = {code: kind() for code, kind in kinds.items()}
    rows = {
        code: world.channel(code, "shopify", capabilities=capabilities(kind))
        for code, kind in kinds.items()
    }
    runtime = Runtime(world.database, ByChannel(made), clock=lambda: world.now, holder="test")
    return runtime, made, rows


async def ended(runtime: Runtime) -> None:
    """Break off the runs that hang."""
    for task in tuple(runtime.runs):
        task.cancel()
    await asyncio.gather(*runtime.runs, return_exceptions=True)


async def until(happened: Callable[[], object]) -> None:
    """Wait until something is so; the machine may be busy."""
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.01)


def orders_of(world: World, channel: Row) -> int:
    return int(
        world.read(
            lambda tx: tx.value(
                "SELECT COUNT(*) FROM inbox WHERE channel_id = :id", id=channel["id"]
            )
        )
    )


def test_a_host_that_hangs_delays_no_other_channel(world: World) -> None:
    runtime, made, rows = several(world, stuck=Hanging, shop=Recording)
    made["shop"].pages = [Page((world.order("a"),), "c1"), Page((world.order("b"),), "c2")]

    async def play() -> None:
        summary = await poll.poll_all(runtime, wait_seconds=0.1)
        assert summary.endswith("are still at work")
        await until(lambda: orders_of(world, rows["shop"]) == 1 and len(runtime.runs) == 1)
        assert made["stuck"].asked.is_set()
        # The next firing serves the other channel again, and begins nothing twice.
        await poll.poll_all(runtime, wait_seconds=0.1)
        await until(lambda: orders_of(world, rows["shop"]) == 2 and len(runtime.runs) == 1)
        await ended(runtime)

    asyncio.run(play())
    assert orders_of(world, rows["shop"]) == 2
    # What was broken off may begin again.
    assert world.value("SELECT MAX(lease_until) FROM channel_stream") == 0


def test_more_hosts_hang_than_runs_begin_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_runs, "AT_ONCE_MAX", 2)
    monkeypatch.setattr(channel_runs, "PLACE_SECONDS", 0.05)
    kinds: dict[str, type[Recording]] = {f"stuck-{n}": Hanging for n in range(5)}
    runtime, made, rows = several(world, **kinds, shop=Recording)
    made["shop"].pages = [Page((world.order("a"),), "c1")]

    async def play() -> None:
        await poll.poll_all(runtime, wait_seconds=0.1)
        await until(lambda: orders_of(world, rows["shop"]) == 1)
        await ended(runtime)

    asyncio.run(play())


def test_a_hanging_host_delays_the_webhooks_of_no_other_channel(world: World) -> None:
    runtime, made, rows = several(world, stuck=Hanging, shop=Calling)
    made["shop"].orders["a"] = world.order("a")
    for code in ("stuck", "shop"):
        hint = inbox.Message(rows[code]["id"], f"d-{code}", "webhook", "orders/create", b"a")
        world.write(lambda tx, hint=hint: inbox.accept(tx, [hint], world.now))

    async def play() -> None:
        working = asyncio.create_task(intake.run(runtime))
        await until(lambda: world.value("SELECT COUNT(*) FROM sales_order"))
        assert made["stuck"].asked.is_set()
        runtime.stopping.set()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    asyncio.run(play())


def test_a_hanging_host_delays_no_other_reconciliation(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_runs, "WAIT_SECONDS", 0.1)
    runtime, _, rows = several(world, stuck=Hanging, shop=Recording)
    finished = "SELECT COUNT(*) FROM reconciliation_run WHERE state = 'finished'"

    async def play() -> None:
        assert "still at work" in await reconcile.reconcile_due(timedelta(), runtime)
        await until(lambda: world.value(finished) == 4)
        of = world.rows("SELECT DISTINCT channel_id FROM reconciliation_run WHERE state='finished'")
        assert of == [{"channel_id": rows["shop"]["id"]}]
        await ended(runtime)

    asyncio.run(play())


class Queue(Recording, ReceiveQueue):
    """A channel with a queue, which may hang or fail."""

    hangs = False

    async def receive(self) -> Sequence[QueueMessage]:
        if self.hangs:
            await asyncio.Event().wait()
        self._fail()
        return []

    async def acknowledge(self, receipts: Sequence[str]) -> None:
        return None

    def read(self, topic: str, body: bytes) -> Any:
        return []


class HangingQueue(Queue):
    hangs = True


def test_a_hanging_queue_delays_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_runs, "WAIT_SECONDS", 0.2)
    runtime, _, rows = several(world, stuck=HangingQueue, shop=Queue)

    async def play() -> None:
        await queues.empty_all(runtime)
        await until(
            lambda: world.value("SELECT COUNT(*) FROM channel_stream WHERE succeeded_at > 0")
        )
        await ended(runtime)

    asyncio.run(play())
    (row,) = world.read(lambda tx: streams.streams_of(tx, [rows["shop"]["id"]]))[rows["shop"]["id"]]
    assert row["stream"] == "queue"


def polled(runtime: Runtime, channel: Row) -> int:
    return asyncio.run(poll.poll(runtime, channel))


def stream(world: World, channel: Row, name: str = streams.ORDERS) -> Any:
    return world.read(lambda tx: streams.get(tx, channel["id"], name))


def test_a_pull_that_always_fails_is_a_case_within_minutes(world: World) -> None:
    """The rest of the channel works, so its circuit stays closed: silence is what is noticed."""
    connector, runtime, channel = stage(world)
    connector.pages = [Page((world.order("a"),), "c1")]
    polled(runtime, channel)
    last = world.now
    for minute in range(5):
        assert world.open_cases() == [], minute
        world.pass_time(minutes=1)
        connector.failures = [Transient("504", timed_out=True)]
        polled(runtime, channel)
    assert world.open_cases() == [("sync_failure", "orders")]
    row = stream(world, channel)
    assert (row["failures"], row["attempts"]) == (5, 6)
    details = world.value("SELECT details FROM exception_case")
    assert last.isoformat() in details
    assert world.value("SELECT state FROM channel") == "active"
    polled(runtime, channel)
    assert world.open_cases() == []
    assert stream(world, channel)["failing_since"] is None


def test_few_failures_over_a_long_time_are_a_case_too(world: World) -> None:
    """A channel that asks for long pauses is polled seldom: its orders are late all the same."""
    connector, runtime, channel = stage(world)
    for _ in range(2):
        connector.failures = [Unknown("silence")]
        polled(runtime, channel)
        world.pass_time(minutes=11)
    assert world.open_cases() == [("sync_failure", "orders")]


def test_a_short_outage_is_no_case(world: World) -> None:
    connector, runtime, channel = stage(world)
    for _ in range(8):
        connector.failures = [Transient("deploy")]
        polled(runtime, channel)
        world.pass_time(seconds=10)
    assert world.open_cases() == []


class Slow(Recording):
    """A shop that needs too long for more than 25 orders."""

    sizes: tuple[int, ...] = ()

    async def pull_orders(self, cursor: str) -> Page[Order]:
        size = page_size(100)
        self.sizes = (*self.sizes, size)
        if size > 25:
            raise Unknown("ReadTimeout", timed_out=True)
        return Page((), cursor)


def test_pages_that_time_out_shrink_until_they_arrive_and_grow_again_later(world: World) -> None:
    connector, runtime, channel = stage(world, Slow)
    for _ in range(4):
        polled(runtime, channel)
        world.pass_time(minutes=1)
    assert connector.sizes == (100, 50, 25, 25)  # type: ignore[attr-defined]
    world.pass_time(hours=25)
    polled(runtime, channel)
    polled(runtime, channel)
    assert connector.sizes[-2:] == (25, 50)  # type: ignore[attr-defined]


def test_a_page_that_is_refused_shrinks_nothing(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.failures = [Transient("503")]
    polled(runtime, channel)
    assert stream(world, channel)["page_divisor"] == 1


def test_one_refused_stream_stops_no_other_and_names_itself(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.failures = [AuthFailed("403: no permission for orders")]  # the check passes
    polled(runtime, channel)
    assert world.value("SELECT state FROM channel") == "active"
    assert world.open_cases() == [("sync_failure", "orders")]
    connector.pages = [Page((world.order("a"),), "c1")]
    assert polled(runtime, channel) == 1
    assert world.open_cases() == []


def test_refused_stock_keeps_neither_orders_nor_its_figures_back(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    connector.level_failures["CAM"] = AuthFailed("403: write_inventory is missing")
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert world.value("SELECT state FROM channel") == "active"
    assert world.open_cases() == [("authentication", "rec: stock levels")]
    assert world.value("SELECT attempts FROM listing_level") == 1
    connector.level_failures.clear()
    world.pass_time(seconds=3)
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert connector.shown == {"CAM": 1}
    assert world.open_cases() == []


class Starving(Recording):
    """A channel whose own budget never holds a push."""

    starves = True

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        if self.starves:
            raise RateLimited("our own budget of calls is used up", 1.0, own=True)
        return await super().push_stock(levels)


def test_a_push_that_starves_is_a_case(world: World) -> None:
    connector, runtime, channel = stage(world, Starving)
    world.list_product(channel)
    world.receive("SN-1")
    for _ in range(13):
        asyncio.run(relay.relay(runtime, channel["id"]))
        world.pass_time(minutes=1)
    assert world.open_cases() == [("sync_failure", "pushes")]
    assert world.value("SELECT attempts FROM listing_level") == 0
    connector.starves = False  # type: ignore[attr-defined]
    asyncio.run(relay.relay(runtime, channel["id"]))
    assert connector.shown == {"CAM": 1}
    assert world.open_cases() == []


def test_a_quota_that_is_used_up_for_hours_is_a_case_once(world: World) -> None:
    """Nothing is begun, so nothing fails: what waits is noticed all the same."""
    connector, runtime, channel = stage(world)
    quota = RateLimit(name="calls", capacity=1, window_seconds=86_400)
    remote = replace(connector.remote(connector.settings), rate_limits=(quota,))
    limits = LocalRateLimits(lambda: world.now.timestamp())
    connector.api = RemoteApi(remote, rate_limits=limits)
    assert asyncio.run(limits.take(quota, 1)) == 0
    for _ in range(3):
        asyncio.run(relay.relay(runtime, channel["id"]))
        world.pass_time(minutes=6)
    assert world.open_cases() == [], "nothing is due"
    world.list_product(channel)
    world.receive("SN-1")
    for _ in range(6):
        asyncio.run(relay.relay(runtime, channel["id"]))
        world.pass_time(minutes=6)
    assert world.open_cases() == [("sync_failure", "pushes")]
    assert world.value("SELECT occurrences FROM exception_case") == 1
    world.pass_time(hours=24)
    asyncio.run(relay.relay(runtime, channel["id"]))
    assert connector.shown == {"CAM": 1}
    assert world.open_cases() == []


def hint(world: World, channel: Row, delivery: str, ref: str = "a") -> None:
    body = f"{ref} {delivery}".encode()  # no two changes of an order have the same content
    told = inbox.Message(channel["id"], delivery, "webhook", "orders/updated", body)
    world.write(lambda tx: inbox.accept(tx, [told], world.now))


class Counting(Calling):
    reads: tuple[str, ...] = ()
    during: Any = None

    def read(self, topic: str, body: bytes) -> list[OrderRef]:
        return super().read(topic, body.split()[0])

    async def read_order(self, ref: str) -> Order:
        self.reads = (*self.reads, ref)
        if self.during is not None:
            happens, self.during = self.during, None
            happens()
        return await super().read_order(ref)


def test_sixty_hints_for_one_order_are_one_read(world: World) -> None:
    connector, runtime, channel = stage(world, Counting)
    connector.orders = {"a": world.order("a"), "b": world.order("b")}
    for n in range(60):
        hint(world, channel, f"d-{n}")
    hint(world, channel, "d-b", "b")
    assert asyncio.run(intake.drain(runtime)) == 61
    assert connector.reads == ("a", "b")  # type: ignore[attr-defined]
    assert world.value("SELECT COUNT(*) FROM inbox WHERE state = 'done' AND subject = 'a'") == 60


def test_a_hint_that_arrives_during_the_read_is_another_read(world: World) -> None:
    connector, runtime, channel = stage(world, Counting)
    connector.orders["a"] = world.order("a")
    connector.during = lambda: hint(world, channel, "late")  # type: ignore[attr-defined]
    hint(world, channel, "d-1")
    hint(world, channel, "d-2")
    assert asyncio.run(intake.drain(runtime)) == 3
    assert connector.reads == ("a", "a")  # type: ignore[attr-defined]


def test_hints_that_can_not_be_read_wait_together_and_are_lost_nowhere(world: World) -> None:
    connector, runtime, channel = stage(world, Counting)
    for n in range(5):
        hint(world, channel, f"d-{n}")
    asyncio.run(intake.drain(runtime))
    assert world.rows("SELECT DISTINCT state, attempts FROM inbox") == [
        {"state": "waiting", "attempts": 1}
    ]
    connector.orders["a"] = world.order("a")
    world.pass_time(seconds=3)
    asyncio.run(intake.drain(runtime))
    assert world.rows("SELECT DISTINCT state FROM inbox") == [{"state": "done"}]
    assert connector.reads == ("a", "a")  # type: ignore[attr-defined]


def test_the_lease_of_a_dead_process_ends_by_itself(world: World) -> None:
    runtime, _, rows = several(world, shop=Recording)
    claim = lambda: world.write(  # noqa: E731
        lambda tx: streams.claim(tx, rows["shop"]["id"], "poll", world.now, timedelta(seconds=60))
    )
    assert claim() == 1
    assert claim() is None
    assert asyncio.run(poll.poll_all(runtime)) == "0 new orders or changes from 1 channels"
    assert stream(world, rows["shop"]) is None
    world.pass_time(seconds=61)
    asyncio.run(poll.poll_all(runtime))
    assert stream(world, rows["shop"])["attempts"] == 1
