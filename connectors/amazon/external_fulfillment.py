"""External Fulfillment: a location's shipments are its orders, and their packages take serials.

Contract: External Fulfillment Shipments 2024-09-11 of `amzn/selling-partner-api-models`. A shipment
is what leaves a location together, so here it stands for the order. It is confirmed, its packages
are named with the serials of each line, a carrier of the seller's own is reported with its tracking
number, and the package is marked as shipped; each step is done only if the shipment shows that it
was not. What a carrier of Amazon's fetches gets its label there, before it leaves: of such a
shipment the packages and their serials are reported, the rest is Amazon's.

The list of shipments is by status, so a pass reads one status after the other, all of one window.
A shipment that changes meanwhile has changed after that window, and is in the next one.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from connectors.amazon.fulfillment import parcel_number
from connectors.amazon.mapping import next_token, request_object, serial_numbers
from connectors.amazon.shipment_money import with_money, with_price
from connectors.amazon.status_walk import next_page, window
from connectors.errors import NotOurs, Rejected
from connectors.remote import RemoteApi
from connectors.toolkit.cursors import IncrementalCursor, moment, stamp
from connectors.toolkit.json_fields import child, identity, nodes_of, records, text, whole
from connectors.toolkit.records import Batch, RecordReader
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import Fulfillment, Order, OrderLine, OrderState, Parcel

READER = RecordReader("order", ref="id")
SHIPMENTS = "/externalFulfillment/2024-09-11/shipments"
SHIPMENTS_PER_PAGE = 100
STATES = {
    "CREATED": OrderState.OPEN,
    "ACCEPTED": OrderState.OPEN,
    "CONFIRMED": OrderState.OPEN,
    "PACKAGE_CREATED": OrderState.OPEN,
    "PICKUP_SLOT_RETRIEVED": OrderState.OPEN,
    "INVOICE_GENERATED": OrderState.OPEN,
    "SHIPLABEL_GENERATED": OrderState.OPEN,
    "CANCELLED": OrderState.CANCELLED,
    "SHIPPED": OrderState.FULFILLED,
    "DELIVERED": OrderState.FULFILLED,
}
STATUSES = tuple(STATES)  # in the order in which a shipment passes through them
UNCONFIRMED = frozenset({"CREATED", "ACCEPTED"})
GONE = frozenset({"SHIPPED", "DELIVERED"})
LABELLED = GONE | {"SHIPLABEL_GENERATED"}
DISALLOWED, REQUIRED = "DISALLOWED", "REQUIRED"
OWN_CARRIER = "SELF"
Shipment = Mapping[str, Any]
Package = Mapping[str, Any]


class ExternalFulfillment(BaseModel):
    """The location whose shipments are served, and the parcel in which they leave."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    location_id: str = Field(min_length=1, max_length=36, description="As Amazon names it")
    length_cm: float = Field(gt=0)
    width_cm: float = Field(gt=0)
    height_cm: float = Field(gt=0)
    weight_g: float = Field(ge=5, description="Amazon takes no package of less than 5 grams")


