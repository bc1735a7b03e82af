"""The connectors of the hostile channels: the real contract, and a wire on which all goes wrong."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from connectors import (
    AuthFailed,
    Connector,
    ConnectorError,
    LookupWarranty,
    NotFound,
    NotOurs,
    OrderRef,
    Page,
    PullOrders,
    PushedLevel,
    PushFulfillment,
    PushStock,
    RateLimited,
    ReceiveWebhooks,
    RegisterWarranty,
    Remote,
    SnapshotOrders,
    SnapshotStock,
    Transient,
    Unknown,
    Unreadable,
    UnreadableRecord,
    WebhookCall,
)
from connectors.connections import Connections
from connectors.remote import ensure_may_send
from connectors.toolkit.cursors import IncrementalCursor
from hub.vocabulary import (
    Fulfillment,
    ObservedLevel,
    Order,
    Registration,
    StockLevel,
    Warranty,
    WarrantyQuestion,
    WarrantyStatus,
)
from tests.simulation.channel import Maker, Shop
from tests.simulation.process import Process

Result = TypeVar("Result")
PAGE = 3
TIMEOUT_SECONDS = 20.0
SLOW_SECONDS = (30.0, 90.0)  # longer than a lease, at times
LATE_SECONDS = (5.0, 60.0)


class Drifted(ValueError):
    """The channel has a new shape of answer, which the connector can not read yet."""


class Nothing(BaseModel):
    """No settings."""


@dataclass
class Wire:
    """The way from one process to one channel."""

    process: Process
    far: Shop | Maker
    note: Callable[[str, str], None]
    code: str

    async def call(self, what: str, effect: Callable[[], Result], *, late: bool = False) -> Result:
        """Make a call; `late` says that it may take effect after everybody gave it up."""
        faults, loop = self.process.faults, asyncio.get_running_loop()
        slow = faults.random.uniform(*SLOW_SECONDS) if faults.hits("slow") else 0.0
        await self.process.pause(faults.random.expovariate(8) + slow)
        ensure_may_send()  # as `RemoteApi` does: the process may have stood still until now
        if not self.far.credentials_good:
            raise AuthFailed("401")
        if (wait := self.far.throttled_until - loop.time()) > 0:
            faults.happened("answer_429")
            raise RateLimited("429", max(1.0, wait))
        if faults.hits("server_error"):
            raise Transient("503")
        if late and faults.hits("late_effect"):
            loop.call_later(faults.random.uniform(*LATE_SECONDS), self._late, what, effect)
            await self.process.pause(TIMEOUT_SECONDS)
            raise Unknown("no answer")
        if faults.hits("timeout_before"):
            await self.process.pause(TIMEOUT_SECONDS)
            raise Unknown("no answer")
        result = effect()
        self.note(self.code, f"{what} -> {_brief(result)}")
        if faults.hits("timeout_after"):
            await self.process.pause(TIMEOUT_SECONDS)
            raise Unknown("no answer")
        await self.process.pause(faults.random.expovariate(8))
        return result

    def _late(self, what: str, effect: Callable[[], Any]) -> None:
        try:
            self.note(self.code, f"late: {what} -> {_brief(effect())}")
        except ConnectorError as error:
            self.note(self.code, f"late: {what} refused: {error}")


class _Unpaced:
    """What stands for the API: the far side is in this process, and says itself when to wait."""

    async def wait(self) -> float:
        return 0.0

    def retirements(self) -> tuple[()]:
        return ()

    async def aclose(self) -> None:
        return None


class _Far(Connector[Nothing]):
    settings_model = Nothing

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.api = _Unpaced()  # type: ignore[assignment]

    @classmethod
    def remote(cls, settings: Nothing) -> Remote:
        raise NotImplementedError("there is no wire")

    async def check(self) -> None:
        await self.wire.call("check", lambda: None)


class _Selling(_Far, PullOrders, PushStock):
    """What every shop can do."""

    levels_max = 2

    @property
    def shop(self) -> Shop:
        far = self.wire.far
        assert isinstance(far, Shop)
        return far

    async def pull_orders(self, cursor: str) -> Page[Order]:
        pages = self._by_time if self.shop.kind.by_time else self._by_log
        page = await self.wire.call(f"pull after {cursor or 'nothing'}", lambda: pages(cursor))
        found = [each for each in (*self._beside(), *page.items) if self.is_ours(each.ref)]
        good = tuple(self._readable(each) for each in found if each.ref not in self.shop.odd)
        odd = tuple(_odd(each.ref) for each in page.items if each.ref in self.shop.odd)
        return Page(good, page.cursor, page.more, unreadable=odd)

    def _own(self, order: Order) -> Order:
        if not self.is_ours(order.ref):
            raise NotOurs(f"order {order.ref} is of another channel")
        return order

    def is_ours(self, ref: str) -> bool:
        """Say whether an order of the account is one of this channel."""
        return ref.startswith(f"{self.shop.kind.name}-")

    def _beside(self) -> list[Order]:
        """Return orders of the account's other channels that a page holds beside ours."""
        if not self.shop.others or not self.wire.process.faults.hits("other_channel"):
            return []
        return [order for other in self.shop.others for order in other.listed()[-PAGE:]]

    def _by_log(self, cursor: str) -> Page[Order]:
        start = int(cursor or 0)
        refs = self.shop.log[start : start + PAGE]
        end = start + len(refs)
        there = (ref for ref in dict.fromkeys(refs) if ref in self.shop.orders)
        orders = tuple(self.shop.orders[ref] for ref in there)
        return Page(orders, str(end), end < len(self.shop.log))

    def _by_time(self, cursor: str) -> Page[Order]:
        loop: Any = asyncio.get_running_loop()
        walk = IncrementalCursor.resume(cursor, loop.present())
        orders = sorted(self.shop.listed(), key=lambda each: (each.updated_at, each.ref))
        if walk.since is not None:
            orders = [each for each in orders if each.updated_at >= walk.since]
        if walk.after is not None:
            orders = [each for each in orders if _place(each) > walk.after]
        page = orders[:PAGE]
        after = _place(page[-1]) if len(orders) > PAGE else None
        walk, more = walk.step(max((each.updated_at for each in page), default=None), after)
        return Page(tuple(page), walk.cursor(), more)

    def _readable(self, order: Order) -> Order:
        if order.ref in self.shop.drifted:
            raise Drifted(f"{order.ref}: lines is not a list")
        return order

    async def read_order(self, ref: str) -> Order:
        def look() -> Order:
            for shop in (self.shop, *self.shop.others):
                for order in shop.listed():
                    if order.ref == ref:
                        return self._own(order)
            raise NotFound(ref)

        if ref in self.shop.odd:
            raise Unreadable(_odd(ref))
        return self._readable(await self.wire.call(f"read {ref}", look))

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        def push() -> list[PushedLevel]:
            return [self._set(level) for level in levels]

        told = ", ".join(
            f"{each.sku}={each.available} (expected {each.expected}) {each.key[-8:]}"
            for each in levels
        )
        return await self.wire.call(f"push {told}", push, late=True)

    def _set(self, level: StockLevel) -> PushedLevel:
        if self.wire.process.faults.hits("partial"):
            return PushedLevel(level.listing, error=Transient("this one failed"))
        try:
            return PushedLevel(level.listing, self.shop.set_level(level))
        except ConnectorError as refusal:
            return PushedLevel(level.listing, error=refusal)


