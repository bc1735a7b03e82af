"""Vendure shops, over the Admin GraphQL API of Vendure 3 (schema 3.5.4, run against 3.7.3).

The server must know the API key's method (``authOptions.tokenMethod`` holds ``api-key``), declare
``Fulfillment.customFields.serials`` (a list of strings), and offer a fulfillment handler with the
arguments ``method``, ``trackingCode`` and ``serials``. The role of the key needs ReadOrder,
UpdateOrder, ReadCatalog, UpdateCatalog, ReadStockLocation. Vendure has no webhooks of its own: a
few lines of plugin post ``{"orderId": ...}`` with the headers ``x-hub-signature`` (hex HMAC-SHA256
of the body), ``x-hub-delivery`` and ``x-hub-topic``; see ``tests/e2e/vendure/server.js``.

``updatedAt`` of an order moves when it is cancelled or modified, and not when it is placed, paid,
shipped or refunded. So new orders are found by ``orderPlacedAt``, changed ones by ``updatedAt``,
and the open ones are read again in turn besides: their ids travel in the cursor.

Refunds and cancellations are read from the order (`connectors.vendure.returns`). Nothing tells when
one was made: without a webhook the orders of the last 90 days are looked at in turn.

It cannot: compare and set a quantity in one step (it reads, compares and then sets), refund what it
cancels, or keep more than 500 open orders in view by polling; webhooks and reconciliation see the
rest.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors.contact_fields import shown_contact
from connectors.contract import (
    CancelOrders,
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
from connectors.errors import NotFound
from connectors.refunds import RefundOrders
from connectors.remote import Remote
from connectors.shipments import require_serials
from connectors.stock_levels import bound
from connectors.toolkit import signatures
from connectors.toolkit.accounts import address_of
from connectors.toolkit.cursors import IncrementalCursor, moment, stamp
from connectors.toolkit.json_fields import child, nodes_of, parsed_json, text
from connectors.toolkit.page_size import page_size
from connectors.toolkit.records import Batch
from connectors.unreadable import UnreadableRecord
from connectors.vendure import documents
from connectors.vendure.mapping import (
    ORDERS,
    RETURNS,
    VARIANTS,
    execute,
    fingerprint,
    fulfillment_serials,
    own_change,
    parse_order,
    parse_variant,
    placed_at,
    result_or_raise,
)
from connectors.vendure.money import with_precision
from connectors.vendure.refunds import refund_order
from connectors.vendure.returns import parse_returns
from connectors.vendure.stock import LocationStock
from hub.vocabulary import (
    Cancellation,
    Contact,
    Fulfillment,
    HoldReason,
    ObservedLevel,
    Order,
    OrderState,
    Refund,
    Return,
    StockLevel,
)

ORDERS_PER_PAGE = 50
OPEN_ORDERS_MAX = 500
OPEN_ORDERS_PER_PULL = 50
# SQLite-backed servers keep whole seconds, and `after` is exclusive.
CLOCK_GRAIN = timedelta(seconds=1)
BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)
RETURNABLE = timedelta(days=90)  # how old an order may be that is looked at for refunds
ENDED = frozenset({OrderState.FULFILLED, OrderState.CANCELLED})
NOT_YET_SHIPPED = frozenset({"Created", "Pending"})


class VendureSettings(BaseModel):
    """One Vendure server and one of its stock locations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: HttpUrl = Field(description="The Admin API: https://shop.example/admin-api")
    api_key: SecretStr
    webhook_secret: SecretStr
    stock_location_id: str = Field(min_length=1)
    fulfillment_handler: str = "serialized-fulfillment"
    default_carrier: str = "standard"
    calls_per_second: float = Field(8.0, gt=0)


