"""Moves the simulator of Hp for the conformance cases."""

from connectors.hp.simulator import HpTwin
from connectors.testing.manufacturer_drivers import MakerDriver


class HpDriver(MakerDriver):
    """HP's warranty service."""

    key = "hp"
    build_twin = HpTwin
