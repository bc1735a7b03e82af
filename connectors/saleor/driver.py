"""Driver of the Saleor simulator for the conformance cases."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from connectors.saleor.simulator import SaleorSimulator, global_id, taxed
from connectors.testing.simulator_driver import (
    Buyer,
    OfficialContract,
    PricedOrder,
    SimulatorDriver,
)
from hub.vocabulary import HoldReason, LineKind


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

    def set_buyer(self, ref: str, name: str, email: str, phone: str) -> None:
        first, _, last = name.partition(" ")
        address = {"firstName": first, "lastName": last, "phone": phone}
        self.simulator.orders[ref] |= {"userEmail": email, "billingAddress": address}

    def list_untracked(self, sku: str) -> Mapping[str, str] | None:
        ref = self.simulator.add_item(sku, 50)
        self.simulator.variants[ref]["trackInventory"] = False
        return {"variant_id": ref}

    def is_tracked(self, sku: str) -> bool:
        (found,) = (each for each in self.simulator.variants.values() if each["sku"] == sku)
        # Setting its stock is what would count it here: 50 stays 50.
        return bool(found["trackInventory"]) or found["quantity"] != 50

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

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        ref = self.place_order(sku, cost.quantity)
        full = Decimal(cost.unit_price) * cost.quantity
        price = partial(taxed, cost.currency)
        paid, off, tax = Decimal(cost.total), Decimal(cost.discount), Decimal(cost.tax)
        self.simulator.orders[ref] |= {
            "displayGrossPrices": False,
            "total": price(net=paid - tax, tax=tax),
            "undiscountedTotal": price(net=paid - tax + off, tax=tax),
        }
        self.simulator.orders[ref]["lines"][0] |= {
            "undiscountedUnitPrice": price(net=Decimal(cost.unit_price)),
            "undiscountedTotalPrice": price(net=full),
            "totalPrice": price(net=full - off, tax=tax),
        }
        return ref

    def paid_back(self, ref: str) -> Decimal:
        return self.simulator.paid_back(ref)

    def place_order_beside(self, sku: str, kind: LineKind) -> str:
        extra = self.simulator.add_item(kind, 9)
        gift = kind is LineKind.GIFT_CARD
        if gift:
            self.simulator.variants[extra]["product"]["productType"]["kind"] = "GIFT_CARD"
        ref = self.place_order_of([(sku, 1), (kind, 1)])
        self.simulator.orders[ref]["lines"][1]["isShippingRequired"] = False
        return ref

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        account = global_id("User", buyer.number) if buyer.number else None
        written = {"user": {"id": account} if account else None, "userEmail": buyer.email}
        self.simulator.orders[ref] |= written
        return account

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

    def refund_kept(self, ref: str, quantity: int, line: int = 0) -> str | None:
        return self.simulator.create_return(ref, line, quantity, "REFUNDED")

    def serials_by_line(self, ref: str) -> Mapping[str, Sequence[str]] | None:
        made = self.simulator.orders[ref]["fulfillments"]
        named = [json.loads(each["metadata"].get("serial_hub.serials", "{}")) for each in made]
        return {line: serials for lines in named for line, serials in lines.items()}

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
