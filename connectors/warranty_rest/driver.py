"""Driver of the a manufacturer's warranty service simulator for the conformance cases."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from connectors.testing.simulator_driver import SimulatorDriver
from connectors.warranty_rest.simulator import WarrantySimulator


class WarrantyDriver(SimulatorDriver):
    """One manufacturer that knows its serials."""

    key = "warranty_rest"
    simulator: WarrantySimulator

    def build(self) -> WarrantySimulator:
        return WarrantySimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.simulator.settings(url)

    def revoke(self) -> None:
        self.simulator.token = "another-token"

    def add_unit(self, serial: str, product: str, starts_on: date, ends_on: date) -> None:
        self.simulator.add_unit(serial, product, ends_on, starts_on)

    def sold_on(self, serial: str) -> date | None:
        return self.simulator.sold_on(serial)
