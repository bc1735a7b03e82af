"""Faults that tests plant into connectors: each is small, and goes into any connector that is able.

`plant(fault, key)` returns the installed connector with the fault; `assert_caught` runs one row of
the kit against it.
"""

import itertools
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any, ClassVar

import pytest
from pydantic import Field

from connectors import AuthFailed, NotFound, RateLimited, Rejected, Transient, Unknown
from connectors.contract import OrderRef, Page, PushedLevel, WebhookCall
from connectors.registry import connector_class
from connectors.testing.case import Case, ConformanceFailure, NotApplicable
from connectors.testing.conformance import CASES
from connectors.testing.harness import run_case
from connectors.testing.scorecard import driver_of
from connectors.toolkit.page_size import smaller_pages
from hub.vocabulary import Device, Order, OrderState, Return, WarrantyStatus

BY_NAME: Mapping[str, Case] = {case.name: case for case in CASES}
COUNT = itertools.count()
HERE = timezone(timedelta(hours=1))
Change = Callable[[Any], Any]
Fault = type


def plant(fault: Fault, base: Any) -> Any:
    """Return a connector, by its class or its key, with a fault."""
    of = connector_class(base) if isinstance(base, str) else base

    class Planted(fault, of):
        __doc__ = fault.__doc__

    if hasattr(fault, "begin"):
        fault.begin()
    return Planted


def assert_caught(name: str, connector: Any, driver: Any, match: str | None = None) -> None:
    """Fail unless a row of the kit fails for a connector."""
    with pytest.raises(ConformanceFailure, match=match):
        run_case(BY_NAME[name], connector, driver)


def first_row_that_fails(connector: Any, key: str, first: str) -> str | None:
    """Run the whole kit, one row before the others, until a row fails; return its name."""
    rows = sorted(CASES, key=lambda case: case.name != first)
    for case in rows:
        if case.not_applicable(connector):
            continue
        try:
            run_case(case, connector, driver_of(key))
        except NotApplicable:
            continue
        except AssertionError:
            return case.name
    return None


# Orders.


def of_pages(change: Change, method: str = "pull_orders") -> Fault:
    """Return a fault: a page is changed on its way out."""

    async def pulled(self: Any, cursor: str) -> Any:
        return change(await getattr(super(owner, self), method)(cursor))

    owner = type("OfPages", (), {method: pulled})
    return owner


def of_items(change: Change, method: str = "pull_orders") -> Fault:
    return of_pages(
        lambda page: replace(page, items=tuple(change(each) for each in page.items)), method
    )


def of_orders(change: Change) -> Fault:
    """Return a fault: orders are changed on their way out, wherever they are read."""

    class OfOrders(of_items(change)):
        async def read_order(self, ref: str) -> Order:
            return change(await super().read_order(ref))

    return OfOrders


def of_lines(change: Change) -> Fault:
    return of_orders(lambda order: replace(order, lines=tuple(change(e) for e in order.lines)))


def of_returns(change: Change) -> Fault:
    return of_items(change, "pull_returns")


def of_return_lines(change: Change) -> Fault:
    return of_returns(lambda back: replace(back, lines=tuple(change(e) for e in back.lines)))


def of_levels(change: Change, answer: Change = lambda pushed: pushed) -> Fault:
    """Return a fault: levels are changed before they are pushed, and their answers after it."""

    class OfLevels:
        async def push_stock(self, levels: Sequence[Any]) -> Sequence[PushedLevel]:
            pushed = await super().push_stock([change(each) for each in levels])
            return [answer(each) for each in pushed]

    return OfLevels


def of_shipments(change: Change) -> Fault:
    class OfShipments:
        async def push_fulfillment(self, fulfillment: Any) -> str:
            return await super().push_fulfillment(change(fulfillment))

    return OfShipments


def of_errors(method: str, kind: type[Exception], becomes: Change) -> Fault:
    """Return a fault: an error of a method is another, or a value where `becomes` returns one."""

    async def call(self: Any, *given: Any) -> Any:
        try:
            return await getattr(super(owner, self), method)(*given)
        except kind as error:
            other = becomes(error)
            if isinstance(other, Exception):
                raise other from error
            return other

    owner = type("OfErrors", (), {method: call})
    return owner


