"""Every row of the kit fails for planted faults in three connectors, or in all that it concerns.

The table names the row, the fault, and the connectors that it is planted into; the rows about odd
records and about lines have tests of their own as well.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.contract import OrderRef
from connectors.privacy import PrivacyKind, ReceivePrivacyRequests
from connectors.registry import connector_class, keys
from connectors.template.package.serial_hub_acme.connector import Acme
from connectors.template.package.serial_hub_acme.driver import AcmeDriver
from connectors.testing.conformance import CASES
from connectors.testing.conformance.buyers import ANNA
from connectors.testing.scorecard import driver_of
from connectors.toolkit import warranty_status
from hub.vocabulary import LineKind
from tests.connectors.template.versioned_connector import Versioned
from tests.connectors.template.versioned_twin import VersionedDriver

from . import faults as f
from .test_kit_contacts import always_the_first, loses_it
from .test_kit_holds import for_good, goes, placed
from .test_kit_lines import all_gone, first_line_only, one_reference
from .test_kit_records import choking
from .test_kit_refunds import nothing_of_the_unknown, under_a_new_reference, under_our_name
from .test_kit_returns import still_two
from .test_kit_untracked import says_it_is_done

ENOUGH = 3


def as_mixin(change: Any) -> type:
    """Return a fault of a function that makes one class of another."""
    return type("Made", (), {"made_of": staticmethod(change)})


SHOPS = ("medusa", "shopify", "woocommerce")
MONEY_LESS = f.of_lines(lambda line: replace(line, unit_price=None))
ALL_GOODS = f.of_lines(lambda line: replace(line, kind=LineKind.GOODS))
NO_BUYER = f.of_orders(lambda order: replace(order, customer_ref=None))
BY_MAIL = f.of_orders(lambda o: replace(o, customer_ref=o.customer_ref and ANNA.email))
OTHER_LINE = f.of_return_lines(lambda line: replace(line, order_line_ref="1"))
COMES_BACK = f.of_return_lines(lambda line: replace(line, comes_back=True))
NO_SERIALS_BACK = f.of_return_lines(lambda line: replace(line, serials=()))
BARE_ANSWERS = f.of_answers(
    lambda each: replace(each, coverages=(), ends_on=None) if hasattr(each, "ends_on") else each
)


class TakesAll:
    """Take orders of other channels of the account for its own."""

    async def read_order(self, ref: str) -> Any:
        from connectors import NotOurs

        try:
            return await super().read_order(ref)
        except NotOurs:
            page = await super().pull_orders("")
            return replace(page.items[0], ref=ref)


class Deaf:
    """Know one topic only: it was the first that was heard."""

    heard: Any = None

    @classmethod
    def begin(cls) -> None:
        cls.heard = None

    def read(self, topic: str, body: bytes) -> Any:
        named = super().read(topic, body)
        kind = type(self)
        kind.heard = kind.heard or topic
        return named if topic == kind.heard else ()


class PackedIsGone:
    """Take what is packed for shipped: an order in parcels has left."""

    async def read_order(self, ref: str) -> Any:
        order = await super().read_order(ref)
        return replace(order, lines=tuple(replace(e, fulfilled=e.quantity) for e in order.lines))


class RefusesAll:
    """Refuse a whole job of events for one of them."""

    async def read_push(self, job: str, events: Sequence[Any]) -> Any:
        found = await super().read_push(job, events)
        error = next((each.error for each in found if each.error), None)
        return [replace(each, error=error) for each in found]


class EventsWithoutParts:
    """Push a part of a kit as if it were none, and a correction as what it corrects."""

    async def push_events(self, events: Sequence[Any]) -> Any:
        from connectors.contract import PushedEvent

        plain = [each for each in events if each.parent is None and each.error is None]
        rest = [PushedEvent(each.id, answer="done") for each in events if each not in plain]
        return [*(await super().push_events(plain)), *rest]


class NumbersEvents:
    """Push each event under an id of its own, so that a repeat is another event."""

    async def push_events(self, events: Sequence[Any]) -> Any:
        from uuid import uuid4

        named = {str(uuid4()): each for each in events}
        fresh = [replace(each, id=new) for new, each in named.items()]
        pushed = await super().push_events(fresh)
        return [replace(each, event=named[each.event].id) for each in pushed]

    async def read_push(self, job: str, events: Sequence[Any]) -> Any:
        from connectors.contract import PushedEvent

        return [PushedEvent(each.id, answer="done") for each in events]


class TakesAnyNotice:
    """Take whatever a queue holds for a notice about an order."""

    def read(self, topic: str, body: bytes) -> Any:
        return (OrderRef(json.loads(body)["resource"]["id"]),)


class ClaimsPrivacy(ReceivePrivacyRequests):
    def privacy_request(self, topic: str, body: bytes) -> None:
        return None


NOBODY_SOLD = f.of_orders(lambda order: replace(order, staff_ref=None))
MAILED = ("woocommerce", "shopify", "ebay")
UNTRACKING = ("shopify", "square", "woocommerce")
Row = tuple[str, type, tuple[str, ...]]
TABLE: tuple[Row, ...] = (
    # Orders.
    ("empty-pages-of-orders", f.NeverEmpty, SHOPS),
    ("pages-while-orders-change", f.LosesTheLast, ("medusa", "vendure", "square")),
    ("smaller-pages-lose-nothing", f.PagesOfOneSize, SHOPS),
    ("same-cursor-twice", f.ForgetsWhatItGave, ("medusa", "square", "ebay")),
    ("one-order-as-it-is-now", f.InventsOrders, ("medusa", "shopify", "walmart")),
    ("cancelled-there", f.NeverCancels, ("medusa", "amazon", "vendure")),
    ("cancelled-here", f.CancelsAgain, ("shopify", "saleor", "vendure")),
    ("unknown-enum-values", f.knows_all_words("pull_orders"), SHOPS),
    ("ids-beyond-doubles", f.CountsInDoubles, SHOPS),
    ("times-of-other-zones", f.LivesInOneZone, ("medusa", "shopify", "saleor")),
    ("times-in-other-places", f.TakesTimesForItsOwn, ("medusa", "bigcommerce", "walmart")),
    ("orders-of-a-window", f.LeavesTheLastOut, SHOPS),
    ("serials-that-the-channel-sold", f.HearsNoTill, ("square", "lightspeed", "walmart")),
    ("held-orders-are-held", f.of_orders(goes), ("shopify", "ebay", "amazon")),
    ("held-orders-are-held", f.of_orders(for_good), ("medusa",)),
    ("drafts-are-no-orders", f.of_orders(placed), ("woocommerce", "square", "medusa")),
    ("buyers-are-pseudonyms", BY_MAIL, ("medusa", "square", "vendure")),
    ("buyers-are-pseudonyms", NO_BUYER, ("shopify", "lightspeed")),
    ("staff-at-the-counter", NOBODY_SOLD, ("shopify", "square", "lightspeed")),
    ("contacts-are-read-when-asked", as_mixin(always_the_first), MAILED),
    # Lines and moments.
    ("both-lines-are-read", f.of_orders(first_line_only), ("amazon", "shopify")),
    ("both-lines-are-read", f.of_orders(one_reference), ("square",)),
    ("orders-in-one-moment", f.Watermark, ("medusa", "shopify", "walmart")),
    ("orders-of-other-channels", TakesAll, ("ebay", "square", "walmart")),
    ("a-line-leaves-alone", f.of_orders(all_gone), ("bigcommerce", "woocommerce", "shopify")),
    ("both-lines-leave-together", f.ShipsTheFirstLine, ("amazon", "ebay", "medusa")),
    ("packed-is-not-shipped", PackedIsGone, ("medusa", "square", "vendure")),
    ("the-returned-line-is-named", OTHER_LINE, ("shopify", "vendure", "walmart")),
    ("kept-goods-do-not-come-back", COMES_BACK, ("shopify", "saleor", "walmart", "vendure")),
    ("a-push-beside-an-open-order", f.ForgetsOpenOrders, ("medusa", "saleor", "walmart")),
    # Money and kinds.
    ("money-is-exact", MONEY_LESS, ("woocommerce", "ebay", "amazon")),
    ("lines-that-are-no-goods", ALL_GOODS, ("square", "bigcommerce", "ebay")),
    # Stock.
    ("quantities-are-set", f.SaysWhatItWants, ("medusa", "woocommerce", "saleor")),
    ("one-bad-level", f.AllOrNothing, ("medusa", "shopify", "bigcommerce")),
    ("foreign-edits-are-seen", f.ComparesNothing, ("medusa", "woocommerce", "walmart")),
    ("edits-within-a-push-are-seen", f.ComparesInOneStep, ("medusa", "woocommerce", "ebay")),
    ("a-repeated-push-undoes-nothing", f.AddsWhatItWants, ("medusa", "saleor", "ebay")),
    ("a-push-whose-answer-is-lost", f.ThinksAllIsWell, ("medusa", "ebay", "square")),
    ("large-quantities", f.CountsInThousands, ("medusa", "shopify", "square")),
    ("untracked-listings-are-left-alone", as_mixin(says_it_is_done), UNTRACKING),
    ("every-article-is-seen", f.SeesHalf, ("medusa", "shopify", "vendure")),
    ("a-level-without-references", f.NeedsReferences, ("medusa", "amazon", "square")),
    # Shipments.
    ("a-shipment-is-reported-once", f.ShipsAgain, ("medusa", "bigcommerce", "saleor")),
    ("serials-are-shown-there", f.DropsOddSigns, ("medusa", "shopify", "bigcommerce")),
    ("shown-serials-are-read-back", f.SeesNoSerials, ("medusa", "woocommerce", "saleor")),
    ("an-order-in-two-parcels", f.ShipsOnce, ("medusa", "woocommerce", "saleor")),
    ("a-shipment-whose-answer-is-lost", f.CallsSilenceTransient, ("medusa", "square", "amazon")),
    ("an-unknown-order-is-not-shipped", f.ShipsIntoTheVoid, ("medusa", "ebay", "walmart")),
    ("goods-without-serials-leave", f.NeedsSerials, ("medusa", "ebay", "shopify", "walmart")),
    # Returns.
    ("refunded-before-leaving-is-not-to-pick", as_mixin(still_two), SHOPS),
    ("empty-pages-of-returns", f.SeesNoReturns, ("shopify", "medusa", "walmart")),
    ("returns-are-read", f.SeesNoReturns, ("square", "saleor", "bigcommerce")),
    ("pages-while-returns-change", f.LosesTheLastReturn, ("square", "walmart", "vendure")),
    ("unknown-enum-values-in-returns", f.knows_all_words("pull_returns"), ("shopify", "walmart")),
    ("unknown-enum-values-in-returns", f.SeesNoReturns, ("medusa",)),
    ("returned-serials-are-read", NO_SERIALS_BACK, ("square", "acme")),
    # What is odd.
    ("odd-orders-stop-no-others", as_mixin(choking), ("woocommerce", "square", "amazon")),
    ("an-odd-order-read-alone", as_mixin(choking), ("medusa", "bigcommerce", "lightspeed")),
    ("odd-returns-stop-no-others", as_mixin(choking), ("shopify", "saleor", "walmart")),
    ("an-odd-listing-stops-no-push", as_mixin(choking), ("woocommerce", "medusa", "ebay")),
    ("odd-listings-stop-no-others", as_mixin(choking), ("woocommerce", "medusa", "vendure")),
    # Webhooks and queues.
    ("a-signed-webhook-is-read", f.ReadsNoHints, SHOPS),
    ("every-topic-names-its-order", Deaf, ("shopify", "square", "saleor")),
    ("a-tampered-webhook-is-refused", f.BelievesEverybody, SHOPS),
    ("a-replayed-webhook-is-known", f.NumbersDeliveries, ("medusa", "shopify")),
    ("a-replayed-webhook-is-known", f.OneIdForAll, ("walmart",)),
    ("unsigned-webhooks-are-refused", f.BelievesEverybody, ("medusa", "square", "ebay")),
    ("privacy-requests-are-read", f.IgnoresPrivacy, ("shopify", "ebay")),
    ("a-message-returns-until-acknowledged", f.AcknowledgesAtOnce, ("amazon",)),
    ("a-message-returns-until-acknowledged", f.AcknowledgesNothing, ("amazon",)),
    ("a-message-returns-until-acknowledged", f.AcknowledgesTen, ("amazon",)),
    ("a-message-returns-until-acknowledged", f.NumbersNotices, ("amazon",)),
    ("an-unreadable-message-is-skipped", f.DropsWhatIsNoNotice, ("amazon",)),
    ("an-unreadable-message-is-skipped", f.BelievesEveryNotice, ("amazon",)),
    # Refunds; more faults of theirs are in a module of their own.
    ("paid-back-once", as_mixin(under_a_new_reference), ("woocommerce", "shopify", "saleor")),
    ("never-more-than-is-left", as_mixin(nothing_of_the_unknown), ("square", "ebay", "medusa")),
    ("paid-back-and-read-again", as_mixin(under_our_name), ("vendure", "bigcommerce", "medusa")),
    # Warranties, messages, events, devices.
    ("warranty-answers-match-questions", f.GuessesTheWorst, ("warranty_rest", "hp", "lenovo")),
    ("warranty-dates-are-exact", f.ADayLate, ("warranty_rest", "dell", "hp")),
    ("a-registration-happens-once", f.RegistersLater, ("warranty_rest",)),
    ("a-message-goes-out-once", f.SendsAgain, ("notice_rest",)),
    ("messages-reach-the-buyer", as_mixin(loses_it), ("amazon",)),
    ("an-event-is-pushed-once", f.NeverLooks, ("epcis",)),
    ("one-refused-event-stops-no-others", RefusesAll, ("epcis",)),
    ("events-of-every-kind-are-pushed", EventsWithoutParts, ("epcis",)),
    ("events-of-every-kind-are-pushed", NumbersEvents, ("epcis",)),
    ("a-device-is-found-by-identifier", f.AnyDeviceWillDo, ("gudid",)),
    # Credentials, limits and the wire.
    ("check-passes", f.RefusesItself, ("medusa", "dell", "epcis")),
    ("revoked-access", f.ChecksNothing, ("medusa", "dell", "epcis")),
    ("retry-after-is-respected", f.WaitsAMinute, ("medusa", "gudid", "ebay")),
    ("channel-specific-throttling", f.NoHurry, ("medusa", "shopify", "bigcommerce")),
    ("every-status-maps-to-an-error", f.NoHurry, ("medusa", "hp", "square")),
    ("never-sent-is-transient", f.ChecksNothing, ("dell", "epcis", "gudid")),
    ("silence-is-unknown", f.ChecksInSilence, ("medusa", "dell", "walmart")),
    ("an-html-page-is-an-error", f.TakesAPageForAnAnswer, ("medusa", "dell", "shopify")),
    ("a-bot-wall-is-tried-later", f.TakesAWallForARefusal, ("medusa", "cisco", "shopify")),
    ("redirects-name-their-target", f.HidesWhereItWent, ("square", "medusa", "lenovo")),
    ("no-content-is-no-bug", f.NeedsContent, ("shopify", "medusa", "warranty_rest")),
    ("plain-key", f.shape("Spaced", key="Two Words"), ("medusa", "dell", "epcis")),
    ("errors-contain-no-secret", f.SaysItAll, ("medusa", "bigcommerce", "square")),
)
PLANTED = [(name, fault, key) for name, fault, each in TABLE for key in each]
# So many connectors can fail a row, where fewer than three are able; the reason is its capability.
ABLE: Mapping[str, int] = {
    "edits-within-a-push-are-seen": 1,  # three more claim to be, and are caught
    "returned-serials-are-read": 2,
    "privacy-requests-are-read": 2,
    "a-message-returns-until-acknowledged": 1,
    "an-unreadable-message-is-skipped": 1,
    "a-registration-happens-once": 1,
    "a-message-goes-out-once": 1,
    "messages-reach-the-buyer": 1,
    "an-event-is-pushed-once": 1,
    "one-refused-event-stops-no-others": 1,
    "events-of-every-kind-are-pushed": 1,
    "a-device-is-found-by-identifier": 1,
}


QUEUES = (
    ("a-message-returns-until-acknowledged", f.AcknowledgesAtOnce),
    ("a-message-returns-until-acknowledged", f.AcknowledgesNothing),
    ("a-message-returns-until-acknowledged", f.NumbersNotices),
    ("an-unreadable-message-is-skipped", TakesAnyNotice),
)


@pytest.mark.parametrize(("name", "fault"), QUEUES)
def test_a_queue_of_another_cloud_fails_the_rows_too(name: str, fault: Any) -> None:
    """The example connector pulls and acknowledges as Google Pub/Sub does."""
    f.assert_caught(name, f.plant(fault, Versioned), VersionedDriver)


def installed(key: str) -> tuple[Any, Any]:
    """Return a connector and its driver; the template's is called Acme."""
    return (Acme, AcmeDriver) if key == "acme" else (connector_class(key), driver_of(key))


