"""Driver of the Shopify simulator for the conformance cases."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from connectors.privacy import PrivacyKind
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.simulator import Fault
from connectors.testing.simulator_driver import (
    Buyer,
    OfficialContract,
    PricedOrder,
    SkuSimulatorDriver,
)
from hub.vocabulary import HoldReason, LineKind


class ShopifyDriver(SkuSimulatorDriver):
    """One Shopify shop; throttled it answers 200 and an error code."""

    key = "shopify"
    orders_for_pages = 60
    enum_fields = frozenset({"displayFinancialStatus", "displayFulfillmentStatus", "status"})
    official: ClassVar[Sequence[OfficialContract]] = (
        OfficialContract("shopify/admin-2026-10.nodesc.graphql", "/admin/api/", "graphql.json"),
    )
    # Shopify's documented examples of its three mandatory webhooks.
    privacy_calls: ClassVar[Sequence[tuple[str, bytes, PrivacyKind]]] = (
        (
            "customers/data_request",
            b'{"shop_id":954889,"shop_domain":"shop.example","orders_requested":[299938],'
            b'"customer":{"id":191167,"email":"john@example.com","phone":"555-625-1199"},'
            b'"data_request":{"id":9999}}',
            PrivacyKind.DATA,
        ),
        (
            "customers/redact",
            b'{"shop_id":954889,"shop_domain":"shop.example","orders_to_redact":[299938],'
            b'"customer":{"id":191167,"email":"john@example.com","phone":"555-625-1199"}}',
            PrivacyKind.ERASE_CUSTOMER,
        ),
        (
            "shop/redact",
            b'{"shop_id":954889,"shop_domain":"shop.example"}',
            PrivacyKind.ERASE_ACCOUNT,
        ),
    )
    simulator: ShopifySimulator

    def build(self) -> ShopifySimulator:
        return ShopifySimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return {**self.simulator.settings(url), "reads_staff": True}

    def set_buyer(self, ref: str, name: str, email: str, phone: str) -> None:
        buyer = {"name": name or None, "email": email or None, "phone": phone or None}
        self.simulator.orders[ref].buyer = buyer

    def sell_by(self, sku: str, staff: str) -> str:
        ref = self.simulator.place_order({sku: 1}, at_counter=True)
        self.simulator.orders[ref].staff_member = staff
        return ref

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        static = {k: v for k, v in self.simulator.settings(url).items() if k != "access_token"}
        return {**static, "client_id": self.simulator.app_id}

    def expire_tokens(self) -> None:
        self.simulator.expire_token()

    def tokens_issued(self) -> int:
        return self.simulator.tokens_issued

    def revoke(self) -> None:
        self.simulator.access_token = "revoked"
        self.simulator.app_id = "uninstalled"

    def throttle(self) -> None:
        self.simulator.fail_next(Fault.THROTTLED)

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        item = self.simulator.add_item(sku, quantity)
        return {"inventory_item_id": item, "location_id": self.simulator.location_id}

    def list_untracked(self, sku: str) -> Mapping[str, str] | None:
        remote = self.list_article(sku, 0)
        self.simulator.items[remote["inventory_item_id"]].tracked = False
        return remote

    def is_tracked(self, sku: str) -> bool:
        (item,) = (each for each in self.simulator.items.values() if each.sku == sku)
        return item.tracked or item.available != 0

    def missing_article(self) -> Mapping[str, str]:
        gone = "gid://shopify/InventoryItem/9"
        return {"inventory_item_id": gone, "location_id": self.simulator.location_id}

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        if reason is HoldReason.ON_HOLD:
            self.simulator.hold(ref)
        else:
            refunded = reason is HoldReason.REFUNDED
            self.simulator.pay(ref, "REFUNDED" if refunded else "VOIDED")

    def free_order(self, ref: str) -> None:
        self.simulator.hold(ref, on_hold=False)
        self.simulator.pay(ref, "PAID")

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        ref: str = self.simulator.place_order({sku: cost.quantity})
        order = self.simulator.orders[ref]
        order.currency, order.total = cost.currency, cost.total
        line = order.lines[0]
        line.price, line.discount, line.tax = cost.unit_price, cost.discount, cost.tax
        return ref

    def paid_back(self, ref: str) -> Decimal:
        refunds = self.simulator.orders[ref].refunds
        return sum((Decimal(each.amount) for each in refunds), Decimal())

    def place_order_beside(self, sku: str, kind: LineKind) -> str:
        self.list_article("EXTRA", 9)
        ref = self.place_order_of([(sku, 1), ("EXTRA", 1)])
        line = self.simulator.orders[ref].lines[1]
        line.is_gift_card, line.ships = kind is LineKind.GIFT_CARD, False
        if kind is LineKind.CUSTOM:
            line.sku, line.custom = "", True
        return ref

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        account = f"gid://shopify/Customer/{buyer.number}" if buyer.number else None
        self.simulator.orders[ref].customer = account
        return account

    def cancel_order(self, ref: str) -> None:
        self.simulator.cancel_order(ref)

    def missing_order(self) -> str:
        return "gid://shopify/Order/9"

    def shipments(self, ref: str) -> int:
        return len(self.simulator.orders[ref].shipments)

    def serials_shown(self, ref: str) -> Sequence[str]:
        return [each for named in self.simulator.serials(ref).values() for each in named]

    def other_payloads(self, ref: str) -> Sequence[tuple[str, Any]]:
        number = int(ref.rsplit("/", 1)[-1])
        order = {"id": number, "admin_graphql_api_id": ref, "source_name": "web"}
        part = {"id": 5, "order_id": number}
        named = ("create", "paid", "cancelled", "fulfilled", "partially_fulfilled")
        return [
            *((f"orders/{topic}", order) for topic in named),
            ("orders/edited", {"order_edit": {"id": 7, "order_id": number, "line_items": {}}}),
            ("orders/delete", {"id": number}),
            *((topic, part) for topic in ("fulfillments/create", "fulfillments/update")),
            ("refunds/create", part),
            ("returns/request", {"id": 5, "order": {"id": number, "admin_graphql_api_id": ref}}),
        ]

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        back = self.simulator.orders[ref].lines[line]
        if not self.simulator.orders[ref].shipments:
            self.simulator.ship(ref, {back.id: back.current})
        goods = self.simulator.open_return(ref, {back.id: quantity})
        self.simulator.process_return(ref, goods)
        self.simulator.refund(ref, {back.id: quantity}, return_id=goods)
        return goods

    def refund_kept(self, ref: str, quantity: int, line: int = 0) -> str | None:
        back = self.simulator.orders[ref].lines[line]
        self.simulator.ship(ref, {back.id: back.current})
        return self.simulator.refund(ref, {back.id: quantity}, "NO_RESTOCK")

    def serials_by_line(self, ref: str) -> Mapping[str, Sequence[str]] | None:
        return self.simulator.serials(ref)

    def refund_unsent(self, ref: str, quantity: int, line: int = 0) -> bool:
        self.simulator.refund(ref, {self.simulator.orders[ref].lines[line].id: quantity}, "CANCEL")
        return True

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit("orders/updated", self.simulator.orders[ref])
