"""Driver of the Hp simulator for the conformance cases."""

from connectors.hp.simulator import HpSimulator
from connectors.testing.manufacturer_driver import ManufacturerDriver


class HpDriver(ManufacturerDriver):
    """HP's warranty service."""

    key = "hp"
    simulator_class = HpSimulator
