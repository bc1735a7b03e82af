"""Moves the twin of Lightspeed X-Series for the conformance rows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from connectors.lightspeed.simulator import OUTLET, LightspeedTwin
from connectors.testing.simulator_driver import Driver, Official


class LightspeedDriver(Driver):
    """One outlet of a store; its list of serials says which sale sold which."""

    key = "lightspeed"
    orders_for_pages = 70
    articles_for_pages = 450
    grain = timedelta(milliseconds=1)
    word_fields = frozenset({"status"})
    official: ClassVar[Sequence[Official]] = (
        Official("lightspeed-x/lightspeed-x-api-2.0.json", "/api/2.0"),
    )
    twin: LightspeedTwin

    def build(self) -> LightspeedTwin:
        return LightspeedTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def revoke(self) -> None:
        self.twin.access_token = "another-token"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        return {"product_id": self.twin.add_product(sku, quantity), "outlet_id": OUTLET}

    def missing_article(self) -> Mapping[str, str]:
        return {"product_id": self.missing_order(), "outlet_id": OUTLET}

    def quantity_shown(self, sku: str) -> int:
        return self.twin.quantity(self._product(sku))

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.twin.set_quantity(self._product(sku), quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.twin.sell(self._product(sku), quantity, status="AWAITING_DISPATCH")

    def cancel_order(self, ref: str) -> None:
        self.twin.set_status(ref, "VOIDED")

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        for serial in serials:
            self.twin.add_serial(self._product(sku), serial)
        return self.twin.sell(self._product(sku), len(serials), serials)

    def missing_order(self) -> str:
        return "ffffffff-ffff-4fff-8fff-ffffffffffff"

    def shipments(self, ref: str) -> int:
        return sum(each["sale_id"] == ref for each in self.twin.fulfillments)

    def announce(self, ref: str) -> None:
        self.twin.set_status(ref, self.twin.sales[ref]["status"])

    def _product(self, sku: str) -> str:
        products = self.twin.products.values()
        return str(next(each["id"] for each in products if each["sku"] == sku))