def _odd(ref: str) -> UnreadableRecord:
    """Return the record of an order whose lines are no list."""
    return UnreadableRecord(
        kind="order", ref=ref, field="lines", value="7", reason="is no list", raw="{}"
    )


def _brief(result: object) -> object:
    """Say a result in few words, for the trace."""
    match result:
        case Page():
            seen = ", ".join(_brief_order(order) for order in result.items)
            return f"[{seen}] cursor {result.cursor}"
        case Order():
            return _brief_order(result)
        case [Order(), *_]:
            return ", ".join(_brief_order(order) for order in result)
        case [PushedLevel(), *_]:
            return ", ".join(str(each.error or each.quantity) for each in result)
        case [Warranty(), *_]:
            return f"{len(result)} answers"
        case Warranty():
            return result.status
    return result


def _brief_order(order: Order) -> str:
    lines = " ".join(f"{line.ref}:{line.fulfilled}/{line.quantity}" for line in order.lines)
    return f"{order.ref} {order.state} {lines}"


def _place(order: Order) -> str:
    return f"{order.updated_at.isoformat()}|{order.ref}"


class _SeenStock(_Selling, SnapshotStock):
    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel]:
        shown = await self.wire.call("look at levels", lambda: dict(self.shop.shown))
        for sku, quantity in shown.items():
            yield ObservedLevel(sku=sku, quantity=quantity, remote={"sku": sku})


