"""Driver of the Dell simulator for the conformance cases."""

from connectors.dell.simulator import DellSimulator
from connectors.testing.manufacturer_driver import ManufacturerDriver


class DellDriver(ManufacturerDriver):
    """TechDirect."""

    key = "dell"
    simulator_class = DellSimulator
