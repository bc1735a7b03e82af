"""Moves the twin of eBay for the conformance rows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from connectors.ebay.simulator import EbayTwin
from connectors.testing.simulator_driver import NOTIFICATION_URL, Driver, Official

_ROOTS = {
    "sell_fulfillment_v1": "/sell/fulfillment/v1",
    "sell_inventory_v1": "/sell/inventory/v1",
    "commerce_notification_v1": "/commerce/notification/v1",
}


class EbayDriver(Driver):
    """One eBay seller; access tokens are bought with a refresh token."""

    key = "ebay"
    orders_for_pages = 230
    grain = timedelta(milliseconds=1)
    word_fields = frozenset(
        {"orderFulfillmentStatus", "orderPaymentStatus", "cancelState", "lineItemFulfillmentStatus"}
    )
    official: ClassVar[Sequence[Official]] = tuple(
        Official(f"ebay/{name}_oas3.json", root) for name, root in _ROOTS.items()
    )
    twin: EbayTwin

    def build(self) -> EbayTwin:
        return EbayTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url, NOTIFICATION_URL)

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        return self.settings(url)

    def expire_tokens(self) -> None:
        for token in self.twin.tokens:
            self.twin.tokens[token] = 0

    def tokens_given(self) -> int:
        return len(self.twin.tokens)

    def revoke(self) -> None:
        self.twin.refresh_token = "another-refresh-token"
        self.expire_tokens()

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        self.twin.add_item(sku, quantity)
        return {"sku": sku}

    def missing_article(self) -> Mapping[str, str]:
        return {"sku": "GONE"}

    def quantity_shown(self, sku: str) -> int:
        return self.twin.quantity(sku)

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.twin.set_quantity(sku, quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.twin.place_order({sku: quantity})

    def cancel_order(self, ref: str) -> None:
        self.twin.change(ref, cancelStatus={"cancelState": "CANCELED"})

    def missing_order(self) -> str:
        return "12-99999-99999"

    def shipments(self, ref: str) -> int:
        return len(self.twin.parcels.get(ref, []))

    def announce(self, ref: str) -> None:
        self.twin.tell("ORDER_CONFIRMATION", {"order": {"orderId": ref}})
