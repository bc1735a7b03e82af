"""Levels that a channel processes as jobs, what a push learns, and quantities that show late."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from connectors import Conflict, NotFound, PushedLevel, RateLimited, Rejected, Transient
from hub.reconciliation.kinds import Scope
from hub.vocabulary import StockLevel
from jobs import relay
from jobs.level_push import JOB_PATIENCE, JOB_WAIT
from jobs.runtime import Runtime
from reconciling import Shop, run
from recording import Recording, stage
from world import World


class InJobs(Recording):
    """A channel that takes levels as jobs, and sets them when it gets to it."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, list[StockLevel]] = {}
        self.reads: list[str] = []
        self.done = False
        self.job_failures: list[BaseException] = []
        self.refused: set[str] = set()

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        self._fail()
        self.pushes += levels
        job = f"job-{len(self.jobs)}"
        self.jobs[job] = list(levels)
        return [PushedLevel(each.listing, job=job) for each in levels]

    async def read_stock_push(
        self, job: str, levels: Sequence[StockLevel]
    ) -> Sequence[PushedLevel]:
        self.reads.append(job)
        if self.job_failures:
            raise self.job_failures.pop(0)
        if not self.done:
            return [PushedLevel(each.listing, job=job) for each in levels]
        return [self._worked(each) for each in levels]

    def _worked(self, level: StockLevel) -> PushedLevel:
        if level.sku in self.refused:
            return PushedLevel(level.listing, error=Rejected("no such listing"))
        self.shown[level.sku] = level.available
        return PushedLevel(level.listing, level.available)


def in_jobs(world: World) -> tuple[InJobs, Runtime, Any]:
    connector, runtime, channel = stage(world, InJobs)
    assert isinstance(connector, InJobs)
    world.list_product(channel)
    world.receive("SN-1", "SN-2")
    return connector, runtime, channel


def drained(runtime: Runtime, channel: Any) -> int:
    return asyncio.run(relay.drain(runtime, channel["id"]))


def level(world: World) -> dict[str, Any]:
    (row,) = world.rows("SELECT * FROM listing_level")
    return row


def test_a_level_waits_for_its_job_and_is_pushed_once(world: World) -> None:
    connector, runtime, channel = in_jobs(world)
    drained(runtime, channel)
    assert (level(world)["job"], level(world)["acknowledged"]) == ("job-0", None)
    assert drained(runtime, channel) == 0  # not before the next look is due
    world.pass_time(seconds=JOB_WAIT.total_seconds())
    drained(runtime, channel)
    assert connector.reads == ["job-0"]
    connector.done = True
    world.pass_time(seconds=JOB_WAIT.total_seconds())
    drained(runtime, channel)
    assert (level(world)["job"], level(world)["acknowledged"]) == (None, 2)
    assert (connector.shown, len(connector.pushes)) == ({"CAM": 2}, 1)
    assert (level(world)["attempts"], world.open_cases()) == (0, [])


def test_a_change_during_a_job_is_pushed_after_it(world: World) -> None:
    connector, runtime, channel = in_jobs(world)
    drained(runtime, channel)
    world.receive("SN-3")
    connector.done = True
    world.pass_time(seconds=JOB_WAIT.total_seconds())
    drained(runtime, channel)
    assert [each.available for each in connector.pushes] == [2, 3]
    world.pass_time(seconds=JOB_WAIT.total_seconds())
    drained(runtime, channel)
    assert (connector.shown, level(world)["acknowledged"]) == ({"CAM": 3}, 3)


@pytest.mark.parametrize("error", [Transient("busy"), RateLimited("slow down", 1)])
def test_a_job_that_cannot_be_read_now_is_read_later(world: World, error: BaseException) -> None:
    connector, runtime, channel = in_jobs(world)
    drained(runtime, channel)
    connector.job_failures = [error]
    connector.done = True
    for _ in range(3):
        world.pass_time(seconds=(JOB_WAIT * 3).total_seconds())
        drained(runtime, channel)
    assert (connector.shown, len(connector.pushes)) == ({"CAM": 2}, 1)


