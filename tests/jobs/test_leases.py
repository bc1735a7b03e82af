"""Leases: kept alive while a call lasts, lost in its middle, given back when there is no time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest

from connectors import PushedLevel, Remote, RemoteApi, Transient
from hub import orders
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.storage.database import Database, DatabaseAway, DatabaseClosed, DatabaseLost
from hub.storage.sql import Row, Transaction
from hub.sync import inbox, job_runs, leases
from hub.sync.leases import FACTS
from hub.vocabulary import StockLevel
from jobs import intake, relay, schedule
from jobs import leases as keeping
from jobs.intake import ORDERS
from jobs.leases import LeaseLost
from jobs.recovery import decide
from jobs.runtime import Runtime
from jobs.schedule import Job
from recording import Recording, stage
from world import World

SHORT = timedelta(seconds=0.4)
SECONDS_MAX = 20.0


class Slow:
    """Holds a connector's pushes until they are let go."""

    def __init__(self, connector: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.free = asyncio.Event(), asyncio.Event()
        self.cancelled = False
        self._push = connector.push_stock
        monkeypatch.setattr(connector, "push_stock", self._slowly)

    async def _slowly(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        self.begun.set()
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return await self._push(levels)


def real_time(world: World, runtime: Runtime) -> Runtime:
    """Let a runtime live in real time, with short leases."""
    world.now = datetime.now(UTC)
    return replace(runtime, clock=lambda: datetime.now(UTC), lease=SHORT)


async def until(reached: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not await reached():
            await asyncio.sleep(0.01)


def lease_of(world: World) -> int:
    return int(world.value("SELECT lease_until FROM listing_level"))


def listed(world: World) -> tuple[Recording, Runtime, Row]:
    connector, runtime, channel = stage(world)
    runtime = real_time(world, runtime)
    world.list_product(channel)
    world.receive("SN-1")
    return connector, runtime, channel


def test_a_slow_call_keeps_its_lease_and_nobody_else_makes_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        connector, runtime, channel = listed(world)
        slow = Slow(connector, monkeypatch)
        telling = asyncio.create_task(relay.relay(runtime, channel["id"]))
        await slow.begun.wait()
        first = lease_of(world)

        async def outlived() -> bool:
            assert await relay.relay(runtime, channel["id"]) == 0
            return lease_of(world) > first + 2 * SHORT / timedelta(microseconds=1)

        await until(outlived)
        slow.free.set()
        assert await telling == 1
        assert connector.shown == {"CAM": 1}
        assert (lease_of(world), len(connector.pushes)) == (0, 1)

    asyncio.run(main())


def test_who_lost_his_lease_is_stopped_in_the_middle_and_settles_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        connector, runtime, channel = listed(world)
        slow = Slow(connector, monkeypatch)
        telling = asyncio.create_task(relay.relay(runtime, channel["id"]))
        await slow.begun.wait()
        taken = "UPDATE listing_level SET fence = fence + 1, lease_until = 99"
        await runtime.database.write(lambda tx: tx.run(taken))
        with pytest.raises(LeaseLost):
            await telling
        assert slow.cancelled
        assert lease_of(world) == 99
        assert world.value("SELECT attempts + done_version FROM listing_level") == 0

    asyncio.run(main())


def test_who_can_not_extend_his_lease_is_stopped_when_it_ends() -> None:
    async def main() -> None:
        tries = []

        async def extend() -> bool:
            tries.append(1)
            raise DatabaseAway("away")

        with pytest.raises(LeaseLost):
            async with keeping.kept(extend, SHORT):
                await asyncio.sleep(SECONDS_MAX)
        assert len(tries) > 1

    asyncio.run(main())


def test_a_process_that_stood_still_sends_nothing_when_it_goes_on() -> None:
    """Its clock says that the lease is over before anything else of it could notice."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={})

    async def main() -> None:
        remote = Remote(base_url="https://shop.test", calls_per_second=1000)
        api = RemoteApi(remote, transport=httpx.MockTransport(answer))

        async def stands_still() -> None:
            async with keeping.kept(AsyncMock(return_value=True), SHORT):
                await api.json("POST", "/look")
                time.sleep(SHORT.total_seconds())  # nothing of it runs meanwhile
                with pytest.raises(Transient):
                    await api.json("POST", "/ship")
                await asyncio.sleep(SECONDS_MAX)

        with pytest.raises(LeaseLost):
            await stands_still()
        await api.json("POST", "/after")
        await api.aclose()

    asyncio.run(main())
    assert [request.url.path for request in sent] == ["/look", "/after"]


def test_one_failed_beat_is_not_the_end() -> None:
    async def main() -> None:
        beats: list[int] = []
        enough = asyncio.Event()

        async def extend() -> bool:
            beats.append(1)
            if len(beats) == 1:
                raise DatabaseAway("away for a moment")
            if len(beats) == 8:  # twice as long as a lease
                enough.set()
            return True

        async with keeping.kept(extend, SHORT):
            await enough.wait()

    asyncio.run(main())


def test_a_call_without_end_is_a_failure_of_the_channel_and_no_bug(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "CALL_SECONDS_MAX", 0.05)

    async def main() -> None:
        connector, runtime, channel = listed(world)
        slow = Slow(connector, monkeypatch)
        assert await relay.relay(runtime, channel["id"]) == 1
        assert slow.cancelled
        (level,) = world.rows("SELECT * FROM listing_level")
        assert (level["state"], level["attempts"], level["lease_until"]) == ("live", 1, 0)
        assert level["last_error"].startswith("Unknown: no answer within")

    asyncio.run(main())


def test_who_is_stopped_gives_back_at_once_what_he_had_not_begun(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1", "SN-2")
    for number in (1, 2):
        world.accept(channel, world.order(f"o-{number}"))
        ship(world, f"SN-{number}")
    begun = asyncio.Event()

    async def endless(_: object) -> str:
        begun.set()
        await asyncio.Event().wait()
        return ""

    async def main() -> None:
        connector.push_fulfillment = endless  # type: ignore[method-assign]
        telling = asyncio.create_task(relay.relay(runtime, channel["id"]))
        await begun.wait()
        telling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await telling

    asyncio.run(main())
    first, second = world.rows("SELECT * FROM outbox ORDER BY seq")
    assert [each["state"] for each in (first, second)] == ["waiting", "waiting"]
    assert [each["lease_until"] for each in (first, second)] == [0, 0]
    late = first["due_at"] - second["due_at"]
    assert late == keeping.INTERRUPTED / timedelta(microseconds=1)


def ship(world: World, serial: str) -> None:
    for action in (Action.PICK, Action.PACK):
        world.do(action, serial)
    world.write(
        lambda tx: orders.ship(Work(tx, world.context(), f"c-{serial}"), [Scan(serial)], Shipment())
    )


def test_a_stopping_process_leases_nothing(world: World) -> None:
    connector, runtime, channel = listed(world)
    runtime.stopping.set()
    assert asyncio.run(relay.relay(runtime, channel["id"])) == 0
    assert asyncio.run(intake.intake(runtime)) == 0
    assert connector.pushes == []
    assert asyncio.run(schedule.fire(runtime, Job("j", timedelta(minutes=1), never))) is None


async def never(_: Runtime) -> str:
    raise AssertionError("it was run")


class Trouble:
    """Has the next writes fail: before their commit, or after it, when its answer is lost."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failures: list[Exception] = []
        self._write = database.write
        monkeypatch.setattr(database, "write", self._fail)

    async def _fail(self, work: Callable[[Transaction], Any]) -> Any:
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, DatabaseLost):
            await self._write(work)
        if failure is not None:
            raise failure
        return await self._write(work)


@pytest.mark.parametrize("failure", [DatabaseAway("away"), DatabaseLost("lost")])
def test_an_outcome_that_could_not_be_written_is_written_later_and_told_once(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(keeping, "SETTLE_SECONDS", 0.0)
    connector, runtime, channel = stage(world)
    trouble = Trouble(world.database, monkeypatch)
    world.receive("SN-1")
    world.accept(channel, world.order())
    ship(world, "SN-1")
    tell = connector.push_fulfillment

    async def told(fulfillment: Any) -> str:
        trouble.failures = [failure]
        return await tell(fulfillment)

    connector.push_fulfillment = told  # type: ignore[method-assign]
    assert asyncio.run(relay.relay(runtime, channel["id"])) == 1
    assert len(connector.fulfillments) == 1
    (fact,) = world.rows("SELECT * FROM outbox")
    assert (fact["state"], fact["fence"], fact["lease_until"]) == ("sent", 1, 0)


@pytest.mark.parametrize("failure", [DatabaseAway("away"), DatabaseLost("lost")])
def test_an_order_is_worked_in_once_whatever_becomes_of_its_commit(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(keeping, "SETTLE_SECONDS", 0.0)
    _, runtime, channel = stage(world)
    world.receive("SN-1", "SN-2")
    body = ORDERS.dump_json(world.order())
    message = inbox.Message(channel["id"], "d-1", "pull", "order", body)
    world.write(lambda tx: inbox.accept(tx, [message], world.now))
    trouble = Trouble(world.database, monkeypatch)
    lease = inbox.lease

    def leased(*given: Any, **more: Any) -> list[Row]:
        trouble.failures = [failure]
        return lease(*given, **more)

    monkeypatch.setattr(inbox, "lease", leased)
    assert asyncio.run(intake.intake(runtime)) == 1
    assert world.value("SELECT state FROM inbox") == "done"
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 1
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0


@pytest.mark.parametrize("trouble", [DatabaseAway(""), DatabaseLost(""), DatabaseClosed("")])
def test_a_database_that_is_away_makes_no_dead_letter(trouble: Exception) -> None:
    now = datetime.now(UTC)
    decision = decide(trouble, 7, now)
    assert decision.due_at is not None
    assert decision.due_at > now
    assert not decision.counted


def test_the_relay_outlives_a_read_that_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "CHANNELS_SECONDS", 0.01)
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    read, failures = world.database.read, [RuntimeError("no"), DatabaseAway("away")]

    async def failing(work: Any) -> Any:
        if failures:
            raise failures.pop()
        return await read(work)

    monkeypatch.setattr(world.database, "read", failing)

    async def main() -> None:
        task = asyncio.create_task(relay.run(runtime))

        async def told() -> bool:
            return connector.shown == {"CAM": 1}

        await until(told)
        runtime.stopping.set()
        async with asyncio.timeout(SECONDS_MAX):
            await task

    asyncio.run(main())


def test_a_job_that_lost_its_lease_is_stopped(world: World) -> None:
    async def main() -> None:
        runtime = real_time(world, world.runtime())
        begun, stopped = asyncio.Event(), asyncio.Event()

        async def work(_: Runtime) -> str:
            begun.set()
            try:
                await asyncio.sleep(SECONDS_MAX)
            finally:
                stopped.set()
            return "not stopped"

        firing = asyncio.create_task(schedule.fire(runtime, Job("job", timedelta(days=1), work)))
        await begun.wait()
        await runtime.database.write(lambda tx: tx.run("UPDATE job_run SET id = 'another'"))
        assert await firing is None
        assert stopped.is_set()
        assert world.value("SELECT finished_at FROM job_run") is None

    asyncio.run(main())


def test_a_run_that_is_handed_over_is_begun_anew_by_another_at_once(world: World) -> None:
    begun = asyncio.Event()

    async def endless(_: Runtime) -> str:
        begun.set()
        await asyncio.Event().wait()
        return ""

    async def short(_: Runtime) -> str:
        return "done"

    async def main() -> None:
        first, second = world.runtime(holder="first"), world.runtime(holder="second")
        firing = asyncio.create_task(schedule.fire(first, Job("job", timedelta(days=1), endless)))
        await begun.wait()
        jobs = [Job("job", timedelta(days=1), short)]
        assert await schedule.catch_up(second, jobs) == 0
        with second.database.signals.listen("jobs") as woken:
            firing.cancel()
            await asyncio.gather(firing, return_exceptions=True)
            async with asyncio.timeout(SECONDS_MAX):
                await woken.wait()
        assert await schedule.catch_up(second, jobs) == 1
        assert await schedule.catch_up(second, jobs) == 0

    asyncio.run(main())
    (run,) = world.rows("SELECT * FROM job_run")
    assert (run["holder"], run["outcome"]) == ("second", "done")


def test_a_run_of_a_dead_process_is_closed_when_a_later_slot_is_taken(world: World) -> None:
    minute = timedelta(minutes=1)
    take = lambda: world.write(  # noqa: E731 # said twice below
        lambda tx: job_runs.take(tx, "job", minute, "p", world.now, minute)
    )
    first = take()
    world.pass_time(minutes=5)
    assert world.read(lambda tx: job_runs.abandoned(tx, ["job", "other"], world.now)) == ["job"]
    second = take()
    assert first is not None
    assert second is not None
    outcomes = [row["outcome"] for row in world.rows("SELECT outcome FROM job_run ORDER BY slot")]
    assert outcomes == [job_runs.UNFINISHED, None]
    assert not world.write(lambda tx: job_runs.beat(tx, first, world.now, minute))


def test_only_who_holds_the_fence_extends_or_gives_back(world: World) -> None:
    _, _, channel = stage(world)
    world.receive("SN-1")
    world.accept(channel, world.order())
    ship(world, "SN-1")
    seq = world.value("SELECT seq FROM outbox")
    world.write(lambda tx: tx.run("UPDATE outbox SET state = 'leased', fence = 5, lease_until = 9"))
    lease = timedelta(seconds=60)
    old, new = {seq: 4}, {seq: 5}
    assert world.write(lambda tx: leases.extend(tx, FACTS, old, world.now, lease)) == set()
    assert world.write(lambda tx: leases.release(tx, FACTS, old, None)) == 0
    assert world.write(lambda tx: leases.extend(tx, FACTS, new, world.now, lease)) == {seq}
    assert world.write(lambda tx: leases.release(tx, FACTS, new, None)) == 1
    assert world.value("SELECT state FROM outbox") == "waiting"
    assert world.write(lambda tx: leases.extend(tx, FACTS, new, world.now, lease)) == set()


def test_a_job_runs_though_its_process_never_lives_as_long_as_its_period(world: World) -> None:
    """A clock counts from the start of its process; one that is started anew daily never fires."""
    ran: list[str] = []

    def job(name: str, every: timedelta) -> Job:
        async def work(_: Runtime) -> str:
            ran.append(name)
            return "done"

        return Job(name, every, work)

    jobs = [job("daily", timedelta(days=1)), job("often", timedelta(minutes=1))]
    runtime = world.runtime()

    async def after(**time: int) -> list[str]:
        world.pass_time(**time)
        ran.clear()
        await schedule.catch_up(runtime, jobs)
        await schedule.catch_up(runtime, jobs)
        return ran

    async def main() -> None:
        assert await after() == []  # nothing ran ever: the clock begins
        await schedule.fire(runtime, jobs[1])
        assert await after(seconds=80) == []
        assert await after(seconds=11) == ["often"]
        assert await after(hours=23) == ["often"]
        assert await after(hours=1) == ["daily", "often"]
        assert await after(hours=24) == ["often"]
        assert await after(minutes=1) == ["daily"]

    asyncio.run(main())


def test_runs_from_long_ago_are_forgotten_and_the_last_one_is_not(world: World) -> None:
    async def short(_: Runtime) -> str:
        return "done"

    often, rare = Job("often", timedelta(hours=1), short), Job("rare", timedelta(days=1), short)
    runtime = world.runtime()

    async def main() -> None:
        await schedule.fire(runtime, rare)
        for _ in range(3):
            await schedule.fire(runtime, often)
            world.pass_time(hours=1)
        world.pass_time(days=91)
        await schedule.fire(runtime, often)

    asyncio.run(main())
    names = [row["job"] for row in world.rows("SELECT job FROM job_run ORDER BY started_at")]
    assert names == ["rare", "often"]


def test_what_no_channel_needs_is_neither_run_nor_remembered(world: World) -> None:
    async def short(_: Runtime) -> str:
        return "done"

    job = Job("queues", timedelta(seconds=10), short, needs="receive_queue")
    runtime = world.runtime()
    assert asyncio.run(schedule.fire(runtime, job)) is None
    assert world.value("SELECT COUNT(*) FROM job_run") == 0
    world.channel("market", capabilities=("receive_queue",))
    assert asyncio.run(schedule.fire(runtime, job)) == "done"
