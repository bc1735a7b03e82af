"""Shipments pushed to Square: the state of the shipment, and the serials as a custom attribute."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from connectors.errors import Conflict, NotFound, Rejected
from connectors.remote import RemoteApi
from connectors.shipments import require_serials
from connectors.square.mapping import KeyReused, call, digest, parse_error
from connectors.toolkit.json_fields import parsed_json, whole
from hub.vocabulary import Fulfillment

ATTRIBUTE = "serial-hub-serials"
ATTRIBUTE_SCHEMA = (
    "https://developer-production-s.squarecdn.com/schemas/v1/common.json#squareup.common.String"
)
ATTRIBUTE_CHARS_MAX = 1000
METADATA_KEY = "serial_hub"
METADATA_CHARS_MAX = 255
ENDED = frozenset({"COMPLETED", "CANCELED", "FAILED"})

Serials = dict[str, tuple[str, ...]]


async def push_fulfillment(api: RemoteApi, fulfillment: Fulfillment) -> None:
    """Move the shipment and name the serials. Safe to repeat: both are looked at first."""
    require_serials(fulfillment)
    path = f"/v2/orders/{quote(fulfillment.order_ref, safe='')}"
    order = (await call(api, "GET", path))["order"]
    known, version = await _recorded(api, path)
    serials = dict(known)
    for line in fulfillment.lines:
        merged = dict.fromkeys((*serials.get(line.order_line_ref, ()), *line.serials))
        serials[line.order_line_ref] = tuple(merged)
    if (shipment := build_shipment_update(order, serials, fulfillment)) is not None:
        change = {
            "location_id": order["location_id"],
            "version": order["version"],
            "fulfillments": [shipment],
        }
        # The version moves when this is done: a repeat finds our reference in the metadata.
        key = digest(fulfillment.reference, str(order["version"]))
        try:
            await call(api, "PUT", path, json={"order": change, "idempotency_key": key})
        except KeyReused as error:
            raise Conflict(str(error)) from error
    if serials != known:
        await _record(api, fulfillment, serials, version)


def build_shipment_update(
    order: Mapping[str, Any], serials: Mapping[str, Sequence[str]], fulfillment: Fulfillment
) -> dict[str, Any] | None:
    """Build the change of the shipment that our units belong to; None where there is none to make.

    `serials` is everything of the order that has left. An order that the till made has no version
    and takes no change, nor does one that has ended.
    """
    if order.get("version") is None or order.get("state") != "OPEN":
        return None
    reference = fulfillment.reference[:METADATA_CHARS_MAX]
    shipments = [each for each in order.get("fulfillments") or [] if each["type"] == "SHIPMENT"]
    if any((each.get("metadata") or {}).get(METADATA_KEY) == reference for each in shipments):
        return None
    ours = {line.order_line_ref for line in fulfillment.lines}
    for each in shipments:
        wanted = _quantities(order, each)
        if each.get("state") in ENDED or not ours & set(wanted):
            continue
        complete = all(len(serials.get(line, ())) >= count for line, count in wanted.items())
        details = {
            "carrier": (fulfillment.carrier or "")[:50],
            "tracking_number": (fulfillment.tracking or "")[:100],
        }
        return {
            "uid": each["uid"],
            "type": "SHIPMENT",
            "state": "COMPLETED" if complete else "PREPARED",
            "shipment_details": {name: value for name, value in details.items() if value},
            "metadata": {**(each.get("metadata") or {}), METADATA_KEY: reference},
        }
    return None


def _quantities(order: Mapping[str, Any], shipment: Mapping[str, Any]) -> dict[str, int]:
    """Say how many units of which line a shipment is to carry."""
    if shipment.get("entries") is not None:
        entries = shipment["entries"]
        return {each["line_item_uid"]: whole(each, "quantity") for each in entries}
    return {line["uid"]: whole(line, "quantity") for line in order.get("line_items") or []}


def attribute_value(serials: Mapping[str, Sequence[str]]) -> str:
    """Write serials by line as the attribute's text, as many as it can hold."""
    kept = {line: list(named) for line, named in serials.items()}
    left_out = 0
    while True:
        stated: dict[str, Any] = {"serials": kept}
        if left_out:
            stated["left_out"] = left_out
        value = json.dumps(stated, separators=(",", ":"))
        longest = max(kept, key=lambda line: len(kept[line]), default=None)
        if len(value) <= ATTRIBUTE_CHARS_MAX or longest is None or not kept[longest]:
            return value
        kept[longest].pop()
        left_out += 1


async def _recorded(api: RemoteApi, order_path: str) -> tuple[Serials, int | None]:
    """Read the attribute: the serials by line, and its version."""
    try:
        answer = await call(api, "GET", f"{order_path}/custom-attributes/{ATTRIBUTE}")
    except NotFound:
        return {}, None
    attribute = answer.get("custom_attribute") or {}
    try:
        named = parsed_json(attribute.get("value") or "{}")["serials"]
        return {line: tuple(serials) for line, serials in named.items()}, attribute.get("version")
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}, attribute.get("version")  # somebody typed over it


async def _record(
    api: RemoteApi,
    fulfillment: Fulfillment,
    serials: Mapping[str, Sequence[str]],
    version: int | None,
) -> None:
    """Write the attribute, with its definition before the first."""
    value = attribute_value(serials)
    attribute: dict[str, Any] = {"key": ATTRIBUTE, "value": value}
    if version is not None:
        attribute["version"] = version
    upsert = {
        "order_id": fulfillment.order_ref,
        "custom_attribute": attribute,
        "idempotency_key": digest(fulfillment.reference, value),
    }
    try:
        await _upsert(api, upsert)
    except NotFound:
        await _define(api)
        await _upsert(api, upsert)


async def _upsert(api: RemoteApi, upsert: Mapping[str, Any]) -> None:
    path, body = "/v2/orders/custom-attributes/bulk-upsert", {"values": {"serials": upsert}}
    answer = await call(api, "POST", path, json=body, repeat=True)
    result = (answer.get("values") or {}).get("serials") or {}
    if result.get("errors"):
        raise parse_error(result)


async def _define(api: RemoteApi) -> None:
    definition = {
        "key": ATTRIBUTE,
        "name": "Serial numbers",
        "description": "Serial numbers of the units that were shipped, by order line.",
        "visibility": "VISIBILITY_READ_ONLY",
        "schema": {"$ref": ATTRIBUTE_SCHEMA},
    }
    body = {
        "custom_attribute_definition": definition,
        "idempotency_key": digest("definition", ATTRIBUTE),
    }
    try:
        path = "/v2/orders/custom-attribute-definitions"
        await call(api, "POST", path, json=body, repeat=True)
    except (Rejected, Conflict):
        return  # it exists: the next upsert says whether that was the trouble
