"""Driver of the BigCommerce simulator for the conformance cases."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from connectors.bigcommerce.simulator import BigCommerceSimulator
from connectors.testing.simulator_driver import (
    Buyer,
    OfficialContract,
    PricedOrder,
    SimulatorDriver,
)
from hub.vocabulary import HoldReason, LineKind

_ROOT = "/stores/twin1"


class BigCommerceDriver(SimulatorDriver):
    """One BigCommerce store; what is accepted shows at once."""

    key = "bigcommerce"
    articles_for_pages = 520
    enum_fields = frozenset({"status", "status_id"})
    official: ClassVar[Sequence[OfficialContract]] = (
        OfficialContract("bigcommerce/inventory.v3.json", f"{_ROOT}/v3", "/inventory/"),
        OfficialContract("bigcommerce/orders.v2.oas2.json", f"{_ROOT}/v2"),
        OfficialContract("bigcommerce/orders.v3.json", f"{_ROOT}/v3"),
    )
    simulator: BigCommerceSimulator

    def build(self) -> BigCommerceSimulator:
        return BigCommerceSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return {**self.simulator.settings(url), "channel_ids": [1]}

    def revoke(self) -> None:
        self.simulator.access_token = "another-token"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        identity = self.simulator.items[self.simulator.add_item(sku, quantity)]["identity"]
        return {name: str(identity[name]) for name in ("variant_id", "product_id")}

    def set_buyer(self, ref: str, name: str, email: str, phone: str) -> None:
        first, _, last = name.partition(" ")
        billed = {"first_name": first, "last_name": last, "email": email, "phone": phone}
        self.simulator.orders[int(ref)]["billing_address"] = billed

    def missing_article(self) -> Mapping[str, str]:
        return {"variant_id": "9", "product_id": "9"}

    def quantity_shown(self, sku: str) -> int:
        return self.simulator.quantity(self._variant(sku))

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.simulator.set_quantity(self._variant(sku), quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.place_order_of([(sku, quantity)])

    def place_order_of(self, lines: Sequence[tuple[str, int]]) -> str:
        (first, quantity), *more = [(self._variant(sku), pieces) for sku, pieces in lines]
        return self.simulator.place_order(first, quantity, more=more)

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        status = {HoldReason.PAYMENT_PENDING: 7, HoldReason.FRAUD_REVIEW: 12}
        self.simulator.set_status(ref, status.get(reason, 13))

    def free_order(self, ref: str) -> None:
        self.simulator.set_status(ref, 11)

    def draft_order(self, sku: str, quantity: int) -> str:
        return self.simulator.place_order(self._variant(sku), quantity, 0)

    def place_order_elsewhere(self, sku: str, quantity: int) -> str | None:
        return self.simulator.place_order(self._variant(sku), quantity, channel=2)

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        ref = self.place_order(sku, cost.quantity)
        self.simulator.orders[int(ref)]["money"] = {
            "currency_code": "USD",  # what the shopper saw; paid is in the other
            "default_currency_code": cost.currency,
            "is_tax_inclusive_pricing": False,
            "total_inc_tax": cost.total,
            "discount_amount": cost.discount,
            "coupon_discount": "0.0000",
            "total_tax": cost.tax,
        }
        self.simulator.lines[int(ref)][0] |= {
            "price_ex_tax": cost.unit_price,
            "applied_discounts": [{"amount": cost.discount, "target": "order"}],
            "total_tax": cost.tax,
        }
        return ref

    def paid_back(self, ref: str) -> Decimal:
        return self.simulator.paid_back(int(ref))

    def place_order_beside(self, sku: str, kind: LineKind) -> str:
        self.list_article("EXTRA", 9)
        ref = self.place_order_of([(sku, 1), ("EXTRA", 1)])
        gift = kind is LineKind.GIFT_CARD
        self.simulator.lines[int(ref)][1]["type"] = "giftcertificate" if gift else "digital"
        return ref

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        billing = {"first_name": buyer.name, "email": buyer.email, "phone": buyer.phone}
        self.simulator.orders[int(ref)] |= {
            "customer_id": buyer.number,
            "billing_address": {**billing, "street_1": buyer.street},
        }
        return str(buyer.number) if buyer.number else None

    def cancel_order(self, ref: str) -> None:
        self.simulator.set_status(ref, 5)

    def shipments(self, ref: str) -> int:
        return len(self.simulator.shipments.get(int(ref), []))

    def serials_shown(self, ref: str) -> Sequence[str]:
        return [each for named in self.simulator.serials(ref).values() for each in named]

    def serials_by_line(self, ref: str) -> Mapping[str, Sequence[str]] | None:
        return self.simulator.serials(ref)

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        for each in self.simulator.lines[int(ref)]:
            each["quantity_shipped"] = each["quantity"] - each["quantity_refunded"]
        return self._refund(ref, quantity, line)

    def refund_unsent(self, ref: str, quantity: int, line: int = 0) -> bool:
        self._refund(ref, quantity, line)
        return True

    def _refund(self, ref: str, quantity: int, line: int) -> str:
        return self.simulator.refund(ref, {self.simulator.lines[int(ref)][line]["id"]: quantity})

    def other_payloads(self, ref: str) -> Sequence[tuple[str, Any]]:
        order = {"type": "order", "id": int(ref)}
        shipment = {"type": "shipment", "id": 9, "orderId": int(ref)}
        scopes = {
            "store/order/created": order,
            "store/order/statusUpdated": order | {"status": {"new_status_id": 2}},
            "store/order/archived": order,
            "store/order/refund/created": order | {"refund": {"refund_id": 1}},
            "store/shipment/created": shipment,
            "store/shipment/updated": shipment,
            "store/shipment/deleted": shipment,
        }
        return [
            (scope, {"scope": scope, "producer": "stores/abcde", "data": data, "hash": scope})
            for scope, data in scopes.items()
        ]

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit("store/order/updated", int(ref))

    def _variant(self, sku: str) -> int:
        items = self.simulator.items.items()
        return next(variant for variant, item in items if item["identity"]["sku"] == sku)
