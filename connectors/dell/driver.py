"""Moves the simulator of Dell for the conformance cases."""

from connectors.dell.simulator import DellTwin
from connectors.testing.manufacturer_drivers import MakerDriver


class DellDriver(MakerDriver):
    """TechDirect."""

    key = "dell"
    build_twin = DellTwin
