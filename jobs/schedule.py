"""The clock of the house: what runs when. The only module that knows APScheduler.

APScheduler keeps its jobs in memory and is a clock, nothing more: a shared job store ran one job
three times in one second. Each firing takes its slot in the `job_run` table first, so that one
process in the cluster runs it, and the table is the history that ops people see.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hub.proof.checkpoints import Signer
from hub.reconciling import runs
from hub.reconciling.runs import Run
from hub.settings import Settings
from jobs import intake, integrity, poll, quality, reconcile, relay, sweep, warranty
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
BEATS = 3  # in one lease


@dataclass(frozen=True, slots=True)
class Job:
    """One line of the timetable; `work` returns a sentence for the history."""

    name: str
    every: timedelta
    work: Callable[[Runtime], Awaitable[str]]


def timetable(settings: Settings) -> list[Job]:
    """Return what runs, and how often."""
    signer = Signer(settings.vault())
    return [
        Job("poll", timedelta(seconds=settings.poll_seconds), poll.poll_all),
        Job("reconcile", timedelta(seconds=settings.reconcile_seconds), reconcile.reconcile_all),
        Job("sweep", timedelta(seconds=30), sweep.sweep),
        Job("warranty", timedelta(hours=1), warranty.refresh),
        Job("quality", timedelta(hours=24), quality.examine),
        Job("sign", timedelta(minutes=1), partial(integrity.sign, signer)),
        Job("conserve", timedelta(minutes=10), integrity.conserve),
        Job("integrity", timedelta(hours=24), partial(integrity.verify, signer)),
    ]


async def fire(runtime: Runtime, job: Job) -> str | None:
    """Run a job if its present slot is free; return its outcome, None if it was not ours."""
    run = await runtime.database.write(
        lambda tx: runs.take(tx, job.name, job.every, runtime.holder, runtime.clock(), LEASE)
    )
    if run is None:
        return None
    beating = asyncio.create_task(_beat(runtime, run))
    try:
        outcome = await job.work(runtime)
    except Exception as error:
        logger.exception("job %s failed", job.name)
        outcome = f"failed: {type(error).__name__}: {error}"
    finally:
        beating.cancel()
    await runtime.database.write(lambda tx: runs.finish(tx, run, outcome, runtime.clock()))
    return outcome


async def _beat(runtime: Runtime, run: Run) -> None:
    while True:
        await asyncio.sleep(LEASE.total_seconds() / BEATS)
        await runtime.database.write(lambda tx: runs.beat(tx, run, runtime.clock(), LEASE))


@asynccontextmanager
async def working(runtime: Runtime, settings: Settings) -> AsyncIterator[None]:
    """Keep the loops and the clock running while the block lasts, then let them go."""
    scheduler = AsyncIOScheduler(timezone="UTC")
    for job in timetable(settings):
        scheduler.add_job(
            fire,
            "interval",
            args=(runtime, job),
            seconds=job.every.total_seconds(),
            id=job.name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
    loops = [asyncio.create_task(relay.run(runtime)), asyncio.create_task(intake.run(runtime))]
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await runtime.flights.aclose()
        await runtime.connections.aclose()