@pytest.mark.parametrize(
    ("name", "fault", "key"),
    PLANTED,
    ids=[f"{name}-{key}-{number}" for number, (name, _, key) in enumerate(PLANTED)],
)
def test_a_connector_with_a_fault_fails_the_row(name: str, fault: Any, key: str) -> None:
    connector, driver = installed(key)
    made = getattr(fault, "made_of", None)
    planted = made(connector) if made else f.plant(fault, connector)
    f.assert_caught(name, planted, driver)


@pytest.mark.parametrize("key", ["medusa", "dell", "square"])
def test_a_setting_that_is_shown_fails_the_row(key: str) -> None:
    connector, driver = installed(key)
    f.assert_caught("secrets-do-not-show", f.open_key(connector), driver, "sort_key")


@pytest.mark.parametrize("key", ["shopify", "amazon", "walmart"])
def test_a_token_for_every_call_fails_the_row(key: str) -> None:
    connector, driver = installed(key)

    class Wasteful(driver):
        def tokens_issued(self) -> int:
            return int(super().tokens_issued()) * 2

    f.assert_caught("expired-tokens-are-replaced", connector, Wasteful, "so many tokens")


@pytest.mark.parametrize("key", ["dell", "hp", "lenovo"])
def test_a_day_that_cannot_be_read_fails_the_row(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        warranty_status, "day", lambda record, name: warranty_status.parse_day(record.get(name))
    )
    f.assert_caught("odd-answers-change-no-others", *installed(key), "last day")


