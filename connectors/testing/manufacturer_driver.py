"""Driver of the simulators of five manufacturers."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from connectors.testing.manufacturer_simulator import Cover, ManufacturerSimulator
from connectors.testing.simulator_driver import SimulatorDriver


class ManufacturerDriver(SimulatorDriver):
    """Driver of a manufacturer simulator. Case serials are shorter than manufacturers allow."""

    simulator: ManufacturerSimulator
    simulator_class: ClassVar[type[Any]]

    def build(self) -> ManufacturerSimulator:
        made: ManufacturerSimulator = self.simulator_class(clock=self.clock)
        return made

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.simulator.settings(url)

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        return self.simulator.settings(url) if self.simulator.token_path else None

    def expire_tokens(self) -> None:
        self.simulator.expire_tokens()

    def tokens_issued(self) -> int:
        return len(self.simulator.tokens)

    def revoke(self) -> None:
        self.simulator.secret = "another-secret"
        self.expire_tokens()

    def add_unit(self, serial: str, product: str, starts_on: date, ends_on: date) -> None:
        self.simulator.add_unit(serial, product, [Cover("Next business day", starts_on, ends_on)])
