"""eBay: returns (Post-Order v2), and refunds that belong to none (Fulfillment v1).

A return is about units of one line; a refund is an amount. A refund of a line that pays back what
the line cost is of all its units, any other refund is of none. One that was paid before the line
left is no return: the order no longer wants the line. Refunds of a returned line are its return's.

The list of returns names no time of change. So all that are open and all that are new are looked
at, and an order is read again when what the list shows of its returns differs from the last look,
or has left it: a return that closes is no longer open. A closed return says in its details whether
the goods came back, or the buyer kept them.

eBay's pages state how returns are searched; whether an offset counts pages or entries they do not.
So no page but the first is asked for: a span of time with more entries than a page is halved.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from connectors.ebay.mapping import changed_at, has_left, list_field
from connectors.ebay.money import refunded_in_full
from connectors.errors import Unknown
from connectors.remote import RemoteApi
from connectors.toolkit.amounts import amount
from connectors.toolkit.cursors import OVERLAP, moment, stamp
from connectors.toolkit.json_fields import child, identity, records, text, whole
from connectors.toolkit.records import FieldError, Record, RecordReader
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import Return, ReturnLine, ReturnState

RETURNS = RecordReader("return", ref="orderId")
PATH = "/post-order/v2/return"
PER_PAGE = 200
NEWEST = timedelta(days=90)
SEARCHED = timedelta(days=540)  # eBay refuses to look further back than 18 months
SPAN_MIN = timedelta(seconds=1)
ALL_OPEN = "ALL_OPEN"
REQUESTED = frozenset({"INITIAL", "RETURN_REQUESTED", "RMA_PENDING"})
REJECTED = frozenset({"RETURN_REJECTED", "RETURN_REQUEST_CANCELLED"})
DELIVERED = frozenset({"ITEM_DELIVERED", "DELIVERED"})
KEPT = frozenset({"ITEM_KEPT"})
KEPT_REASONS = ("LESS_THAN_FULL_REFUND", "PARTIAL_REFUND")
CLOSED = "CLOSED"
REPLACEMENT = "REPLACEMENT"
Found = Mapping[str, Any]


async def summaries(
    api: RemoteApi, since: datetime | None, now: datetime
) -> tuple[list[tuple[str, datetime, Sequence[str]]], tuple[UnreadableRecord, ...]]:
    """Return order, time of creation and state of each return that is open or newer than `since`.

    Those that cannot be read are returned too.
    """
    new = await _within(api, {}, max(since or now - NEWEST, now - NEWEST), now)
    open_returns, complete = await _search(api, {"return_state": ALL_OPEN})
    if not complete:
        open_returns = await _within(api, {"return_state": ALL_OPEN}, now - SEARCHED, now)
    batch = RETURNS.each([*new, *open_returns], _summary)
    return list(batch.items), batch.unreadable


def _summary(found: Found) -> tuple[str, datetime, Sequence[str]]:
    state = (identity(found, "returnId"), text(found, "state"), text(found, "status"))
    paid = str(_paid(found))
    return identity(found, "orderId"), _created_at(found), (*state, paid)


def newest_seen(stored: Mapping[str, Any]) -> datetime | None:
    """Return the time from which returns are new: shortly before the newest that was seen."""
    return moment(stored["newest"]) - OVERLAP if "newest" in stored else None


def states_by_order(
    looked: Sequence[tuple[str, datetime, Sequence[str]]],
) -> dict[str, list[Sequence[str]]]:
    """Return the states of the returns of each order."""
    states: dict[str, list[Sequence[str]]] = defaultdict(list)
    for ref, _, state in sorted(looked):
        if state not in states[ref]:
            states[ref].append(state)
    return states


async def attach_returns(api: RemoteApi, order: Record) -> None:
    """Read the returns of an order, and the details of those that are closed."""
    ref = identity(order, "orderId")
    found, complete = await _search(api, {"order_id": ref})
    if not complete or any(_order_of(each) != ref for each in found):
        raise FieldError("orderId", ref, "has returns that eBay does not filter by order")
    order.attach("returns", found)
    for each in records(order, "returns"):
        if isinstance(each, Record) and _is_closed(each):
            path = f"{PATH}/{quote(identity(each, 'returnId'), safe='')}"
            detail = await api.json_object("GET", path)
            each.attach("detail", child(detail, "detail"))


async def _within(
    api: RemoteApi, asked: Mapping[str, str], since: datetime, until: datetime
) -> list[Any]:
    """Search returns created in a span of time, in halves where it holds more than a page."""
    span = {"creation_date_range_from": stamp(since), "creation_date_range_to": stamp(until)}
    found, complete = await _search(api, {**asked, **span})
    if complete:
        return found
    if until - since <= SPAN_MIN:
        raise Unknown(f"eBay shows {len(found)} of the returns of one second")
    middle = since + (until - since) / 2
    return [
        *await _within(api, asked, since, middle),
        *await _within(api, asked, middle, until),
    ]


async def _search(api: RemoteApi, asked: Mapping[str, str]) -> tuple[list[Any], bool]:
    """Return the first page of a search, and whether it holds all that was found."""
    params = {**asked, "limit": str(PER_PAGE)}
    answer = await api.json("GET", f"{PATH}/search", params=params)
    if answer is None:  # no content: nothing was found
        return [], True
    if not isinstance(answer, dict):
        raise Unknown("the answer of a search for returns is no object")
    found = list_field(answer, "members")
    shown = answer.get("paginationOutput")
    count = (shown if isinstance(shown, dict) else {}).get("totalEntries", answer.get("total"))
    if count is None:
        return found, len(found) < PER_PAGE
    if isinstance(count, bool) or not isinstance(count, int):
        raise Unknown("the answer holds no number of returns")
    return found, count <= len(found)


def parse_returns(order: Found) -> list[Return]:
    """Read the returns of an order, then its refunds that belong to no return, oldest first."""
    returns = sorted(records(order, "returns"), key=_created_at)
    found = [_return(order, each) for each in returns]
    paid = [each for each in returns if _paid(each)]
    of_lines = {identity(_line_of(order, each), "lineItemId") for each in paid}
    for line in records(order, "lineItems", required=True):
        if identity(line, "lineItemId") not in of_lines:
            found += _refunds_of_line(order, line)
    returned = [_paid(each) for each in paid]
    for refund in records(child(order, "paymentSummary"), "refunds"):
        if refund.get("refundStatus", "REFUNDED") != "REFUNDED":
            continue
        value = amount(refund, "amount", "value")
        if value in returned:
            returned.remove(value)
        else:
            found.append(_refund(order, refund, ()))
    return found


def names_refunds(order: Found) -> bool:
    """Say whether an order was paid back, in part or in full."""
    refunds = records(child(order, "paymentSummary"), "refunds")
    lines = records(order, "lineItems", required=True)
    return bool(refunds) or any(records(line, "refunds") for line in lines)


def _return(order: Found, found: Found) -> Return:
    line, item = _line_of(order, found), child(child(found, "creationInfo"), "item")
    quantity = min(whole(item, "returnQuantity", 1), whole(line, "quantity"))
    detail = child(found, "detail")
    arrived, kept = _arrived(found, detail), _kept(found, detail)
    paid_at = _paid_at(order, found, detail)
    ref = identity(found, "returnId")
    return Return(
        ref=ref,
        order_ref=identity(order, "orderId"),
        state=_state(found, paid=paid_at is not None),
        remote_state=text(found, "state") or text(found, "status"),
        lines=(
            ReturnLine(
                order_line_ref=identity(line, "lineItemId"),
                quantity=quantity,
                comes_back=arrived or not kept,
                arrived=quantity if arrived else 0,
                refunded=quantity if paid_at is not None and (arrived or not kept) else 0,
                reason=text(child(found, "creationInfo"), "reason"),
            ),
        ),
        # The list has no time of change: of two looks the later one is the newer.
        updated_at=max([_created_at(found), changed_at(order), *([paid_at] if paid_at else [])]),
        refund_ref=ref if paid_at is not None else None,
        refunded_at=paid_at,
    )


def _line_of(order: Found, found: Found) -> Found:
    """Find the line that a return is about: by its transaction, else by its listing."""
    item = child(child(found, "creationInfo", required=True), "item", required=True)
    lines = records(order, "lineItems", required=True)
    transaction, listing = text(item, "transactionId"), text(item, "itemId")
    for line in lines:
        if transaction and identity(line, "lineItemId") == transaction:
            return line
    same = [line for line in lines if listing and text(line, "legacyItemId") == listing]
    if len(same) == 1:
        return same[0]
    raise FieldError("creationInfo.item", item, "is not one line of its order")


def _state(found: Found, *, paid: bool) -> ReturnState:
    states = {text(found, "state"), text(found, "status")}
    if states & REJECTED:
        return ReturnState.CANCELLED
    if CLOSED in states:
        replaced = text(found, "currentType") == REPLACEMENT
        return ReturnState.CLOSED if paid or replaced else ReturnState.CANCELLED
    return ReturnState.REQUESTED if states & REQUESTED else ReturnState.OPEN


def _is_closed(found: Found) -> bool:
    return CLOSED in (found.get("state"), found.get("status"))


def _arrived(found: Found, detail: Found) -> bool:
    if DELIVERED & {text(found, "state"), text(found, "status")}:
        return True
    parcel = child(child(detail, "returnShipmentInfo"), "shipmentTracking")
    delivered_at = child(parcel, "actualDeliveryDate").get("value")
    return bool(delivered_at) or text(parcel, "deliveryStatus") in DELIVERED


def _kept(found: Found, detail: Found) -> bool:
    """Say whether the buyer keeps what the return is about, for a part of the price."""
    reason = text(child(detail, "closeInfo"), "returnCloseReason")
    return text(found, "state") in KEPT or any(each in reason for each in KEPT_REASONS)


def _paid(found: Found) -> Decimal | None:
    """Return what was paid back for a return; None where nothing was."""
    value = amount(found, "sellerTotalRefund", "actualRefundAmount", "value")
    return value if value else None


def _paid_at(order: Found, found: Found, detail: Found) -> datetime | None:
    """Return when a return was paid back; eBay states the time in its details only."""
    if _paid(found) is None:
        return None
    paid = child(child(detail, "refundInfo"), "actualRefundDetail")
    stated = child(paid, "refundIssuedDate").get("value")
    return moment(stated) if stated else max(_created_at(found), changed_at(order))


def _created_at(found: Found) -> datetime:
    info = child(found, "creationInfo", required=True)
    return moment(child(info, "creationDate", required=True)["value"])


def _order_of(found: Any) -> Any:
    return found.get("orderId") if isinstance(found, dict) else None


def _refunds_of_line(order: Found, line: Found) -> list[Return]:
    """Read the refunds of a line that no return explains; the one that completes it has units."""
    if refunded_in_full(line) and not has_left(line):
        return []
    refunds = sorted(records(line, "refunds"), key=_refunded_at)
    found = []
    for number, refund in enumerate(refunds, start=1):
        complete = number == len(refunds) and refunded_in_full(line)
        found.append(_refund(order, refund, (line,) if complete else ()))
    return found


def _refund(order: Found, refund: Found, lines: Sequence[Found]) -> Return:
    ref = text(refund, "refundId") or identity(refund, "refundReferenceId")
    at = _refunded_at(refund)
    return Return(
        ref=f"refund-{ref}",
        order_ref=identity(order, "orderId"),
        state=ReturnState.CLOSED,
        remote_state="refunded",
        lines=tuple(
            ReturnLine(
                order_line_ref=identity(line, "lineItemId"),
                quantity=whole(line, "quantity"),
                refunded=whole(line, "quantity"),
            )
            for line in lines
        ),
        updated_at=max(changed_at(order), at),
        refund_ref=ref,
        refunded_at=at,
    )


def _refunded_at(refund: Found) -> datetime:
    return moment(refund["refundDate"])