def test_a_claim_to_hear_privacy_requests_fails_the_row() -> None:
    class Calls(driver_of("medusa")):  # type: ignore[misc]
        privacy_calls = (("customer.redact", b'{"customer": {"id": 1}}', PrivacyKind.DATA),)

    planted = f.plant(ClaimsPrivacy, "medusa")
    f.assert_caught("privacy-requests-are-read", planted, Calls, "is no privacy request")


def test_every_row_fails_for_three_connectors_or_for_all_that_are_able() -> None:
    three = {"secrets-do-not-show", "expired-tokens-are-replaced", "odd-answers-change-no-others"}
    planted: dict[str, set[str]] = {case.name: set() for case in CASES}
    for name, _, key in PLANTED:
        planted[name].add(key)
    few = {
        name: sorted(keys)
        for name, keys in planted.items()
        if name not in three and len(keys) < ABLE.get(name, ENOUGH)
    }
    assert few == {}


def test_fewer_than_three_are_able_where_the_table_says_so() -> None:
    """The allowance is no excuse: it is counted from what the installed connectors can do."""
    for case in CASES:
        able = [k for k in keys() if case.not_applicable(connector_class(k)) is None]
        extra = 1 if case.name == "returned-serials-are-read" else 0  # the template
        assert len(able) + extra >= ABLE.get(case.name, ENOUGH), case.name
        if case.name in ABLE:
            assert len(able) + extra == ABLE[case.name], case.name
