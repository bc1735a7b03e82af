"""Shipments that a channel can only recognize by the serials that are in them."""

from connectors.errors import Rejected
from hub.vocabulary import Fulfillment


def require_serials(fulfillment: Fulfillment) -> None:
    """Refuse a shipment with units that have no serials: a repeat could not be recognized.

    Raises Rejected. A connector that calls this sets `ships_without_serials` to False.
    """
    for line in fulfillment.lines:
        if line.units > len(line.serials):
            bare = line.units - len(line.serials)
            raise Rejected(
                f"line {line.order_line_ref}: {bare} of {line.units} units have no serial, by "
                "which this channel recognizes what has left already"
            )
