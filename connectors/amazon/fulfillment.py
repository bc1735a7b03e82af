"""Shipments pushed to Amazon: confirmations, or bookings of Easy Ship parcels.

A confirmation has no place for serials. Easy Ship has: what is booked with serials carries them
into the warranty document that Amazon prints. It is booked once; serials can not be added later.
"""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from connectors.amazon.mapping import CONFIRMATIONS, EASY_SHIP, ORDERS, operation_of, request_object
from connectors.errors import Conflict, NotFound, Rejected
from connectors.remote import RemoteApi
from connectors.toolkit.cursors import moment, stamp
from hub.vocabulary import Fulfillment

EASY_SHIP_PROGRAM = "AMAZON_EASY_SHIP"
CARRIERS = frozenset(
    [
        "UPS",
        "USPS",
        "FedEx",
        "DHL",
        "DPD",
        "GLS",
        "Hermes",
        "TNT",
        "OnTrac",
        "LaserShip",
        "Yamato",
        "Correos",
        "SEUR",
        "Chronopost",
        "Colissimo",
        "BRT",
    ]
)
CARRIERS_BY_WORD = {name.upper(): name for name in CARRIERS}
REFERENCE_DIGITS = 9
SERIALS_MAX = 100  # of one item in one Easy Ship parcel
SERIAL_CHARS_MAX = 255


class EasyShipParcel(BaseModel):
    """The parcel in which a seller hands over Easy Ship orders."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    length_cm: float = Field(gt=0)
    width_cm: float = Field(gt=0)
    height_cm: float = Field(gt=0)
    weight_g: float = Field(gt=0)
    handover: str = Field("PICKUP", pattern="^(PICKUP|DROPOFF)$")


async def fetch_order(api: RemoteApi, ref: str, included: str) -> Mapping[str, Any]:
    """Read one order as Amazon has it now."""
    path = f"{ORDERS}/{quote(ref, safe='')}"
    answer = await request_object(api, "GET", path, params={"includedData": included})
    order: Mapping[str, Any] = answer["order"]
    return order


async def push_fulfillment(
    api: RemoteApi, fulfillment: Fulfillment, parcel: EasyShipParcel | None
) -> None:
    """Report one shipment, unless Amazon knows of it."""
    order = await fetch_order(api, fulfillment.order_ref, "FULFILLMENT,PACKAGES")
    marketplace = (order.get("salesChannel") or {}).get("marketplaceId") or ""
    if EASY_SHIP_PROGRAM in (order.get("programs") or []):
        await _book(api, fulfillment, marketplace, parcel)
    else:
        await _confirm(api, fulfillment, order, marketplace)


def parcel_number(reference: str) -> str:
    """Turn our reference into the positive number by which Amazon knows a parcel of an order."""
    number = int(hashlib.sha256(reference.encode()).hexdigest(), 16)
    return str(number % (9 * 10 ** (REFERENCE_DIGITS - 1)) + 10 ** (REFERENCE_DIGITS - 1))


async def _confirm(
    api: RemoteApi, fulfillment: Fulfillment, order: Mapping[str, Any], marketplace: str
) -> None:
    reference = parcel_number(fulfillment.reference)
    known = order.get("packages") or []
    if any(str(each.get("packageReferenceId")) == reference for each in known):
        return
    if not fulfillment.tracking:
        raise Rejected("Amazon takes no shipment without a tracking number")
    path = f"{CONFIRMATIONS}/{quote(fulfillment.order_ref, safe='')}/shipmentConfirmation"
    named = (fulfillment.carrier or "").strip()
    carrier = CARRIERS_BY_WORD.get(named.upper())
    package: dict[str, Any] = {
        "packageReferenceId": reference,
        "carrierCode": carrier or "Other",
        "trackingNumber": fulfillment.tracking,
        # Never before the order, whatever our clocks say.
        "shipDate": stamp(max(fulfillment.shipped_at, moment(order["createdTime"]))),
        "orderItems": [
            {"orderItemId": line.order_line_ref, "quantity": line.units}
            for line in fulfillment.lines
        ],
    }
    if carrier is None:
        package["carrierName"] = named or "Other"
    body = {"marketplaceId": marketplace, "packageDetail": package}
    await api.request("POST", path, json=body, operation=operation_of("POST", path))


async def _book(
    api: RemoteApi, fulfillment: Fulfillment, marketplace: str, parcel: EasyShipParcel | None
) -> None:
    ours = {line.order_line_ref: line.serials for line in fulfillment.lines}
    asked = {"amazonOrderId": fulfillment.order_ref, "marketplaceId": marketplace}
    try:
        known = await request_object(api, "GET", f"{EASY_SHIP}/package", params=asked)
    except NotFound:
        known = {}
    if known:
        there = {
            each.get("orderItemId"): set(each.get("orderItemSerialNumbers") or ())
            for each in known.get("packageItems") or []
        }
        if any(not set(serials) <= there.get(ref, set()) for ref, serials in ours.items()):
            raise Rejected("the parcel was booked without these serials: Amazon adds none later")
        return
    if parcel is None:
        raise Rejected("an Easy Ship order: the settings name no easy_ship parcel to book")
    if any(len(s) > SERIALS_MAX or max(map(len, s)) > SERIAL_CHARS_MAX for s in ours.values()):
        raise Rejected(f"Easy Ship takes {SERIALS_MAX} serials of {SERIAL_CHARS_MAX} letters")
    size = {"length": parcel.length_cm, "width": parcel.width_cm, "height": parcel.height_cm}
    wanted = {
        **asked,
        "packageDimensions": {**size, "unit": "cm"},
        "packageWeight": {"value": parcel.weight_g, "unit": "g"},
    }
    found = await request_object(api, "POST", f"{EASY_SHIP}/timeSlot", json=wanted, repeat=True)
    slots = [
        each
        for each in found.get("timeSlots") or []
        if each.get("handoverMethod", parcel.handover) == parcel.handover
    ]
    if not slots:
        raise Conflict(f"Amazon offers no time for {parcel.handover} of this parcel now")
    first = min(slots, key=lambda each: str(each.get("startTime") or ""))
    names = ("slotId", "startTime", "endTime", "handoverMethod")
    items = [
        {"orderItemId": ref, "orderItemSerialNumbers": list(serials)}
        for ref, serials in ours.items()
    ]
    details = {
        "packageItems": items,
        "packageTimeSlot": {name: first[name] for name in names if name in first},
        "packageIdentifier": parcel_number(fulfillment.reference),
    }
    await request_object(
        api, "POST", f"{EASY_SHIP}/package", json={**asked, "packageDetails": details}
    )
