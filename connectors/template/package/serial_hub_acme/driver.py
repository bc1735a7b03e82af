"""Moves the simulator of Acme, so that the conformance rows can be played against it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from connectors.testing.simulator_driver import Buyer, SimulatorDriver
from hub.vocabulary import HoldReason

from .simulator import AcmeSimulator


class AcmeDriver(SimulatorDriver):
    """One Acme shop."""

    key = "acme"
    time_resolution = timedelta(milliseconds=1)
    enum_fields = frozenset({"status"})
    simulator: AcmeSimulator

    def build(self) -> AcmeSimulator:
        return AcmeSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.simulator.settings(url)

    def revoke(self) -> None:
        self.simulator.token = "another-token"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        return {"article_id": self.simulator.add_article(sku, quantity)}

    def missing_article(self) -> Mapping[str, str]:
        return {"article_id": "9"}

    def quantity_shown(self, sku: str) -> int:
        return int(self.simulator.article(sku)["quantity"])

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.simulator.article(sku)["quantity"] = quantity

    def place_order(self, sku: str, quantity: int) -> str:
        return self.simulator.place_order((sku, quantity))

    def place_order_of(self, lines: Sequence[tuple[str, int]]) -> str:
        return self.simulator.place_order(*lines)

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        self.simulator.set_status(ref, "unpaid")

    def free_order(self, ref: str) -> None:
        self.simulator.set_status(ref, "to_ship")

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        account = str(buyer.number) if buyer.number else None
        person = {"id": account, "name": buyer.name, "email": buyer.email}
        self.simulator.orders[ref]["customer"] = {**person, "address": buyer.street}
        return account

    def cancel_order(self, ref: str) -> None:
        self.simulator.set_status(ref, "cancelled")

    def shipments(self, ref: str) -> int:
        return len(self.simulator.shipments.get(ref, []))

    def serials_shown(self, ref: str) -> Sequence[str]:
        lines = [line for each in self.simulator.shipments.get(ref, []) for line in each["lines"]]
        return [serial for line in lines for serial in line["serials"]]

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        return self.simulator.create_return(ref, quantity, serials, line)

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit("order.changed", ref)
