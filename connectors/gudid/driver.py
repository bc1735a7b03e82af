"""Driver of the the FDA's device database simulator for the conformance cases."""

from collections.abc import Mapping
from typing import Any

from connectors.gudid.simulator import GudidSimulator
from connectors.testing.simulator_driver import SimulatorDriver


class GudidDriver(SimulatorDriver):
    """The database, by the source that takes a key."""

    key = "gudid"
    simulator: GudidSimulator

    def build(self) -> GudidSimulator:
        return GudidSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.simulator.settings(url)

    def revoke(self) -> None:
        self.simulator.key = "another-key"

    def register_device(self, identifier: str, brand: str) -> None:
        self.simulator.register(identifier, brand)
