"""Driver of the eBay simulator for the conformance cases."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from connectors.ebay.simulator import EbaySimulator
from connectors.privacy import PrivacyKind
from connectors.testing.simulator_driver import (
    NOTIFICATION_URL,
    OfficialContract,
    PricedOrder,
    SkuSimulatorDriver,
)
from hub.vocabulary import HoldReason, LineKind

_ROOTS = {
    "sell_fulfillment_v1": "/sell/fulfillment/v1",
    "sell_inventory_v1": "/sell/inventory/v1",
    "commerce_notification_v1": "/commerce/notification/v1",
}
POST_ORDER = "/post-order/v2"
_OF_THE_PAGE = frozenset(
    f"{POST_ORDER}/return/search?{name}"
    for name in (
        "creation_date_range_from",
        "creation_date_range_to",
        "limit",
        "order_id",
        "return_state",
    )
)


class EbayDriver(SkuSimulatorDriver):
    """One eBay seller; access tokens are bought with a refresh token."""

    key = "ebay"
    orders_for_pages = 230
    privacy_calls: ClassVar[Sequence[tuple[str, bytes, PrivacyKind]]] = (
        (
            "MARKETPLACE_ACCOUNT_DELETION",
            b'{"metadata":{"topic":"MARKETPLACE_ACCOUNT_DELETION","schemaVersion":"1.0"},'
            b'"notification":{"notificationId":"49feeaeb-4982-42d9-a377-9645b8479411_33f7",'
            b'"data":{"username":"test_user","userId":"ma8vp1jySJC","eiasToken":"nY+sHZ2PrBmd"}}}',
            PrivacyKind.ERASE_CUSTOMER,
        ),
    )
    time_resolution = timedelta(milliseconds=1)
    enum_fields = frozenset(
        {
            "orderFulfillmentStatus",
            "orderPaymentStatus",
            "cancelState",
            "lineItemFulfillmentStatus",
            "currentType",
            "returnCloseReason",
            "deliveryStatus",
        }
    )
    official: ClassVar[Sequence[OfficialContract]] = (
        *(OfficialContract(f"ebay/{name}_oas3.json", root) for name, root in _ROOTS.items()),
        # The file names no query at all; eBay's page of the call does.
        OfficialContract(
            "ebay/return_oas3.json", POST_ORDER, newer_queries=_OF_THE_PAGE, trimmed=True
        ),
    )
    simulator: EbaySimulator

    def build(self) -> EbaySimulator:
        return EbaySimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return {
            **self.simulator.settings(url, NOTIFICATION_URL),
            "marketplace_ids": ["EBAY_US", "EBAY_MOTORS_US"],
        }

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        return self.settings(url)

    def expire_tokens(self) -> None:
        for token in self.simulator.tokens:
            self.simulator.tokens[token] = 0

    def tokens_issued(self) -> int:
        return len(self.simulator.tokens)

    def revoke(self) -> None:
        self.simulator.refresh_token = "another-refresh-token"
        self.expire_tokens()

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        self.simulator.add_item(sku, quantity)
        return {"sku": sku}

    def set_buyer(self, ref: str, name: str, email: str, phone: str) -> None:
        to = {"fullName": name, "email": email, "primaryPhone": {"phoneNumber": phone}}
        start = [{"shippingStep": {"shipTo": to}}]
        self.simulator.orders[ref]["fulfillmentStartInstructions"] = start

    def missing_article(self) -> Mapping[str, str]:
        return {"sku": "GONE"}

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        if reason is HoldReason.PAYMENT_PENDING:
            self.simulator.change(ref, orderPaymentStatus="PENDING")
        else:
            self.simulator.change(ref, cancelStatus={"cancelState": "IN_PROGRESS"})

    def free_order(self, ref: str) -> None:
        free = {"cancelState": "NONE_REQUESTED"}
        self.simulator.change(ref, orderPaymentStatus="PAID", cancelStatus=free)

    def place_order_elsewhere(self, sku: str, quantity: int) -> str | None:
        return self.simulator.place_order({sku: quantity}, marketplace="EBAY_DE")

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        ref = self.simulator.place_order({sku: cost.quantity})
        full = Decimal(cost.unit_price) * cost.quantity

        def money(value: object) -> Mapping[str, str]:
            return {"value": str(value), "currency": cost.currency}

        self.simulator.orders[ref]["pricingSummary"] = {
            "total": money(cost.total),
            "priceDiscount": money(f"-{cost.discount}"),
            "tax": money(cost.tax),
        }
        self.simulator.orders[ref]["lineItems"][0] |= {
            "lineItemCost": money(full),
            "discountedLineItemCost": money(full - Decimal(cost.discount)),
            "taxes": [{"amount": money(cost.tax), "taxType": "VAT"}],
        }
        return ref

    def paid_back(self, ref: str) -> Decimal:
        return self.simulator.paid_back(ref)

    def place_order_beside(self, sku: str, kind: LineKind) -> str:
        self.list_article("EXTRA", 9)
        ref = self.place_order_of([(sku, 1), ("EXTRA", 1)])
        self.simulator.orders[ref]["lineItems"][1]["giftDetails"] = {"message": "for you"}
        return ref

    def cancel_order(self, ref: str) -> None:
        self.simulator.change(ref, cancelStatus={"cancelState": "CANCELED"})

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        returns = self.simulator.returns
        found = returns.open(self.simulator.orders[ref], line, quantity)
        returns.move(found, "ITEM_DELIVERED")
        returns.close(found, f"{quantity * 10}.00")
        return found

    def missing_order(self) -> str:
        return "12-99999-99999"

    def shipments(self, ref: str) -> int:
        return len(self.simulator.parcels.get(ref, []))

    def other_payloads(self, ref: str) -> Sequence[tuple[str, Any]]:
        def event(topic: str, data: Any) -> Any:
            notification = {"notificationId": f"n-{topic}", "data": data}
            return {"metadata": {"topic": topic}, "notification": notification}

        shipped = {"orderId": ref, "lineItemId": "1"}
        return [
            ("ITEM_MARKED_SHIPPED", event("ITEM_MARKED_SHIPPED", shipped)),
            ("ORDER_CONFIRMATION", event("ORDER_CONFIRMATION", {"orders": [{"orderId": ref}]})),
        ]

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit("ORDER_CONFIRMATION", {"order": {"orderId": ref}})
