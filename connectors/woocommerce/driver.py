"""Moves the twin of WooCommerce for the conformance rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.testing.simulator_driver import SimulatorDriver
from connectors.woocommerce.simulator.server import WooCommerceSimulator


class WooCommerceDriver(SimulatorDriver):
    """One WooCommerce shop with a till whose plugin keeps serials."""

    key = "woocommerce"
    orders_for_pages = 230
    enum_fields = frozenset({"status"})
    simulator: WooCommerceSimulator

    def build(self) -> WooCommerceSimulator:
        return WooCommerceSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.simulator.settings(url)

    def revoke(self) -> None:
        self.simulator.consumer_secret = "cs_another_secret"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        return {"product_id": str(self.simulator.add_product(sku, quantity))}

    def missing_article(self) -> Mapping[str, str]:
        return {"product_id": "9"}

    def quantity_shown(self, sku: str) -> int:
        return int(self.simulator.quantity(sku) or 0)

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.simulator.set_quantity(sku, quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.simulator.place_order({sku: quantity})

    def cancel_order(self, ref: str) -> None:
        self.simulator.set_status(ref, "cancelled")

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        return self.simulator.sell(sku, len(serials), "_serial_number", ", ".join(serials))

    def shipments(self, ref: str) -> int:
        return len(self.simulator.notes.get(int(ref), []))

    def serials_shown(self, ref: str) -> Sequence[str]:
        entries = self.simulator.serials(ref)
        lists = [json.loads(each) if each[0] == "[" else each.split(", ") for each in entries]
        return [serial for serials in lists for serial in serials]

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit("order.updated", self.simulator.orders[int(ref)])
