"""Moves the simulator of Cisco for the conformance cases."""

from connectors.cisco.simulator import CiscoTwin
from connectors.testing.manufacturer_drivers import MakerDriver


class CiscoDriver(MakerDriver):
    """Cisco's Support APIs."""

    key = "cisco"
    build_twin = CiscoTwin
