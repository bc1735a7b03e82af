"""the cases of the conformance kit fail for connectors that break their promises, and say why."""

import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar, get_type_hints

import pytest
from pydantic import BaseModel, Field

from connectors import AuthFailed, NotFound, RateLimited, Rejected, Transient, Unknown
from connectors.amazon.connector import Amazon
from connectors.amazon.driver import AmazonDriver
from connectors.contract import Connector, OrderRef, Page, PushedLevel, QueueMessage, WebhookCall
from connectors.epcis.connector import Epcis
from connectors.epcis.driver import EpcisDriver
from connectors.gudid.connector import Gudid
from connectors.gudid.driver import GudidDriver
from connectors.medusa.connector import Medusa, MedusaSettings
from connectors.medusa.driver import MedusaDriver
from connectors.medusa.mapping import parse_order
from connectors.notice_rest.connector import NoticeRest
from connectors.notice_rest.driver import NoticeDriver
from connectors.privacy import PrivacyRequest
from connectors.shopify.connector import Shopify
from connectors.shopify.driver import ShopifyDriver
from connectors.square.connector import Square
from connectors.square.driver import SquareDriver
from connectors.testing import ConformanceFailure
from connectors.testing.case import Case, NotApplicable
from connectors.testing.conformance import CASES, amounts, lines, records
from connectors.testing.harness import run_case
from connectors.testing.simulator_driver import DriverIncomplete, SimulatorDriver
from connectors.toolkit.page_size import smaller_pages
from connectors.warranty_rest.connector import WarrantyRest
from connectors.warranty_rest.driver import WarrantyDriver
from hub import vocabulary
from hub.vocabulary import (
    Cancellation,
    Device,
    DeviceQuestion,
    Fulfillment,
    LedgerEvent,
    Notice,
    ObservedLevel,
    Order,
    OrderState,
    Registration,
    Return,
    StockLevel,
    Warranty,
    WarrantyQuestion,
    WarrantyStatus,
)

BY_NAME: Mapping[str, Case] = {case.name: case for case in CASES}
COUNT = itertools.count()
HERE = timezone(timedelta(hours=1))


class AcknowledgesAtOnce(Amazon):
    async def receive(self) -> Sequence[QueueMessage]:
        taken = await super().receive()
        await super().acknowledge([each.receipt for each in taken])
        return taken


class AcknowledgesNothing(Amazon):
    async def acknowledge(self, receipts: Sequence[str]) -> None:
        return


class AcknowledgesTen(Amazon):
    async def acknowledge(self, receipts: Sequence[str]) -> None:
        await super().acknowledge(receipts[:10])


class NumbersNotices(Amazon):
    async def receive(self) -> Sequence[QueueMessage]:
        return [
            replace(each, call=WebhookCall(f"{next(COUNT)}", each.call.topic))
            for each in await super().receive()
        ]


class BelievesEveryNotice(Amazon):
    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        change = json.loads(body)["Payload"]["OrderChangeNotification"]
        return (OrderRef(change["AmazonOrderId"]),)


class DropsWhatIsNoNotice(Amazon):
    async def receive(self) -> Sequence[QueueMessage]:
        return [each for each in await super().receive() if each.call.topic]


class NeverEmpty(Medusa):
    async def pull_orders(self, cursor: str) -> Page[Order]:
        return replace(await super().pull_orders(cursor), more=True)


class PagesByNumber(Medusa):
    async def pull_orders(self, cursor: str) -> Page[Order]:
        skip = int(cursor or 0)
        orders = await self._orders("updated_at", datetime(2020, 1, 1, tzinfo=UTC), None, skip)
        read = tuple(parse_order(each) for each in orders)
        return Page(read, str(skip + len(orders)), len(orders) == 50)


class PagesOfOneSize(Medusa):
    async def pull_orders(self, cursor: str) -> Page[Order]:
        with smaller_pages(1):
            return await super().pull_orders(cursor)


