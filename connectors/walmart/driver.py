"""Driver of the Walmart simulator for the conformance cases."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from connectors.testing.simulator import Webhook
from connectors.testing.simulator_driver import (
    NOTIFICATION_URL,
    OfficialContract,
    PricedOrder,
    SkuSimulatorDriver,
)
from connectors.walmart.simulator.server import WalmartSimulator
from hub.vocabulary import HoldReason

_CONTRACTS = {
    "orders": "/v3/orders",
    "returns": "/v3/returns",
    "inventory": "/v3/inventor",
    "authentication": "/v3/token",
}


class WalmartDriver(SkuSimulatorDriver):
    """One Walmart seller; access tokens last fifteen minutes."""

    key = "walmart"
    orders_for_pages = 230
    enum_fields = frozenset({"status", "methodCode"})
    official: ClassVar[Sequence[OfficialContract]] = (
        # The query of a next page is Walmart's own; only an older edition names it.
        OfficialContract(
            "walmart/orders-2023-refs.json",
            within="/v3/orders",
            when_query="poIndex",
            # It names the fields of a line one level too high.
            looser=frozenset({"list.elements.order.orderLines.orderLine"}),
        ),
        *(
            OfficialContract(
                f"walmart/walmart-marketplace-{name}.json",
                within=within,
                # Its schema has nothing around one order; its own example has "order".
                looser=frozenset({"order"}),
            )
            for name, within in _CONTRACTS.items()
        ),
    )
    time_resolution = timedelta(milliseconds=1)
    returns_name_their_channel = False
    simulator: WalmartSimulator

    def build(self) -> WalmartSimulator:
        return WalmartSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.simulator.settings(url, notification_url=NOTIFICATION_URL)

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        return self.settings(url)

    def expire_tokens(self) -> None:
        self.simulator.tokens.clear()

    def tokens_issued(self) -> int:
        return self.simulator.tokens_issued

    def revoke(self) -> None:
        self.simulator.client = ("another-client", "another-secret")
        self.simulator.tokens.clear()

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        self.simulator.add_item(sku, quantity)
        return {"sku": sku}

    def missing_article(self) -> Mapping[str, str]:
        return {"sku": "GONE"}

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        self.simulator.ask_to_cancel(ref, asked=True)

    def free_order(self, ref: str) -> None:
        self.simulator.ask_to_cancel(ref, asked=False)

    def place_order_elsewhere(self, sku: str, quantity: int) -> str | None:
        return self.simulator.place_order({sku: quantity}, node="WFSFulfilled")

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        ref = self.simulator.place_order({sku: cost.quantity})

        def charge(name: str, amount: Decimal, tax: str) -> Mapping[str, Any]:
            money = {"currency": cost.currency, "amount": float(amount)}
            due = {"currency": cost.currency, "amount": float(tax)}
            of_tax = {"taxName": "Tax1", "taxAmount": due}
            named = {"chargeType": "PRODUCT", "chargeName": name}
            return {**named, "chargeAmount": money, "tax": of_tax}

        full = Decimal(cost.unit_price) * cost.quantity
        if full - Decimal(cost.discount) + Decimal(cost.tax) != Decimal(cost.total):
            return None  # what is paid is the sum of the charges
        charges = [
            charge("ItemPrice", full, cost.tax),
            charge("SubscriptionDiscount", -Decimal(cost.discount), "0"),
        ]
        line = self.simulator.orders[ref]["orderLines"]["orderLine"][0]
        line["charges"] = {"charge": charges}
        return ref

    def set_buyer(self, ref: str, name: str, email: str, phone: str) -> None:
        order = self.simulator.orders[ref]
        order["customerEmailId"] = email
        shipping = order.setdefault("shippingInfo", {})
        shipping |= {"phone": phone, "postalAddress": {"name": name}}

    def cancel_order(self, ref: str) -> None:
        self.simulator.cancel(ref)

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        return self.simulator.place_order({sku: len(serials)}, serials={sku: list(serials)})

    def shipments(self, ref: str) -> int:
        return self.simulator.parcels(ref)

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        paid = {"refundedQty": quantity}
        made = self.simulator.create_return(ref, quantity, "COMPLETED", line, **paid)
        return f"{made}/{ref}"

    def refund_kept(self, ref: str, quantity: int, line: int = 0) -> str | None:
        kept = {"refundedQty": quantity, "isKeepIt": True}
        made = self.simulator.create_return(ref, quantity, "COMPLETED", line, **kept)
        return f"{made}/{ref}"

    def other_payloads(self, ref: str) -> Sequence[tuple[str, Any]]:
        def event(topic: str, said: Any) -> Any:
            return {"source": {"eventType": topic, "eventId": f"e-{topic}"}, "payload": said}

        topics = ("PO_CREATED", "PO_LINE_AUTOCANCELLED", "PO_LINE_CANCELLED", "ORDER_CANCELLED")
        plain = [(topic, event(topic, {"purchaseOrderId": ref})) for topic in topics]
        nested = event("PO_SHIPPED", {"order": {"purchaseOrderId": int(ref)}})
        return [*plain, ("PO_SHIPPED", nested)]

    def other_webhooks(self, ref: str) -> Sequence[Webhook]:
        one = super().other_webhooks(ref)
        self.simulator.scheme = "address"
        signed = self.signed([("INTENT_TO_CANCEL", {"eventType": "PO_X", "purchaseOrderId": ref})])
        self.simulator.scheme = "body"
        return [*one, *signed]

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit("PO_CREATED", ref)