def shape(name: str, **attributes: Any) -> Fault:
    """Return a fault: a class that states something about itself which is not so."""
    return type(name, (), attributes)


NeverEmpty = of_pages(lambda page: replace(page, more=True))
LosesTheLast = of_pages(lambda page: replace(page, items=page.items[:-1]))
LosesTheLastReturn = of_pages(
    lambda page: replace(page, items=page.items[:-1] if page.more else page.items), "pull_returns"
)
SeesNoReturns = of_pages(lambda page: replace(page, items=()), "pull_returns")


class Watermark:
    """Go on behind the newest time of the page before."""

    newest: Any = None

    @classmethod
    def begin(cls) -> None:
        cls.newest = None

    async def pull_orders(self, cursor: str) -> Page[Any]:
        page = await super().pull_orders(cursor)
        last = self.newest
        items = tuple(each for each in page.items if last is None or each.updated_at > last)
        type(self).newest = max([each.updated_at for each in page.items], default=last)
        return replace(page, items=items[:50])


class PagesOfOneSize:
    async def pull_orders(self, cursor: str) -> Page[Order]:
        with smaller_pages(1):
            return await super().pull_orders(cursor)


class ForgetsWhatItGave:
    given: ClassVar[set[str]] = set()

    @classmethod
    def begin(cls) -> None:
        cls.given = set()

    async def pull_orders(self, cursor: str) -> Page[Order]:
        page = await super().pull_orders(cursor)
        fresh = tuple(order for order in page.items if order.ref not in self.given)
        self.given.update(order.ref for order in fresh)
        return replace(page, items=fresh)


class InventsOrders:
    async def read_order(self, ref: str) -> Order:
        try:
            return await super().read_order(ref)
        except NotFound:
            page = await super().pull_orders("")
            return replace(page.items[0], ref=ref)


def of_doubles(ref: str) -> str:
    return re.sub(r"\d{10,}", lambda found: str(int(float(found[0]))), ref)


NeverCancels = of_orders(lambda order: replace(order, state=OrderState.OPEN))
CountsInDoubles = of_orders(lambda order: replace(order, ref=of_doubles(order.ref)))
LivesInOneZone = of_orders(
    lambda order: replace(order, placed_at=order.placed_at.replace(tzinfo=HERE))
)
TakesTimesForItsOwn = of_orders(
    lambda order: replace(order, placed_at=order.placed_at.replace(tzinfo=None).astimezone())
)


def knows_all_words(method: str) -> Fault:
    """Return a fault: what has a word that is new is left out."""

    def known(page: Page[Any]) -> Page[Any]:
        new = "a_word_of_tomorrow"
        items = (each for each in page.items if new not in _words(each).casefold())
        return replace(page, items=tuple(items))

    def _words(each: Any) -> str:
        shown = (getattr(each, name, "") for name in ("payment_state", "shipment_state"))
        return " ".join((each.remote_state, *shown))

    return of_pages(known, method)


class LeavesTheLastOut:
    async def snapshot_orders(self, since: Any, until: Any) -> AsyncIterator[Order]:
        async for order in super().snapshot_orders(since, until):
            if order.placed_at < until.replace(microsecond=0):
                yield order


HearsNoTill = of_lines(lambda line: replace(line, serials=()))


class CancelsAgain:
    async def cancel_order(self, cancellation: Any) -> str:
        read = await self.read_order(cancellation.order_ref)
        if read.state is OrderState.CANCELLED:
            raise Unknown("cancelled already")
        return await super().cancel_order(cancellation)


# Stock.


class SeesHalf:
    async def snapshot_stock(self) -> AsyncIterator[Any]:
        seen = 0
        async for each in super().snapshot_stock():
            if (seen := seen + 1) <= 100:
                yield each


class SaysWhatItWants:
    async def push_stock(self, levels: Sequence[Any]) -> Sequence[PushedLevel]:
        return [PushedLevel(each.listing, each.available) for each in levels]


