"""Driver of the Square simulator for the conformance cases."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from connectors.square.simulator.server import SquareSimulator
from connectors.testing.simulator_driver import (
    NOTIFICATION_URL,
    Buyer,
    OfficialContract,
    PricedOrder,
    SkuSimulatorDriver,
)
from hub.vocabulary import HoldReason, LineKind


class SquareDriver(SkuSimulatorDriver):
    """One Square seller: serials are what a cashier typed."""

    key = "square"
    orders_for_pages = 230
    time_resolution = timedelta(milliseconds=1)
    enum_fields = frozenset({"state", "status"})
    official: ClassVar[Sequence[OfficialContract]] = (
        OfficialContract("square/square-openapi-2025-08-20-trimmed.json", trimmed=True),
    )
    optional_fields = frozenset({"line_items"})
    simulator: SquareSimulator

    def build(self) -> SquareSimulator:
        return SquareSimulator(clock=self.clock)

    def settings(self, url: str) -> Mapping[str, Any]:
        settings = self.simulator.settings(url, NOTIFICATION_URL)
        return {**settings, "reads_team_members": True}

    def revoke(self) -> None:
        self.simulator.access_token = "another-token"

    def list_article(self, sku: str, quantity: int) -> Mapping[str, str]:
        variation = self.simulator.add_variation(sku, quantity)
        return {"catalog_object_id": variation, "location_id": self.simulator.location_id}

    def list_untracked(self, sku: str) -> Mapping[str, str] | None:
        variation = self.simulator.add_variation(sku, None)
        self.simulator.variations[variation].tracked = False
        return {"catalog_object_id": variation, "location_id": self.simulator.location_id}

    def is_tracked(self, sku: str) -> bool:
        (found,) = (each for each in self.simulator.variations.values() if each.sku == sku)
        return found.tracked or found.count is not None

    def missing_article(self) -> Mapping[str, str]:
        return {"catalog_object_id": "GONE", "location_id": self.simulator.location_id}

    def hold_order(self, ref: str, reason: HoldReason) -> None:
        if reason is HoldReason.REFUNDED:
            self.simulator.pay_back(ref)
        else:
            self.simulator.owe(ref, 100)

    def free_order(self, ref: str) -> None:
        self.simulator.owe(ref, 0)

    def draft_order(self, sku: str, quantity: int) -> str:
        ref = self.simulator.place_order({sku: quantity})
        self.simulator.orders[ref].state = "DRAFT"
        return ref

    def place_order_elsewhere(self, sku: str, quantity: int) -> str | None:
        return self.simulator.place_order({sku: quantity}, location_id="LELSEWHERE")

    def pack_order(self, ref: str) -> bool:
        self.simulator.orders[ref].fulfillments[0]["state"] = "PREPARED"
        return True

    def place_priced_order(self, sku: str, cost: PricedOrder) -> str | None:
        ref = self.simulator.place_order({sku: cost.quantity})
        sale = self.simulator.orders[ref]
        digits = {"JPY": 0, "KWD": 3}.get(cost.currency, 2)

        def money(amount: str) -> Mapping[str, Any]:
            return {"amount": int(Decimal(amount).scaleb(digits)), "currency": cost.currency}

        sale.money = {
            "total_money": money(cost.total),
            "total_discount_money": money(cost.discount),
            "total_tax_money": money(cost.tax),
            "tenders": [
                {
                    "id": f"T-{ref}",
                    "payment_id": f"P-{ref}",
                    "type": "CARD",
                    "amount_money": money(cost.total),
                }
            ],
        }
        sale.lines[0] |= {
            "base_price_money": money(cost.unit_price),
            "total_discount_money": money(cost.discount),
            "total_tax_money": money(cost.tax),
        }
        return ref

    def paid_back(self, ref: str) -> Decimal:
        return Decimal(self.simulator.paid_back(self.simulator.orders[ref])).scaleb(-2)

    def place_order_beside(self, sku: str, kind: LineKind) -> str:
        ref = self.simulator.place_order({sku: 1})
        gift = kind is LineKind.GIFT_CARD
        line = {"uid": "extra", "name": "extra", "quantity": "1"}
        line["item_type"] = "GIFT_CARD" if gift else "CUSTOM_AMOUNT"
        self.simulator.orders[ref].lines.append(line)
        return ref

    def set_buyer(self, ref: str, name: str, email: str, phone: str) -> None:
        """Name the buyer as a customer of the seller; one without a number as recipient."""
        sale, customer = self.simulator.orders[ref], f"CUST-{ref}"
        first, _, last = name.partition(" ")
        if email and not phone:
            recipient = {"display_name": name, "email_address": email}
            sale.fulfillments[0]["shipment_details"]["recipient"] = recipient
            return
        sale.customer_id = customer if email else None
        given = {"given_name": first, "family_name": last}
        self.simulator.customers[customer] = {
            **given,
            "email_address": email,
            "phone_number": phone,
        }

    def name_buyer(self, ref: str, buyer: Buyer) -> str | None:
        sale = self.simulator.orders[ref]
        sale.customer_id = f"CUST{buyer.number}" if buyer.number else None
        address = {"address_line_1": buyer.street}
        sale.fulfillments[0]["shipment_details"] |= {
            "recipient": {
                "display_name": buyer.name,
                "email_address": buyer.email,
                "phone_number": buyer.phone,
                "address": address,
            }
        }
        return sale.customer_id

    def cancel_order(self, ref: str) -> None:
        self.simulator.cancel_order(ref)

    def sell_with_serials(self, sku: str, serials: Sequence[str]) -> str:
        return self.simulator.sell(sku, len(serials), serials)

    def sell_by(self, sku: str, staff: str) -> str:
        ref = self.simulator.sell(sku)
        self.simulator.orders[ref].taken_by = staff
        return ref

    def shipments(self, ref: str) -> int:
        shipments = self.simulator.orders[ref].fulfillments
        return sum(each["state"] in ("PREPARED", "COMPLETED") for each in shipments)

    def serials_shown(self, ref: str) -> Sequence[str]:
        return [each for named in self.simulator.serials(ref).values() for each in named]

    def serials_by_line(self, ref: str) -> Mapping[str, Sequence[str]] | None:
        return self.simulator.serials(ref)

    def other_payloads(self, ref: str) -> Sequence[tuple[str, Any]]:
        def event(topic: str, kind: str, ref_of: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
            data = {"type": kind, "id": ref_of, "object": {kind: said}}
            return {"merchant_id": "M", "type": topic, "event_id": f"e-{topic}", "data": data}

        order = {"order_id": ref, "version": 2, "location_id": self.simulator.location_id}
        part = {"id": "P1", "order_id": ref, "status": "COMPLETED"}
        return [
            (topic, event(topic, kind, ref_of, said))
            for topic, kind, ref_of, said in (
                ("order.created", "order_created", ref, order),
                ("order.fulfillment.updated", "order_fulfillment_updated", ref, order),
                ("payment.created", "payment", "P1", part),
                ("payment.updated", "payment", "P1", part),
                ("refund.created", "refund", "R1", part),
                ("refund.updated", "refund", "R1", part),
            )
        ]

    def create_return(self, ref: str, quantity: int, serials: Sequence[str], line: int = 0) -> str:
        note = f"SN: {', '.join(serials)}" if serials else None
        made = self.simulator.create_return(ref, quantity, note=note, of_line=line)
        return f"{made}:{self.simulator.orders[made].returns[0]['uid']}"

    def trigger_webhook(self, ref: str) -> None:
        self.simulator.emit("order.updated", self.simulator.orders[ref])
