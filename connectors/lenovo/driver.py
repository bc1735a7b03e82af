"""Moves the simulator of Lenovo for the conformance cases."""

from connectors.lenovo.simulator import LenovoTwin
from connectors.testing.manufacturer_drivers import MakerDriver


class LenovoDriver(MakerDriver):
    """eSupport."""

    key = "lenovo"
    build_twin = LenovoTwin
