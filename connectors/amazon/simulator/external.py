"""Amazon's External Fulfillment: the shipments of a location, step by step from new to delivered.

It keeps the order of the steps: nothing is packed before it was confirmed, nothing gets a label
before it is packed, nothing that left is packed otherwise. Packages are reported once, all
together.
A list of shipments is by one status, and its token is good for the same question only.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

SHIPMENTS = "/externalFulfillment/2024-09-11/shipments"
STATUSES = (
    "CREATED",
    "ACCEPTED",
    "CONFIRMED",
    "PACKAGE_CREATED",
    "PICKUP_SLOT_RETRIEVED",
    "INVOICE_GENERATED",
    "SHIPLABEL_GENERATED",
    "SHIPPED",
    "DELIVERED",
    "CANCELLED",
)
PAGE_MAX = 100
GRAMS_MIN = 5
NOTHING = {"value": "0", "currencyCode": "INR"}
CHARGE = {"baseAmount": NOTHING, "discountAmount": NOTHING, "netAmount": NOTHING}
CHARGES = [
    {
        "chargeType": "TOTAL",
        "baseCharge": CHARGE,
        "totalCharge": CHARGE,
        "totalTax": {"type": "TOTAL", "charge": CHARGE},
    }
]
Record = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


class LocationDesk:
    """The shipments of one seller's locations. `shipments` and `labels` may be looked at."""

    def __init__(self, next_id: Callable[[], int], stamp: Callable[[], str]) -> None:
        self.location = "LOC1"
        self.shipments: dict[str, Record] = {}
        self.labels: dict[str, Record] = {}
        self.tokens: dict[str, tuple[dict[str, str], int]] = {}
        self.refuses_labels = ""
        self._next_id, self._stamp = next_id, stamp

    def place(
        self,
        quantities: Mapping[str, int],
        *,
        status: str = "ACCEPTED",
        shipping: str = "SELF",
        rules: Mapping[str, str] | None = None,
        **more: Any,
    ) -> str:
        """Send a new shipment to the location. Returns its id."""
        ref = f"S-{self._next_id()}"
        wants = {
            f"{name}Requirement": (rules or {}).get(name, "DISALLOWED")
            for name in ("hazmatLabels", "countryOfOrigin", "itemValue")
        }
        wants["serialNumberRequirement"] = (rules or {}).get("serialNumber", "REQUIRED")
        self.shipments[ref] = {
            "id": ref,
            "locationId": self.location,
            "marketplaceAttributes": {"marketplaceId": "A21TJRUUN4KGV", "channelName": "MFN"},
            "shipmentInfo": {
                "shipmentType": "NEW",
                "numberOfUnits": sum(quantities.values()),
                "priority": "LOW",
                "buyerOrderId": f"407-{self._next_id():07}-{self._next_id():07}",
            },
            "shipmentRequirements": {
                "pSlip": {"requirement": "NOT_REQUIRED"},
                "invoice": {"requirement": "NOT_REQUIRED", "status": "NOT_AVAILABLE"},
            },
            "charges": CHARGES,
            "status": status,
            "lineItems": [
                {
                    "shipmentLineItemId": str(number),
                    "merchantSku": sku,
                    "numberOfUnits": quantity,
                    "complianceAttributes": wants,
                    "charges": CHARGES,
                }
                for number, (sku, quantity) in enumerate(quantities.items(), start=1)
            ],
            "shippingInfo": {
                "expectedShippingDateTimeInUTC": self._stamp(),
                "shippingType": shipping,
                "shipToAddress": {
                    "name": "A Buyer",
                    "addressLine1": "1st Main Rd",
                    "postalCode": "560055",
                },
            },
            "creationDateTime": self._stamp(),
            "lastUpdatedDateTime": self._stamp(),
            **more,
        }
        return ref

    def change(self, ref: str, status: str) -> None:
        """Let something happen to a shipment."""
        shipment = self.shipments[ref]
        shipment |= {"status": status, "lastUpdatedDateTime": self._stamp()}
        if status == "CANCELLED":
            for line in shipment["lineItems"]:
                line["cancellations"] = [
                    {
                        "cancelledQuantity": line["numberOfUnits"],
                        "cancelledTimestamp": self._stamp(),
                        "cancellationType": "MARKETPLACE_CANCELLED",
                    }
                ]

    def table(self) -> list[tuple[str, str, Handler]]:
        """Return what is asked with a token."""
        one = f"{SHIPMENTS}/{{id}}"
        return [
            ("GET", SHIPMENTS, self._list),
            ("GET", one, self._show),
            ("POST", one, self._process),
            ("POST", f"{one}/packages", self._pack),
            ("PUT", f"{one}/packages/{{package}}", self._repack),
            ("PATCH", f"{one}/packages/{{package}}", self._move),
            ("PUT", f"{one}/shipLabels", self._label),
        ]

    async def _list(self, request: Request) -> Response:
        asked = dict(request.query_params)
        token, size = asked.pop("paginationToken", None), int(asked.get("maxResults", "10"))
        if asked.get("status") not in STATUSES or not 1 <= size <= PAGE_MAX:
            return _failed("Invalid input")
        start = 0
        if token is not None:
            question, start = self.tokens.get(token, ({}, 0))
            if question != asked:
                return _failed("Invalid pagination token")
        found = [
            each
            for each in self.shipments.values()
            if each["status"] == asked["status"]
            and each["locationId"] == asked.get("locationId", each["locationId"])
            and each["lastUpdatedDateTime"] > asked.get("lastUpdatedAfter", "")
            and each["lastUpdatedDateTime"] < asked.get("lastUpdatedBefore", "9")
        ]
        answer: Record = {"shipments": found[start : start + size], "pagination": {}}
        if len(found) > start + size:
            following = f"page-{self._next_id()}"
            self.tokens[following] = (asked, start + size)
            answer["pagination"] = {"nextToken": following}
        return JSONResponse(answer)

    async def _show(self, request: Request) -> Response:
        shipment = self._of(request)
        return JSONResponse(shipment) if shipment else _failed("No such shipment", 404)

    async def _process(self, request: Request) -> Response:
        shipment, asked = self._of(request), await request.json()
        if shipment is None:
            return _failed("No such shipment", 404)
        if request.query_params.get("operation") != "CONFIRM":
            return _failed("Invalid input for parameter 'operation'")
        if shipment["status"] not in ("CREATED", "ACCEPTED"):
            return _failed(f"A shipment that is {shipment['status']} can not be confirmed")
        named = {
            each["lineItem"]["id"]: each["lineItem"]["quantity"] for each in asked["lineItems"]
        }
        if named != _units(shipment):
            return _failed("Partial confirmation is not supported")
        self.change(shipment["id"], "CONFIRMED")
        return Response(status_code=204)

    async def _pack(self, request: Request) -> Response:
        shipment, packages = self._of(request), (await request.json())["packages"]
        if shipment is None:
            return _failed("No such shipment", 404)
        if shipment["status"] != "CONFIRMED":
            return _failed(f"A shipment that is {shipment['status']} takes no packages")
        if len({each["id"] for each in packages}) != len(packages):
            return _failed("A package id is not unique")
        return self._packed(shipment, [{**each, "status": "CREATED"} for each in packages])

    async def _repack(self, request: Request) -> Response:
        shipment, package = self._of(request), await request.json()
        old = self._package(request)
        if shipment is None or old is None:
            return _failed("No such package", 404)
        if package["id"] != old["id"] or old["status"] in ("SHIPPED", "DELIVERED"):
            return _failed(f"A package that is {old['status']} can not be changed")
        changed = {**package, "status": old["status"]}
        packages = [changed if each is old else each for each in shipment["packages"]]
        return self._packed(shipment, packages)

    def _packed(self, shipment: Record, packages: list[Record]) -> Response:
        units = dict.fromkeys(_units(shipment), 0)
        lines = {each["shipmentLineItemId"]: each for each in shipment["lineItems"]}
        for package in packages:
            if float(package["weight"]["value"]) < GRAMS_MIN:
                return _failed("The package must weigh at least 5 grams")
            for item in package["packageLineItems"]:
                ref, serials = item["packageLineItemId"], item.get("serialNumbers") or []
                if ref not in units:
                    return _failed(f"No line item {ref}")
                units[ref] += item["quantity"]
                if problem := _broken(lines[ref]["complianceAttributes"], item, serials):
                    return _failed(problem)
        if units != _units(shipment):
            return _failed("The packages do not hold what the shipment holds")
        shipment["packages"] = packages
        if shipment["status"] == "CONFIRMED":
            self.change(shipment["id"], "PACKAGE_CREATED")
        else:
            self.change(shipment["id"], shipment["status"])
        return Response(status_code=204)

    async def _label(self, request: Request) -> Response:
        shipment, asked = self._of(request), await request.json()
        if shipment is None:
            return _failed("No such shipment", 404)
        wanted = [p for p in shipment.get("packages", []) if p["id"] in asked["packageIds"]]
        invoice = shipment["shipmentRequirements"]["invoice"]
        if len(wanted) != len(asked["packageIds"]):
            return _failed("No such package", 404)
        if invoice["requirement"] == "REQUIRED" and invoice["status"] != "AVAILABLE":
            return _failed("The invoice is not generated")
        if any(each["status"] == "SHIPLABEL_GENERATED" for each in wanted):
            return _failed("The label is generated already")
        labels = []
        for package in wanted:
            carrier = asked["courierSupportedAttributes"]
            label: Record = {"packageId": package["id"], "status": "SUCCESS"}
            label["shipLabelMetadata"] = carrier
            if self.refuses_labels:
                error = {"code": "00001", "message": self.refuses_labels}
                label |= {"status": "FAILURE", "errorDetails": error}
            else:
                self.labels[package["id"]] = carrier
                package["status"] = "SHIPLABEL_GENERATED"
            labels.append(label)
        if not self.refuses_labels:
            self.change(shipment["id"], "SHIPLABEL_GENERATED")
        return JSONResponse({"packageShipLabelList": labels})

    async def _move(self, request: Request) -> Response:
        shipment, package = self._of(request), self._package(request)
        asked = await request.json()
        if shipment is None or package is None:
            return _failed("No such package", 404)
        if asked.get("status") != "SHIPPED" or package["status"] != "SHIPLABEL_GENERATED":
            return _failed(f"A package that is {package['status']} can not become {asked}")
        package["status"] = "SHIPPED"
        if all(each["status"] == "SHIPPED" for each in shipment["packages"]):
            self.change(shipment["id"], "SHIPPED")
        return Response(status_code=204)

    def _of(self, request: Request) -> Record | None:
        return self.shipments.get(request.path_params["id"])

    def _package(self, request: Request) -> Record | None:
        packages = (self._of(request) or {}).get("packages", [])
        named = request.path_params["package"]
        return next((each for each in packages if each["id"] == named), None)


def _units(shipment: Record) -> dict[str, int]:
    return {
        line["shipmentLineItemId"]: line["numberOfUnits"]
        - sum(each["cancelledQuantity"] for each in line.get("cancellations", []))
        for line in shipment["lineItems"]
    }


def _broken(wants: Mapping[str, str], item: Record, serials: list[str]) -> str:
    """Say what a line of a package lacks, or must not have."""
    if wants["serialNumberRequirement"] == "REQUIRED" and len(set(serials)) != item["quantity"]:
        return "A serial number of each unit is required"
    if wants["serialNumberRequirement"] == "DISALLOWED" and serials:
        return "Serial numbers are not allowed"
    for name in ("countryOfOrigin", "itemValue"):
        if wants[f"{name}Requirement"] == "REQUIRED" and not item.get(name):
            return f"{name} is required"
    return ""


def _failed(message: str, status: int = 400) -> Response:
    error = {"code": "NotFound" if status == 404 else "InvalidInput", "message": message}
    return JSONResponse({"errors": [error]}, status_code=status)
