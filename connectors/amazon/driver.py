"""Driver of the Amazon simulator for the conformance cases."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from connectors.amazon.simulator.server import AmazonSimulator
from connectors.testing.simulator_driver import OfficialContract, PricedOrder, SkuSimulatorDriver
from hub.vocabulary import HoldReason

ELSEWHERE = "A2EUQ1WTGCTBG2"  # of Canada
_CONTRACTS = {
    "orders_2026-01-01": "/orders/2026-01-01",
    "ordersV0": "/orders/v0",
    "listingsItems_2021-08-01": "/listings",
    "feeds_2021-06-30": "/feeds",
    "reports_2021-06-30": "/reports",
    "sellers": "/sellers",
    "easyShip_2022-03-23": "/easyShip",
}


class AmazonDriver(SkuSimulatorDriver):
    """One Amazon seller; access tokens are bought with a refresh token."""

    key = "amazon"
    orders_for_pages = 230
    time_resolution = timedelta(milliseconds=1)
    returns_resolution = timedelta(days=1)
    returns_are_json = False
    enum_fields = frozenset({"fulfillmentStatus"})
    official: ClassVar[Sequence[OfficialContract]] = tuple(
        OfficialContract(f"amazon-sp-api/oas3/{name}.json", "", within)
        for name, within in _CONTRACTS.items()
    )
    simulator: AmazonSimulator

    def build(self) -> AmazonSimulator:
        simulator = AmazonSimulator(clock=self.clock)
        # What happened may be long ago: how young an end may be is measured by the real time.
        simulator.wall = lambda: datetime.now(UTC)
        return simulator

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        return self.settings(url)

    def expire_tokens(self) -> None:
        self.simulator.tokens.clear()

    def tokens_issued(self) -> int:
        return self.simulator.tokens_issued

    def revoke(self) -> None:
        self.simulator.refresh_token = "another-refresh-token"
        self.simulator.tokens.clear()

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        self.simulator.add_item(sku, quantity)
        return {"sku": sku, "product_type": "CAMERA"}

    def missing_article(self) -> Mapping[str, str]:
        return {"sku": "GONE"}

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        if reason is HoldReason.CANCELLATION_REQUESTED:
            self.simulator.ask_to_cancel(ref, asked=True)
        else:
            unpaid = reason is HoldReason.PAYMENT_PENDING
            self.simulator.change(ref, "PENDING" if unpaid else "PENDING_AVAILABILITY")

    def free_order(self, ref: str) -> None:
        self.simulator.ask_to_cancel(ref, asked=False)
        self.simulator.change(ref, "UNSHIPPED")

    def place_order_elsewhere(self, sku: str, quantity: int) -> str | None:
        return self.simulator.place_order({sku: quantity}, marketplace=ELSEWHERE)

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        ref: str = self.simulator.place_order({sku: cost.quantity})

        def money(value: object) -> Mapping[str, str]:
            return {"amount": str(value), "currencyCode": cost.currency}

        full = Decimal(cost.unit_price) * cost.quantity
        sums = {"ITEM": full, "TAX": cost.tax, "DISCOUNT": f"-{cost.discount}"}
        parts = [{"type": name, "subtotal": money(each)} for name, each in sums.items()]
        order = self.simulator.orders[ref]
        order["proceeds"] = {"grandTotal": money(cost.total), "breakdowns": parts}
        order["orderItems"][0]["proceeds"] = {"breakdowns": parts}
        order["orderItems"][0]["product"]["price"] = {"unitPrice": money(cost.unit_price)}
        return ref

    def cancel_order(self, ref: str) -> None:
        self.simulator.change(ref, "CANCELLED")

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        return self.simulator.place_order({sku: len(serials)}, serials={sku: list(serials)})

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        item = self.simulator.orders[ref]["orderItems"][line]
        desk = self.simulator.report_desk
        return desk.take_back(ref, item["product"]["sellerSku"], quantity, delivered=True)

    def buyer_messages(self) -> int:
        return len(self.simulator.messages)

    def write_to_queue(self, body: str) -> None:
        self.simulator.queue.put(body)

    def expire_visibility(self) -> None:
        self.simulator.queue.expire_visibility()

    def queued_messages(self) -> int:
        return len(self.simulator.queue.messages)

    def missing_order(self) -> str:
        return "302-9999999-9999999"

    def shipments(self, ref: str) -> int:
        return len(self.simulator.orders[ref]["packages"])
