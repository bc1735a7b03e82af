"""Moves the twin of Medusa for the conformance rows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from connectors.medusa.simulator import LOCATION, MedusaTwin
from connectors.testing.simulator_driver import Driver, Official


class MedusaDriver(Driver):
    """One Medusa shop."""

    key = "medusa"
    grain = timedelta(milliseconds=1)
    word_fields = frozenset({"status", "payment_status", "fulfillment_status"})
    official: ClassVar[Sequence[Official]] = (
        Official("medusa/medusa-admin-v2-trimmed.json", trimmed=True),
    )
    twin: MedusaTwin

    def build(self) -> MedusaTwin:
        return MedusaTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def revoke(self) -> None:
        self.twin.api_key = "sk_another_key"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        item = self.twin.add_item(sku, quantity)
        return {"inventory_item_id": item, "location_id": LOCATION}

    def missing_article(self) -> Mapping[str, str]:
        return {"inventory_item_id": "iitem_gone", "location_id": LOCATION}

    def quantity_shown(self, sku: str) -> int:
        return self.twin.quantity(sku)

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.twin.set_quantity(sku, quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.twin.place_order({sku: quantity})

    def cancel_order(self, ref: str) -> None:
        self.twin.cancel_order(ref)

    def shipments(self, ref: str) -> int:
        return len(self.twin.orders[ref]["fulfillments"])

    def serials_shown(self, ref: str) -> Sequence[str]:
        made = self.twin.orders[ref]["fulfillments"]
        named = [each["metadata"]["serials"].values() for each in made]
        return [serial for lines in named for serials in lines for serial in serials]

    def announce(self, ref: str) -> None:
        self.twin.tell("order.updated", {"id": ref})