class ForgetsWhatItGave(Medusa):
    given: ClassVar[set[str]] = set()

    async def pull_orders(self, cursor: str) -> Page[Order]:
        page = await super().pull_orders(cursor)
        fresh = tuple(order for order in page.items if order.ref not in self.given)
        self.given.update(order.ref for order in fresh)
        return replace(page, items=fresh)


class InventsOrders(Medusa):
    async def read_order(self, ref: str) -> Order:
        try:
            return await super().read_order(ref)
        except NotFound:
            return Order(
                ref=ref,
                number=ref,
                state=OrderState.PENDING,
                remote_state="",
                lines=(),
                placed_at=datetime.now(UTC),
                updated_at=datetime.now(UTC),
            )


class NeverCancels(Medusa):
    async def read_order(self, ref: str) -> Order:
        return replace(await super().read_order(ref), state=OrderState.OPEN)

    async def pull_orders(self, cursor: str) -> Page[Order]:
        page = await super().pull_orders(cursor)
        return replace(page, items=tuple(replace(e, state=OrderState.OPEN) for e in page.items))


class KnowsAllWords(Medusa):
    async def pull_orders(self, cursor: str) -> Page[Order]:
        page = await super().pull_orders(cursor)
        known = [each for each in page.items if "pending" in each.remote_state]
        return replace(page, items=tuple(known))


class CountsInDoubles(Medusa):
    async def pull_orders(self, cursor: str) -> Page[Order]:
        page = await super().pull_orders(cursor)
        return replace(page, items=tuple(replace(e, ref=_double(e.ref)) for e in page.items))


def _double(ref: str) -> str:
    kind, _, number = ref.partition("_")
    return f"{kind}_{int(float(number))}"


class LivesInOneZone(Medusa):
    async def pull_orders(self, cursor: str) -> Page[Order]:
        page = await super().pull_orders(cursor)
        moved = (replace(e, placed_at=e.placed_at.replace(tzinfo=HERE)) for e in page.items)
        return replace(page, items=tuple(moved))


class LeavesTheLastOut(Medusa):
    async def snapshot_orders(self, since: datetime, until: datetime) -> AsyncIterator[Order]:
        async for order in super().snapshot_orders(since, until):
            if order.placed_at < until:
                yield order


class SeesHalf(Medusa):
    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel]:
        seen = 0
        async for each in super().snapshot_stock():
            if (seen := seen + 1) <= 100:
                yield each


class SaysWhatItWants(Medusa):
    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        return [PushedLevel(each.listing, each.available) for each in levels]


class AllOrNothing(Medusa):
    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        answers = await super().push_stock(levels)
        for each in answers:
            if each.error is not None:
                raise each.error
        return answers


class ComparesNothing(Medusa):
    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        return await super().push_stock([replace(each, expected=None) for each in levels])


class ReadsAndThenSets(Medusa):
    compares_in_one_step = True  # it does not: Medusa has no way to


class ThinksAllIsWell(Medusa):
    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        try:
            return await super().push_stock(levels)
        except Unknown:
            return [PushedLevel(each.listing, each.available) for each in levels]


