"""Moves the simulator of Apple for the conformance cases."""

from connectors.apple.simulator import AppleTwin
from connectors.testing.manufacturer_drivers import MakerDriver


class AppleDriver(MakerDriver):
    """Apple Business."""

    key = "apple"
    build_twin = AppleTwin
    twin: AppleTwin

    def revoke(self) -> None:
        self.twin.revoke()
