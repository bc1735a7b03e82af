"""Driver of the Apple simulator for the conformance cases."""

from connectors.apple.simulator import AppleSimulator
from connectors.testing.manufacturer_driver import ManufacturerDriver


class AppleDriver(ManufacturerDriver):
    """Apple Business."""

    key = "apple"
    simulator_class = AppleSimulator
    simulator: AppleSimulator

    def revoke(self) -> None:
        self.simulator.revoke()
