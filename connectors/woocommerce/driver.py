"""Driver of the WooCommerce simulator for the conformance cases."""

import json
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from connectors.testing.simulator_driver import Buyer, PricedOrder, SkuSimulatorDriver
from connectors.woocommerce.simulator.server import WooCommerceSimulator
from hub.vocabulary import HoldReason


class WooCommerceDriver(SkuSimulatorDriver):
    """One WooCommerce shop with a till whose plugin keeps serials."""

    key = "woocommerce"
    orders_for_pages = 230
    enum_fields = frozenset({"status"})
    simulator: WooCommerceSimulator

    def build(self) -> WooCommerceSimulator:
        return WooCommerceSimulator(clock=self.clock)

    def revoke(self) -> None:
        self.simulator.consumer_secret = "cs_another_secret"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        return {"product_id": str(self.simulator.add_product(sku, quantity))}

    def list_untracked(self, sku: str) -> Mapping[str, str] | None:
        return {"product_id": str(self.simulator.add_product(sku, None))}

    def is_tracked(self, sku: str) -> bool:
        found = (p for p in self.simulator.products.values() if p["sku"] == sku)
        return any(each["manage_stock"] for each in found)

    def set_buyer(self, ref: str, name: str, email: str, phone: str) -> None:
        first, _, last = name.partition(" ")
        billed = {"first_name": first, "last_name": last, "email": email, "phone": phone}
        self.simulator.orders[int(ref)]["billing"] = billed

    def missing_article(self) -> Mapping[str, str]:
        return {"product_id": "9"}

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        self.simulator.set_status(ref, "on-hold")

    def free_order(self, ref: str) -> None:
        self.simulator.set_status(ref, "processing")

    def draft_order(self, sku: str, quantity: int) -> str:
        return self.simulator.place_order({sku: quantity}, "checkout-draft")

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        ref = self.simulator.place_order({sku: cost.quantity})
        full = Decimal(cost.unit_price) * cost.quantity
        self.simulator.orders[int(ref)] |= {
            "currency": cost.currency,
            "total": cost.total,
            "discount_total": cost.discount,
            "total_tax": cost.tax,
        }
        self.simulator.orders[int(ref)]["line_items"][0] |= {
            "subtotal": str(full),
            "total": str(full - Decimal(cost.discount)),
            "total_tax": cost.tax,
        }
        return ref

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        self.simulator.orders[int(ref)] |= {
            "customer_id": buyer.number,
            "billing": {
                "first_name": buyer.name,
                "email": buyer.email,
                "phone": buyer.phone,
                "address_1": buyer.street,
            },
        }
        return str(buyer.number) if buyer.number else None

    def shop_in(self, zone: tzinfo) -> None:
        self.simulator.zone = zone

    def cancel_order(self, ref: str) -> None:
        self.simulator.set_status(ref, "cancelled")

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        return self.simulator.sell(sku, len(serials), "_serial_number", ", ".join(serials))

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        if self.simulator.orders[int(ref)]["status"] != "completed":
            self.simulator.set_status(ref, "completed")
        return self._refund(ref, quantity, line)

    def paid_back(self, ref: str) -> Decimal:
        refunds = self.simulator.refunds.get(int(ref), [])
        return sum((Decimal(each["amount"]) for each in refunds), Decimal())

    def refund_unsent(self, ref: str, quantity: int, line: int = 0) -> bool:
        self._refund(ref, quantity, line)
        return True

    def _refund(self, ref: str, quantity: int, line: int) -> str:
        lines = self.simulator.orders[int(ref)]["line_items"]
        return self.simulator.refund(ref, {lines[line]["id"]: quantity})

    def other_payloads(self, ref: str) -> Sequence[tuple[str, Any]]:
        return [
            ("order.created", {"id": int(ref), "status": "processing"}),
            ("order.updated", {"id": int(ref), "status": "completed"}),
            ("order.restored", {"id": int(ref), "status": "on-hold"}),
            ("order.deleted", {"id": int(ref)}),
        ]

    def shipments(self, ref: str) -> int:
        return len(self.simulator.notes.get(int(ref), []))

    def serials_shown(self, ref: str) -> Sequence[str]:
        entries = self.simulator.serials(ref)
        lists = [json.loads(each) if each[0] == "[" else each.split(", ") for each in entries]
        return [serial for serials in lists for serial in serials]

    def serials_by_line(self, ref: str) -> Mapping[str, Sequence[str]] | None:
        lines = self.simulator.orders[int(ref)]["line_items"]
        return {
            str(line["id"]): meta["value"].split(", ")
            for line in lines
            for meta in line["meta_data"]
            if meta["key"] == "Shipped serial numbers"
        }

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit("order.updated", self.simulator.orders[int(ref)])
