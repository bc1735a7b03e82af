"""Moves the twin of Vendure for the conformance rows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from connectors.simulators.driver import Driver, Official
from connectors.simulators.vendure import LOCATION, VendureTwin


class VendureDriver(Driver):
    """One Vendure server with the fulfilment handler and the plugin that the connector wants."""

    key = "vendure"
    orders_for_pages = 60  # what is open is read again 50 at a time, besides
    grain = timedelta(milliseconds=1)
    word_fields = frozenset({"state"})
    official: ClassVar[Sequence[Official]] = (
        Official(
            "vendure/schema-admin.graphql",
            declared=(("Fulfillment", "serials: [String!]"),),
        ),
    )
    twin: VendureTwin

    def build(self) -> VendureTwin:
        return VendureTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def revoke(self) -> None:
        self.twin.api_key = "another-key"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        return {"variant_id": self.twin.add_variant(sku, quantity), "location_id": LOCATION}

    def missing_article(self) -> Mapping[str, str]:
        return {"variant_id": "9", "location_id": LOCATION}

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
        return [serial for each in made for serial in each["customFields"]["serials"]]

    def announce(self, ref: str) -> None:
        self.twin.tell("order", ref)
