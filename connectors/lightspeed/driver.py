"""Driver of the Lightspeed X-Series simulator for the conformance cases."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from connectors.lightspeed.simulator import ELSEWHERE, OUTLET, LightspeedSimulator
from connectors.testing.simulator_driver import (
    Buyer,
    OfficialContract,
    PricedOrder,
    SimulatorDriver,
)
from hub.vocabulary import HoldReason, LineKind


class LightspeedDriver(SimulatorDriver):
    """One outlet of a store; its list of serials says which sale sold which."""

    key = "lightspeed"
    orders_for_pages = 70
    articles_for_pages = 450
    time_resolution = timedelta(milliseconds=1)
    enum_fields = frozenset({"status"})
    official: ClassVar[Sequence[OfficialContract]] = (
        OfficialContract("lightspeed-x/lightspeed-x-api-2.0.json", "/api/2.0"),
    )
    simulator: LightspeedSimulator

    def build(self) -> LightspeedSimulator:
        return LightspeedSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.simulator.settings(url)

    def revoke(self) -> None:
        self.simulator.access_token = "another-token"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        return {"product_id": self.simulator.add_product(sku, quantity), "outlet_id": OUTLET}

    def list_untracked(self, sku: str) -> Mapping[str, str] | None:
        remote = {"product_id": self.simulator.add_product(sku, 50), "outlet_id": OUTLET}
        self.simulator.products[remote["product_id"]]["has_inventory"] = False
        return remote

    def is_tracked(self, sku: str) -> bool:
        (found,) = (each for each in self.simulator.products.values() if each["sku"] == sku)
        return bool(found["has_inventory"]) or self.quantity_shown(sku) != 50

    def missing_article(self) -> Mapping[str, str]:
        return {"product_id": self.missing_order(), "outlet_id": OUTLET}

    def quantity_shown(self, sku: str) -> int:
        return self.simulator.quantity(self._product(sku))

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.simulator.set_quantity(self._product(sku), quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.place_order_of([(sku, quantity)])

    def place_order_of(self, lines: Sequence[tuple[str, int]]) -> str:
        (first, quantity), *more = [(self._product(sku), quantity) for sku, quantity in lines]
        return self.simulator.sell(first, quantity, status="AWAITING_DISPATCH", more=more)

    def place_order_elsewhere(self, sku: str, quantity: int) -> str | None:
        product = self._product(sku)
        return self.simulator.sell(product, quantity, status="AWAITING_DISPATCH", outlet=ELSEWHERE)

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        parked = reason is HoldReason.PAYMENT_PENDING
        self.simulator.set_status(ref, "SAVED" if parked else "LAYBY")

    def free_order(self, ref: str) -> None:
        self.simulator.set_status(ref, "AWAITING_DISPATCH")

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        ref = self.place_order(sku, cost.quantity)
        each = Decimal(cost.discount) / cost.quantity
        sale = self.simulator.sales[ref]
        self.simulator.currency = cost.currency
        tax = Decimal(cost.tax)
        sale |= {"total_tax": float(tax), "total_price": float(Decimal(cost.total) - tax)}
        sale["line_items"][0] |= {
            # What is left of the price after the discount.
            "price": float(Decimal(cost.unit_price) - each),
            "discount": float(each),
            "discount_total": float(cost.discount),
            "price_total": float((Decimal(cost.unit_price) - each) * cost.quantity),
            "tax_total": float(tax),
        }
        return ref

    def place_order_beside(self, sku: str, kind: LineKind) -> str:
        self.simulator.add_product("vend-discount", 9)
        ref = self.place_order_of([(sku, 1), ("vend-discount", 1)])
        self.simulator.sales[ref]["line_items"][1] |= {"price": -5, "discount": 0}
        return ref

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        account = f"c-{buyer.number}" if buyer.number else None
        address = f"{buyer.name}, {buyer.street}, {buyer.phone}, {buyer.email}"
        self.simulator.sales[ref] |= {"customer_id": account, "note": address}
        return account

    def cancel_order(self, ref: str) -> None:
        self.simulator.set_status(ref, "VOIDED")

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        for serial in serials:
            self.simulator.add_serial(self._product(sku), serial)
        return self.simulator.sell(self._product(sku), len(serials), serials)

    def set_buyer(self, ref: str, name: str, email: str, phone: str) -> None:
        first, _, last = name.partition(" ")
        customer = f"customer-of-{ref}"
        self.simulator.sales[ref]["customer_id"] = customer
        named = {"id": customer, "first_name": first, "last_name": last}
        self.simulator.customers[customer] = {**named, "email": email, "phone": phone}

    def sell_by(self, sku: str, staff: str) -> str:
        return self.simulator.sell(self._product(sku), user=staff)

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        return self.simulator.create_return(ref, line, quantity)

    def missing_order(self) -> str:
        return "ffffffff-ffff-4fff-8fff-ffffffffffff"

    def shipments(self, ref: str) -> int:
        return sum(each["sale_id"] == ref for each in self.simulator.fulfillments)

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.set_status(ref, self.simulator.sales[ref]["status"])

    def _product(self, sku: str) -> str:
        products = self.simulator.products.values()
        return str(next(each["id"] for each in products if each["sku"] == sku))