class Location:
    """The shipments of one location."""

    def __init__(self, api: RemoteApi, settings: ExternalFulfillment) -> None:
        self._api = api
        self._settings = settings

    @property
    def id(self) -> str:
        """Return the location as Amazon names it."""
        return self._settings.location_id

    async def check(self) -> None:
        """Read one shipment that is new."""
        await self._page("ACCEPTED", maxResults="1")

    async def pull(
        self, position: IncrementalCursor
    ) -> tuple[Batch[Order], IncrementalCursor, bool]:
        """Read the next page of a pass: its shipments, what comes after it, and whether at once."""
        ends = window(position, "lastUpdatedAfter", "lastUpdatedBefore")
        asked = {name: stamp(at) for name, at in ends.items()}

        async def ask(status: str, token: str) -> tuple[Sequence[Any], str]:
            return await self._listed(status, asked, token)

        found, position, more = await next_page(position, STATUSES, ask, READER, changed_at)
        return READER.each(found, self._ours), position, more

    async def placed(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every shipment that was created in the window."""
        for status in STATUSES:
            token = ""
            while True:
                # What was created in the window has changed in it, or later.
                asked = {"lastUpdatedAfter": stamp(since - timedelta(seconds=1))}
                shipments, token = await self._listed(status, asked, token)
                orders = READER.each(shipments, self._ours)
                for order in orders.items:
                    if since <= order.placed_at <= until:
                        yield order
                for unreadable in orders.unreadable:
                    yield unreadable
                if not token:
                    break

    async def read(self, ref: str) -> Order:
        """Read one shipment."""
        return READER.one(await self.shipment(ref), parse_order, ref)

    def _ours(self, shipment: Shipment) -> Order | None:
        """Read a shipment; None for one of another location."""
        here = shipment.get("locationId") in (None, self._settings.location_id)
        return parse_order(shipment) if here else None

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Name the packages of a shipment and their serials, and report that they left.

        Amazon takes the packages of a shipment together: before the last parcel left, nothing is
        reported. Returns what was done, for people.
        """
        shipment = await self.shipment(fulfillment.order_ref)
        if shipment["status"] == "CANCELLED":
            raise Rejected("the shipment was cancelled at Amazon")
        parcels: list[Fulfillment | Parcel] = [fulfillment, *fulfillment.other_parcels]
        parcels = sorted((each for each in parcels if each.lines), key=lambda each: each.reference)
        if missing := _missing(shipment, parcels):
            return f"Amazon shipment {fulfillment.order_ref} waits for {missing} more units"
        wanted = [self._package(shipment, each) for each in parcels]
        known: Sequence[Package] = _known(shipment, wanted)
        if not known:
            await self._confirm(shipment)
            path = f"{_path(shipment)}/packages"
            await self._api.request("POST", path, json={"packages": wanted})
            known = wanted
        for there, package, parcel in zip(known, wanted, parcels, strict=True):
            await self._told(shipment, there, package, parcel)
        return f"Amazon shipment {fulfillment.order_ref}"

    async def _told(
        self, shipment: Shipment, there: Package, wanted: Package, parcel: Fulfillment | Parcel
    ) -> None:
        """Correct the serials of a package that is there, and report that it left."""
        if _serials(there) != _serials(wanted):
            if there.get("status") in GONE or shipment["status"] in GONE:
                raise Rejected("the package has left with other serials than these")
            there = {**there, "packageLineItems": wanted["packageLineItems"]}
            path = f"{_path(shipment)}/packages/{quote(there['id'], safe='')}"
            # One that is left out stays as it is: its state is not for a change of its content.
            content = {name: value for name, value in there.items() if name != "status"}
            await self._api.request("PUT", path, json=content)
        if (shipment.get("shippingInfo") or {}).get("shippingType") == OWN_CARRIER:
            await self._leave(shipment, there, parcel)

    async def _confirm(self, shipment: Shipment) -> None:
        if shipment["status"] not in UNCONFIRMED:
            return
        lines = [
            {"lineItem": {"id": line["shipmentLineItemId"], "quantity": _quantity(line)}}
            for line in shipment["lineItems"]
            if _quantity(line)
        ]
        asked = {"operation": "CONFIRM"}
        await self._api.request("POST", _path(shipment), params=asked, json={"lineItems": lines})

    async def _leave(
        self, shipment: Shipment, package: Package, left: Fulfillment | Parcel
    ) -> None:
        """Tell carrier and tracking number of a package, and that it left."""
        status = package.get("status")
        if status not in LABELLED:
            invoice = (shipment.get("shipmentRequirements") or {}).get("invoice") or {}
            if invoice.get("requirement") == REQUIRED and invoice.get("status") != "AVAILABLE":
                raise Rejected("Amazon wants an invoice before the label: generate it there first")
            if not (left.tracking and left.carrier):
                raise Rejected("Amazon takes no shipment without a carrier and a tracking number")
            carrier = {"carrierName": left.carrier, "trackingId": left.tracking}
            body = {"packageIds": [package["id"]], "courierSupportedAttributes": carrier}
            answer = await request_object(
                self._api,
                "PUT",
                f"{_path(shipment)}/shipLabels",
                params={"operation": "GENERATE"},
                json=body,
                repeat=False,  # a second one would have to be a REGENERATE
            )
            for label in answer.get("packageShipLabelList") or []:
                if label.get("status") == "FAILURE":
                    message = label.get("errorDetails") or {}
                    raise Rejected(
                        f"label: {message.get('code') or ''} {message.get('message') or ''}"
                    )
        if status not in GONE:
            path = f"{_path(shipment)}/packages/{quote(package['id'], safe='')}"
            await self._api.request("PATCH", path, json={"status": "SHIPPED"})

    def _package(self, shipment: Shipment, left: Fulfillment | Parcel) -> dict[str, Any]:
        """Describe the package of one parcel."""
        lines = {line["shipmentLineItemId"]: line for line in shipment["lineItems"]}
        serials = {line.order_line_ref: line.serials for line in left.lines if line.serials}
        sides = (self._settings.length_cm, self._settings.width_cm, self._settings.height_cm)
        return {
            "id": parcel_number(left.reference),
            "dimensions": {
                name: {"value": _decimal(side), "dimensionUnit": "CM"}
                for name, side in zip(("length", "width", "height"), sides, strict=True)
            },
            "weight": {"value": _decimal(self._settings.weight_g), "weightUnit": "G"},
            "hazmatLabels": sorted(
                {label for ref in serials for label in lines[ref].get("hazmatLabels") or ()}
            ),
            "packageLineItems": [_item(lines[ref], named) for ref, named in serials.items()],
        }

    async def shipment(self, ref: str) -> Shipment:
        """Return a shipment as Amazon has it now; raises NotOurs for one of another location."""
        shipment = await request_object(self._api, "GET", f"{SHIPMENTS}/{quote(ref, safe='')}")
        if shipment.get("locationId") != self._settings.location_id:
            raise NotOurs(f"shipment {ref} is of another location")
        return shipment

    async def _listed(
        self, status: str, asked: Mapping[str, str], token: str
    ) -> tuple[Sequence[Any], str]:
        page = {"paginationToken": token} if token else {}
        answer = await self._page(status, maxResults=str(SHIPMENTS_PER_PAGE), **asked, **page)
        return nodes_of(answer, "shipments", required=False), next_token(answer) or ""

    async def _page(self, status: str, **asked: str) -> Mapping[str, Any]:
        params = {"locationId": self._settings.location_id, "status": status, **asked}
        return await request_object(self._api, "GET", SHIPMENTS, params=params)


def parse_order(shipment: Shipment) -> Order:
    """Read a shipment as the order that it is to its location. Who bought it stays at Amazon."""
    status = str(shipment.get("status") or "")
    lines = records(shipment, "lineItems", required=True)
    read = Order(
        ref=identity(shipment, "id"),
        number=text(child(shipment, "shipmentInfo"), "buyerOrderId") or identity(shipment, "id"),
        state=STATES.get(status, OrderState.OPEN),
        remote_state=status,
        lines=tuple(_line(shipment, line) for line in lines),
        placed_at=moment(shipment["creationDateTime"]),
        updated_at=changed_at(shipment),
    )
    return with_money(read, shipment, lines)


def changed_at(shipment: Shipment) -> datetime:
    """Return when a shipment changed last."""
    return moment(shipment["lastUpdatedDateTime"])


def _line(shipment: Shipment, line: Mapping[str, Any]) -> OrderLine:
    ref, quantity, fulfilled = identity(line, "shipmentLineItemId"), _quantity(line), 0
    serials = list(serial_numbers(line))
    for package in _live(shipment):
        for item in records(package, "packageLineItems"):
            if item.get("packageLineItemId") == ref:
                serials += serial_numbers(item)
                fulfilled += whole(item, "quantity") if package.get("status") in GONE else 0
    read = OrderLine(
        ref=ref,
        sku=text(line, "merchantSku"),
        quantity=quantity,
        fulfilled=quantity if shipment.get("status") in GONE else min(fulfilled, quantity),
        serials=tuple(dict.fromkeys(serials)),
    )
    return with_price(read, line)


def _item(line: Mapping[str, Any], serials: Sequence[str]) -> dict[str, Any]:
    """Describe one line of a package: with its serials, unless Amazon says that it takes none."""
    rules = line.get("complianceAttributes") or {}
    item: dict[str, Any] = {
        "packageLineItemId": line["shipmentLineItemId"],
        "quantity": len(serials),
    }
    if rules.get("serialNumberRequirement") != DISALLOWED:
        item["serialNumbers"] = list(serials)
    for name in ("countryOfOrigin", "itemValue"):
        if rules.get(f"{name}Requirement") == REQUIRED:
            if not line.get(name):
                sku = line.get("merchantSku")
                raise Rejected(f"Amazon wants the {name} of {sku}: name it there first")
            item[name] = line[name]
    return item


def _missing(shipment: Shipment, parcels: Sequence[Fulfillment | Parcel]) -> int:
    """Count the units of a shipment that have not left.

    Raises Rejected where more left of a line than it has, or something that it does not have.
    """
    packed: Counter[str] = Counter()
    for parcel in parcels:
        packed.update({line.order_line_ref: len(line.serials) for line in parcel.lines})
    there = {line["shipmentLineItemId"]: _quantity(line) for line in shipment["lineItems"]}
    for ref, units in packed.items():
        if units > there.get(ref, 0):
            message = f"line {ref} has {there.get(ref, 0)} units and {units} are packed"
            raise Rejected(f"a shipment leaves Amazon's location as a whole: {message}")
    return sum(there.values()) - packed.total()


def _known(shipment: Shipment, wanted: Sequence[Package]) -> list[Package]:
    """Find the packages that are there, in the order of those wanted; none where none is.

    A package is ours by its id, or by its content, if somebody else packed the same.
    """
    there = {str(each.get("id")): each for each in _live(shipment)}
    if not there:
        return []
    found = {each["id"]: there.pop(each["id"]) for each in wanted if each["id"] in there}
    for each in wanted:
        if each["id"] not in found:
            same = next((ref for ref in there if _content(there[ref]) == _content(each)), None)
            if same is None:
                break
            found[each["id"]] = there.pop(same)
    if there or len(found) < len(wanted):
        raise Rejected("the shipment was packed otherwise at Amazon: name its serials there")
    return [found[each["id"]] for each in wanted]


def _live(shipment: Shipment) -> list[Package]:
    packages = records(shipment, "packages")
    return [each for each in packages if each.get("status") != "CANCELLED"]


def _content(package: Package) -> dict[str, int]:
    items = package.get("packageLineItems") or []
    return {each["packageLineItemId"]: int(each["quantity"]) for each in items}


def _serials(package: Package) -> dict[str, frozenset[str]]:
    items = package.get("packageLineItems") or []
    return {each["packageLineItemId"]: frozenset(each.get("serialNumbers") or ()) for each in items}


def _quantity(line: Mapping[str, Any]) -> int:
    """Count the units of a line, less what was cancelled of it."""
    cancelled = sum(whole(each, "cancelledQuantity") for each in records(line, "cancellations"))
    return max(0, whole(line, "numberOfUnits") - cancelled)


def _decimal(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")


def _path(shipment: Shipment) -> str:
    return f"{SHIPMENTS}/{quote(shipment['id'], safe='')}"
