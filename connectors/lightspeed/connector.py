"""Lightspeed Retail X-Series (once Vend) over its REST API 2.0; stock by the product API 2.1.

The personal token (or an app's access token that somebody else keeps fresh) needs to read sales,
products, inventory, outlets and serial numbers, and to write products, serial numbers and
fulfillments. A store may call 300 times for each register and 50 times more in five minutes
(``X-RateLimit-Limit``, ``X-RateLimit-Remaining``); beyond that it answers 429 with ``Retry-After``
as an HTTP date. It wants a ``User-Agent`` that says who calls.

Sales are followed by their ``version``, a number that moves with every change: there is no window
and nothing to overlap. The API knows serials for itself: ``/serialnumbers`` says which line of
which sale sold which serial, and that comes in with the sale. The other way it can only make and
delete serials, not say that one was sold: so a unit that we ship for a sale is taken off the
outlet's list, and no cashier sells it again.

It cannot: rotate the refresh tokens of OAuth, compare and set a quantity in one step (it reads,
compares and then sets, for one product a call), fulfil a sale that leaves in parts (only a shipment
that carries all of it is reported; a person closes the others), find the returns of one sale
without a pass (they are sales of their own, `connectors.lightspeed.returns`), or list serials at a
receipt. The signature of webhooks (``X-Signature``, hex
HMAC-SHA256 of the raw body under the client secret) stands in older documentation only; should
your store sign in another way, its webhooks are refused and polling sees everything.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors.contact_fields import full_name, shown_contact
from connectors.contract import (
    Connector,
    OrderRef,
    Page,
    PullOrders,
    PullReturns,
    PushedLevel,
    PushFulfillment,
    PushStock,
    ReadContacts,
    ReceiveWebhooks,
    SnapshotOrders,
    SnapshotStock,
    WebhookCall,
)
from connectors.errors import AuthFailed, Conflict, NotFound, NotOurs, Rejected
from connectors.lightspeed.fulfillment import push_fulfillment
from connectors.lightspeed.mapping import (
    LEVELS,
    SALES,
    order_refs,
    outlet_quantity,
    page_version,
    parse_order,
    parse_payload,
    response_data,
    serials_by_line,
    sold_lines,
)
from connectors.lightspeed.returns import RETURNS, parse_return
from connectors.remote import Remote
from connectors.stock_levels import bound, untracked
from connectors.toolkit import signatures
from connectors.toolkit.accounts import account_part, address_of
from connectors.toolkit.amounts import currency_code
from connectors.toolkit.json_fields import identity, records, text
from connectors.toolkit.page_size import page_size
from connectors.toolkit.records import Batch, FieldError, Record, RecordReader
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import (
    Contact,
    Fulfillment,
    HoldReason,
    LineKind,
    ObservedLevel,
    Order,
    Return,
    StockLevel,
)

API = "/api/2.0"
STOCK_API = "/api/2.1"
SALES_PER_PAGE = 25  # each of them costs a call for its serials
RECORDS_PER_PAGE = 200
_SIGNED = re.compile(r"^\s*signature=([0-9a-fA-F]{64})\s*,\s*algorithm=HMAC-SHA256\s*$")

CUSTOMERS = RecordReader("customer", ref="id")


class LightspeedSettings(BaseModel):
    """One store and one of its outlets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: HttpUrl = Field(description="https://your-prefix.retail.lightspeed.app")
    access_token: SecretStr
    webhook_secret: SecretStr = Field(description="The client secret of the app")
    outlet_id: str = Field(pattern=r"^[0-9a-fA-F-]{36}$")
    user_agent: str = Field("serial-hub", min_length=1)
    calls_per_second: float = Field(4.0, gt=0)


