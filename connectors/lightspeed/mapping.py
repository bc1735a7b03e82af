"""Lightspeed X-Series mapping: sales, serial numbers and levels in the hub vocabulary."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from connectors.contract import OrderRef
from connectors.errors import Unknown
from connectors.lightspeed.money import with_money, with_price
from connectors.toolkit.cursors import moment
from connectors.toolkit.json_fields import identity, parsed_json, records, text, whole
from connectors.toolkit.records import RecordReader
from hub.vocabulary import HoldReason, Order, OrderLine, OrderState

SALES = RecordReader("order", ref="id")
LEVELS = RecordReader("listing", ref="product_id")
STATES = {
    "SAVED": OrderState.PENDING,  # parked
    "LAYBY": OrderState.PENDING,  # the shop keeps the goods until they are paid
    "SERVICE": OrderState.PENDING,
    "AWAITING_DISPATCH": OrderState.OPEN,
    "AWAITING_PICKUP": OrderState.OPEN,
    "ONACCOUNT": OrderState.FULFILLED,  # handed over, to be paid later
    "CLOSED": OrderState.FULFILLED,
    "ONACCOUNT_CLOSED": OrderState.FULFILLED,
    "LAYBY_CLOSED": OrderState.FULFILLED,
    "SERVICE_CLOSED": OrderState.FULFILLED,
    "DISPATCHED_CLOSED": OrderState.FULFILLED,
    "PICKED_UP_CLOSED": OrderState.FULFILLED,
    "VOIDED": OrderState.CANCELLED,
}
# The shop keeps these goods for as long as the customer needs: their promise has no end.
HOLDS = {"LAYBY": HoldReason.ON_HOLD, "SERVICE": HoldReason.ON_HOLD}
AT_COUNTER = frozenset({"ONACCOUNT", "CLOSED", "ONACCOUNT_CLOSED", "LAYBY_CLOSED"})


def response_data(answer: Any, kind: type) -> Any:
    """Take the ``data`` of an answer, which must be a list or an object."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, kind):
        raise Unknown("the answer holds no data")
    return data


def page_version(answer: Mapping[str, Any]) -> int:
    """Return up to which version a page goes: by itself, or by its newest item."""
    of_page = answer.get("version")
    newest = of_page.get("max") if isinstance(of_page, dict) else None
    items = [each.get("version") for each in answer["data"] if isinstance(each, dict)]
    stated = newest if isinstance(newest, int) else 0
    return stated or max((each for each in items if isinstance(each, int)), default=0)


def sold_lines(sale: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the lines that sell something: no returns, nothing voided."""
    return [
        line
        for line in records(sale, "line_items", required=True)
        if whole(line, "quantity") > 0
        and not line.get("is_return")
        and line.get("status") != "VOIDED"
    ]


def parse_order(
    sale: Mapping[str, Any],
    skus: Mapping[str, str],
    serials: Mapping[str, Sequence[str]],
    currency: str | None = None,
) -> Order:
    """Read a sale; `skus` are by product, `serials` by line, the currency is the outlet's."""
    status = str(sale.get("status") or "")
    state = STATES.get(status, OrderState.PENDING)
    done = state is OrderState.FULFILLED
    placed = moment(sale.get("sale_date") or sale["created_at"])
    if sale.get("deleted_at"):
        state, done = OrderState.CANCELLED, False
    read = Order(
        ref=identity(sale, "id"),
        number=text(sale, "invoice_number") or identity(sale, "id"),
        state=state,
        hold=HOLDS.get(status) if state is OrderState.PENDING else None,
        remote_state=status,
        lines=tuple(_line(line, done, skus, serials) for line in sold_lines(sale)),
        placed_at=placed,
        updated_at=moment(sale["updated_at"]) if sale.get("updated_at") else placed,
        at_counter=done and status in AT_COUNTER and (sale.get("source") or "USER") == "USER",
        customer_ref=text(sale, "customer_id") or None,
        staff_ref=text(sale, "user_id") or None,
    )
    return with_money(read, sale, currency)


def _line(
    line: Mapping[str, Any],
    done: bool,
    skus: Mapping[str, str],
    serials: Mapping[str, Sequence[str]],
) -> OrderLine:
    quantity = whole(line, "quantity")
    sku = skus.get(text(line, "product_id"), "")
    read = OrderLine(
        ref=identity(line, "id"),
        sku=sku,
        quantity=quantity,
        fulfilled=quantity if done else 0,
        serials=tuple(serials.get(identity(line, "id"), ())),
        title=sku,  # a line names its product by id alone
    )
    return with_price(read, line)


def serials_by_line(serials: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Sort the serials of a sale by the line that sold them."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in serials:
        if each.get("line_item_id") and each.get("code"):
            found[identity(each, "line_item_id")].append(identity(each, "code"))
    return dict(found)


def outlet_quantity(records: Iterable[Mapping[str, Any]], outlet: str) -> int | None:
    """Read how many pieces an outlet shows; None where it keeps no record of the product."""
    for each in records:
        if each.get("outlet_id") == outlet:
            return math.floor(Decimal(text(each, "inventory_level", "0") or "0"))
    return None


def parse_payload(body: bytes) -> tuple[str, Mapping[str, Any]]:
    """Decode a webhook, a form whose field ``payload`` is JSON: its topic and its object."""
    form = parse_qs(body.decode("utf-8", errors="replace"))
    try:
        payload = parsed_json(form.get("payload", ["{}"])[0])
    except ValueError:
        payload = {}
    payload = payload if isinstance(payload, dict) else {}
    return str(form.get("type", [payload.get("type", "")])[0]), payload


def order_refs(body: bytes) -> Sequence[OrderRef]:
    """Name the sale that a webhook is about; other objects have no lines."""
    _, payload = parse_payload(body)
    lines = payload.get("line_items") or payload.get("register_sale_products")
    named = payload.get("id")
    return (OrderRef(str(named)),) if isinstance(lines, list) and named else ()
