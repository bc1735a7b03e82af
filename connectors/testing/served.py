"""A connector and its simulator over a real socket, for the tests of one channel.

served = ServedSimulator("etsy", EtsySimulator)

def test_orders_are_pulled() -> None:
    async def scenario(simulator: EtsySimulator, connector: Etsy) -> None:
        ...
    served.run(scenario)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

from connectors.registry import connect
from connectors.testing.serving import serve
from connectors.toolkit.rate_limits import NoRateLimits


class ServableSimulator(Protocol):
    """A simulator that can be served and names the settings of its connector."""

    app: Any

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the settings of its connector."""

    async def aclose(self) -> None:
        """Cancel pending webhooks."""


SimulatorT = TypeVar("SimulatorT", bound=ServableSimulator)


class ServedSimulator(Generic[SimulatorT]):
    """Serve simulators of one channel. `key` is that of the connector."""

    def __init__(self, key: str, make: Callable[[], SimulatorT]) -> None:
        self.key = key
        self.make = make

    @asynccontextmanager
    async def connected(self, simulator: SimulatorT) -> AsyncIterator[Any]:
        """Serve a simulator on a free port and yield its connector, without rate limits."""
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
        """Run a scenario on a simulator, a fresh one where none is given, and its connector."""

        async def message() -> None:
            other = simulator or self.make()
            async with self.connected(other) as connector:
                await scenario(other, connector)

        asyncio.run(message())
