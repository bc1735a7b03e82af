"""Which products changed: one reader of the feed in each process, for all streams of stock."""

import asyncio
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from hub.ledger import event_views
from hub.storage.database import TROUBLES, Database
from hub.storage.sql import Transaction

logger = logging.getLogger(__name__)

READ_MAX = 500
IDLE_SECONDS = 1.0
RETRY_SECONDS = 1.0


class StockChanges:
    """Wakes those who wait for a change of their products; it reads while anybody waits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[asyncio.Event, frozenset[str]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def listen(self, skus: Collection[str]) -> Iterator[asyncio.Event]:
        """Give an event that is set when units of some products change."""
        woken = asyncio.Event()
        self._waiting[woken] = frozenset(skus)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read())
        try:
            yield woken
        finally:
            del self._waiting[woken]
            if not self._waiting and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _read(self) -> None:
        here: tuple[int, int] | None = None
        with self._database.signals.listen("events") as woken:
            while True:
                woken.clear()
                try:
                    if here is None:
                        here = await self._database.read(event_views.feed_end)
                        self._wake(None)  # what changed before is seen by looking
                    changed, here, more = await self._database.read(_Changes(here))
                except TROUBLES as error:
                    logger.warning("changes of stock are not read: %s", error)
                    here = None
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                self._wake(changed)
                if not more:
                    await _wait(woken)

    def _wake(self, changed: Collection[str] | None) -> None:
        for event, skus in self._waiting.items():
            if changed is None or not skus.isdisjoint(changed):
                event.set()


class _Changes:
    """A read of the products that changed after a position."""

    def __init__(self, here: tuple[int, int]) -> None:
        self._here = here

    def __call__(self, tx: Transaction) -> tuple[frozenset[str], tuple[int, int], bool]:
        rows = event_views.events_after(tx, *self._here, limit=READ_MAX)
        end = (rows[-1]["transaction_id"], rows[-1]["seq"]) if rows else self._here
        return frozenset(row["sku"] for row in rows), end, len(rows) == READ_MAX


async def _wait(woken: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            await woken.wait()
    except TimeoutError:
        return