class _SeenOrders(_SeenStock, SnapshotOrders):
    async def snapshot_orders(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[Order | UnreadableRecord]:
        listed = await self.wire.call("look at orders", self.shop.listed)
        for order in listed:
            if since <= order.placed_at <= until:
                yield _odd(order.ref) if order.ref in self.shop.odd else self._readable(order)


class _Shipping(_Selling, PushFulfillment):
    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        if not self.shop.kind.keys:
            look = lambda: self.shop.has_parcel(fulfillment)  # noqa: E731 # said once, below
            if await self.wire.call("look for parcel", look):
                return f"parcel {fulfillment.reference}"
        return await self.wire.call(
            f"ship {fulfillment.order_ref} {[each.serials for each in fulfillment.lines]}",
            lambda: self.shop.ship(fulfillment),
            # Where nothing tells a late call from a new one, none comes late.
            late=self.shop.kind.keys,
        )


class _Calling(_Selling, ReceiveWebhooks):
    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        if headers.get("signature") != hashlib.sha256(body).hexdigest():
            raise AuthFailed("the signature is wrong")
        return WebhookCall(headers["id"], headers["topic"])

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        return [OrderRef(body.decode(), deleted=topic == "order/delete")]


class Market(_SeenOrders, _Shipping, _Calling):
    """Compares before it sets, knows requests by their keys."""

    key = "market"


class Plain(_SeenOrders, _Shipping, _Calling):
    """Does not compare; lists orders by time, late and by whole seconds."""

    key = "plain"


class Bare(_SeenStock, _Shipping):
    """No keys, no comparison, no webhooks, no orders to look at again."""

    key = "bare"


class Till(_SeenOrders, _Calling):
    """A point of sale: what it sells is gone already."""

    key = "till"


class Registry(_Far, LookupWarranty, RegisterWarranty):
    """A manufacturer that takes registrations."""

    key = "registry"
    questions_max = 5

    @property
    def maker(self) -> Maker:
        far = self.wire.far
        assert isinstance(far, Maker)
        return far

    def _answer(self, serial: str) -> Warranty:
        known = serial in self.maker.serials
        return Warranty(
            serial=serial,
            status=WarrantyStatus.COVERED if known else WarrantyStatus.UNKNOWN,
            registered=serial in self.maker.registered.values(),
        )

    async def lookup_warranty(self, questions: Sequence[WarrantyQuestion]) -> Sequence[Warranty]:
        return await self.wire.call(
            "look up", lambda: [self._answer(each.serial) for each in questions]
        )

    async def register_warranty(self, registration: Registration) -> Warranty:
        def register() -> Warranty:
            self.maker.registered.setdefault(registration.reference, registration.serial)
            return self._answer(registration.serial)

        return await self.wire.call(f"register {registration.serial}", register, late=True)


CONNECTORS: dict[str, type[_Far]] = {
    each.key: each for each in (Market, Plain, Bare, Till, Registry)
}


class SimulatedConnections(Connections):
    """The open connectors of one process."""

    def __init__(
        self,
        process: Process,
        far: Mapping[str, Shop | Maker],
        note: Callable[[str, str], None],
    ) -> None:
        super().__init__(lambda _: {})
        self._made = {
            code: CONNECTORS[code](Wire(process, each, note, code)) for code, each in far.items()
        }

    def of(self, channel: Mapping[str, Any]) -> Connector[Any]:
        return self._made[channel["code"]]
