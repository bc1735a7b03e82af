"""Driver of the simulator of a manufacturer's warranty service for the conformance cases."""

from datetime import date

from connectors.testing.record_twin import TwinDriver
from connectors.warranty_rest.simulator import WarrantySimulator


class WarrantyDriver(TwinDriver):
    """One manufacturer that knows its serials."""

    key = "warranty_rest"
    twin = WarrantySimulator
    given = ("sold_on",)
    simulator: WarrantySimulator

    def add_unit(self, serial: str, product: str, starts_on: date, ends_on: date) -> None:
        self.simulator.add_unit(serial, product, ends_on, starts_on)
