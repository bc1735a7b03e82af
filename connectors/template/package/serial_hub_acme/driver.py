"""Moves the simulator of Acme, so that the conformance rows can be played against it."""

from datetime import timedelta

from connectors.testing.record_twin import TwinDriver

from .simulator import AcmeSimulator


class AcmeDriver(TwinDriver):
    """One Acme shop: what its simulator defines of the driver's methods is all that it needs."""

    key = "acme"
    twin = AcmeSimulator
    time_resolution = timedelta(milliseconds=1)
    enum_fields = frozenset({"status"})
