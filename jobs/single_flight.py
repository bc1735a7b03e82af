"""Questions that are on their way: one for each unit, and none to whom failed just now."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Flights:
    """What one process asks manufacturers at this moment, and whom it leaves alone until when."""

    _flying: dict[str, asyncio.Task[bool]] = field(default_factory=dict)
    _cooling: dict[str, datetime] = field(default_factory=dict)

    def join(self, subject: str) -> asyncio.Task[bool] | None:
        """Return the question about a subject that is on its way, if there is one."""
        flight = self._flying.get(subject)
        return None if flight is None or flight.done() else flight

    def start(self, subject: str, work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        """Send a question off; it goes on when nobody waits for it any more."""
        flight = asyncio.create_task(work)
        self._flying[subject] = flight
        flight.add_done_callback(lambda done: self._landed(subject, done))
        return flight

    def _landed(self, subject: str, flight: asyncio.Task[bool]) -> None:
        if self._flying.get(subject) is flight:
            del self._flying[subject]

    def leave_alone(self, channel_id: str, until: datetime) -> None:
        """Ask a channel nothing until then: who waits would wait in vain."""
        self._cooling[channel_id] = until

    def answered(self, channel_id: str) -> None:
        """Note that a channel answers again."""
        self._cooling.pop(channel_id, None)

    def is_cooling(self, channel_id: str, now: datetime) -> bool:
        """Say whether a channel is to be left alone now."""
        until = self._cooling.get(channel_id)
        return until is not None and now < until

    async def settle(self) -> None:
        """Wait until everything that is on its way has landed."""
        while self._flying:
            await asyncio.gather(*self._flying.values(), return_exceptions=True)

    async def aclose(self) -> None:
        """Call back everything that is on its way."""
        flights = list(self._flying.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
