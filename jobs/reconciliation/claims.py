"""Claims of runs: one process works on a run, and another one goes on with it where that one died.

A run that is cancelled gives up its claim, so that the next start goes on with it at once. After
the death of its process the claim ends with its lease.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from hub.reconciliation import marks, runs
from hub.reconciliation.kinds import Scope
from hub.reconciliation.runs import Run
from hub.storage.database import TROUBLES
from hub.storage.rows import ChannelRow
from jobs import leases
from jobs.runtime import Runtime

MARKS_AT_ONCE = 10_000  # that are deleted in one transaction


async def begin(
    runtime: Runtime, channel: ChannelRow, scope: Scope, trigger: str, asked: str | None
) -> Run:
    """Begin a run, or go on with one; raises RunUnderWay while another process works on it."""
    return await runtime.database.write(
        lambda tx: runs.start(
            tx, channel, scope, trigger, runtime.clock(), lease=runtime.lease, asked=asked
        )
    )


@asynccontextmanager
async def held(runtime: Runtime, run: Run) -> AsyncIterator[None]:
    """Hold the claim of a run while the block runs; raises LeaseLost when it is lost."""

    async def extend() -> bool:
        return await runtime.database.write(
            lambda tx: runs.extend(tx, run, runtime.clock() + runtime.lease)
        )

    try:
        async with leases.kept(extend, runtime.lease):
            yield
    except asyncio.CancelledError:
        with suppress(TimeoutError, *TROUBLES):  # else its lease ends by itself
            async with asyncio.timeout(leases.RELEASE_SECONDS_MAX):
                await runtime.database.write(lambda tx: runs.release(tx, run))
        raise


async def forget_marks(runtime: Runtime, run: Run) -> None:
    """Delete the marks of a run that has ended, in short transactions."""
    while await runtime.database.write(lambda tx: marks.forget(tx, run.id, limit=MARKS_AT_ONCE)):
        pass
