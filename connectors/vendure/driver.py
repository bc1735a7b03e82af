"""Driver of the Vendure simulator for the conformance cases."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from connectors.testing.simulator_driver import (
    Buyer,
    OfficialContract,
    PricedOrder,
    SimulatorDriver,
)
from connectors.vendure.simulator.server import VendureSimulator
from hub.vocabulary import HoldReason


class VendureDriver(SimulatorDriver):
    """One Vendure server; a lack of permission answers 200 and a code."""

    key = "vendure"
    enum_fields = frozenset({"state"})
    official: ClassVar[Sequence[OfficialContract]] = (
        OfficialContract(
            "vendure/schema-admin.graphql",
            "/admin-api",
            declared={"Fulfillment": "serials: [String!]"},
        ),
    )
    simulator: VendureSimulator

    def build(self) -> VendureSimulator:
        return VendureSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.simulator.settings(url)

    def revoke(self) -> None:
        self.simulator.api_key = "another"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        variant = self.simulator.add_variant(sku, quantity)
        return {"variant_id": variant.id, "location_id": self.simulator.location_id}

    def set_buyer(self, ref: str, name: str, email: str, phone: str) -> None:
        first, _, last = name.partition(" ")
        named = {"firstName": first, "lastName": last, "phoneNumber": phone, "emailAddress": email}
        self.simulator.sales[ref].buyer = named

    def list_untracked(self, sku: str) -> Mapping[str, str] | None:
        variant = self.simulator.add_variant(sku, 50)
        variant.tracked = "FALSE"
        return {"variant_id": variant.id, "location_id": self.simulator.location_id}

    def is_tracked(self, sku: str) -> bool:
        variant = self.simulator.variant(sku)
        return variant.tracked != "FALSE" or variant.on_hand != 50

    def missing_article(self) -> Mapping[str, str]:
        return {"variant_id": "9999999", "location_id": self.simulator.location_id}

    def quantity_shown(self, sku: str) -> int:
        variant = self.simulator.variant(sku)
        return variant.on_hand - variant.allocated

    def foreign_edit(self, sku: str, quantity: int) -> None:
        variant = self.simulator.variant(sku)
        variant.on_hand = quantity + variant.allocated

    def place_order(self, sku: str, quantity: int) -> str:
        return self.place_order_of([(sku, quantity)])

    def place_order_of(self, lines: Sequence[tuple[str, int]]) -> str:
        (sku, quantity), *more = lines
        return self.simulator.place_order(sku, quantity, more).id

    def pack_order(self, ref: str) -> bool:
        lines = {line.id: line.quantity for line in self.simulator.sales[ref].lines}
        self.simulator.fulfil(lines, [])
        return True

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        edited = reason is HoldReason.ON_HOLD
        self.simulator.set_state(ref, "Modifying" if edited else "ArrangingAdditionalPayment")

    def free_order(self, ref: str) -> None:
        self.simulator.set_state(ref, "PaymentSettled")

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        self.simulator.precision = 3  # one for every currency of a server

        def units(amount: str) -> int:
            return int(Decimal(amount).scaleb(self.simulator.precision))

        sale = self.simulator.place_order(sku, cost.quantity)
        sale.currency, sale.total = cost.currency, units(cost.total)
        line = sale.lines[0]
        line.price, line.discount = units(cost.unit_price), units(cost.discount)
        line.tax = units(cost.tax)
        return sale.id

    def paid_back(self, ref: str) -> Decimal:
        paid = sum(each.total for each in self.simulator.sales[ref].refunds)
        return Decimal(paid).scaleb(-self.simulator.precision)

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        self.simulator.sales[ref].customer = str(buyer.number) if buyer.number else None
        return self.simulator.sales[ref].customer

    def cancel_order(self, ref: str) -> None:
        if self.simulator.sales[ref].state != "Cancelled":
            self.simulator.cancel(ref)

    def shipments(self, ref: str) -> int:
        return len(self.simulator.sales[ref].parcels)

    def serials_shown(self, ref: str) -> Sequence[str]:
        return [each for parcel in self.simulator.sales[ref].parcels for each in parcel.serials]

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        back = self.simulator.sales[ref].lines[line]
        if not self.simulator.sales[ref].parcels:
            parcel = self.simulator.fulfil({back.id: back.quantity}, [])
            self.simulator.move(parcel.id, "Shipped")
        self.simulator.cancel(ref, {back.id: quantity})
        return self.simulator.refund(ref, {back.id: quantity}).id

    def refund_kept(self, ref: str, quantity: int, line: int = 0) -> str | None:
        return self.simulator.refund(ref, {self.simulator.sales[ref].lines[line].id: quantity}).id

    def refund_unsent(self, ref: str, quantity: int, line: int = 0) -> bool:
        units = {self.simulator.sales[ref].lines[line].id: quantity}
        self.simulator.cancel(ref, units)
        self.simulator.refund(ref, units)
        return True

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit(self.simulator.sales[ref])