class AllOrNothing:
    async def push_stock(self, levels: Sequence[Any]) -> Sequence[PushedLevel]:
        answers = await super().push_stock(levels)
        for each in answers:
            if each.error is not None:
                raise each.error
        return answers


class ThinksAllIsWell:
    async def push_stock(self, levels: Sequence[Any]) -> Sequence[PushedLevel]:
        try:
            return await super().push_stock(levels)
        except Unknown:
            return [PushedLevel(each.listing, each.available) for each in levels]


class AddsWhatItWants:
    """Push again what somebody sold meanwhile, as if it had never been pushed."""

    async def push_stock(self, levels: Sequence[Any]) -> Sequence[PushedLevel]:
        new = [replace(each, expected=None, key=f"{each.key}-{next(COUNT)}") for each in levels]
        return await super().push_stock(new)


class NeedsReferences:
    async def push_stock(self, levels: Sequence[Any]) -> Sequence[PushedLevel]:
        if any(not level.remote for level in levels):
            raise Rejected("a level names no listing")
        return await super().push_stock(levels)


ComparesNothing = of_levels(lambda level: replace(level, expected=None))
ComparesInOneStep = shape("ComparesInOneStep", compares_in_one_step=True)
CountsInThousands = of_levels(lambda each: replace(each, available=each.available // 1000 * 1000))
ForgetsOpenOrders = of_levels(
    lambda each: replace(each, available=max(0, each.available - 2)),
    lambda pushed: replace(pushed, quantity=pushed.quantity + 2) if pushed.quantity else pushed,
)

# Shipments.


def bare(serial: str) -> str:
    return "".join(filter(str.isalnum, serial))


def alnum(fulfillment: Any) -> Any:
    lines = (replace(line, serials=tuple(map(bare, line.serials))) for line in fulfillment.lines)
    return replace(fulfillment, lines=tuple(lines))


def the_first_line(fulfillment: Any) -> Any:
    return replace(fulfillment, lines=fulfillment.lines[:1])


def serials_swapped(fulfillment: Any) -> Any:
    first, *rest = (line.serials for line in fulfillment.lines)
    named = [*rest, first] if len({len(each) for each in (first, *rest)}) == 1 else [first, *rest]
    lines = zip(fulfillment.lines, named, strict=True)
    return replace(fulfillment, lines=tuple(replace(a, serials=b) for a, b in lines))


NeedsSerials = of_shipments(
    lambda each: replace(
        each, lines=tuple(replace(line, quantity=len(line.serials)) for line in each.lines)
    )
)
DropsOddSigns = of_shipments(alnum)
ShipsTheFirstLine = of_shipments(the_first_line)
ShipsAgain = of_shipments(
    lambda each: replace(
        each,
        reference=f"{each.reference}-{(number := next(COUNT))}",
        tracking=f"{each.tracking}-{number}",
    )
)
SeesNoSerials = of_lines(lambda line: replace(line, shown_serials=()))
ShipsIntoTheVoid = of_errors("push_fulfillment", NotFound, lambda _: "done")
CallsSilenceTransient = of_errors("push_fulfillment", Unknown, lambda error: Transient(str(error)))


class ShipsOnce:
    async def push_fulfillment(self, fulfillment: Any) -> str:
        order = await self.read_order(fulfillment.order_ref)
        if order.lines[0].fulfilled:
            return order.number
        return await super().push_fulfillment(fulfillment)


# Webhooks and queues.


class ReadsNoHints:
    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        return ()


class BelievesEverybody:
    def verify(self, headers: Any, body: bytes, received_at: Any) -> WebhookCall:
        return WebhookCall("1", "")


class NumbersDeliveries:
    def verify(self, headers: Any, body: bytes, received_at: Any) -> WebhookCall:
        return replace(super().verify(headers, body, received_at), id=str(next(COUNT)))


class OneIdForAll:
    def verify(self, headers: Any, body: bytes, received_at: Any) -> WebhookCall:
        return replace(super().verify(headers, body, received_at), id="1")


class IgnoresPrivacy:
    def privacy_request(self, topic: str, body: bytes) -> None:
        return None


class AcknowledgesAtOnce:
    async def receive(self) -> Sequence[Any]:
        taken = await super().receive()
        await super().acknowledge([each.receipt for each in taken])
        return taken


class AcknowledgesNothing:
    async def acknowledge(self, receipts: Sequence[str]) -> None:
        return


class AcknowledgesTen:
    async def acknowledge(self, receipts: Sequence[str]) -> None:
        await super().acknowledge(receipts[:10])


class NumbersNotices:
    async def receive(self) -> Sequence[Any]:
        return [
            replace(each, call=WebhookCall(f"{next(COUNT)}", each.call.topic))
            for each in await super().receive()
        ]


class BelievesEveryNotice:
    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        import json

        change = json.loads(body)["Payload"]["OrderChangeNotification"]
        return (OrderRef(change["AmazonOrderId"]),)


class DropsWhatIsNoNotice:
    async def receive(self) -> Sequence[Any]:
        return [each for each in await super().receive() if each.call.topic]


# The wire.


class ChecksNothing:
    async def check(self) -> None:
        return


class RefusesItself:
    async def check(self) -> None:
        raise Rejected("nothing can be done")


class NeedsContent:
    async def check(self) -> None:
        answer = await self.api.request("GET", "/")
        assert answer.json()["data"]


class SaysItAll:
    """Put what was sent into the message of an error."""

    async def check(self) -> None:
        settings = self.settings.model_dump(mode="python")
        secrets = [
            v.get_secret_value() for v in settings.values() if hasattr(v, "get_secret_value")
        ]
        try:
            await super().check()
        except Exception as error:
            raise Rejected(f"{secrets} {error}"[:200]) from error


NoHurry = of_errors("check", RateLimited, lambda error: Transient(str(error)))
WaitsAMinute = of_errors("check", RateLimited, lambda error: RateLimited(str(error), 60))
TakesAWallForARefusal = of_errors("check", Transient, lambda error: AuthFailed(str(error)))
HidesWhereItWent = of_errors("check", Rejected, lambda _: Rejected("301"))
ChecksInSilence = of_errors("check", Unknown, lambda error: Transient(str(error)))
TakesAPageForAnAnswer = of_errors("check", Exception, lambda _: None)


def open_key(base: Any) -> Any:
    """Return a connector with a setting that sounds secret and is shown."""

    class OpenKey(base.settings_model):
        sort_key: str = Field("created_at")

    return type("OpenKeyed", (base,), {"settings_model": OpenKey})


# Warranties, messages, events, devices.


def of_answers(change: Change) -> Fault:
    class OfAnswers:
        async def lookup_warranty(self, questions: Sequence[Any]) -> Sequence[Any]:
            return [change(e) for e in await super().lookup_warranty(questions)]

    return OfAnswers


GuessesTheWorst = of_answers(
    lambda each: (
        replace(each, status=WarrantyStatus.EXPIRED)
        if each.status is WarrantyStatus.UNKNOWN
        else each
    )
)
ADayLate = of_answers(
    lambda each: replace(each, ends_on=each.ends_on and each.ends_on + timedelta(days=1))
)


class RegistersLater:
    async def register_warranty(self, registration: Any) -> Any:
        sold_on = registration.sold_on + timedelta(days=2)
        return await super().register_warranty(replace(registration, sold_on=sold_on))


class SendsAgain:
    async def send_notice(self, notice: Any) -> str:
        return await super().send_notice(replace(notice, reference=f"N-{next(COUNT)}"))


class NeverLooks:
    async def _known_ids(self, events: Sequence[Any]) -> set[str]:
        return set()


class AnyDeviceWillDo:
    async def lookup_device(self, question: Any) -> Device | None:
        found = await super().lookup_device(question)
        return found or Device(identifier=question.identifier, brand="CoRoent", company="")


def units(back: Return) -> int:
    return sum(line.quantity for line in back.lines)
