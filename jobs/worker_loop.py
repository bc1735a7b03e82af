"""Loops that work whenever they are woken, and end when the process is to stop."""

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
    """Call `work` when a topic is woken, and from time to time, until the process is to stop.

    It is called again at once for as long as it finds something. What fails is tried again.
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
                logger.exception("%s stumbled", what)
                worked = 0
            if not worked:
                await rest(runtime, idle_seconds, woken)


async def rest(runtime: Runtime, seconds: float, woken: asyncio.Event | None = None) -> None:
    """Sleep until woken, until the time is over or until the process is to stop."""
    events = [runtime.stopping] if woken is None else [runtime.stopping, woken]
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
