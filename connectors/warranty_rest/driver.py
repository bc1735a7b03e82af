"""Moves the twin of a manufacturer's warranty service for the conformance rows."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from connectors.testing.simulator_driver import Driver
from connectors.warranty_rest.simulator import WarrantyTwin


class WarrantyDriver(Driver):
    """One manufacturer that knows its serials."""

    key = "warranty_rest"
    twin: WarrantyTwin

    def build(self) -> WarrantyTwin:
        return WarrantyTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def revoke(self) -> None:
        self.twin.token = "another-token"

    def add_unit(self, serial: str, product: str, starts_on: date, ends_on: date) -> None:
        self.twin.add_unit(serial, product, ends_on, starts_on)

    def sold_on(self, serial: str) -> date | None:
        return self.twin.sold_on(serial)
