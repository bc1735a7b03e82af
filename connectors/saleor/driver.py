"""Moves the twin of Saleor for the conformance rows."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from connectors.saleor.simulator import SaleorTwin
from connectors.testing.simulator_driver import Driver, Official


class SaleorDriver(Driver):
    """One Saleor shop; a token that it does not know answers 200 and a code."""

    key = "saleor"
    grain = timedelta(milliseconds=1)
    word_fields = frozenset({"status", "chargeStatus", "authorizeStatus"})
    official: ClassVar[Sequence[Official]] = (Official("saleor/schema.graphql", "/graphql/"),)
    twin: SaleorTwin

    def build(self) -> SaleorTwin:
        return SaleorTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def revoke(self) -> None:
        self.twin.app_token = "another-token"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        return {"variant_id": self.twin.add_item(sku, quantity)}

    def missing_article(self) -> Mapping[str, str]:
        return {"variant_id": "UHJvZHVjdFZhcmlhbnQ6OTk5OTk5"}

    def quantity_shown(self, sku: str) -> int:
        return self.twin.quantity(self._variant(sku))

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.twin.set_quantity(self._variant(sku), quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.twin.place_order({self._variant(sku): quantity})

    def cancel_order(self, ref: str) -> None:
        self.twin.change(ref, status="CANCELED")

    def missing_order(self) -> str:
        return "T3JkZXI6OTk5OTk5"

    def shipments(self, ref: str) -> int:
        return len(self.twin.orders[ref]["fulfillments"])

    def serials_shown(self, ref: str) -> Sequence[str]:
        made = self.twin.orders[ref]["fulfillments"]
        named = [json.loads(each["metadata"].get("serial_hub.serials", "{}")) for each in made]
        return [serial for lines in named for serials in lines.values() for serial in serials]

    def take_back(self, ref: str, quantity: int, serials: Sequence[str]) -> str:
        return self.twin.take_back(ref, 0, quantity, "REFUNDED_AND_RETURNED")

    def announce(self, ref: str) -> None:
        self.twin.tell("order_updated", ref)

    def _variant(self, sku: str) -> str:
        return next(ref for ref, each in self.twin.variants.items() if each["sku"] == sku)
