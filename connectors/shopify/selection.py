"""Which orders of a shop belong to one channel: all, those made online, or those of one counter.

A shop with a warehouse and counters is connected once for each: the channel of a counter has the
counter's location and the site of that shop, so that its sales take the units that stood there.
An order of the till that names no location belongs to the channel that sells online: none is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connectors.toolkit.accounts import account_part, address_of

POS = "pos"


class Sold(StrEnum):
    """Which orders a channel takes."""

    ALL = "all"
    ONLINE = "online"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True)
class Selection:
    """The orders of one channel; `location` is that of its counter."""

    sold: Sold
    location: str

    def query(self, *terms: str) -> str | None:
        """Write a search; what the shop can not tell apart is sorted out afterwards."""
        only = (f"source_name:{POS}",) if self.sold is Sold.COUNTER else ()
        return " ".join((*terms, *only)) or None

    def holds(self, order: Mapping[str, Any]) -> bool:
        """Say whether an order belongs here."""
        counter = (order.get("retailLocation") or {}).get("id")
        return self._holds(order.get("sourceName"), counter)

    def holds_payload(self, topic: str, payload: Mapping[str, Any]) -> bool:
        """Say whether a webhook is about an order that belongs here.

        Only the payload of an order says where it was sold. What else happens to an order is
        reported
        by ``orders/updated`` too.
        """
        if self.sold is Sold.ALL:
            return True
        number = payload.get("location_id")
        counter = f"gid://shopify/Location/{number}" if number else None
        return topic.startswith("orders/") and self._holds(payload.get("source_name"), counter)

    def _holds(self, source: object, counter: str | None) -> bool:
        if self.sold is Sold.ALL:
            return True
        at_counter = source == POS and counter is not None
        if self.sold is Sold.ONLINE:
            return not at_counter
        return at_counter and counter == self.location


def account_of(shop_url: object, orders: Sold, location_id: str) -> str:
    """Name the shop, or the part of it whose orders a channel takes."""
    place = location_id if orders is Sold.COUNTER else ""
    return account_part(address_of(shop_url), "" if orders is Sold.ALL else str(orders), place)