class Lightspeed(
    Connector[LightspeedSettings],
    PullOrders,
    PullReturns,
    PushStock,
    SnapshotStock,
    SnapshotOrders,
    PushFulfillment,
    ReceiveWebhooks,
    ReadContacts,
):
    """One outlet: what its registers sell, under which serials, and what it stocks."""

    states_staff: ClassVar[bool] = True
    states_money: ClassVar[bool] = True
    states_line_kinds: ClassVar[frozenset[LineKind]] = frozenset({LineKind.FEE})
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset(
        {HoldReason.PAYMENT_PENDING, HoldReason.ON_HOLD}
    )

    key: ClassVar[str] = "lightspeed"
    settings_model: ClassVar[type[BaseModel]] = LightspeedSettings
    pages_shrink: ClassVar[bool] = True
    levels_max: ClassVar[int] = 20
    orders_name_serials: ClassVar[bool] = True
    stores_serials: ClassVar[bool] = False

    @classmethod
    def account(cls, settings: LightspeedSettings) -> Sequence[str]:
        """Name the outlet of the shop."""
        return (account_part(address_of(settings.url), settings.outlet_id.lower()),)

    @classmethod
    def remote(cls, settings: LightspeedSettings) -> Remote:
        """Describe the API of the store."""
        return Remote(
            base_url=str(settings.url).rstrip("/"),
            headers={
                "Authorization": f"Bearer {settings.access_token.get_secret_value()}",
                "User-Agent": settings.user_agent,
            },
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Read the outlet, one sale and one serial number."""
        try:
            await self._get(f"/outlets/{self.settings.outlet_id}", dict)
            for path in ("/sales", "/serialnumbers"):
                await self._get(path, list, page_size=1)
        except AuthFailed as refusal:
            message = f"{refusal}: the token must read outlets, sales and serial numbers"
            raise AuthFailed(message) from refusal
        except NotFound as refusal:
            message = f"{refusal}: check outlet_id, and that the plan has serial numbers"
            raise NotFound(message) from refusal

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return the next sales of the outlet by their version, each with its serials."""
        found, version = await self._changed_sales(cursor)
        orders = await self._orders(found)
        return Page(orders.items, version, bool(found), orders.unreadable)

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Return those of the next sales by their version that are returns."""
        found, version = await self._changed_sales(cursor)
        returns = await RETURNS.each_async(found, self._return)
        return Page(returns.items, version, bool(found), returns.unreadable)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read what a sale is as a return; those of a sale that sold are found by a pass."""
        sale = await self._get(f"/sales/{quote(order_ref, safe='')}", dict)
        found = await RETURNS.one_async(sale, self._return, order_ref)
        return [found] if found is not None else []

    async def read_order(self, ref: str) -> Order:
        """Read one sale by its id."""
        sale = await self._get(f"/sales/{quote(ref, safe='')}", dict)
        if not SALES.one(sale, self._is_ours, ref):
            raise NotOurs(f"sale {ref} belongs to outlet {sale['outlet_id']}")
        parse = partial(self._sale, skus={}, currency=await self._currency())
        return await SALES.one_async(sale, parse, ref)

    async def read_contact(self, order_ref: str) -> Contact | None:
        """Read how the customer of a sale is reached; a sale without a customer has nobody."""
        sale = await self._get(f"/sales/{quote(order_ref, safe='')}", dict)
        customer = text(sale, "customer_id")
        if not customer:
            return None
        try:
            found = await self._get(f"/customers/{quote(customer, safe='')}", dict)
        except NotFound:  # deleted: the sale stays
            return None
        return CUSTOMERS.one(found, _contact, customer)

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every sale of the window."""
        offset = 0
        while True:
            found = await self._get(
                "/search",
                list,
                type="sales",
                outlet_id=self.settings.outlet_id,
                date_from=_utc(since),
                date_to=_utc(until + timedelta(seconds=1)),  # it takes whole seconds
                order_by="sale_date",
                order_direction="asc",
                page_size=RECORDS_PER_PAGE,
                offset=offset,
            )
            orders = await self._orders(found)
            for order in orders.items:
                if since <= order.placed_at <= until:
                    yield order
            for unreadable in orders.unreadable:
                yield unreadable
            offset += len(found)
            if not found:
                return

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield what the outlet shows of every product whose inventory is tracked."""
        products = {
            each["id"]: each
            async for each in self._walk("/products", deleted="false")
            if isinstance(each, dict) and isinstance(each.get("id"), str)
        }
        async for record in self._walk("/inventory"):
            for level in LEVELS.either(record, partial(self._observed, products=products)):
                yield level

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Read, compare, and set what differs, product by product."""
        able, lost = bound(levels, "product_id")
        answers = list(lost)
        for level in able:
            try:
                answers.append(PushedLevel(level.listing, await self._set(level)))
            except (NotFound, Rejected, Conflict) as refusal:
                answers.append(PushedLevel(level.listing, error=refusal))
        return answers

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Take the serials off the outlet's list, and fulfil the sale if all of it left."""
        return await push_fulfillment(self.api, API, fulfillment, self.settings.outlet_id)

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Verify the signature over the raw form: ``signature=<hex>, algorithm=HMAC-SHA256``."""
        match = _SIGNED.match(headers.get("x-signature", ""))
        given = match[1].lower() if match else ""
        signatures.require_hex(self.settings.webhook_secret, body, given)
        return WebhookCall(signatures.body_digest(body), parse_payload(body)[0])

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the sale, where the payload is one."""
        return order_refs(body)

    async def _get(self, path: str, kind: type, **params: Any) -> Any:
        return response_data(await self.api.json("GET", f"{API}{path}", params=params), kind)

    async def _walk(self, path: str, **params: Any) -> AsyncIterator[Any]:
        """Yield everything of a collection, by version; an empty page is the end."""
        after = 0
        while True:
            asked = {"after": after, "page_size": RECORDS_PER_PAGE, **params}
            answer = await self.api.json("GET", f"{API}{path}", params=asked)
            found = response_data(answer, list)
            for each in found:
                yield each
            version = page_version(answer)
            if not found or version <= after:
                return
            after = version

    async def _changed_sales(self, cursor: str) -> tuple[list[Any], str]:
        """Read the next sales by their version, and the version up to which they go."""
        after = int(cursor or 0)
        answer = await self.api.json(
            "GET", f"{API}/sales", params={"after": after, "page_size": page_size(SALES_PER_PAGE)}
        )
        found = response_data(answer, list)
        version = max(after, page_version(answer))
        if found and version == after:
            raise Rejected("the versions of the sales do not move on")
        return found, str(version)

    async def _return(self, sale: Record) -> Return | None:
        """Read a sale as a return; None for one that is none, or whose first sale is not ours."""
        first = text(sale, "return_for")
        if not first:
            return None
        try:
            sold = await self._get(f"/sales/{quote(first, safe='')}", dict)
        except NotFound as missing:
            raise FieldError("return_for", first, "names no sale") from missing
        sale.attach("first_sale", sold)
        return parse_return(sale, sale["first_sale"]) if self._is_ours(sold) else None

    def _is_ours(self, sale: Mapping[str, Any]) -> bool:
        return text(sale, "outlet_id") in ("", self.settings.outlet_id)

    def _observed(
        self, record: Mapping[str, Any], products: Mapping[str, Any]
    ) -> ObservedLevel | None:
        """Read one level; None for a product whose inventory is not kept here."""
        product = products.get(identity(record, "product_id"))
        if product is None or not product.get("has_inventory", True):
            return None
        quantity = outlet_quantity([record], self.settings.outlet_id)
        if quantity is None:
            return None
        return ObservedLevel(
            sku=text(product, "sku"),
            quantity=quantity,
            remote={"product_id": product["id"], "outlet_id": self.settings.outlet_id},
            title=text(product, "variant_name") or text(product, "name"),
        )

    async def _orders(self, sales: Sequence[Any]) -> Batch[Order]:
        """Read the sales of this outlet that sell something."""
        skus: dict[str, str] = {}
        currency = await self._currency() if sales else None

        async def parse(sale: Record) -> Order | None:
            ours = self._is_ours(sale) and sold_lines(sale)
            return await self._sale(sale, skus, currency) if ours else None

        return await SALES.each_async(sales, parse)

    async def _currency(self) -> str | None:
        """Read the currency of the outlet, in which its sales are; a sale does not state it."""
        return currency_code(
            await self._get(f"/outlets/{self.settings.outlet_id}", dict), "currency"
        )

    async def _sale(self, sale: Record, skus: dict[str, str], currency: str | None) -> Order:
        """Read a sale; products and serials are looked up, for the lines name neither."""
        for line in sold_lines(sale):
            product = text(line, "product_id")
            if product and product not in skus:
                skus[product] = await self._sku(product)
        found = await self._get(
            "/serialnumbers", list, sale_id=identity(sale, "id"), page_size=RECORDS_PER_PAGE
        )
        sale.attach("serialnumbers", found)
        serials = serials_by_line(records(sale, "serialnumbers"))
        return parse_order(sale, skus, serials, currency)

    async def _sku(self, product: str) -> str:
        try:
            found = await self._get(f"/products/{quote(product, safe='')}", dict)
        except NotFound:
            return ""  # deleted since
        return str(found.get("sku") or "")

    async def _set(self, level: StockLevel) -> int:
        product = quote(level.remote["product_id"], safe="")
        outlet = self.settings.outlet_id
        records = await self._get(f"/products/{product}/inventory", list)
        present = outlet_quantity(records, outlet)
        if present == level.available:
            return present
        if not (await self._get(f"/products/{product}", dict)).get("has_inventory", True):
            raise untracked(f"product {level.remote['product_id']}")
        if None not in (level.expected, present) and level.expected != present:
            raise Conflict("the quantity has changed", observed=present)
        record = {"outlet_id": outlet, "current_amount": level.available}
        change = {"details": {"inventory": [record]}}
        await self.api.request("PUT", f"{STOCK_API}/products/{product}", json=change)
        return level.available


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _contact(customer: Mapping[str, Any]) -> Contact | None:
    number = text(customer, "mobile") or text(customer, "phone")
    return shown_contact(text(customer, "email"), number, full_name(customer))
