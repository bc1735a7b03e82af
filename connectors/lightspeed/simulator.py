"""A Lightspeed X-Series store: registers, one version for everything, serial numbers, webhooks.

Pages go by version and end with an empty one; too many calls get an HTTP date to wait for; a
fulfillment has no key and comes twice when it is sent twice.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Fault, Simulator, Webhook

OUTLET = "00000000-0000-4000-8000-00000000000a"
ELSEWHERE = "00000000-0000-4000-8000-00000000000b"
Handler = Callable[[Request], Awaitable[Response]]
Record = dict[str, Any]


class LightspeedSimulator(Simulator):
    """One store with two outlets, one token and one client secret.

    Records are by id and may be looked at: `products`, `inventory` (by product and outlet),
    `sales`, `serials`, `fulfillments`.
    """

    def __init__(
        self,
        access_token: str = "twin-lightspeed-token",
        secret: str = "twin-client-secret",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.access_token = access_token
        self.secret = secret
        self.version = 0
        self.products: dict[str, Record] = {}
        self.customers: dict[str, dict[str, Any]] = {}
        self.inventory: dict[tuple[str, str], Record] = {}
        self.currency = "NZD"
        self.sales: dict[str, Record] = {}
        self.serials: dict[str, Record] = {}
        self.fulfillments: list[Record] = []
        super().__init__(self._routes(), clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector `lightspeed` reaches this simulator."""
        return {
            "url": url,
            "access_token": self.access_token,
            "webhook_secret": self.secret,
            "outlet_id": OUTLET,
            "calls_per_second": 1000,
        }

    def add_product(self, sku: str, quantity: int, serials: Sequence[str] = ()) -> str:
        """Put an article on the shelf of the outlet, and list its serials. Returns its id."""
        product = self._record(sku=sku, name=sku, has_inventory=True)
        self.products[product["id"]] = product
        for outlet, level in ((ELSEWHERE, 50), (OUTLET, quantity)):
            at = {"product_id": product["id"], "outlet_id": outlet}
            self.inventory[product["id"], outlet] = self._record(**at, inventory_level=level)
        for code in serials:
            self.add_serial(product["id"], code)
        return str(product["id"])

    def add_serial(self, product: str, code: str) -> str:
        """List a serial at the outlet."""
        named = {"code": code, "product_id": product, "outlet_id": OUTLET}
        record = self._record(**named, sale_id=None, line_item_id=None)
        self.serials[record["id"]] = record
        return str(record["id"])

    def quantity(self, product: str) -> int:
        """Return what the outlet shows."""
        return int(self.inventory[product, OUTLET]["inventory_level"])

    def set_quantity(self, product: str, quantity: int) -> None:
        """Change the stock behind the hub's back."""
        self._move(product, quantity - self.quantity(product))

    def sell(
        self,
        product: str,
        quantity: int = 1,
        serials: Sequence[str] = (),
        status: str = "CLOSED",
        outlet: str = OUTLET,
        more: Sequence[tuple[str, int]] = (),
        user: str = "user-1",
    ) -> str:
        """Sell at a register; the cashier picks serials from the list. Returns the sale's id.

        `more` are further products with their quantities.
        """
        lines = [self._line(*each) for each in ((product, quantity), *more)]
        line = lines[0]
        stamped = self.now().astimezone(UTC).isoformat()
        sale = self._record(
            outlet_id=outlet,
            invoice_number=f"INV-{self.next_id()}",
            status=status,
            source="USER",
            customer_id="c-1",
            user_id=user,
            line_items=lines,
            sale_date=stamped,
            created_at=stamped,
            updated_at=stamped,
        )
        self.sales[sale["id"]] = sale
        for record in self.serials.values():
            if record["code"] in serials and record["sale_id"] is None:
                sold = {"sale_id": sale["id"], "line_item_id": line["id"]}
                record |= {**sold, "version": self._next_version()}
        if outlet == OUTLET:
            for item, pieces in ((product, quantity), *more):
                self._move(item, -pieces)
        self.emit(sale)
        return str(sale["id"])

    def create_return(self, sale_id: str, line: int, quantity: int, status: str = "CLOSED") -> str:
        """Take units of a line back at a register, in a sale of its own. Returns that sale's id."""
        first = self.sales[sale_id]
        product = first["line_items"][line]["product_id"]
        stamped = self.now().astimezone(UTC).isoformat()
        back = self._line(product, -quantity) | {"is_return": True}
        sale = self._record(
            outlet_id=first["outlet_id"],
            invoice_number=f"INV-{self.next_id()}",
            status=status,
            source="USER",
            customer_id="c-1",
            note="too big",
            return_for=sale_id,
            line_items=[back],
            sale_date=stamped,
            created_at=stamped,
            updated_at=stamped,
        )
        self.sales[sale["id"]] = sale
        if first["outlet_id"] == OUTLET and status == "CLOSED":
            self._move(product, quantity)
        self.emit(sale)
        return str(sale["id"])

    def _line(self, product: str, quantity: int) -> Record:
        line: Record = {"id": str(uuid.UUID(int=self.next_id())), "product_id": product}
        return line | {"quantity": quantity, "status": "CONFIRMED", "is_return": False}

    def set_status(self, sale_id: str, status: str) -> None:
        """Let somebody at a register move a sale."""
        sale = self.sales[sale_id]
        sale |= {"status": status, "version": self._next_version()}
        sale["updated_at"] = self.now().astimezone(UTC).isoformat()
        self.emit(sale)

    def emit(self, sale: Mapping[str, Any]) -> None:
        """Announce a sale: a form with JSON in it."""
        form = {"payload": json.dumps(sale), "type": "sale.update", "domain_prefix": "twin"}
        self.send_webhook("sale.update", f"hook-{self.next_id()}", urlencode(form).encode())

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign the raw form with the client secret."""
        digest = hmac.new(self.secret.encode(), webhook.body, hashlib.sha256).hexdigest()
        return {
            "content-type": "application/x-www-form-urlencoded",
            "x-signature": f"signature={digest}, algorithm=HMAC-SHA256",
        }

    def fault_response(self, fault: Fault) -> Response:
        """Fail in Lightspeed's words: the time to wait for is a date."""
        if fault is Fault.SERVER_ERROR:
            return _failed(500, "internal error")
        moment = datetime.now(UTC) + timedelta(seconds=120)
        headers = {"Retry-After": format_datetime(moment, usegmt=True)}
        return JSONResponse({"error": "rate limited"}, status_code=429, headers=headers)

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/2.0/outlets/{id}", self._outlet),
            ("GET", "/2.0/sales", self._list_of(lambda: self.sales)),
            ("GET", "/2.0/sales/{id}", self._sale),
            ("GET", "/2.0/sales/{id}/fulfillments", self._fulfillments_of),
            ("POST", "/2.0/sales/{id}/fulfill", self._fulfill),
            ("GET", "/2.0/search", self._search),
            ("GET", "/2.0/serialnumbers", self._list_of(lambda: self.serials)),
            ("DELETE", "/2.0/serialnumbers/{id}", self._delete_serial),
            ("GET", "/2.0/products", self._list_of(lambda: self.products)),
            ("GET", "/2.0/products/{id}", self._product),
            ("GET", "/2.0/products/{id}/inventory", self._levels),
            ("PUT", "/2.1/products/{id}", self._set_level),
            ("GET", "/2.0/customers/{id}", self._customer),
            ("GET", "/2.0/inventory", self._list_of(lambda: self.inventory, _unversioned)),
        ]
        return [
            Route(f"/api{path}", self._guard(call), methods=[method])
            for method, path, call in table
        ]

    def _guard(self, call: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self.access_token}":
                return _failed(401, "unauthorized")
            return await call(request)

        return guarded

    def _list_of(
        self,
        records: Callable[[], Mapping[Any, Record]],
        shape: Callable[[Record], Record] = dict,
    ) -> Handler:
        """Answer with a page by version, filtered by whatever field is named."""

        async def page(request: Request) -> Response:
            asked = request.query_params
            fields = ("product_id", "outlet_id", "sale_id", "line_item_id")
            found = [
                each
                for each in records().values()
                if each["version"] > int(asked.get("after", "0"))
                and all(each.get(name) == asked[name] for name in fields if name in asked)
            ]
            found.sort(key=lambda each: int(each["version"]))
            shown = found[: int(asked.get("page_size", "50"))]
            versions = [each["version"] for each in shown] or [0]
            version = {"min": min(versions), "max": max(versions)}
            return JSONResponse({"data": [shape(each) for each in shown], "version": version})

        return page

    async def _outlet(self, request: Request) -> Response:
        if request.path_params["id"] not in (OUTLET, ELSEWHERE):
            return _failed(404, "outlet not found")
        return JSONResponse({"data": {"id": request.path_params["id"], "currency": self.currency}})

    async def _sale(self, request: Request) -> Response:
        return _one(self.sales.get(request.path_params["id"]))

    async def _product(self, request: Request) -> Response:
        return _one(self.products.get(request.path_params["id"]))

    async def _customer(self, request: Request) -> Response:
        return _one(self.customers.get(request.path_params["id"]))

    async def _levels(self, request: Request) -> Response:
        product = request.path_params["id"]
        if product not in self.products:
            return _failed(404, "product not found")
        of_it = (each for each in self.inventory.values() if each["product_id"] == product)
        levels = [_unversioned(each) for each in of_it]
        return JSONResponse({"data": levels})

    async def _set_level(self, request: Request) -> Response:
        product, asked = request.path_params["id"], await request.json()
        if product not in self.products:
            return _failed(404, "product not found")
        for record in asked["details"]["inventory"]:
            if record["current_amount"] < 0:
                return _failed(422, "current_amount must not be negative")
            level = self.inventory[product, record["outlet_id"]]
            level |= {
                "inventory_level": record["current_amount"],
                "version": self._next_version(),
            }
        return JSONResponse({"data": self.products[product]})

    async def _search(self, request: Request) -> Response:
        asked = request.query_params
        found = [
            sale
            for sale in self.sales.values()
            if sale["outlet_id"] == asked["outlet_id"]
            and datetime.fromisoformat(asked["date_from"])
            <= datetime.fromisoformat(sale["sale_date"])
            <= datetime.fromisoformat(asked["date_to"])
        ]
        start = int(asked["offset"])
        return JSONResponse({"data": found[start : start + int(asked["page_size"])]})

    async def _fulfillments_of(self, request: Request) -> Response:
        sale = request.path_params["id"]
        found = [_unversioned(each) for each in self.fulfillments if each["sale_id"] == sale]
        return JSONResponse({"data": found})

    async def _fulfill(self, request: Request) -> Response:
        sale, asked = self.sales.get(request.path_params["id"]), await request.json()
        if sale is None:
            return _failed(404, "sale not found")
        done = self._record(sale_id=sale["id"], status=asked["fulfillment_type"])
        self.fulfillments.append(done)
        kind = {"SHIPPED": "DISPATCHED_CLOSED", "PICKED_UP": "PICKED_UP_CLOSED"}
        self.set_status(sale["id"], kind[asked["fulfillment_type"]])
        return JSONResponse({"data": _unversioned(done)})

    async def _delete_serial(self, request: Request) -> Response:
        if self.serials.pop(request.path_params["id"], None) is None:
            return _failed(404, "serial number not found")
        return Response(status_code=204)

    def _move(self, product: str, change: int) -> None:
        level = self.inventory[product, OUTLET]
        level["inventory_level"] += change
        level["version"] = self._next_version()

    def _record(self, **fields: Any) -> Record:
        ref = str(uuid.UUID(int=self.next_id()))
        return {"id": ref, "version": self._next_version(), **fields}

    def _next_version(self) -> int:
        self.version += 1
        return self.version


def _unversioned(record: Record) -> Record:
    """Return a record as the API shows those whose version it keeps to itself."""
    return {name: value for name, value in record.items() if name != "version"}


def _one(record: Record | None) -> Response:
    return _failed(404, "not found") if record is None else JSONResponse({"data": record})


def _failed(status: int, message: str) -> Response:
    return JSONResponse({"error": "error", "message": message}, status_code=status)
