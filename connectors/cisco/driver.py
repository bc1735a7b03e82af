"""Driver of the Cisco simulator for the conformance cases."""

from connectors.cisco.simulator import CiscoSimulator
from connectors.testing.manufacturer_driver import ManufacturerDriver


class CiscoDriver(ManufacturerDriver):
    """Cisco's Support APIs."""

    key = "cisco"
    simulator_class = CiscoSimulator
