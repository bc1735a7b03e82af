"""Lines of a refund as they are stored with its request."""

from decimal import Decimal
from typing import Any, TypedDict

from hub.storage.documents import readable, values


class RequestedLine(TypedDict):
    """A line of a request, as it is stored: exact decimals as text."""

    line_id: str
    ref: str
    quantity: int
    amount: str


def lines_of(stored: str) -> list[RequestedLine]:
    """Return the lines of a request as they are stored."""
    return readable(_stored_line, values(stored))


def _stored_line(each: dict[str, Any]) -> RequestedLine:
    return RequestedLine(
        line_id=each["line_id"],
        ref=each["ref"],
        quantity=int(each["quantity"]),
        amount=f"{Decimal(each['amount']):f}",
    )
