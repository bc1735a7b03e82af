"""What subscriptions share: waiting, data of each event by itself, and a key that is still good.

A stream reads at the pace at which its client takes events: what it has not read yet waits in the
ledger, not in memory. Its cursor names the last event that was sent.
"""

import asyncio
from dataclasses import dataclass, field
from time import monotonic

from hub.errors import KeyRevoked
from hub_api.common.context import Context, Loaders

IDLE_SECONDS = 1.0  # another process may have written without notifying this one
RECHECK_SECONDS = 5.0  # a revoked key ends its streams after them


@dataclass(slots=True)
class Stream:
    """One running subscription."""

    context: Context
    woken: asyncio.Event
    _checked: float = field(default_factory=monotonic)

    async def ready(self, cursor: str) -> None:
        """Prepare for an event: nothing that was loaded for the last one answers it.

        Raises KeyRevoked.
        """
        await self._check_key()
        self.context.loaders = Loaders(self.context.database)
        self.context.cursor = cursor

    async def wait(self, seconds: float = IDLE_SECONDS) -> None:
        """Wait until something may have changed, so many seconds at most. Raises KeyRevoked."""
        end = monotonic() + seconds
        while not self.woken.is_set() and (left := end - monotonic()) > 0:
            try:
                async with asyncio.timeout(min(left, RECHECK_SECONDS)):
                    await self.woken.wait()
            except TimeoutError:
                pass
            await self._check_key()

    async def _check_key(self) -> None:
        if self.context.is_key_active is None or monotonic() - self._checked < RECHECK_SECONDS:
            return
        self._checked = monotonic()
        if not await self.context.is_key_active():
            raise KeyRevoked
