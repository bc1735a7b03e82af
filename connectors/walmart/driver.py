"""Moves the twin of Walmart for the conformance rows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from connectors.testing.simulator_driver import NOTIFICATION_URL, Driver, Official
from connectors.walmart.simulator.server import WalmartTwin

_CONTRACTS = {
    "orders": "/v3/orders",
    "returns": "/v3/returns",
    "inventory": "/v3/inventor",
    "authentication": "/v3/token/",
}


class WalmartDriver(Driver):
    """One Walmart seller; access tokens last fifteen minutes."""

    key = "walmart"
    orders_for_pages = 230
    word_fields = frozenset({"status", "methodCode"})
    official: ClassVar[Sequence[Official]] = tuple(
        Official(f"walmart/walmart-marketplace-{name}.json", "", within)
        for name, within in _CONTRACTS.items()
    )
    grain = timedelta(milliseconds=1)
    twin: WalmartTwin

    def build(self) -> WalmartTwin:
        return WalmartTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        # Promises move orders all at once: more in one second than a page holds. The query of the
        # next page is Walmart's own, and in no contract.
        return self.twin.settings(url, notification_url=NOTIFICATION_URL, acknowledge=False)

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        return self.settings(url)

    def expire_tokens(self) -> None:
        self.twin.tokens.clear()

    def tokens_given(self) -> int:
        return self.twin.tokens_given

    def revoke(self) -> None:
        self.twin.client = ("another-client", "another-secret")
        self.twin.tokens.clear()

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
        self.twin.cancel(ref)

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        return self.twin.place_order({sku: len(serials)}, serials={sku: list(serials)})

    def shipments(self, ref: str) -> int:
        return self.twin.parcels(ref)

    def take_back(self, ref: str, quantity: int, serials: Sequence[str]) -> str:
        paid = {"refundedQty": quantity}
        return f"{self.twin.take_back(ref, quantity, 'COMPLETED', **paid)}/{ref}"

    def announce(self, ref: str) -> None:
        self.twin.tell("PO_CREATED", ref)
