"""Moves the twin of Amazon for the conformance rows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from connectors.amazon.simulator.server import AmazonTwin
from connectors.testing.simulator_driver import Driver, Official

_CONTRACTS = {
    "orders_2026-01-01": "/orders/2026-01-01",
    "ordersV0": "/orders/v0",
    "listingsItems_2021-08-01": "/listings",
    "feeds_2021-06-30": "/feeds",
    "sellers": "/sellers",
    "easyShip_2022-03-23": "/easyShip",
}


class AmazonDriver(Driver):
    """One Amazon seller; access tokens are bought with a refresh token."""

    key = "amazon"
    orders_for_pages = 230
    grain = timedelta(milliseconds=1)
    word_fields = frozenset({"fulfillmentStatus"})
    official: ClassVar[Sequence[Official]] = tuple(
        Official(f"amazon-sp-api/oas3/{name}.json", "", within)
        for name, within in _CONTRACTS.items()
    )
    twin: AmazonTwin

    def build(self) -> AmazonTwin:
        twin = AmazonTwin(clock=self.clock)
        # What happened may be long ago: how young an end may be is measured by the real time.
        twin.wall = lambda: datetime.now(UTC)
        return twin

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        return self.settings(url)

    def expire_tokens(self) -> None:
        self.twin.tokens.clear()

    def tokens_given(self) -> int:
        return self.twin.tokens_given

    def revoke(self) -> None:
        self.twin.refresh_token = "another-refresh-token"
        self.twin.tokens.clear()

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        self.twin.add_item(sku, quantity)
        return {"sku": sku, "product_type": "CAMERA"}

    def missing_article(self) -> Mapping[str, str]:
        return {"sku": "GONE"}

    def quantity_shown(self, sku: str) -> int:
        return self.twin.quantity(sku)

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.twin.set_quantity(sku, quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.twin.place_order({sku: quantity})

    def cancel_order(self, ref: str) -> None:
        self.twin.change(ref, "CANCELLED")

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        return self.twin.place_order({sku: len(serials)}, serials={sku: list(serials)})

    def put_into_queue(self, body: str) -> None:
        self.twin.queue.put(body)

    def let_hidden_come_again(self) -> None:
        self.twin.queue.let_hidden_come_again()

    def notices_held(self) -> int:
        return len(self.twin.queue.messages)

    def missing_order(self) -> str:
        return "302-9999999-9999999"

    def shipments(self, ref: str) -> int:
        return len(self.twin.orders[ref]["packages"])
