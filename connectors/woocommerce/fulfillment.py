"""Shipments pushed to WooCommerce: serials on the lines, the state, and a note."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connectors.errors import NotFound
from connectors.remote import RemoteApi
from connectors.shipments import require_serials
from connectors.toolkit.records import Record
from connectors.woocommerce.mapping import (
    expect_list,
    expect_object,
    serials_as_text,
    serials_from_hub,
)
from connectors.woocommerce.returns import attach_refunds, unsent_units
from hub.vocabulary import Fulfillment

# An order that waits for its money keeps that state, also when somebody let it leave.
SHIPPABLE = frozenset({"processing"})


async def push_fulfillment(
    api: RemoteApi, fulfillment: Fulfillment, key: str, notify: bool
) -> None:
    """Write serials, then the note. Safe to repeat: both are looked at first."""
    require_serials(fulfillment)
    path = f"/orders/{quote(fulfillment.order_ref, safe='')}"
    order = Record(dict(expect_object(await api.json("GET", path))))
    await attach_refunds(api, order)
    change = build_order_update(order, fulfillment, key)
    if change:
        await api.json("PUT", path, json=change)
    mark = f"[{fulfillment.reference}]"
    notes = expect_list(await api.json("GET", f"{path}/notes"))
    if not any(mark in str(note.get("note")) for note in notes):
        note = {"note": f"{_words(fulfillment)} {mark}", "customer_note": notify}
        await api.json("POST", f"{path}/notes", json=note)


def build_order_update(
    order: Mapping[str, Any], fulfillment: Fulfillment, key: str
) -> dict[str, Any]:
    """Build what is to change on the order; empty where everything is known already."""
    lines = {str(line["id"]): line for line in order.get("line_items") or []}
    note = {ref: serials_from_hub(line, key) for ref, line in lines.items()}
    changed, left = list[dict[str, Any]](), {ref: set(each[0]) for ref, each in note.items()}
    for line in fulfillment.lines:
        if line.order_line_ref not in lines:
            raise NotFound(f"the order has no line {line.order_line_ref}")
        known, meta_id = note[line.order_line_ref]
        merged = tuple(dict.fromkeys((*known, *line.serials)))
        left[line.order_line_ref] = set(merged)
        if merged != known:
            entry: dict[str, Any] = {"key": key, "value": serials_as_text(merged)}
            if meta_id is not None:  # without it, a second entry would stand beside the first
                entry["id"] = meta_id
            changed.append({"id": int(line.order_line_ref), "meta_data": [entry]})
    change: dict[str, Any] = {"line_items": changed} if changed else {}
    unsent = unsent_units(order, key)
    complete = all(
        len(left[ref]) >= (line.get("quantity") or 0) - unsent.get(ref, 0)
        for ref, line in lines.items()
        if ref not in fulfillment.other_line_refs
    )
    if complete and order.get("status") in SHIPPABLE:
        change["status"] = "completed"
    return change


def _words(fulfillment: Fulfillment) -> str:
    units = sum(len(line.serials) for line in fulfillment.lines)
    note = f"Shipped {units} {'unit' if units == 1 else 'units'}"
    if fulfillment.carrier:
        note += f" with {fulfillment.carrier}"
    if fulfillment.tracking:
        note += f", tracking {fulfillment.tracking}"
    return f"{note}."
