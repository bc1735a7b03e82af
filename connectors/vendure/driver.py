"""Moves the twin of Vendure for the conformance rows."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors.testing.simulator_driver import Driver, Official
from connectors.vendure.simulator.server import VendureTwin


class VendureDriver(Driver):
    """One Vendure server; a lack of permission answers 200 and a code."""

    key = "vendure"
    word_fields = frozenset({"state"})
    official: ClassVar[Sequence[Official]] = (
        Official(
            "vendure/schema-admin.graphql",
            "/admin-api",
            declared={"Fulfillment": "serials: [String!]"},
        ),
    )
    twin: VendureTwin

    def build(self) -> VendureTwin:
        return VendureTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url)

    def revoke(self) -> None:
        self.twin.api_key = "another"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        variant = self.twin.add_variant(sku, quantity)
        return {"variant_id": variant.id, "location_id": self.twin.location_id}

    def missing_article(self) -> Mapping[str, str]:
        return {"variant_id": "9999999", "location_id": self.twin.location_id}

    def quantity_shown(self, sku: str) -> int:
        variant = self.twin.variant(sku)
        return variant.on_hand - variant.allocated

    def foreign_edit(self, sku: str, quantity: int) -> None:
        variant = self.twin.variant(sku)
        variant.on_hand = quantity + variant.allocated

    def place_order(self, sku: str, quantity: int) -> str:
        return self.twin.place_order(sku, quantity).id

    def cancel_order(self, ref: str) -> None:
        if self.twin.sales[ref].state != "Cancelled":
            self.twin.cancel(ref)

    def shipments(self, ref: str) -> int:
        return len(self.twin.sales[ref].parcels)

    def serials_shown(self, ref: str) -> Sequence[str]:
        return [each for parcel in self.twin.sales[ref].parcels for each in parcel.serials]

    def take_back(self, ref: str, quantity: int, serials: Sequence[str]) -> str:
        line = self.twin.sales[ref].lines[0]
        if not self.twin.sales[ref].parcels:
            parcel = self.twin.fulfil({line.id: line.quantity}, [])
            self.twin.move(parcel.id, "Shipped")
        self.twin.cancel(ref, {line.id: quantity})
        return self.twin.refund(ref, {line.id: quantity}).id

    def announce(self, ref: str) -> None:
        self.twin.tell(self.twin.sales[ref])
