"""WooCommerce mapping: orders, meta data, quantities and refusals in the hub vocabulary."""

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.contract import OrderRef
from connectors.errors import ConnectorError, NotFound, Rejected, Transient, Unknown
from connectors.remote import ERROR_TEXT_CHARS_MAX
from connectors.toolkit.json_fields import (
    identity,
    nodes_of,
    parsed_json,
    records,
    text,
    time,
    whole,
)
from connectors.toolkit.records import RecordReader
from connectors.woocommerce.money import with_money, with_price
from hub.vocabulary import Order, OrderLine, OrderState

STATES = {
    "auto-draft": OrderState.DRAFT,
    "checkout-draft": OrderState.DRAFT,  # somebody looks at the checkout: no order yet
    "pending": OrderState.PENDING,
    "on-hold": OrderState.PENDING,
    "failed": OrderState.DRAFT,  # no payment: units are promised once the buyer pays again
    "processing": OrderState.OPEN,
    "completed": OrderState.FULFILLED,
    "cancelled": OrderState.CANCELLED,
    "refunded": OrderState.CANCELLED,
    "trash": OrderState.CANCELLED,
}
ORDERS = RecordReader("order", ref="id")
PRODUCTS = RecordReader("listing", ref="id")
_BETWEEN_SERIALS = re.compile(r"[,;|\r\n]+")
_BETWEEN_WORDS = re.compile(r"[\s_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The words of one shop: where its plugins keep serials, and how its tills are named."""

    written: str  # the meta key that we write
    read: Collection[str]  # the meta keys that plugins write, in plain words
    tills: Collection[str]  # `created_via` of a sale over the counter


def expect_list(answer: Any) -> list[Any]:
    """Take the answer as a list of objects; anything else is a page of somebody else."""
    found = nodes_of(answer)
    if not all(isinstance(each, dict) for each in found):
        raise Unknown("the answer is not a list of objects")
    return found


def expect_object(answer: Any) -> Mapping[str, Any]:
    """Take the answer as one object."""
    if not isinstance(answer, dict):
        raise Unknown("the answer is not an object")
    return answer


def parse_order(order: Mapping[str, Any], dialect: Dialect) -> Order:
    """Read an order. Times are those marked GMT; the others are in the shop's own zone."""
    status = str(order.get("status") or "")
    state = STATES.get(status)
    if state is None:  # a plugin's own status
        state = OrderState.OPEN if order.get("date_paid_gmt") else OrderState.PENDING
    done = state is OrderState.FULFILLED
    lines = records(order, "line_items", required=True)
    customer = text(order, "customer_id")
    read = Order(
        ref=identity(order, "id"),
        number=text(order, "number") or identity(order, "id"),
        state=state,
        remote_state=status,
        lines=tuple(_line(line, done, dialect) for line in lines),
        placed_at=time(order, "date_created_gmt", "date_created"),
        updated_at=changed_at(order),
        at_counter=done and normalize_key(text(order, "created_via")) in dialect.tills,
        customer_ref=customer if customer not in ("", "0") else None,
    )
    return with_money(read, order)


def changed_at(order: Mapping[str, Any]) -> datetime:
    """Return when an order changed last; a plugin may leave that out of a new one."""
    changed = ("date_modified_gmt",) if order.get("date_modified_gmt") else ()
    return time(order, *changed, "date_created_gmt", "date_created")


def _line(line: Mapping[str, Any], done: bool, dialect: Dialect) -> OrderLine:
    quantity = whole(line, "quantity")
    shown, _ = serials_from_hub(line, dialect.written)
    read = OrderLine(
        ref=identity(line, "id"),
        sku=text(line, "sku"),
        quantity=quantity,
        fulfilled=quantity if done else min(len(shown), quantity),
        serials=serials_from_till(line, dialect),
        shown_serials=shown,
        title=text(line, "name"),
    )
    return with_price(read, line)


def serials_from_till(line: Mapping[str, Any], dialect: Dialect) -> tuple[str, ...]:
    """Read the serials that a till or a plugin wrote on a line; not those that we wrote."""
    found: list[str] = []
    for meta in records(line, "meta_data"):
        key = str(meta.get("key") or "")
        if key != dialect.written and normalize_key(key) in dialect.read:
            found.extend(_serials(meta.get("value")))
    return tuple(dict.fromkeys(found))


def serials_from_hub(line: Mapping[str, Any], key: str) -> tuple[tuple[str, ...], int | None]:
    """Read the serials that we wrote on a line, and the id of that entry."""
    for meta in records(line, "meta_data"):
        if meta.get("key") == key:
            return tuple(_read_back(meta.get("value"))), meta.get("id")
    return (), None


def serials_as_text(serials: Sequence[str]) -> str:
    """Write serials for people; as a JSON list where one holds what stands between serials."""
    text = ", ".join(serials)
    return text if _serials(text) == list(serials) else json.dumps(serials, ensure_ascii=False)


def _read_back(value: Any) -> list[str]:
    """Read what `serials_as_text` wrote, or what somebody made of it."""
    if isinstance(value, str) and value.startswith("["):
        try:
            return [str(each) for each in parsed_json(value)]
        except ValueError:
            pass  # typed by somebody, or a serial that begins so
    return _serials(value)


def _serials(value: Any) -> list[str]:
    if isinstance(value, list):
        return [serial for each in value for serial in _serials(each)]
    if isinstance(value, dict):
        return [serial for each in value.values() for serial in _serials(each)]
    if isinstance(value, bool) or not isinstance(value, str | int):
        return []
    return [word.strip() for word in _BETWEEN_SERIALS.split(str(value)) if word.strip()]


def normalize_key(words: str) -> str:
    """Write ``_Serial-Number`` and ``serial number`` alike."""
    return " ".join(_BETWEEN_WORDS.split(words.strip("_- \t").casefold()))


def parse_quantity(product: Mapping[str, Any]) -> int | None:
    """Read what a product or a variation shows; None where it does not count its own stock."""
    if product.get("manage_stock") is not True:  # a variation may say "parent"
        return None
    return math.floor(Decimal(text(product, "stock_quantity", "0") or "0"))


def parse_item_error(item: Mapping[str, Any]) -> ConnectorError | None:
    """Read the error that a batch gives for one of its items, with status 200."""
    error = item.get("error")
    if not error:
        return None
    code, data = str(error.get("code") or ""), error.get("data")
    status = data.get("status") if isinstance(data, dict) else None
    message = f"{status or ''} {code} {error.get('message', '')}".strip()[:ERROR_TEXT_CHARS_MAX]
    if status == 404 or "invalid_id" in code:
        return NotFound(message)
    if isinstance(status, int) and status >= 500:
        return Transient(message)
    return Rejected(message)


def order_refs(topic: str, body: bytes) -> Sequence[OrderRef]:
    """Name the order of ``order.*``."""
    if not topic.startswith("order."):
        return ()
    try:
        payload = parsed_json(body)
    except ValueError:
        return ()
    named = payload.get("id") if isinstance(payload, dict) else None
    return (OrderRef(str(named), deleted=topic == "order.deleted"),) if named else ()
