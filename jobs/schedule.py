"""Schedule of the jobs. The only module that imports APScheduler.

APScheduler keeps its jobs in memory and serves as a timer only: a shared job store ran one job
three times in one second. Each firing claims its slot in the `job_run` table first, so that one
process in the cluster runs it; the table is also the history of runs.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hub.proof.checkpoints import Signer
from hub.settings import Settings
from hub.storage.database import TROUBLES
from hub.storage.sql import Transaction
from hub.sync import channels, job_runs
from hub.sync.job_runs import JobRun
from jobs import intake, leases, poll, queues, relay, unreadable
from jobs.leases import LeaseLost
from jobs.maintenance import integrity, quality, sweep
from jobs.reconciliation import ledger, service_levels
from jobs.reconciliation import run as reconcile
from jobs.runtime import Runtime
from jobs.warranty import batch_jobs, lookup
from jobs.webhooks import delivery
from jobs.worker_loop import keep_working

logger = logging.getLogger(__name__)

DUE_EVERY = timedelta(seconds=30)  # between two looks at what is due to be reconciled
CATCH_UP_SECONDS = 5.0  # between two searches for abandoned runs


@dataclass(frozen=True, slots=True)
class Job:
    """One line of the timetable; `work` returns a sentence for the history.

    `needs` names a capability: the job runs only while a channel has it.
    """

    name: str
    every: timedelta
    work: Callable[[Runtime], Awaitable[str]]
    needs: str | None = None


def timetable(settings: Settings) -> list[Job]:
    """Return all jobs with their periods."""
    signer = Signer(settings.vault())
    every = timedelta(seconds=settings.reconcile_seconds)
    return [
        Job("poll", timedelta(seconds=settings.poll_seconds), poll.poll_all),
        Job("queues", timedelta(seconds=10), queues.empty_all, needs="receive_queue"),
        Job("reconcile", min(DUE_EVERY, every), partial(reconcile.reconcile_due, every)),
        Job("service-levels", timedelta(minutes=5), service_levels.check),
        Job("sweep", timedelta(seconds=30), sweep.sweep),
        Job("warranty", timedelta(hours=1), lookup.refresh),
        Job("warranty-jobs", timedelta(minutes=1), batch_jobs.collect, "bulk_warranty"),
        Job("unreadable", timedelta(hours=1), unreadable.read_again),
        Job("quality", timedelta(hours=24), quality.examine),
        Job("sign", timedelta(minutes=1), partial(integrity.sign, signer)),
        Job("conserve", timedelta(minutes=10), integrity.conserve),
        Job("integrity", timedelta(hours=24), partial(ledger.verify, signer)),
    ]


async def fire(runtime: Runtime, job: Job) -> str | None:
    """Run a job if its current slot is free; return its outcome, None if it did not run here."""
    if runtime.stopping.is_set() or not await _is_needed(runtime, job):
        return None
    run = await runtime.database.write(
        lambda tx: job_runs.take(
            tx, job.name, job.every, runtime.holder, runtime.clock(), runtime.lease
        )
    )
    if run is None:
        return None
    try:
        async with leases.kept(partial(_extend, runtime, run), runtime.lease):
            outcome = await _outcome(runtime, job)
            await leases.persist(
                runtime, lambda tx: job_runs.finish(tx, run, outcome, runtime.clock())
            )
            return outcome
    except LeaseLost:
        logger.warning("job %s was stopped: another process has it now", job.name)
        return None
    except asyncio.CancelledError:
        with suppress(TimeoutError, *TROUBLES):  # else its lease ends by itself
            async with asyncio.timeout(leases.RELEASE_SECONDS_MAX):
                await runtime.database.write(lambda tx: job_runs.hand_over(tx, run))
        raise


async def _is_needed(runtime: Runtime, job: Job) -> bool:
    if job.needs is None:
        return True
    capability = job.needs
    return bool(await runtime.database.read(lambda tx: channels.with_capability(tx, capability)))


async def _outcome(runtime: Runtime, job: Job) -> str:
    try:
        return await job.work(runtime)
    except Exception as error:
        logger.exception("job %s failed", job.name)
        return f"failed: {type(error).__name__}: {error}"


async def _extend(runtime: Runtime, run: JobRun) -> bool:
    return await runtime.database.write(
        lambda tx: job_runs.beat(tx, run, runtime.clock(), runtime.lease)
    )


async def catch_up(runtime: Runtime, jobs: Sequence[Job]) -> int:
    """Run the jobs whose last run was released or abandoned, and overdue ones; return the count."""
    by_name = {job.name: job for job in jobs}
    periods = {job.name: job.every for job in jobs}

    def look(tx: Transaction) -> list[str]:
        now = runtime.clock()
        found = [*job_runs.abandoned(tx, list(by_name), now), *job_runs.overdue(tx, periods, now)]
        return list(dict.fromkeys(found))

    names = await runtime.database.read(look)
    return sum([await fire(runtime, by_name[name]) is not None for name in names])


class _Firings:
    """The jobs that run in this process now, each in a task of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, job: Job) -> None:
        """Start a job, unless it still runs here."""
        if job.name not in self.tasks or self.tasks[job.name].done():
            self.tasks[job.name] = asyncio.create_task(self._fire(job))

    async def _fire(self, job: Job) -> None:
        try:
            await fire(self._runtime, job)
        except Exception as error:
            logger.warning("job %s could not be run: %s: %s", job.name, type(error).__name__, error)


@asynccontextmanager
async def working(runtime: Runtime, settings: Settings) -> AsyncIterator[None]:
    """Keep the loops and the schedule running while the block lasts, then let them finish."""
    scheduler, firings, jobs = (
        AsyncIOScheduler(timezone="UTC"),
        _Firings(runtime),
        timetable(settings),
    )
    for job in jobs:
        scheduler.add_job(
            firings.begin,
            "interval",
            args=(job,),
            seconds=job.every.total_seconds(),
            id=job.name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
    catching_up = keep_working(
        runtime, "the schedule", ("jobs",), partial(catch_up, runtime, jobs), CATCH_UP_SECONDS
    )
    loops = [
        asyncio.create_task(each)
        for each in (relay.run(runtime), intake.run(runtime), delivery.run(runtime), catching_up)
    ]
    scheduler.start()
    try:
        yield
    finally:
        runtime.stopping.set()
        scheduler.pause()
        await _finish([*loops, *firings.tasks.values(), *runtime.runs], settings.drain_seconds)
        scheduler.shutdown(wait=False)
        await runtime.flights.aclose()
        await runtime.connections.aclose()


async def _finish(tasks: "list[asyncio.Task[Any]]", seconds_max: float) -> None:
    """Wait for tasks up to a time; cancel those that take longer, which release their leases."""
    _, late = await asyncio.wait(tasks, timeout=seconds_max)
    for task in late:
        task.cancel()
    if late:
        logger.warning("%s tasks did not finish in time and released their work", len(late))
    await asyncio.gather(*tasks, return_exceptions=True)
