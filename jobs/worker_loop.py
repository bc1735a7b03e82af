"""Worker loops: run when signalled, drain on shutdown."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from hub.storage.database import TROUBLES
from jobs.leases import LeaseLost
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)


async def keep_working(
    runtime: Runtime,
    what: str,
    topics: tuple[str, ...],
    work: Callable[[], Awaitable[int]],
    idle_seconds: float,
) -> None:
    """Call `work` when a topic is signalled, and every `idle_seconds`, until the process stops.

    `work` returns the number of items it processed: more than 0 calls it again at once. Failures
    are logged and retried.
    """
    with runtime.database.signals.listen(*topics) as woken:
        while not runtime.stopping.is_set():
            woken.clear()
            try:
                worked = await work()
            except (LeaseLost, *TROUBLES) as error:
                logger.warning("%s waits: %s: %s", what, type(error).__name__, error)
                worked = 0
            except Exception:
                logger.exception("%s failed", what)
                worked = 0
            if not worked:
                await rest(runtime, idle_seconds, woken)


async def rest(runtime: Runtime, seconds: float, woken: asyncio.Event | None = None) -> None:
    """Sleep until signalled, until the time is over, or until the process stops."""
    events = [runtime.stopping] if woken is None else [runtime.stopping, woken]
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
