"""Driver of the Lenovo simulator for the conformance cases."""

from connectors.lenovo.simulator import LenovoSimulator
from connectors.testing.manufacturer_driver import ManufacturerDriver


class LenovoDriver(ManufacturerDriver):
    """eSupport."""

    key = "lenovo"
    simulator_class = LenovoSimulator
