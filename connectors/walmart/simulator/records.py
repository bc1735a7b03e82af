"""What the simulator of Walmart writes down and says: orders, lines, amounts, refusals."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, Response

Record = dict[str, Any]


def format_time(moment: datetime) -> str:
    """Write a moment as Walmart does."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def milliseconds(moment: datetime) -> int:
    """Write a moment as its other dates do."""
    return int(moment.timestamp() * 1000)


def changed_at(found: Mapping[str, Any]) -> datetime:
    """Say when a return changed."""
    return max(datetime.fromisoformat(each["statusTime"]) for each in found["returnOrderLines"])


def lines_by_number(order: Mapping[str, Any]) -> list[Record]:
    """Return the lines of an order."""
    lines: list[Record] = order["orderLines"]["orderLine"]
    return lines


def parts_of(line: Mapping[str, Any]) -> list[Record]:
    """Return what became of the units of a line."""
    parts: list[Record] = line["orderLineStatuses"]["orderLineStatus"]
    return parts


def still_open(line: Mapping[str, Any]) -> int:
    """Count the units of a line that wait to be shipped."""
    waiting = ("Created", "Acknowledged")
    parts = [each for each in parts_of(line) if each["status"] in waiting]
    return sum(int(each["statusQuantity"]["amount"]) for each in parts)


def status_of(status: str, quantity: int) -> Record:
    """Write down that so many units are in a status."""
    amount = {"unitOfMeasurement": "EACH", "amount": str(quantity)}
    return {"status": status, "statusQuantity": amount}


def amount_of(amount: int) -> Record:
    """Write an amount of an inventory."""
    return {"unit": "EACH", "amount": amount}


def within(asked: Mapping[str, str], name: str, at: datetime) -> bool:
    """Say whether a moment lies in the span that was asked for."""
    since, until = asked.get(f"{name}StartDate"), asked.get(f"{name}EndDate")
    if since and at < datetime.fromisoformat(since):
        return False
    return not until or at <= datetime.fromisoformat(until)


def no_order() -> Response:
    """Refuse an order that is not there."""
    return failed(404, "CONTENT_NOT_FOUND.GMP_ORDER_API", "The order does not exist")


def failed(status: int, code: str, description: str) -> Response:
    """Fail in Walmart's words."""
    error = {"code": code, "description": description, "severity": "ERROR", "category": "DATA"}
    return JSONResponse({"errors": [error]}, status_code=status)