class Vendure(
    Connector[VendureSettings],
    PullOrders,
    PullReturns,
    CancelOrders,
    RefundOrders,
    PushStock,
    SnapshotStock,
    SnapshotOrders,
    PushFulfillment,
    ReceiveWebhooks,
    ReadContacts,
):
    """One server: its orders, and the stock of one location."""

    shows_serials: ClassVar[bool] = True
    states_money: ClassVar[bool] = True
    states_holds: ClassVar[frozenset[HoldReason]] = frozenset(
        {HoldReason.PAYMENT_PENDING, HoldReason.ON_HOLD}
    )

    key: ClassVar[str] = "vendure"
    settings_model: ClassVar[type[BaseModel]] = VendureSettings
    ships_without_serials: ClassVar[bool] = False
    pages_shrink: ClassVar[bool] = True
    levels_max: ClassVar[int] = 50

    @classmethod
    def account(cls, settings: VendureSettings) -> Sequence[str]:
        """Name the shop."""
        return (address_of(settings.url),)

    @classmethod
    def remote(cls, settings: VendureSettings) -> Remote:
        """Describe the Admin API of the server."""
        return Remote(
            base_url=str(settings.url).removesuffix(settings.url.path or "").rstrip("/"),
            headers={"vendure-api-key": settings.api_key.get_secret_value()},
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Read what the role must let us read; `me` refuses valid API keys."""
        data = await self._execute(documents.CHECK, location=self.settings.stock_location_id)
        if data["stockLocation"] is None:
            raise NotFound(f"the server has no stock location {self.settings.stock_location_id}")
        handlers = {handler["code"] for handler in data["fulfillmentHandlers"]}
        if self.settings.fulfillment_handler not in handlers:
            raise NotFound(f"the server has no handler {self.settings.fulfillment_handler}")

    async def pull_orders(self, cursor: str) -> Page[Order]:
        """Return orders placed since, then those that were changed, as far as can be reported."""
        stored = parsed_json(cursor) if cursor else {}
        known: dict[str, str] = stored.get("open", {})
        position = IncrementalCursor.resume(stored.get("walk", ""), datetime.now(UTC))
        since = (position.since or BEGINNING) - CLOCK_GRAIN
        skip = int(position.after or 0)
        nodes, total = await self._nodes({"orderPlacedAt": {"after": stamp(since)}}, skip)
        # What changes from now on has a later time than anything that is read first.
        first = ORDERS.newest(nodes, own_change)
        changes = stored.get("changed") or (first and {"since": stamp(first)})
        following = skip + len(nodes)
        after = str(following) if nodes and following < total else None
        position, more = position.step(ORDERS.newest(nodes, placed_at), after)
        read = [ORDERS.each(nodes, parse_order)]
        if not more and changes:
            moved, changes, more = await self._moved(changes)
            read.append(moved)
        if not more:
            read.append(await self._read_again(known, read))
        orders = [order for batch in read for order in batch.items]
        changed = [each for each in orders if known.get(each.ref) != fingerprint(each)]
        for order in orders:
            known.pop(order.ref, None)
            if order.state not in ENDED:
                known[order.ref] = fingerprint(order)
        for ref in list(known)[: max(0, len(known) - OPEN_ORDERS_MAX)]:
            del known[ref]
        following_cursor = {"walk": position.cursor(), "open": known, "changed": changes}
        unreadable = tuple(each for batch in read for each in batch.unreadable)
        return Page(tuple(changed), json.dumps(following_cursor), more, unreadable)

    async def read_order(self, ref: str) -> Order:
        """Read one order by its id."""
        return ORDERS.one(await self._order(ref), parse_order, ref)

    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        """Yield every order placed in the window."""
        after, skip = stamp(since - CLOCK_GRAIN), 0
        before = stamp(until + CLOCK_GRAIN)
        while True:
            window = {"between": {"start": after, "end": before}}
            nodes, total = await self._nodes({"orderPlacedAt": window}, skip)
            orders = ORDERS.each(nodes, parse_order)
            for order in orders.items:
                if since <= order.placed_at <= until:
                    yield order
            for unreadable in orders.unreadable:
                yield unreadable
            skip += len(nodes)
            if not nodes or skip >= total:
                return

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel | UnreadableRecord]:
        """Yield what is on hand and not allocated, for every variant at the location."""
        location_stock = LocationStock(self._execute, self.settings.stock_location_id)
        parse = partial(parse_variant, location=self.settings.stock_location_id)
        async for variant in location_stock.variants():
            for level in VARIANTS.either(variant, parse):
                yield level

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        """Set what is on hand so that the wanted quantity is available beside what is allocated."""
        able, lost = bound(levels, "variant_id")
        location_stock = LocationStock(self._execute, self.settings.stock_location_id)
        return [*lost, *await location_stock.push(able)]

    async def pull_returns(self, cursor: str) -> Page[Return]:
        """Look at the next orders of the last months; what no webhook told is found in turn.

        Nothing in Vendure says when an order was refunded: orders are looked at again and again.
        """
        stored = parsed_json(cursor) if cursor else {}
        horizon = datetime.now(UTC) - RETURNABLE
        since = max(horizon, moment(stored["since"])) if "since" in stored else horizon
        skip = int(stored.get("skip", 0)) if since != horizon else 0
        nodes, total = await self._nodes({"orderPlacedAt": {"after": stamp(since)}}, skip)
        found = RETURNS.each_of_many(nodes, parse_returns)
        seen = skip + len(nodes)
        if not nodes or seen >= total:
            return Page(found.items, "", unreadable=found.unreadable)  # from the beginning again
        last = RETURNS.newest(nodes, placed_at)
        newest = last - CLOCK_GRAIN if last else since
        goes_on = (
            {"since": stamp(newest)} if newest > since else {"since": stamp(since), "skip": seen}
        )
        return Page(found.items, json.dumps(goes_on), len(nodes) < total, found.unreadable)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        """Read the refunds of one order, and what of it was returned."""
        return RETURNS.one(await self._order(order_ref), parse_returns, order_ref)

    async def read_contact(self, order_ref: str) -> Contact | None:
        """Read how the customer of an order is reached."""
        order = (await self._execute(documents.BUYER, id=order_ref))["order"]
        if order is None:
            raise NotFound(f"no order {order_ref}")
        return ORDERS.one(order, _contact, order_ref)

    async def cancel_order(self, cancellation: Cancellation) -> str:
        """Cancel what is left of an order; its payment is refunded by people."""
        order = await self._order(cancellation.order_ref)
        if order["state"] != "Cancelled":
            wanted = {
                "orderId": order["id"],
                "reason": cancellation.reason,
                "cancelShipping": True,
            }
            data = await self._execute(documents.CANCEL, repeat=False, input=wanted)
            result_or_raise(data["cancelOrder"])
        return str(order["code"])

    async def refund_order(self, refund: Refund) -> str:
        """Pay back with the payments of the order, naming the units."""
        data = await self._execute(documents.PAYMENTS, id=refund.order_ref)
        if data["order"] is None:
            raise NotFound(f"no order {refund.order_ref}")
        order = with_precision(data, data["order"])
        return await refund_order(self._execute, order, refund)

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        """Create the fulfillment if there is none with exactly our serials, and ship it."""
        require_serials(fulfillment)
        ours = {line.order_line_ref: line.serials for line in fulfillment.lines}
        serials = sorted(serial for named in ours.values() for serial in named)
        order = await self._order(fulfillment.order_ref)
        for each in order["fulfillments"] or []:
            if each["state"] != "Cancelled" and sorted(fulfillment_serials(each)) == serials:
                known = each
                break
        else:
            known = await self._create(fulfillment, ours)
        if known["state"] in NOT_YET_SHIPPED:
            data = await self._execute(
                documents.SHIP, repeat=False, id=known["id"], state="Shipped"
            )
            result_or_raise(data["transitionFulfillmentToState"])
        return f"{order['code']} / fulfilment {known['id']}"

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Verify the signature that the plugin computes over the raw body."""
        given = headers.get("x-hub-signature", "").removeprefix("sha256=")
        signatures.require_hex(self.settings.webhook_secret, body, given)
        call_id = headers.get("x-hub-delivery") or signatures.body_digest(body)
        return WebhookCall(call_id, headers.get("x-hub-topic", ""))

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Name the order, if the event is about one."""
        try:
            payload = parsed_json(body)
        except ValueError:
            return ()
        named = payload.get("orderId") if isinstance(payload, dict) else None
        return (OrderRef(str(named)),) if named else ()

    async def _execute(self, document: str, *, repeat: bool = True, **variables: Any) -> Any:
        path = self.settings.url.path or "/"
        return await execute(self.api, path, document, variables, repeat=repeat)

    async def _nodes(
        self, where: Mapping[str, Any], skip: int, by: str = "orderPlacedAt"
    ) -> tuple[list[Any], int]:
        options = {
            "filter": {**where, "active": {"eq": False}},
            "sort": {by: "ASC"},
            "skip": skip,
            "take": page_size(ORDERS_PER_PAGE),
        }
        data = await self._execute(documents.ORDERS, options=options)
        nodes = nodes_of(data["orders"], "items")
        return [with_precision(data, each) for each in nodes], data["orders"]["totalItems"]

    async def _order(self, ref: str) -> Any:
        data = await self._execute(documents.ORDER, id=ref)
        if data["order"] is None:
            raise NotFound(f"no order {ref}")
        return with_precision(data, data["order"])

    async def _moved(self, since: dict[str, Any]) -> tuple[Batch[Order], dict[str, Any], bool]:
        """Read the next orders whose time of change moved: what was cancelled or modified."""
        where, skip = {"updatedAt": {"after": since["since"]}}, int(since.get("skip", 0))
        nodes, total = await self._nodes(where, skip, by="updatedAt")
        if nodes:
            # Whole seconds, and `after` is exclusive: the last one is read again.
            last = ORDERS.newest(nodes, own_change)
            newest = last - CLOCK_GRAIN if last else moment(since["since"])
            stands = newest <= moment(since["since"])
            since = {**since, "skip": skip + len(nodes)} if stands else {"since": stamp(newest)}
        return ORDERS.each(nodes, parse_order), since, skip + len(nodes) < total

    async def _read_again(
        self, known: dict[str, str], read: Sequence[Batch[Order]]
    ) -> Batch[Order]:
        """Read the open orders that were longest not read; those that are gone are forgotten."""
        fresh = {order.ref for batch in read for order in batch.items}
        due = [ref for ref in known if ref not in fresh][:OPEN_ORDERS_PER_PULL]
        if not due:
            return Batch(())
        nodes, _ = await self._nodes({"id": {"in": due}}, 0)
        orders = ORDERS.each(nodes, parse_order)
        there = {order.ref for order in orders.items} | {each.ref for each in orders.unreadable}
        for ref in set(due) - there:
            del known[ref]
        return orders

    async def _create(
        self, fulfillment: Fulfillment, ours: Mapping[str, Sequence[str]]
    ) -> Mapping[str, Any]:
        said = {
            "method": fulfillment.carrier or self.settings.default_carrier,
            "trackingCode": fulfillment.tracking or "",
            "serials": json.dumps([serial for named in ours.values() for serial in named]),
        }
        arguments = [{"name": name, "value": value} for name, value in said.items()]
        lines = [{"orderLineId": ref, "quantity": len(named)} for ref, named in ours.items()]
        wanted = {
            "lines": lines,
            "handler": {"code": self.settings.fulfillment_handler, "arguments": arguments},
        }
        data = await self._execute(documents.FULFILL, repeat=False, input=wanted)
        return result_or_raise(data["addFulfillmentToOrder"])


def _contact(order: Mapping[str, Any]) -> Contact | None:
    buyer = child(order, "customer")
    name = f"{text(buyer, 'firstName')} {text(buyer, 'lastName')}"
    return shown_contact(text(buyer, "emailAddress"), text(buyer, "phoneNumber"), name)
