"""Driver of the Medusa simulator for the conformance cases."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from connectors.medusa.simulator import LOCATION, SALES_CHANNEL, MedusaSimulator
from connectors.testing.simulator_driver import (
    Buyer,
    OfficialContract,
    PricedOrder,
    SkuSimulatorDriver,
)
from hub.vocabulary import HoldReason, LineKind


class MedusaDriver(SkuSimulatorDriver):
    """One Medusa shop."""

    key = "medusa"
    time_resolution = timedelta(milliseconds=1)
    enum_fields = frozenset({"status", "payment_status", "fulfillment_status"})
    official: ClassVar[Sequence[OfficialContract]] = (
        OfficialContract(
            "medusa/medusa-admin-v2-trimmed.json",
            trimmed=True,
            # The contract is of April 2025; 2.21.2 takes it (AdminGetOrdersParams of returns).
            newer_queries=frozenset({"/admin/returns?order_id"}),
            # Named by its data models and seen in 2.21.2, where times that are to come are null.
            looser=frozenset(
                {
                    "returns.updated_at",
                    "return.updated_at",
                    *("order.items.is_giftcard", "orders.items.is_giftcard"),
                    *(
                        f"{order}.fulfillments.{field}"
                        for order in ("order", "orders")
                        for field in ("items", "labels", "canceled_at", "shipped_at")
                    ),
                    *("order.customer_id", "orders.customer_id"),  # null of a guest
                }
            ),
        ),
    )
    simulator: MedusaSimulator

    def build(self) -> MedusaSimulator:
        return MedusaSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return {**super().settings(url), "sales_channel_ids": [SALES_CHANNEL]}

    def place_order_elsewhere(self, sku: str, quantity: int) -> str | None:
        return self.simulator.place_order({sku: quantity}, sales_channel="sc_outlet")

    def revoke(self) -> None:
        self.simulator.api_key = "sk_another_key"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        item = self.simulator.add_item(sku, quantity)
        return {"inventory_item_id": item, "location_id": LOCATION}

    def set_buyer(self, ref: str, name: str, email: str, phone: str) -> None:
        first, _, last = name.partition(" ")
        address = {"first_name": first, "last_name": last, "phone": phone}
        self.simulator.orders[ref] |= {"email": email, "billing_address": address}

    def missing_article(self) -> Mapping[str, str]:
        return {"inventory_item_id": "iitem_gone", "location_id": LOCATION}

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        unpaid = reason is HoldReason.PAYMENT_PENDING
        self.simulator.pay(ref, "not_paid" if unpaid else "refunded")

    def free_order(self, ref: str) -> None:
        self.simulator.pay(ref, "authorized")

    def draft_order(self, sku: str, quantity: int) -> str:
        ref = self.simulator.place_order({sku: quantity}, "not_paid")
        self.simulator.orders[ref]["status"] = "draft"
        return ref

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        ref = self.simulator.place_order({sku: cost.quantity})
        parts = {"discount_total": float(cost.discount), "tax_total": float(cost.tax)}
        order = self.simulator.orders[ref]
        order |= {"currency_code": cost.currency.lower(), "total": float(cost.total)} | parts
        order["items"][0] |= {"unit_price": float(cost.unit_price), **parts}
        (payment,) = order["payment_collections"][0]["payments"]
        payment |= {"amount": order["total"], "captures": [{"amount": order["total"]}]}
        return ref

    def paid_back(self, ref: str) -> Decimal:
        return self.simulator.paid_back(ref)

    def place_order_beside(self, sku: str, kind: LineKind) -> str:
        self.list_article("EXTRA", 9)
        ref = self.place_order_of([(sku, 1), ("EXTRA", 1)])
        gift = {"is_giftcard": kind is LineKind.GIFT_CARD, "requires_shipping": False}
        self.simulator.orders[ref]["items"][1] |= gift
        return ref

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        account = f"cus_{buyer.number}" if buyer.number else None
        address = {"first_name": buyer.name, "phone": buyer.phone, "address_1": buyer.street}
        written = {"customer_id": account, "email": buyer.email, "shipping_address": address}
        self.simulator.orders[ref] |= written
        return account

    def cancel_order(self, ref: str) -> None:
        self.simulator.cancel_order(ref)

    def pack_order(self, ref: str) -> bool:
        self.simulator.pack(ref)
        return True

    def shipments(self, ref: str) -> int:
        return len(self.simulator.orders[ref]["fulfillments"])

    def serials_shown(self, ref: str) -> Sequence[str]:
        made = self.simulator.orders[ref]["fulfillments"]
        named = [each["metadata"]["serials"].values() for each in made]
        return [serial for lines in named for serials in lines for serial in serials]

    def serials_by_line(self, ref: str) -> Mapping[str, Sequence[str]] | None:
        made = self.simulator.orders[ref]["fulfillments"]
        return {line: named for each in made for line, named in each["metadata"]["serials"].items()}

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        back = self.simulator.create_return(ref, line, quantity)
        self.simulator.receive_return(back)
        self.simulator.refund(ref)
        return back

    def refund_unsent(self, ref: str, quantity: int, line: int = 0) -> bool:
        self.simulator.take_units_off(ref, line, quantity)
        self.simulator.refund(ref)
        return True

    def other_payloads(self, ref: str) -> Sequence[tuple[str, Any]]:
        return [
            *((f"order.{topic}", {"id": ref}) for topic in ("placed", "canceled", "completed")),
            ("order.fulfillment_created", {"order_id": ref, "fulfillment_id": "ful_1"}),
            ("order.return_requested", {"order_id": ref, "return_id": "return_1"}),
            ("order.return_received", {"order_id": ref, "return_id": "return_1"}),
            ("order-edit.confirmed", {"order_id": ref, "actions": []}),
        ]

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit("order.updated", {"id": ref})
