"""A connector that keeps what it is told, and fails when it is told to."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from connectors import (
    AuthFailed,
    CancelOrders,
    Conflict,
    Connector,
    ConnectorError,
    LookupWarranty,
    NotFound,
    OrderRef,
    Page,
    PullOrders,
    PullReturns,
    PushedLevel,
    PushFulfillment,
    PushStock,
    ReceiveWebhooks,
    RegisterWarranty,
    Remote,
    RemoteApi,
    SnapshotOrders,
    SnapshotStock,
    WebhookCall,
    capabilities,
)
from connectors.connections import Connections
from hub.storage.sql import Row
from hub.vocabulary import (
    Cancellation,
    Fulfillment,
    ObservedLevel,
    Order,
    Registration,
    Return,
    StockLevel,
    Warranty,
    WarrantyQuestion,
    WarrantyStatus,
)
from jobs.runtime import Runtime
from world import World


class Nothing(BaseModel):
    """No settings."""


class Recording(
    Connector[Nothing],
    PullOrders,
    PullReturns,
    CancelOrders,
    PushStock,
    SnapshotStock,
    SnapshotOrders,
    PushFulfillment,
    LookupWarranty,
    RegisterWarranty,
):
    """A channel in memory, with compare-and-set."""

    key = "recording"
    settings_model = Nothing
    questions_max = 10

    def __init__(self) -> None:
        super().__init__(Nothing(), RemoteApi(self.remote(Nothing())))
        self.shown: dict[str, int] = {}
        self.pushes: list[StockLevel] = []
        self.fulfillments: list[Fulfillment] = []
        self.registrations: dict[str, Registration] = {}
        self.serials: set[str] = set()
        self.orders: dict[str, Order] = {}
        self.pages: list[Page[Order]] = []
        self.return_pages: list[Page[Return]] = []
        self.returns_forbidden: BaseException | None = None
        self.cancellations: list[Cancellation] = []
        self.failures: list[BaseException] = []
        self.level_failures: dict[str, ConnectorError] = {}

    @classmethod
    def remote(cls, settings: Nothing) -> Remote:
        return Remote(base_url="http://recording.test")

    async def check(self) -> None:
        self._fail()

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        self._fail()
        self.pushes += levels
        return [self._set(level) for level in levels]

    def _set(self, level: StockLevel) -> PushedLevel:
        if (error := self.level_failures.get(level.sku)) is not None:
            return PushedLevel(level.listing, error=error)
        present = self.shown.get(level.sku)
        if level.expected is not None and present is not None and present != level.expected:
            return PushedLevel(level.listing, error=Conflict("stale", observed=present))
        self.shown[level.sku] = level.available
        return PushedLevel(level.listing, level.available)

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel]:
        self._fail()
        for sku, quantity in sorted(self.shown.items()):
            yield ObservedLevel(sku=sku, quantity=quantity, remote={"id": sku})

    async def pull_orders(self, cursor: str) -> Page[Order]:
        self._fail()
        return self.pages.pop(0) if self.pages else Page((), cursor)

    async def pull_returns(self, cursor: str) -> Page[Return]:
        if self.returns_forbidden is not None:
            raise self.returns_forbidden
        return self.return_pages.pop(0) if self.return_pages else Page((), cursor)

    async def read_returns(self, order_ref: str) -> Sequence[Return]:
        if self.returns_forbidden is not None:
            raise self.returns_forbidden
        known = [each for page in self.return_pages for each in page.items]
        return [each for each in known if each.order_ref == order_ref]

    async def cancel_order(self, cancellation: Cancellation) -> str:
        self._fail()
        self.cancellations.append(cancellation)
        return cancellation.order_ref

    async def read_order(self, ref: str) -> Order:
        self._fail()
        if ref not in self.orders:
            raise NotFound(ref)
        return self.orders[ref]

    async def snapshot_orders(self, since: datetime, until: datetime) -> AsyncIterator[Order]:
        self._fail()
        for order in self.orders.values():
            if since <= order.placed_at <= until:
                yield order

    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        self._fail()
        self.fulfillments.append(fulfillment)
        if (order := self.orders.get(fulfillment.order_ref)) is not None:
            left = {line.order_line_ref: len(line.serials) for line in fulfillment.lines}
            lines = tuple(
                replace(line, fulfilled=line.fulfilled + left.get(line.ref, 0))
                for line in order.lines
            )
            self.orders[order.ref] = replace(order, lines=lines)
        return f"http://recording.test/{fulfillment.reference}"

    async def lookup_warranty(self, questions: Sequence[WarrantyQuestion]) -> Sequence[Warranty]:
        self._fail()
        return [self._answer(question.serial) for question in questions]

    def _answer(self, serial: str) -> Warranty:
        known = serial in self.serials
        return Warranty(
            serial=serial,
            status=WarrantyStatus.COVERED if known else WarrantyStatus.UNKNOWN,
            registered=serial in self.registrations,
        )

    async def register_warranty(self, registration: Registration) -> Warranty:
        self._fail()
        self.registrations[registration.serial] = registration
        return self._answer(registration.serial)


class Calling(Recording, ReceiveWebhooks):
    """The same, and it calls: the body of a delivery is the reference of an order."""

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        if headers.get("signature") != "right":
            raise AuthFailed("the signature is wrong")
        return WebhookCall(headers["id"], headers["topic"])

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        return [OrderRef(body.decode(), deleted=topic.endswith("/delete"))]


class _Fixed(Connections):
    def __init__(self, connector: Connector[Any]) -> None:
        super().__init__(lambda _: {})
        self._connector = connector

    def of(self, channel: Any) -> Connector[Any]:
        return self._connector


def stage(
    world: World, kind: type[Recording] = Recording, **more: Any
) -> tuple[Recording, Runtime, Row]:
    """Connect a recording channel; return it, a runtime for the jobs and the channel's row."""
    connector = kind()
    channel = world.channel("rec", "shopify", capabilities=capabilities(kind), **more)
    runtime = Runtime(world.database, _Fixed(connector), clock=lambda: world.now, holder="test")
    return connector, runtime, channel
