"""Runs of a job over channels: one run a channel, at once, so that none waits for another.

Each run holds a claim of its channel (`hub.sync.streams`), so that two processes never do the same
work, and a run that outlasts the firing of its job goes on by itself: the next firing finds it
claimed and serves the other channels. Only so many runs are begun at a time; one that takes longer
than a moment gives its place to the next, because it waits for somebody else.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Generic, TypeVar

from hub.storage.database import TROUBLES
from hub.storage.rows import ChannelRow
from hub.sync import streams
from jobs import leases
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

AT_ONCE_MAX = 16
"""Runs that are begun at a time: enough to fill the slowest part, the database's single writer."""
PLACE_SECONDS = 2.0  # after which a run no longer counts among them
WAIT_SECONDS = 20.0  # how long a firing waits for its runs; the others go on without it
RUN_MAX = timedelta(hours=1)  # of one channel; then it is begun anew at the next firing


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Result]):
    """Results of the runs that ended, and how many channels are still at work."""

    results: Sequence[Result]
    unfinished: int

    def __str__(self) -> str:
        return f"; {self.unfinished} are still at work" if self.unfinished else ""


async def run_each(
    runtime: Runtime,
    stream: str,
    channels: Sequence[ChannelRow],
    work: Callable[[ChannelRow], Awaitable[Result]],
    wait_seconds: float | None = None,
) -> Outcome[Result]:
    """Do the work for each channel at once; wait some seconds (WAIT_SECONDS) for it.

    Raises the first failure of a run, after all of them were begun.
    """
    loop, waiting = asyncio.get_running_loop(), deque(channels)
    begun: dict[asyncio.Task[Result | None], float] = {}
    end = loop.time() + (WAIT_SECONDS if wait_seconds is None else wait_seconds)
    while waiting or loop.time() < end:
        busy = [at for task, at in begun.items() if _is_busy(task, at, loop.time())]
        while waiting and len(busy) < AT_ONCE_MAX and not runtime.stopping.is_set():
            task = asyncio.create_task(_run(runtime, stream, waiting.popleft(), work))
            begun[task] = loop.time()
            busy.append(begun[task])
            _keep(runtime, task)
        if runtime.stopping.is_set():
            waiting.clear()
        unfinished = [task for task in begun if not task.done()]
        if not unfinished and not waiting:
            break
        limit = min(busy, default=loop.time()) + PLACE_SECONDS if waiting else end
        await asyncio.wait(
            unfinished,
            timeout=max(0.0, limit - loop.time()),
            return_when=asyncio.FIRST_COMPLETED if waiting else asyncio.ALL_COMPLETED,
        )
    ended = [task.result() for task in begun if task.done()]
    results = [each for each in ended if each is not None]
    return Outcome(results, len(begun) - len(ended))


def _is_busy(task: "asyncio.Task[Result | None]", begun_at: float, now: float) -> bool:
    return not task.done() and now - begun_at < PLACE_SECONDS


def _keep(runtime: Runtime, task: "asyncio.Task[Result | None]") -> None:
    runtime.runs.add(task)

    def ended(task: "asyncio.Task[Result | None]") -> None:
        runtime.runs.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("a run was broken off: %s: %s", type(error).__name__, error)

    task.add_done_callback(ended)


async def _run(
    runtime: Runtime,
    stream: str,
    channel: ChannelRow,
    work: Callable[[ChannelRow], Awaitable[Result]],
) -> Result | None:
    """Do the work of one channel under its claim; None where another worker does it."""
    lease, channel_id = runtime.lease, channel["id"]
    fence = await runtime.database.write(
        lambda tx: streams.claim(tx, channel_id, stream, runtime.clock(), lease)
    )
    if fence is None:
        return None
    extend = partial(_extend, runtime, channel_id, stream, fence)
    try:
        async with leases.kept(extend, lease), asyncio.timeout(RUN_MAX.total_seconds()):
            return await work(channel)
    except (leases.LeaseLost, TimeoutError) as error:
        logger.warning("%s of %s was broken off: %r", stream, channel["code"], error)
        return None
    finally:
        with suppress(TimeoutError, *TROUBLES):  # else the claim ends by itself
            async with asyncio.timeout(leases.RELEASE_SECONDS_MAX):
                await runtime.database.write(
                    lambda tx: streams.release(tx, channel_id, stream, fence)
                )


async def _extend(runtime: Runtime, channel_id: str, stream: str, fence: int) -> bool:
    return await runtime.database.write(
        lambda tx: streams.extend(tx, channel_id, stream, fence, runtime.clock() + runtime.lease)
    )
