"""Walmart: returns. One of its returns may be about several of the seller's orders."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.walmart.mapping import parse_quantity, parse_time
from hub.vocabulary import Return, ReturnLine, ReturnState

BACK = frozenset({"DELIVERED", "COMPLETED"})  # it reached the place for returns
WITHDRAWN = frozenset({"CANCELLED", "CANCELED"})


def parse_returns(found: Mapping[str, Any]) -> list[Return]:
    """Read a return: one for each order that it is about."""
    by_order: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in found.get("returnOrderLines") or []:
        by_order[str(line.get("purchaseOrderId") or "")].append(line)
    return [_return(found, ref, lines) for ref, lines in by_order.items() if ref]


def changed_at(found: Mapping[str, Any]) -> datetime:
    """Say when a return last changed, as far as it tells."""
    lines = found.get("returnOrderLines") or []
    times = [parse_time(line["statusTime"]) for line in lines if line.get("statusTime")]
    return max([parse_time(found["returnOrderDate"]), *times])


def _return(found: Mapping[str, Any], order_ref: str, lines: Sequence[Mapping[str, Any]]) -> Return:
    ref, opened = f"{found['returnOrderId']}/{order_ref}", parse_time(found["returnOrderDate"])
    times = [parse_time(line["statusTime"]) for line in lines if line.get("statusTime")]
    return Return(
        ref=ref,
        order_ref=order_ref,
        state=_state(lines),
        remote_state=" ".join(sorted({_status(line) for line in lines})),
        lines=tuple(_line(line) for line in lines),
        updated_at=max([opened, *times]),
        refund_ref=ref if any(parse_quantity(line.get("refundedQty")) for line in lines) else None,
        refunded_at=_refunded_at(lines, opened),
    )


def _status(line: Mapping[str, Any]) -> str:
    return str(line.get("status") or "")


def _state(lines: Sequence[Mapping[str, Any]]) -> ReturnState:
    statuses = {_status(line) for line in lines}
    if statuses <= WITHDRAWN:
        return ReturnState.CANCELLED
    return ReturnState.CLOSED if statuses <= WITHDRAWN | {"COMPLETED"} else ReturnState.OPEN


def _refunded_at(lines: Sequence[Mapping[str, Any]], opened: datetime) -> datetime | None:
    """Say when money went back; Walmart tells the time of the status only."""
    paid = [line for line in lines if parse_quantity(line.get("refundedQty"))]
    times = [parse_time(line["statusTime"]) for line in paid if line.get("statusTime")]
    return max(times, default=opened) if paid else None


def _line(line: Mapping[str, Any]) -> ReturnLine:
    quantity = _amount(line)
    comes_back = not line.get("isKeepIt") and line.get("returnExpectedFlag") is not False
    parts = line.get("currentTrackingStatuses") or [line]
    arrived = sum(_amount(part) for part in parts if str(part.get("status")) in BACK)
    return ReturnLine(
        order_line_ref=str(line.get("purchaseOrderLineNumber") or ""),
        quantity=quantity,
        comes_back=comes_back,
        arrived=min(quantity, arrived) if comes_back else 0,
        refunded=min(quantity, parse_quantity(line.get("refundedQty"))),
        reason=str(line.get("returnReason") or ""),
    )


def _amount(part: Mapping[str, Any]) -> int:
    return parse_quantity((part.get("quantity") or {}).get("measurementValue"))
