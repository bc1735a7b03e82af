"""Moves the twin of BigCommerce for the conformance rows."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors.bigcommerce.simulator import BigCommerceTwin
from connectors.testing.simulator_driver import Driver, Official

_ROOT = "/stores/twin1"


class BigCommerceDriver(Driver):
    """One BigCommerce store; what is accepted shows at once."""

    key = "bigcommerce"
    articles_for_pages = 520
    word_fields = frozenset({"status", "status_id"})
    official: ClassVar[Sequence[Official]] = (
        Official("bigcommerce/inventory.v3.json", f"{_ROOT}/v3", "/inventory/"),
        Official("bigcommerce/orders.v2.oas2.json", f"{_ROOT}/v2"),
        Official("bigcommerce/orders.v3.json", f"{_ROOT}/v3"),
    )
    twin: BigCommerceTwin

    def build(self) -> BigCommerceTwin:
        return BigCommerceTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def revoke(self) -> None:
        self.twin.access_token = "another-token"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        identity = self.twin.items[self.twin.add_item(sku, quantity)]["identity"]
        return {name: str(identity[name]) for name in ("variant_id", "product_id")}

    def missing_article(self) -> Mapping[str, str]:
        return {"variant_id": "9", "product_id": "9"}

    def quantity_shown(self, sku: str) -> int:
        return self.twin.quantity(self._variant(sku))

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.twin.set_quantity(self._variant(sku), quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.twin.place_order(self._variant(sku), quantity)

    def cancel_order(self, ref: str) -> None:
        self.twin.set_status(ref, 5)

    def shipments(self, ref: str) -> int:
        return len(self.twin.shipments.get(int(ref), []))

    def serials_shown(self, ref: str) -> Sequence[str]:
        return [each for named in self.twin.serials(ref).values() for each in named]

    def announce(self, ref: str) -> None:
        self.twin.tell("store/order/updated", int(ref))

    def _variant(self, sku: str) -> int:
        items = self.twin.items.items()
        return next(variant for variant, item in items if item["identity"]["sku"] == sku)
