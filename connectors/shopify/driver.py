"""Moves the twin of Shopify for the conformance rows."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors.shopify.simulator.server import ShopifyTwin
from connectors.testing.simulator import Fault
from connectors.testing.simulator_driver import Driver, Official


class ShopifyDriver(Driver):
    """One Shopify shop; throttled it answers 200 and an error code."""

    key = "shopify"
    orders_for_pages = 60
    word_fields = frozenset({"displayFinancialStatus", "displayFulfillmentStatus", "status"})
    official: ClassVar[Sequence[Official]] = (
        Official("shopify/admin-2026-10.nodesc.graphql", "/admin/api/", "graphql.json"),
    )
    twin: ShopifyTwin

    def build(self) -> ShopifyTwin:
        return ShopifyTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        static = {k: v for k, v in self.twin.settings(url).items() if k != "access_token"}
        return {**static, "client_id": self.twin.app_id}

    def expire_tokens(self) -> None:
        self.twin.expire_token()

    def tokens_given(self) -> int:
        return self.twin.tokens_given

    def revoke(self) -> None:
        self.twin.access_token = "revoked"
        self.twin.app_id = "uninstalled"

    def throttle(self) -> None:
        self.twin.fail_next(Fault.THROTTLED)

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        item = self.twin.add_item(sku, quantity)
        return {"inventory_item_id": item, "location_id": self.twin.location_id}

    def missing_article(self) -> Mapping[str, str]:
        gone = "gid://shopify/InventoryItem/9"
        return {"inventory_item_id": gone, "location_id": self.twin.location_id}

    def quantity_shown(self, sku: str) -> int:
        return self.twin.quantity(sku)

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.twin.set_quantity(sku, quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.twin.place_order({sku: quantity})

    def cancel_order(self, ref: str) -> None:
        self.twin.cancel_order(ref)

    def missing_order(self) -> str:
        return "gid://shopify/Order/9"

    def shipments(self, ref: str) -> int:
        return len(self.twin.orders[ref].shipments)

    def serials_shown(self, ref: str) -> Sequence[str]:
        return [each for named in self.twin.serials(ref).values() for each in named]

    def take_back(self, ref: str, quantity: int, serials: Sequence[str]) -> str:
        line = self.twin.orders[ref].lines[0]
        if not self.twin.orders[ref].shipments:
            self.twin.ship(ref, {line.id: line.current})
        goods = self.twin.open_return(ref, {line.id: quantity})
        self.twin.process_return(ref, goods)
        self.twin.refund(ref, {line.id: quantity}, return_id=goods)
        return goods

    def announce(self, ref: str) -> None:
        self.twin.tell("orders/updated", self.twin.orders[ref])
