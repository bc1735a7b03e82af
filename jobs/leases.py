"""Leases of a worker: kept alive while it works, given back when it has to stop.

A worker that can not extend its lease, because somebody else has it or because the database is
away for longer than the lease lasts, is stopped in the middle: from then on another may do the
same work, and what this one would still do nobody has asked for.
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
MARGIN = 0.9  # of a lease: we stop before another begins
CALL_SECONDS_MAX = 300.0  # of one call to a channel, however alive it seems
# What was cut off in the middle may still arrive; whoever repeats it waits until it has.
INTERRUPTED = timedelta(seconds=5)
GIVE_BACK_SECONDS_MAX = 3.0
SETTLE_SECONDS = 0.5  # between attempts to write an outcome while the database is away


class LeaseLost(Exception):
    """The lease is no longer held. Next: stop; whoever has it now does the work."""


@asynccontextmanager
async def kept(extend: Callable[[], Awaitable[bool]], lease: timedelta) -> AsyncIterator[None]:
    """Extend a lease while the block runs; raise LeaseLost in its middle when it is lost.

    `extend` says whether the lease is still held. When it fails, it is tried again at the next
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
    """Write something that is known only here, and try until the lease is over."""
    while True:
        try:
            return await runtime.database.write(work)
        except DatabaseClosed:
            raise
        except TROUBLES as error:
            logger.warning("an outcome could not be written yet: %s", error)
            await asyncio.sleep(SETTLE_SECONDS)


class Batch:
    """Rows of a queue that this worker holds, and those of them that it has begun with."""

    def __init__(self, runtime: Runtime, queue: Queue, fences: leases.Fences) -> None:
        self._runtime = runtime
        self._queue = queue
        self._fences = dict(fences)
        self._begun: set[Hashable] = set()
        self._settling: set[Hashable] = set()
        self._extended_at = runtime.clock()

    def begin(self, *names: Hashable) -> None:
        """Note that something is done about rows from now on."""
        self._begun.update(names)

    async def settle(
        self, names: Iterable[Hashable], work: Callable[[Transaction], Result]
    ) -> Result:
        """Write the outcome of rows, and try for as long as they are held: it is known only here.

        `work` has to change nothing the second time: a commit may be kept and its answer lost.
        """
        names = tuple(names)
        self._settling.update(names)
        result = await persist(self._runtime, work)
        for name in names:
            self._fences.pop(name, None)
        return result

    async def still_held(self) -> bool:
        """Say whether all is still held, asking only where the last answer has grown old.

        A process that stood still for a while may have lost it before its own clock told it.
        """
        if self._runtime.clock() - self._extended_at < self._runtime.lease / 2:
            return True
        return await self.extend()

    async def extend(self) -> bool:
        """Extend what is held; False when any of it is held by somebody else."""
        fences = dict(self._fences)
        if not fences:
            return True
        runtime = self._runtime
        held = await runtime.database.write(
            # The time is read when the writer comes to it: it may have waited for the server.
            lambda tx: leases.extend(tx, self._queue, fences, runtime.clock(), runtime.lease)
        )
        self._extended_at = runtime.clock()
        # What was settled meanwhile, or just now, is not missed.
        return held.issuperset(fences.keys() & (self._fences.keys() - self._settling))

    async def give_back(self) -> None:
        """Give back what is still held: at once what was not begun, the rest a little later."""
        begun = {name: fence for name, fence in self._fences.items() if name in self._begun}
        rest = {name: fence for name, fence in self._fences.items() if name not in self._begun}
        self._fences.clear()
        later = self._runtime.clock() + INTERRUPTED

        def work(tx: Transaction) -> None:
            leases.give_back(tx, self._queue, rest, None)
            leases.give_back(tx, self._queue, begun, later)

        if begun or rest:
            async with asyncio.timeout(GIVE_BACK_SECONDS_MAX):
                await self._runtime.database.write(work)


@asynccontextmanager
async def held(runtime: Runtime, queue: Queue, fences: leases.Fences) -> AsyncIterator[Batch]:
    """Hold leased rows while the block runs; what is not settled when it ends is given back."""
    batch = Batch(runtime, queue, fences)
    try:
        async with kept(batch.extend, runtime.lease):
            yield batch
    except LeaseLost:
        logger.warning("a lease of %s was lost: whoever has it now does the work", queue.table)
        raise
    finally:
        with suppress(TimeoutError, *TROUBLES):  # else the lease ends by itself
            await batch.give_back()


@asynccontextmanager
async def one_call() -> AsyncIterator[None]:
    """Bound one call to a channel; afterwards nobody knows what became of it."""
    try:
        async with asyncio.timeout(CALL_SECONDS_MAX) as limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise Unknown(f"no answer within {CALL_SECONDS_MAX:g} s") from error
        raise
