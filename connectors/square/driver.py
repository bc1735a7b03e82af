"""Moves the twin of Square for the conformance rows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from connectors.square.simulator.server import SquareTwin
from connectors.testing.simulator_driver import NOTIFICATION_URL, Driver, Official


class SquareDriver(Driver):
    """One Square seller: serials are what a cashier typed."""

    key = "square"
    orders_for_pages = 230
    grain = timedelta(milliseconds=1)
    word_fields = frozenset({"state", "status"})
    official: ClassVar[Sequence[Official]] = (
        Official("square/square-openapi-2025-08-20-trimmed.json", trimmed=True),
    )
    twin: SquareTwin

    def build(self) -> SquareTwin:
        return SquareTwin(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.twin.settings(url, NOTIFICATION_URL)

    def revoke(self) -> None:
        self.twin.access_token = "another-token"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        variation = self.twin.add_variation(sku, quantity)
        return {"catalog_object_id": variation, "location_id": self.twin.location_id}

    def missing_article(self) -> Mapping[str, str]:
        return {"catalog_object_id": "GONE", "location_id": self.twin.location_id}

    def quantity_shown(self, sku: str) -> int:
        return int(self.twin.quantity(sku) or 0)

    def foreign_edit(self, sku: str, quantity: int) -> None:
        self.twin.set_quantity(sku, quantity)

    def place_order(self, sku: str, quantity: int) -> str:
        return self.twin.place_order({sku: quantity})

    def cancel_order(self, ref: str) -> None:
        self.twin.cancel_order(ref)

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        return self.twin.sell(sku, len(serials), serials)

    def shipments(self, ref: str) -> int:
        shipments = self.twin.orders[ref].fulfillments
        return sum(each["state"] in ("PREPARED", "COMPLETED") for each in shipments)

    def serials_shown(self, ref: str) -> Sequence[str]:
        return [each for named in self.twin.serials(ref).values() for each in named]

    def take_back(self, ref: str, quantity: int, serials: Sequence[str]) -> str:
        note = f"SN: {', '.join(serials)}" if serials else None
        made = self.twin.take_back(ref, quantity, note=note)
        return f"{made}:{self.twin.orders[made].returns[0]['uid']}"

    def announce(self, ref: str) -> None:
        self.twin.tell("order.updated", self.twin.orders[ref])
