"""Driver of the Saleor simulator for the conformance cases."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from connectors.saleor.simulator import SaleorSimulator
from connectors.testing.simulator_driver import OfficialContract, SimulatorDriver
from hub.vocabulary import HoldReason


class SaleorDriver(SimulatorDriver):
    """One Saleor shop; a token that it does not know answers 200 and a code."""

    key = "saleor"
    time_resolution = timedelta(milliseconds=1)
    enum_fields = frozenset({"status", "chargeStatus", "authorizeStatus"})
    official: ClassVar[Sequence[OfficialContract]] = (
        OfficialContract("saleor/schema.graphql", "/graphql/"),
    )
    simulator: SaleorSimulator

    def build(self) -> SaleorSimulator:
        return SaleorSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return {**self.simulator.settings(url), "channels": ["web"]}

    def revoke(self) -> None:
        self.simulator.app_token = "another-token"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        return {"variant_id": self.simulator.add_item(sku, quantity)}

    def missing_article(self) -> Mapping[str, str]:
        return {"variant_id": "UHJvZHVjdFZhcmlhbnQ6OTk5OTk5"}

    def quantity_shown(self, sku: str) -> int:
        return self.simulator.quantity(self._variant(sku))

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.simulator.set_quantity(self._variant(sku), quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.place_order_of([(sku, quantity)])

    def place_order_of(self, lines: Sequence[tuple[str, int]]) -> str:
        return self.simulator.place_order({self._variant(sku): pieces for sku, pieces in lines})

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        if reason is HoldReason.ON_HOLD:
            self.simulator.change(ref, status="UNCONFIRMED")
        else:
            self.simulator.change(ref, chargeStatus="NONE", authorizeStatus="NONE")

    def free_order(self, ref: str) -> None:
        paid = {"chargeStatus": "FULL", "authorizeStatus": "FULL"}
        self.simulator.change(ref, status="UNFULFILLED", **paid)

    def draft_order(self, sku: str, quantity: int) -> str:
        return self.simulator.place_order({self._variant(sku): quantity}, status="DRAFT")

    def place_order_elsewhere(self, sku: str, quantity: int) -> str | None:
        return self.simulator.place_order({self._variant(sku): quantity}, channel="outlet")

    def cancel_order(self, ref: str) -> None:
        self.simulator.change(ref, status="CANCELED")

    def missing_order(self) -> str:
        return "T3JkZXI6OTk5OTk5"

    def shipments(self, ref: str) -> int:
        return len(self.simulator.orders[ref]["fulfillments"])

    def serials_shown(self, ref: str) -> Sequence[str]:
        made = self.simulator.orders[ref]["fulfillments"]
        named = [json.loads(each["metadata"].get("serial_hub.serials", "{}")) for each in made]
        return [serial for lines in named for serials in lines.values() for serial in serials]

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        return self.simulator.create_return(ref, line, quantity, "REFUNDED_AND_RETURNED")

    def other_payloads(self, ref: str) -> Sequence[tuple[str, Any]]:
        order = {"type": "Order", "id": ref}
        return [
            *((f"order_{topic}", [order | {"n": topic}]) for topic in ("created", "cancelled")),
            ("order_fully_paid", {"order": {"id": ref, "number": "1"}}),
            ("order_fulfilled", {"event": {"order": {"id": ref}}, "issuedAt": "now"}),
            ("fulfillment_created", {"fulfillment": {"id": "F", "order": {"id": ref}}}),
            ("fulfillment_canceled", [{"type": "Fulfillment", "id": "F", "order": order}]),
        ]

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit("order_updated", ref)

    def _variant(self, sku: str) -> str:
        return next(ref for ref, each in self.simulator.variants.items() if each["sku"] == sku)