class CountsInThousands(Medusa):
    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        return await super().push_stock(
            [replace(each, available=each.available // 1000 * 1000) for each in levels]
        )


class ShipsAgain(Medusa):
    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        other = replace(fulfillment, reference=f"{fulfillment.reference}-{next(COUNT)}")
        return await super().push_fulfillment(other)


class DropsOddSigns(Medusa):
    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        lines = tuple(
            replace(line, serials=tuple("".join(filter(str.isalnum, s)) for s in line.serials))
            for line in fulfillment.lines
        )
        return await super().push_fulfillment(replace(fulfillment, lines=lines))


class SeesNoSerials(Medusa):
    async def read_order(self, ref: str) -> Order:
        order = await super().read_order(ref)
        lines = tuple(replace(line, shown_serials=()) for line in order.lines)
        return replace(order, lines=lines)


class ShipsOnce(Medusa):
    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        order = await self.read_order(fulfillment.order_ref)
        if order.lines[0].fulfilled:
            return order.number
        return await super().push_fulfillment(fulfillment)


class ShipsIntoTheVoid(Medusa):
    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        try:
            return await super().push_fulfillment(fulfillment)
        except NotFound:
            return "done"


class CallsSilenceTransient(Medusa):
    async def push_fulfillment(self, fulfillment: Fulfillment) -> str:
        try:
            return await super().push_fulfillment(fulfillment)
        except Unknown as error:
            raise Transient(str(error)) from error


class ReadsNoHints(Medusa):
    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        return ()


class BelievesEverybody(Medusa):
    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        return WebhookCall("1", "")


class NumbersDeliveries(Medusa):
    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        return replace(super().verify(headers, body, received_at), id=str(next(COUNT)))


class OneIdForAll(Medusa):
    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        return replace(super().verify(headers, body, received_at), id="1")


class ChecksNothing(Medusa):
    async def check(self) -> None:
        return


class TakesAWallForARefusal(Medusa):
    async def check(self) -> None:
        try:
            await super().check()
        except Transient as error:
            raise AuthFailed(str(error)) from error


class HidesWhereItWent(Square):
    async def check(self) -> None:
        try:
            await super().check()
        except Rejected as error:
            raise Rejected("301") from error


class NeedsContent(Shopify):
    async def check(self) -> None:
        answer = await self.api.request("POST", "/graphql.json", json={})
        assert answer.json()["data"]


class WaitsAMinute(Medusa):
    async def check(self) -> None:
        try:
            await super().check()
        except RateLimited as error:
            raise RateLimited(str(error), 60) from error


class NoHurry(Medusa):
    async def check(self) -> None:
        try:
            await super().check()
        except RateLimited as error:
            raise Transient(str(error)) from error


class IgnoresPrivacy(Shopify):
    def privacy_request(self, topic: str, body: bytes) -> PrivacyRequest | None:
        found = super().privacy_request(topic, body)
        return None if topic == "shop/redact" else found


class CancelsAgain(Shopify):
    async def cancel_order(self, cancellation: Cancellation) -> str:
        ref = cancellation.order_ref
        if (await self.read_order(ref)).state is OrderState.CANCELLED:
            raise Unknown("cancelled already")
        return await super().cancel_order(cancellation)


class SeesNoReturns(Shopify):
    async def pull_returns(self, cursor: str) -> Page[Return]:
        return replace(await super().pull_returns(cursor), items=())


class LosesAReturnOfEachPage(Square):
    async def pull_returns(self, cursor: str) -> Page[Return]:
        page = await super().pull_returns(cursor)
        return replace(page, items=page.items[:-1] if page.more else page.items)


class KnowsAllReturns(Shopify):
    async def pull_returns(self, cursor: str) -> Page[Return]:
        page = await super().pull_returns(cursor)
        return replace(
            page, items=tuple(each for each in page.items if each.remote_state == "OPEN")
        )


class ForgetsTheSerials(Square):
    async def pull_returns(self, cursor: str) -> Page[Return]:
        page = await super().pull_returns(cursor)
        bare = (
            replace(each, lines=tuple(replace(line, serials=()) for line in each.lines))
            for each in page.items
        )
        return replace(page, items=tuple(bare))


class HearsNoTill(Square):
    async def read_order(self, ref: str) -> Order:
        read = await super().read_order(ref)
        return replace(read, lines=tuple(replace(line, serials=()) for line in read.lines))


class GuessesTheWorst(WarrantyRest):
    async def lookup_warranty(self, questions: Sequence[WarrantyQuestion]) -> Sequence[Warranty]:
        answers = await super().lookup_warranty(questions)
        return [
            replace(each, status=WarrantyStatus.EXPIRED)
            if each.status is WarrantyStatus.UNKNOWN
            else each
            for each in answers
        ]


class ADayLate(WarrantyRest):
    async def lookup_warranty(self, questions: Sequence[WarrantyQuestion]) -> Sequence[Warranty]:
        answers = await super().lookup_warranty(questions)
        return [replace(e, ends_on=e.ends_on and e.ends_on + timedelta(days=1)) for e in answers]


class RegistersToday(WarrantyRest):
    async def register_warranty(self, registration: Registration) -> Warranty:
        sold_on = registration.sold_on + timedelta(days=2)
        return await super().register_warranty(replace(registration, sold_on=sold_on))


class SendsAgain(NoticeRest):
    async def send_notice(self, notice: Notice) -> str:
        return await super().send_notice(replace(notice, reference=f"N-{next(COUNT)}"))


class NeverLooks(Epcis):
    async def _known_ids(self, events: Sequence[LedgerEvent]) -> set[str]:
        return set()


class AnyDeviceWillDo(Gudid):
    async def lookup_device(self, question: DeviceQuestion) -> Device | None:
        found = await super().lookup_device(question)
        return found or Device(identifier=question.identifier, brand="CoRoent", company="")


PLANTED: list[tuple[str, type[Connector[Any]], type[SimulatorDriver]]] = [
    ("empty-pages-of-orders", NeverEmpty, MedusaDriver),
    ("pages-while-orders-change", PagesByNumber, MedusaDriver),
    ("smaller-pages-lose-nothing", PagesOfOneSize, MedusaDriver),
    ("same-cursor-twice", ForgetsWhatItGave, MedusaDriver),
    ("one-order-as-it-is-now", InventsOrders, MedusaDriver),
    ("cancelled-there", NeverCancels, MedusaDriver),
    ("cancelled-here", CancelsAgain, ShopifyDriver),
    ("unknown-enum-values", KnowsAllWords, MedusaDriver),
    ("ids-beyond-doubles", CountsInDoubles, MedusaDriver),
    ("times-of-other-zones", LivesInOneZone, MedusaDriver),
    ("orders-of-a-window", LeavesTheLastOut, MedusaDriver),
    ("serials-that-the-channel-sold", HearsNoTill, SquareDriver),
    ("quantities-are-set", SaysWhatItWants, MedusaDriver),
    ("one-bad-level", AllOrNothing, MedusaDriver),
    ("foreign-edits-are-seen", ComparesNothing, MedusaDriver),
    ("edits-within-a-push-are-seen", ReadsAndThenSets, MedusaDriver),
    ("a-repeated-push-undoes-nothing", ComparesNothing, MedusaDriver),
    ("a-push-whose-answer-is-lost", ThinksAllIsWell, MedusaDriver),
    ("large-quantities", CountsInThousands, MedusaDriver),
    ("every-article-is-seen", SeesHalf, MedusaDriver),
    ("a-shipment-is-reported-once", ShipsAgain, MedusaDriver),
    ("serials-are-shown-there", DropsOddSigns, MedusaDriver),
    ("shown-serials-are-read-back", SeesNoSerials, MedusaDriver),
    ("an-order-in-two-parcels", ShipsOnce, MedusaDriver),
    ("a-shipment-whose-answer-is-lost", ShipsAgain, MedusaDriver),
    ("a-shipment-whose-answer-is-lost", CallsSilenceTransient, MedusaDriver),
    ("an-unknown-order-is-not-shipped", ShipsIntoTheVoid, MedusaDriver),
    ("empty-pages-of-returns", SeesNoReturns, ShopifyDriver),
    ("returns-are-read", SeesNoReturns, ShopifyDriver),
    ("pages-while-returns-change", LosesAReturnOfEachPage, SquareDriver),
    ("unknown-enum-values-in-returns", KnowsAllReturns, ShopifyDriver),
    ("returned-serials-are-read", ForgetsTheSerials, SquareDriver),
    ("a-signed-webhook-is-read", ReadsNoHints, MedusaDriver),
    ("a-tampered-webhook-is-refused", BelievesEverybody, MedusaDriver),
    ("a-replayed-webhook-is-known", NumbersDeliveries, MedusaDriver),
    ("privacy-requests-are-read", IgnoresPrivacy, ShopifyDriver),
    ("a-replayed-webhook-is-known", OneIdForAll, MedusaDriver),
    ("a-message-returns-until-acknowledged", AcknowledgesAtOnce, AmazonDriver),
    ("a-message-returns-until-acknowledged", AcknowledgesNothing, AmazonDriver),
    ("a-message-returns-until-acknowledged", AcknowledgesTen, AmazonDriver),
    ("a-message-returns-until-acknowledged", NumbersNotices, AmazonDriver),
    ("an-unreadable-message-is-skipped", DropsWhatIsNoNotice, AmazonDriver),
    ("an-unreadable-message-is-skipped", BelievesEveryNotice, AmazonDriver),
    ("warranty-answers-match-questions", GuessesTheWorst, WarrantyDriver),
    ("warranty-dates-are-exact", ADayLate, WarrantyDriver),
    ("a-registration-happens-once", RegistersToday, WarrantyDriver),
    ("a-message-goes-out-once", SendsAgain, NoticeDriver),
    ("an-event-is-pushed-once", NeverLooks, EpcisDriver),
    ("a-device-is-found-by-identifier", AnyDeviceWillDo, GudidDriver),
    ("revoked-access", ChecksNothing, MedusaDriver),
    ("retry-after-is-respected", WaitsAMinute, MedusaDriver),
    ("channel-specific-throttling", NoHurry, MedusaDriver),
    ("unsigned-webhooks-are-refused", BelievesEverybody, MedusaDriver),
    ("never-sent-is-transient", ChecksNothing, MedusaDriver),
    ("silence-is-unknown", CallsSilenceTransient, MedusaDriver),
    ("every-status-maps-to-an-error", NoHurry, MedusaDriver),
    ("an-html-page-is-an-error", ThinksAllIsWell, MedusaDriver),
    ("a-bot-wall-is-tried-later", TakesAWallForARefusal, MedusaDriver),
    ("redirects-name-their-target", HidesWhereItWent, SquareDriver),
    ("no-content-is-no-bug", NeedsContent, ShopifyDriver),
]


@pytest.mark.parametrize(
    ("name", "connector", "driver"),
    PLANTED,
    ids=[f"{name}-{connector.__name__}" for name, connector, _ in PLANTED],
)
def test_a_broken_connector_fails_its_row(
    name: str, connector: type[Connector[Any]], driver: type[SimulatorDriver]
) -> None:
    ForgetsWhatItGave.given.clear()
    with pytest.raises(ConformanceFailure):
        run_case(BY_NAME[name], connector, driver)


def test_every_story_that_can_fail_has_a_connector_that_fails_it() -> None:
    alone = {
        "check-passes",
        "expired-tokens-are-replaced",
        "plain-key",
        "secrets-do-not-show",
        "errors-contain-no-secret",
        "a-level-without-references",
        "every-topic-names-its-order",
        "odd-answers-change-no-others",
        # see test_kit_records, _lines, _amounts, _holds, _returns, _untracked, _staff, _contacts
        "untracked-listings-are-left-alone",
        "staff-at-the-counter",
        "contacts-are-read-when-asked",
        "messages-reach-the-buyer",
        "held-orders-are-held",
        "drafts-are-no-orders",
        "refunded-before-leaving-is-not-to-pick",
    } | {case.name for case in (*records.CASES, *lines.CASES, *amounts.CASES)}
    assert {case.name for case in CASES} - {name for name, _, _ in PLANTED} == alone


def test_a_token_that_is_fetched_for_every_call_fails_its_row() -> None:
    class Wasteful(ShopifyDriver):
        def tokens_issued(self) -> int:
            return self.simulator.tokens_issued * 2

    with pytest.raises(ConformanceFailure, match="so many tokens"):
        run_case(BY_NAME["expired-tokens-are-replaced"], Shopify, Wasteful)


def test_amounts_that_cross_the_contract_are_exact_decimals() -> None:
    words = [each for each in vars(vocabulary).values() if is_dataclass(each)]
    assert Order in words
    hints = {
        field.name: get_type_hints(each)[field.name] for each in words for field in fields(each)
    }
    assert not [name for name, hint in hints.items() if "float" in str(hint)]
    amounts = {"total", "discount", "tax", "shipping", "refunded", "unit_price"}
    assert {hints[name] for name in amounts} - {int} == {Decimal | None}


class ByToken(ShopifyDriver):
    """A shop whose app fetches its token."""

    def settings(self, url: str) -> Mapping[str, Any]:
        return self.settings_with_tokens(url) or {}


def test_a_token_that_is_fetched_is_no_call_of_a_push() -> None:
    run_case(BY_NAME["edits-within-a-push-are-seen"], Shopify, ByToken)


class KeySettings(MedusaSettings):
    sort_key: str = "created_at"


class OpenKeySettings(MedusaSettings):
    sort_key: str = Field("created_at", json_schema_extra={"secret": False})


class SoundsSecret(Medusa):
    settings_model: ClassVar[type[BaseModel]] = KeySettings


class StatesThatItIsNone(Medusa):
    settings_model: ClassVar[type[BaseModel]] = OpenKeySettings


def test_a_setting_that_sounds_secret_is_one_or_is_declared() -> None:
    row = BY_NAME["secrets-do-not-show"]
    with pytest.raises(ConformanceFailure, match=r"sort_key.*json_schema_extra"):
        run_case(row, SoundsSecret, MedusaDriver)
    run_case(row, StatesThatItIsNone, MedusaDriver)


def test_a_failure_names_the_calls_the_wanted_state_and_the_page() -> None:
    with pytest.raises(ConformanceFailure) as caught:
        run_case(BY_NAME["quantities-are-set"], SaysWhatItWants, MedusaDriver)
    text = str(caught.value)
    assert "wanted (quantities-are-set): A quantity that was pushed is shown there" in text
    assert "by: PushStock.push_stock" in text
    assert "sent: " in text
    assert "docs/connectors/writing.md" in text


def test_a_row_whose_call_is_missing_says_so() -> None:
    with pytest.raises(ConformanceFailure, match="no request at all: is a call missing"):
        run_case(BY_NAME["revoked-access"], ChecksNothing, MedusaDriver)


class KeepsCancelledUnits(Shopify):
    restocks_cancelled = False


def test_a_channel_that_adds_nothing_back_states_it() -> None:
    """The flag is held to what the channel does: a shop that adds them fails with it."""
    with pytest.raises(ConformanceFailure, match="restocks_cancelled"):
        run_case(BY_NAME["cancelled-here"], KeepsCancelledUnits, ShopifyDriver)


def test_a_row_says_why_it_does_not_concern_a_connector() -> None:
    assert BY_NAME["cancelled-here"].not_applicable(Square) == "not able to cancel orders"
    assert "compares_stock" in (BY_NAME["foreign-edits-are-seen"].not_applicable(Square) or "")
    assert BY_NAME["check-passes"].not_applicable(Medusa) is None
    with pytest.raises(NotApplicable, match="run out"):
        run_case(BY_NAME["expired-tokens-are-replaced"], Medusa, MedusaDriver)


def test_a_driver_that_lacks_something_fails_the_row_and_names_it() -> None:
    class Unfinished(MedusaDriver):
        foreign_edit = SimulatorDriver.foreign_edit

    with pytest.raises(DriverIncomplete, match="Unfinished has to define foreign_edit"):
        run_case(BY_NAME["foreign-edits-are-seen"], Medusa, Unfinished)


def test_a_row_without_a_failure_returns_what_was_sent() -> None:
    sent = run_case(BY_NAME["quantities-are-set"], Medusa, MedusaDriver)
    assert {request.url.path for request in sent} >= {"/admin/inventory-items"}
