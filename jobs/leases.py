"""Leases of a worker: extended while it works, released when it has to stop.

A worker that can not extend its lease, because another worker has it or because the database is
away for longer than the lease lasts, is cancelled: from then on another worker may do the same
work.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TypeVar

from connectors import Unknown
from connectors.remote import send_only_while
from hub.storage.database import TROUBLES, DatabaseClosed
from hub.storage.sql import Transaction
from hub.sync import leases
from hub.sync.leases import Queue
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

BEATS = 4  # in one lease
MARGIN = 0.9  # of a lease: this worker stops before another starts
CALL_SECONDS_MAX = 300.0  # of one call to a channel, however alive it seems
# An interrupted call may still arrive; its repetition waits until then.
INTERRUPTED = timedelta(seconds=5)
RELEASE_SECONDS_MAX = 3.0
SETTLE_SECONDS = 0.5  # between attempts to write an outcome while the database is away


class LeaseLost(Exception):
    """The lease is no longer held. Next: stop; another worker does the work."""


@asynccontextmanager
async def kept(extend: Callable[[], Awaitable[bool]], lease: timedelta) -> AsyncIterator[None]:
    """Extend a lease while the block runs; raises LeaseLost inside the block when it is lost.

    `extend` returns whether the lease is still held. When it fails, it is retried at the next
    beat, until the lease is over.
    """
    seconds, loop = lease.total_seconds(), asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds * MARGIN) as limit:
            beating = asyncio.create_task(_beat(extend, seconds, limit))
            try:
                with send_only_while(lambda: loop.time() < (limit.when() or 0.0)):
                    yield
            finally:
                beating.cancel()
    except TimeoutError:
        if limit.expired():
            raise LeaseLost from None
        raise


async def _beat(
    extend: Callable[[], Awaitable[bool]], seconds: float, limit: asyncio.Timeout
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(seconds / BEATS)
        began = loop.time()
        try:
            held = await extend()
        except Exception as error:
            logger.warning("a lease could not be extended: %s", error)
            continue
        if limit.expired():
            return
        limit.reschedule(began + seconds * MARGIN if held else began)
        if not held:
            return


async def persist(runtime: Runtime, work: Callable[[Transaction], Result]) -> Result:
    """Write an outcome that only this process knows; retry until the lease is over."""
    while True:
        try:
            return await runtime.database.write(work)
        except DatabaseClosed:
            raise
        except TROUBLES as error:
            logger.warning("an outcome could not be written yet: %s", error)
            await asyncio.sleep(SETTLE_SECONDS)


class Batch:
    """Leased rows of a queue, and those of them that this worker started to process."""

    def __init__(self, runtime: Runtime, queue: Queue, fences: leases.Fences) -> None:
        self._runtime = runtime
        self._queue = queue
        self._fences = dict(fences)
        self._begun: set[Hashable] = set()
        self._settling: set[Hashable] = set()
        self._extended_at = runtime.clock()

    def begin(self, *names: Hashable) -> None:
        """Mark rows as started."""
        self._begun.update(names)

    async def settle(
        self, names: Iterable[Hashable], work: Callable[[Transaction], Result]
    ) -> Result:
        """Write the outcome of rows; retry for as long as their lease lasts.

        `work` must be idempotent: a commit may succeed and its answer be lost.
        """
        names = tuple(names)
        self._settling.update(names)
        result = await persist(self._runtime, work)
        for name in names:
            self._fences.pop(name, None)
        return result

    async def still_held(self) -> bool:
        """Return whether all rows are still held; asks the database if the last answer is old.

        A suspended process may have lost the lease without noticing.
        """
        if self._runtime.clock() - self._extended_at < self._runtime.lease / 2:
            return True
        return await self.extend()

    async def extend(self) -> bool:
        """Extend the lease of all rows; return False if another worker holds any of them."""
        fences = dict(self._fences)
        if not fences:
            return True
        runtime = self._runtime
        held = await runtime.database.write(
            # The time is read inside the transaction, which may have waited for the server.
            lambda tx: leases.extend(tx, self._queue, fences, runtime.clock(), runtime.lease)
        )
        self._extended_at = runtime.clock()
        # Rows that were settled meanwhile are not counted as lost.
        return held.issuperset(fences.keys() & (self._fences.keys() - self._settling))

    async def release(self) -> None:
        """Release the held rows: due at once if they were not started, else after INTERRUPTED."""
        begun = {name: fence for name, fence in self._fences.items() if name in self._begun}
        rest = {name: fence for name, fence in self._fences.items() if name not in self._begun}
        self._fences.clear()
        later = self._runtime.clock() + INTERRUPTED

        def work(tx: Transaction) -> None:
            leases.release(tx, self._queue, rest, None)
            leases.release(tx, self._queue, begun, later)

        if begun or rest:
            async with asyncio.timeout(RELEASE_SECONDS_MAX):
                await self._runtime.database.write(work)


@asynccontextmanager
async def held(runtime: Runtime, queue: Queue, fences: leases.Fences) -> AsyncIterator[Batch]:
    """Hold leased rows while the block runs; release those that are not settled at its end."""
    batch = Batch(runtime, queue, fences)
    try:
        async with kept(batch.extend, runtime.lease):
            yield batch
    except LeaseLost:
        logger.warning("a lease of %s was lost: another worker does the work", queue.table)
        raise
    finally:
        with suppress(TimeoutError, *TROUBLES):  # else the lease ends by itself
            await batch.release()


@asynccontextmanager
async def one_call(seconds: float | None = None) -> AsyncIterator[None]:
    """Bound the time of one call to a channel; raises Unknown when it is over."""
    seconds = CALL_SECONDS_MAX if seconds is None else seconds
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise Unknown(f"no answer within {seconds:g} s", timed_out=True) from error
        raise
