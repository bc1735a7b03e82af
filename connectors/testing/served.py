"""A connector and its twin over a real socket, for the stories of one channel's own tests.

over_the_wire = Wired("etsy", EtsySimulator)

def test_orders_come_in() -> None:
    async def story(twin: EtsySimulator, connector: Etsy) -> None:
        ...
    over_the_wire.run(story)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

from connectors.registry import connect
from connectors.testing.serving import serve
from connectors.toolkit.rate_limits import NoRateLimits


class ServableSimulator(Protocol):
    """A twin that can be served and says how its connector reaches it."""

    app: Any

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the settings of its connector."""

    async def aclose(self) -> None:
        """Drop what is on its way."""


SimulatorT = TypeVar("SimulatorT", bound=ServableSimulator)


class ServedSimulator(Generic[SimulatorT]):
    """Makes twins of one channel and tells stories of them. `key` is that of the connector."""

    def __init__(self, key: str, make: Callable[[], SimulatorT]) -> None:
        self.key = key
        self.make = make

    @asynccontextmanager
    async def connected(self, simulator: SimulatorT) -> AsyncIterator[Any]:
        """Serve a twin on a free port and yield its connector, without pace."""
        async with serve(simulator.app) as url:
            connector = connect(self.key, simulator.settings(url), rate_limits=NoRateLimits())
            try:
                yield connector
            finally:
                await connector.api.aclose()
                await simulator.aclose()

    def run(
        self,
        scenario: Callable[[SimulatorT, Any], Awaitable[None]],
        simulator: SimulatorT | None = None,
    ) -> None:
        """Tell a story of a twin, a fresh one where none is given, and its connector."""

        async def message() -> None:
            other = simulator or self.make()
            async with self.connected(other) as connector:
                await scenario(other, connector)

        asyncio.run(message())
