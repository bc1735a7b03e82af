"""Warranties that a manufacturer works off later, over real sockets: begun, fetched, remembered."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta

from connectors.hp.simulator import HpSimulator
from connectors.testing.manufacturer_simulator import Cover
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault
from connectors.toolkit.warranty_status import today
from hub.after_sales import warranty_answers as remembered
from hub.storage.sql import Row
from hub.vocabulary import Warranty, WarrantyStatus
from jobs.runtime import Runtime
from jobs.warranty import batch_jobs, lookup
from world import World

UNITS = 12
Story = Callable[[HpSimulator, Runtime, Row], Awaitable[None]]


def play(world: World, story: Story) -> None:
    """Keep units whose answers have grown old, beside HP's twin."""
    twin = HpSimulator()
    ends_on = today() + timedelta(days=300)
    cover = Cover("Onsite", ends_on - timedelta(days=400), ends_on)

    async def told() -> None:
        async with serve(twin.app) as url:
            channel = world.channel("hp", "hp", twin.settings(url), manufacturer="ACME")
            serials = [f"5CG{number:07}" for number in range(UNITS)]
            world.receive(*serials)
            for serial in serials:
                twin.add_unit(serial, "CAM-M1", [cover])
                unit, old = (
                    world.unit(serial)["id"],
                    Warranty(
                        serial=serial, status=WarrantyStatus.COVERED, ends_on=date(2026, 12, 24)
                    ),
                )
                world.write(
                    lambda tx, unit=unit, old=old: remembered.remember(
                        tx, unit, channel["id"], old, world.now - timedelta(days=8)
                    )
                )
            runtime = world.runtime()
            async with runtime.open():
                await story(twin, runtime, channel)

    asyncio.run(told())


def ends(world: World) -> set[str]:
    rows = world.rows("SELECT ends_on FROM warranty_record")
    return {row["ends_on"] for row in rows}


def test_many_old_answers_are_one_job_whose_answers_come_later(world: World) -> None:
    async def story(twin: HpSimulator, runtime: Runtime, _: Row) -> None:
        assert await lookup.refresh(runtime) == f"0 of {UNITS} old answers refreshed"
        await lookup.refresh(runtime)  # while it is under way no second one is begun
        assert len(twin.jobs) == 1
        for _ in range(2):
            assert await batch_jobs.collect(runtime) == "0 answers of jobs stored"
        assert ends(world) == {"2026-12-24"}
        assert await batch_jobs.collect(runtime) == f"{UNITS} answers of jobs stored"
        assert ends(world) == {str(today() + timedelta(days=300))}
        assert await batch_jobs.collect(runtime) == "0 answers of jobs stored"
        assert await lookup.refresh(runtime) == "0 of 0 old answers refreshed"

    play(world, story)


def test_a_job_that_is_given_up_or_lost_is_asked_anew(world: World) -> None:
    async def story(twin: HpSimulator, runtime: Runtime, _: Row) -> None:
        await lookup.refresh(runtime)
        twin.gives_jobs_up = True
        await batch_jobs.collect(runtime)
        twin.gives_jobs_up = False
        await lookup.refresh(runtime)
        assert len(twin.jobs) == 2
        twin.jobs.clear()  # it is not there any more
        await batch_jobs.collect(runtime)
        await lookup.refresh(runtime)
        assert len(twin.jobs) == 1
        twin.looks_until_done = 10_000
        world.pass_time(hours=25)
        await batch_jobs.collect(runtime)
        await lookup.refresh(runtime)
        assert len(twin.jobs) == 2

    play(world, story)


def test_a_failure_that_passes_keeps_the_job(world: World) -> None:
    async def story(twin: HpSimulator, runtime: Runtime, channel: Row) -> None:
        await lookup.refresh(runtime)
        twin.looks_until_done = 0
        twin.fail_next(Fault.SERVER_ERROR, times=3, containing="/jobs/")
        assert await batch_jobs.collect(runtime) == "0 answers of jobs stored"
        assert await batch_jobs.collect(runtime) == f"{UNITS} answers of jobs stored"

    play(world, story)


def test_refused_keys_pause_the_channel(world: World) -> None:
    async def story(twin: HpSimulator, runtime: Runtime, channel: Row) -> None:
        await lookup.refresh(runtime)
        twin.secret = "another"
        twin.expire_tokens()
        await batch_jobs.collect(runtime)
        assert world.value("SELECT state FROM channel") == "paused"
        assert ("authentication", "hp") in world.open_cases()
        await batch_jobs.collect(runtime)  # and it is left alone

    play(world, story)


def test_a_few_questions_are_asked_at_once(world: World) -> None:
    async def story(twin: HpSimulator, runtime: Runtime, _: Row) -> None:
        world.write(
            lambda tx: tx.run(
                "DELETE FROM warranty_record WHERE unit_id NOT IN "
                "(SELECT id FROM unit ORDER BY id LIMIT 5)"
            )
        )
        assert await lookup.refresh(runtime) == "5 of 5 old answers refreshed"
        assert twin.jobs == {}

    play(world, story)