def test_a_job_that_the_channel_forgot_is_pushed_again(world: World) -> None:
    connector, runtime, channel = in_jobs(world)
    drained(runtime, channel)
    connector.job_failures = [NotFound("no such job")]
    world.pass_time(seconds=JOB_WAIT.total_seconds())
    drained(runtime, channel)
    assert level(world)["job"] is None
    world.write(lambda tx: tx.run("UPDATE listing_level SET state = 'live', due_at = 0"))
    drained(runtime, channel)
    assert level(world)["job"] == "job-1"


def test_a_job_without_an_end_is_given_up_and_its_level_pushed_again(world: World) -> None:
    connector, runtime, channel = in_jobs(world)
    drained(runtime, channel)
    world.pass_time(seconds=(JOB_PATIENCE + JOB_WAIT).total_seconds())
    drained(runtime, channel)
    assert (level(world)["job"], level(world)["attempts"]) == (None, 1)
    assert "does not end" in level(world)["last_error"]
    world.pass_time(seconds=JOB_PATIENCE.total_seconds())
    drained(runtime, channel)
    assert len(connector.pushes) == 2


def test_a_refusal_in_a_job_is_a_case_of_that_listing(world: World) -> None:
    connector, runtime, channel = in_jobs(world)
    connector.refused, connector.done = {"CAM"}, True
    drained(runtime, channel)
    world.pass_time(seconds=JOB_WAIT.total_seconds())
    drained(runtime, channel)
    assert world.open_cases() == [("sync_failure", "CAM")]


class Versioned(Recording):
    """A channel whose listings have versions: a push with an old one is a conflict."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 7

    def _set(self, level: StockLevel) -> PushedLevel:
        here = {"version": str(self.version)}
        if level.remote.get("version") != str(self.version):
            shown = self.shown.get(level.sku, 0)
            conflict = Conflict("another version", observed=shown)
            return PushedLevel(level.listing, error=conflict, remote=here)
        self.version += 1
        self.shown[level.sku] = level.available
        return PushedLevel(level.listing, level.available, remote={"version": str(self.version)})


def test_what_a_push_learned_comes_back_with_the_next(world: World) -> None:
    connector, runtime, channel = stage(world, Versioned)
    assert isinstance(connector, Versioned)
    world.list_product(channel)
    world.receive("SN-1")
    drained(runtime, channel)
    assert (connector.shown, connector.version) == ({"CAM": 1}, 8)
    before = world.rows("SELECT reference FROM listing")
    world.receive("SN-2")
    drained(runtime, channel)
    assert [each.remote.get("version") for each in connector.pushes] == [None, "7", "8"]
    assert connector.shown == {"CAM": 2}
    assert world.rows("SELECT reference FROM listing") == before  # what identifies it stays


def test_facts_without_end_are_bounded(world: World) -> None:
    connector, runtime, channel = stage(world, Versioned)
    many = {f"fact-{number:03}": "x" * number * 10 for number in range(100)}
    connector._set = lambda level: PushedLevel(level.listing, level.available, remote=many)  # type: ignore[method-assign]
    world.list_product(channel)
    world.receive("SN-1")
    drained(runtime, channel)
    assert len(str(world.value("SELECT remote FROM listing"))) < 5_000


class Lags(Shop):
    """A shop that shows a new quantity half an hour late."""

    settles_seconds = 1_800.0


def test_a_quantity_that_does_not_show_yet_is_no_difference(world: World) -> None:
    connector, runtime, channel = stage(world, Lags)
    assert isinstance(connector, Lags)
    world.receive("SN-1", "SN-2")
    connector.listed = {"a": ("CAM", 9)}
    run(world, runtime, channel, Scope.LEVELS)
    connector.listed["a"] = ("CAM", 9)  # what it showed before: the new one comes later
    _, found = run(world, runtime, channel, Scope.LEVELS)
    assert [each["kind"] for each in found if each["state"] == "open"] == []
    assert len(connector.pushes) == 1
    world.pass_time(minutes=30)
    _, found = run(world, runtime, channel, Scope.LEVELS)
    assert [each["kind"] for each in found] == ["quantity"]
