"""Single-flight look-ups: one for each subject at a time, with a cool-down after a failure."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class SingleFlight:
    """The look-ups of one process that are in flight, and the channels that are cooling down."""

    _flying: dict[str, asyncio.Task[bool]] = field(default_factory=dict)
    _cooling: dict[str, datetime] = field(default_factory=dict)

    def join(self, subject: str) -> asyncio.Task[bool] | None:
        """Return the look-up of a subject that is in flight, if any."""
        flight = self._flying.get(subject)
        return None if flight is None or flight.done() else flight

    def start(self, subject: str, work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        """Start a look-up; it continues when no caller waits for it any more."""
        flight = asyncio.create_task(work)
        self._flying[subject] = flight
        flight.add_done_callback(lambda done: self._landed(subject, done))
        return flight

    def _landed(self, subject: str, flight: asyncio.Task[bool]) -> None:
        if self._flying.get(subject) is flight:
            del self._flying[subject]

    def leave_alone(self, channel_id: str, until: datetime) -> None:
        """Start no look-up at a channel until a time."""
        self._cooling[channel_id] = until

    def answered(self, channel_id: str) -> None:
        """End the cool-down of a channel."""
        self._cooling.pop(channel_id, None)

    def is_cooling(self, channel_id: str, now: datetime) -> bool:
        """Return whether a channel is cooling down."""
        until = self._cooling.get(channel_id)
        return until is not None and now < until

    async def settle(self) -> None:
        """Wait until all look-ups have ended."""
        while self._flying:
            await asyncio.gather(*self._flying.values(), return_exceptions=True)

    async def aclose(self) -> None:
        """Cancel all look-ups."""
        flights = list(self._flying.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
