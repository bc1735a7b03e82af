"""Walmart: returns. One of its returns may be about several of the seller's orders."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.toolkit.json_fields import child, identity, records, text, whole
from connectors.toolkit.records import RecordReader
from connectors.walmart.mapping import parse_time
from hub.vocabulary import Return, ReturnLine, ReturnState

READER = RecordReader("return", ref="returnOrderLines.0.purchaseOrderId")
BACK = frozenset({"DELIVERED", "COMPLETED"})  # it reached the place for returns
WITHDRAWN = frozenset({"CANCELLED", "CANCELED"})


def parse_returns(found: Mapping[str, Any]) -> list[Return]:
    """Read a return: one for each order that it is about."""
    by_order: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in records(found, "returnOrderLines", required=True):
        by_order[text(line, "purchaseOrderId")].append(line)
    return [_return(found, ref, lines) for ref, lines in by_order.items() if ref]


def changed_at(found: Mapping[str, Any]) -> datetime:
    """Say when a return last changed, as far as it says."""
    lines = records(found, "returnOrderLines")
    times = [parse_time(line["statusTime"]) for line in lines if line.get("statusTime")]
    return max([parse_time(found["returnOrderDate"]), *times])


def _return(found: Mapping[str, Any], order_ref: str, lines: Sequence[Mapping[str, Any]]) -> Return:
    ref, opened = (
        f"{identity(found, 'returnOrderId')}/{order_ref}",
        parse_time(found["returnOrderDate"]),
    )
    times = [parse_time(line["statusTime"]) for line in lines if line.get("statusTime")]
    return Return(
        ref=ref,
        order_ref=order_ref,
        state=_state(lines),
        remote_state=" ".join(sorted({_status(line) for line in lines})),
        lines=tuple(_line(line) for line in lines),
        updated_at=max([opened, *times]),
        refund_ref=ref if any(whole(line, "refundedQty", 0) for line in lines) else None,
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
    """Say when money went back; Walmart states the time of the status only."""
    paid = [line for line in lines if whole(line, "refundedQty", 0)]
    times = [parse_time(line["statusTime"]) for line in paid if line.get("statusTime")]
    return max(times, default=opened) if paid else None


def _line(line: Mapping[str, Any]) -> ReturnLine:
    quantity = _amount(line)
    comes_back = not line.get("isKeepIt") and line.get("returnExpectedFlag") is not False
    parts = records(line, "currentTrackingStatuses") or [line]
    arrived = sum(_amount(part) for part in parts if str(part.get("status")) in BACK)
    return ReturnLine(
        order_line_ref=text(line, "purchaseOrderLineNumber"),
        quantity=quantity,
        comes_back=comes_back,
        arrived=min(quantity, arrived) if comes_back else 0,
        refunded=min(quantity, whole(line, "refundedQty", 0)),
        reason=text(line, "returnReason"),
    )


def _amount(part: Mapping[str, Any]) -> int:
    return whole(child(part, "quantity", required=True), "measurementValue")
