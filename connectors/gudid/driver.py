"""Moves the twin of the FDA's device database for the conformance rows."""

from collections.abc import Mapping
from typing import Any

from connectors.gudid.simulator import GudidTwin
from connectors.testing.simulator_driver import Driver


class GudidDriver(Driver):
    """The database, by the door that takes a key."""

    key = "gudid"
    twin: GudidTwin

    def build(self) -> GudidTwin:
        return GudidTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def revoke(self) -> None:
        self.twin.key = "another-key"

    def register_device(self, identifier: str, brand: str) -> None:
        self.twin.register(identifier, brand)
