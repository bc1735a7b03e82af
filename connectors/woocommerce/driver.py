"""Moves the twin of WooCommerce for the conformance rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.testing.simulator_driver import Driver
from connectors.woocommerce.simulator.server import WooCommerceTwin


class WooCommerceDriver(Driver):
    """One WooCommerce shop with a till whose plugin keeps serials."""

    key = "woocommerce"
    orders_for_pages = 230
    word_fields = frozenset({"status"})
    twin: WooCommerceTwin

    def build(self) -> WooCommerceTwin:
        return WooCommerceTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def revoke(self) -> None:
        self.twin.consumer_secret = "cs_another_secret"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        return {"product_id": str(self.twin.add_product(sku, quantity))}

    def missing_article(self) -> Mapping[str, str]:
        return {"product_id": "9"}

    def quantity_shown(self, sku: str) -> int:
        return int(self.twin.quantity(sku) or 0)

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.twin.set_quantity(sku, quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.twin.place_order({sku: quantity})

    def cancel_order(self, ref: str) -> None:
        self.twin.set_status(ref, "cancelled")

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        return self.twin.sell(sku, len(serials), "_serial_number", ", ".join(serials))

    def shipments(self, ref: str) -> int:
        return len(self.twin.notes.get(int(ref), []))

    def serials_shown(self, ref: str) -> Sequence[str]:
        entries = self.twin.serials(ref)
        lists = [json.loads(each) if each[0] == "[" else each.split(", ") for each in entries]
        return [serial for serials in lists for serial in serials]

    def announce(self, ref: str) -> None:
        self.twin.tell("order.updated", self.twin.orders[int(ref)])
