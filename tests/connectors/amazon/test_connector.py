"""The Amazon connector talks to its simulator over a real socket, and keeps to the contracts."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors import (
    AuthFailed,
    Conflict,
    NotFound,
    OrderRef,
    RateLimited,
    Rejected,
    Transient,
    Unknown,
)
from connectors.amazon.connector import Amazon
from connectors.amazon.mapping import (
    BUDGETS,
    operation_of,
    order_refs,
    parse_order,
    read_rate_limits,
)
from connectors.amazon.queue import region_of
from connectors.amazon.simulator.server import AmazonSimulator
from connectors.registry import SettingsInvalid, connect
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault
from connectors.toolkit.rate_limits import LocalRateLimits, NoRateLimits
from connectors.toolkit.sigv4 import SigningKey, SigV4Auth
from contracts import Contract, example
from hub.vocabulary import Fulfillment, FulfillmentLine, Order, OrderState, StockLevel
from pulling import pull_all

CaseFunction = Callable[[AmazonSimulator, Amazon], Awaitable[None]]
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PARCEL = {"length_cm": 20, "width_cm": 10, "height_cm": 5, "weight_g": 400}
CONTRACTS = (
    "orders_2026-01-01",
    "ordersV0",
    "listingsItems_2021-08-01",
    "feeds_2021-06-30",
    "sellers",
    "easyShip_2022-03-23",
)


@asynccontextmanager
async def connected(simulator: AmazonSimulator, **more: Any) -> AsyncIterator[Amazon]:
    async with serve(simulator.app) as url:
        connector: Any = connect(
            "amazon", simulator.settings(url, **more), rate_limits=NoRateLimits()
        )
        try:
            yield connector
        finally:
            await connector.api.aclose()
            await simulator.aclose()


def run(scenario: CaseFunction, simulator: AmazonSimulator | None = None, **more: Any) -> None:
    async def reported() -> None:
        seller = simulator or earlier()
        async with connected(seller, **more) as connector:
            await scenario(seller, connector)

    asyncio.run(reported())


def earlier() -> AmazonSimulator:
    """What it tells happened ten minutes ago: Amazon shows what is two minutes old."""
    simulator = AmazonSimulator()
    simulator.past = timedelta(minutes=10)
    return simulator


def level(sku: str, available: int, expected: int | None = None) -> StockLevel:
    return StockLevel(
        listing=sku, sku=sku, available=available, remote={"sku": sku}, expected=expected, key="k"
    )


def shipped(order: Order, *serials: str, reference: str = "F1", **more: Any) -> Fulfillment:
    return Fulfillment(
        reference=reference,
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=order.lines[0].ref, serials=serials),),
        shipped_at=NOW,
        **{"carrier": "ups", "tracking": "1Z999", **more},
    )


def test_check_says_what_is_wrong() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        await connector.check()
        simulator.queue.secret = "another secret"
        with pytest.raises(AuthFailed, match="POST /"):
            await connector.check()
        simulator.marketplace = "elsewhere"
        with pytest.raises(NotFound, match="A1PA6795UKMFR9"):
            await connector.check()
        simulator.tokens.clear()
        simulator.refresh_token = "revoked"
        with pytest.raises(AuthFailed, match="no token was given"):
            await connector.check()

    run(scenario)
    settings = AmazonSimulator().settings("https://x.test")
    for changes, reported in (
        ({"queue_secret_access_key": None}, "queue_secret_access_key too"),
        ({"queue_region": None}, "queue_region must name"),
        ({"marketplace_ids": []}, "marketplace_ids"),
        ({"refresh": "x"}, "refresh"),
    ):
        with pytest.raises(SettingsInvalid, match=reported):
            connect("amazon", {**settings, **changes})
    assert region_of("https://sqs.eu-west-1.amazonaws.com/1/q") == "eu-west-1"


def test_orders_come_in_page_by_page_and_keep_no_buyer() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        simulator.add_item("CAM", 1000)
        refs = {simulator.place_order({"CAM": 1}) for _ in range(230)}
        theirs = simulator.place_order({"CAM": 1}, by="AMAZON", serials={"CAM": ["FBA-1"]})
        orders, cursor = await pull_all(connector)
        assert len(orders) == 230
        assert {order.ref for order in orders} == refs
        assert "twin-buyer" not in repr(orders)
        ref = orders[7].ref
        simulator.change(ref, "CANCELLED")
        (changed,) = [each for each in (await pull_all(connector, cursor))[0] if each.ref == ref][
            :1
        ]
        assert changed.state is OrderState.CANCELLED
        with pytest.raises(NotFound, match="shipped by Amazon"):
            await connector.read_order(theirs)
        with pytest.raises(NotFound):
            await connector.read_order("000-0000000-0000000")
        since = datetime.now(UTC) - timedelta(hours=1)
        window = [each async for each in connector.snapshot_orders(since, datetime.now(UTC))]
        assert {each.ref for each in window} == refs
        ahead = datetime.now(UTC)
        assert not [each async for each in connector.snapshot_orders(ahead, ahead)]

    run(scenario)


def test_a_page_whose_token_died_is_read_anew() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        simulator.add_item("CAM", 1000)
        refs = {simulator.place_order({"CAM": 1}) for _ in range(150)}
        first = await connector.pull_orders("")
        assert first.more
        simulator.pages.clear()
        rest, _ = await pull_all(connector, first.cursor)
        assert {order.ref for order in (*first.items, *rest)} == refs

    run(scenario)


def test_what_was_cancelled_of_a_line_is_not_promised() -> None:
    item = {"orderItemId": "1", "quantityOrdered": 3, "product": {"sellerSku": "CAM"}}
    progress = {"quantityFulfilled": 1, "quantityUnfulfilled": 1}
    order = {
        "orderId": "1",
        "createdTime": "2026-11-01T00:00:00Z",
        "lastUpdatedTime": "2026-11-01T00:00:00Z",
        "fulfillment": {"fulfillmentStatus": "A_NEW_WORD"},
        "orderItems": [
            {**item, "fulfillment": progress},
            {**item, "fulfillment": progress, "cancellation": {"cancellationExecution": {}}},
            {**item, "fulfillment": progress, "cancellation": {"cancellationExecution": {"a": 1}}},
            item,
        ],
    }
    read = parse_order(order)
    assert read.state is OrderState.OPEN
    assert [(line.quantity, line.fulfilled) for line in read.lines] == [
        (3, 1),
        (3, 1),
        (2, 1),
        (3, 0),
    ]


def test_the_official_examples_are_read_without_loss() -> None:
    for case in example("amazon-sp-api", "orders_2026-01-01.sandbox.json"):
        if case["status"] != 200:
            continue
        answer = case["response"]
        for each in answer.get("orders") or [answer["order"]]:
            order = parse_order(each)
            assert (order.ref, len(order.lines)) == (each["orderId"], len(each["orderItems"]))
            serials = [serial for line in order.lines for serial in line.serials]
            items = [item["product"].get("serialNumbers", []) for item in each["orderItems"]]
            assert serials == [serial for named in items for serial in named]
    (notice,) = example("amazon-sp-api", "notification-OrderChangeNotification.json")
    body = json.dumps(notice).encode()
    assert order_refs("ORDER_CHANGE", body) == (OrderRef("903-8868176-2219830"),)
    assert order_refs("REPORT_PROCESSING_FINISHED", body) == ()
    by_bridge = json.dumps({"detail-type": "ORDER_CHANGE", "detail": notice}).encode()
    assert order_refs("ORDER_CHANGE", by_bridge) == (OrderRef("903-8868176-2219830"),)
    for strange in (b"", b"\xff", b"[]", b"{}", b'{"NotificationMetadata": 1}'):
        assert order_refs("ORDER_CHANGE", strange) == ()


def test_a_few_quantities_are_set_one_by_one() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        for sku in ("A", "B/1 ü", "C"):
            simulator.add_item(sku, 1)
        simulator.add_item("FBA", 7, fulfilled_by_amazon=True)
        levels = [level("A", 4), level("B/1 ü", 5, expected=1), level("C", 1), level("FBA", 2)]
        levels += [level("nope", 1), level("C", -1)]
        answers = await connector.push_stock(levels)
        errors = {each.listing: each.error for each in answers if each.error}
        assert (
            simulator.quantity("A"),
            simulator.quantity("B/1 ü"),
            simulator.quantity("FBA"),
        ) == (4, 5, 7)
        assert {name: type(error) for name, error in errors.items()} == {
            "FBA": Rejected,
            "nope": NotFound,
            "C": Rejected,
        }
        assert "less than the minimum" in str(errors["C"])
        patched = sum(call.startswith("PATCH") for call in simulator.calls)
        assert patched == 3, "what is shown already is not sent"
        simulator.place_order({"A": 1})
        (result,) = await connector.push_stock([level("A", 9, expected=4)])
        assert isinstance(result.error, Conflict)
        assert result.error.observed == 3
        seen = {each.sku: each async for each in connector.snapshot_stock()}
        assert {sku: each.quantity for sku, each in seen.items()} == {"A": 3, "B/1 ü": 5, "C": 1}
        assert seen["A"].remote == {"sku": "A", "product_type": "CAMERA"}

    run(scenario)


def test_many_quantities_go_in_one_feed_and_its_report_is_read() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        for n in range(60):
            simulator.add_item(f"S{n}", 1)
        simulator.feed_desk.looks = 3
        levels = [level(f"S{n}", 2 if n != 13 else -5) for n in range(60)]
        answers = {each.listing: each for each in await connector.push_stock(levels)}
        assert (
            len(simulator.feed_desk.feeds),
            sum("PATCH" in call for call in simulator.calls),
        ) == (1, 0)
        assert (simulator.quantity("S0"), simulator.quantity("S13"), simulator.quantity("S59")) == (
            2,
            1,
            2,
        )
        assert isinstance(answers["S13"].error, Rejected)
        assert [name for name, each in answers.items() if each.error] == ["S13"]

    run(scenario)


def test_a_feed_that_is_not_begun_is_withdrawn_and_no_second_overtakes_it() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        for n in range(30):
            simulator.add_item(f"S{n}", 1)
        simulator.feed_desk.looks = 10_000
        object.__setattr__(connector._shop, "feed_seconds", 0.03)
        levels = [level(f"S{n}", 2) for n in range(30)]
        answers = await connector.push_stock(levels)
        assert {type(each.error) for each in answers} == {Transient}
        (feed,) = simulator.feed_desk.feeds.values()
        assert feed["processingStatus"] == "CANCELLED"
        feed["processingStatus"] = "IN_PROGRESS"
        with pytest.raises(RateLimited, match="another feed"):
            await connector.push_stock(levels)
        feed["processingStatus"] = "FATAL"
        answers = await connector.push_stock(levels)
        assert len(simulator.feed_desk.feeds) == 2
        simulator.feed_desk.looks = 1
        simulator.fail_next(Fault.LOST_ANSWER, containing="POST /feeds/2021-06-30/feeds")
        with pytest.raises(Unknown):
            await connector.push_stock(levels)

    run(scenario)


def test_what_must_wait_for_its_turn_does_not_undo_the_others() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        for n in range(10):
            simulator.add_item(f"S{n}", 1)
        simulator.fail_next(
            Fault.RATE_LIMITED, containing="PATCH /listings/2021-08-01/items/A2TWIN/S4"
        )
        answers = await connector.push_stock([level(f"S{n}", 2) for n in range(10)])
        late = [each.listing for each in answers if isinstance(each.error, RateLimited)]
        assert late == ["S4"]
        assert sum(simulator.quantity(f"S{n}") == 2 for n in range(10)) == 9

    run(scenario)


@pytest.mark.slow
def test_more_listings_than_one_search_shows_are_all_seen() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        for n in range(1_150):
            simulator.add_item(f"S{n}", 1)
        seen = [each.sku async for each in connector.snapshot_stock()]
        assert (len(seen), len(set(seen))) == (1_150, 1_150)

    run(scenario, AmazonSimulator(clock=lambda: NOW))


def test_a_shipment_is_confirmed_once() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        simulator.add_item("CAM", 9)
        order = await connector.read_order(simulator.place_order({"CAM": 3}))
        with pytest.raises(Rejected, match="tracking"):
            await connector.push_fulfillment(shipped(order, "SN1", tracking=None))
        simulator.fail_next(Fault.LOST_ANSWER, containing="shipmentConfirmation")
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "SN1"))
        await connector.push_fulfillment(shipped(order, "SN1"))
        (package,) = simulator.orders[order.ref]["packages"]
        assert (package["carrier"], package["trackingNumber"]) == ("UPS", "1Z999")
        assert (await connector.read_order(order.ref)).lines[0].fulfilled == 1
        second = shipped(order, "SN2", "SN3", reference="F2", carrier="Bike Messenger")
        await connector.push_fulfillment(second)
        assert len(simulator.orders[order.ref]["packages"]) == 2
        assert (await connector.read_order(order.ref)).state is OrderState.FULFILLED
        with pytest.raises(Rejected):
            await connector.push_fulfillment(shipped(order, "SN4", reference="F3"))

    run(scenario)


def test_an_easy_ship_parcel_is_booked_with_its_serials() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        simulator.add_item("CAM", 9)
        ref = simulator.place_order({"CAM": 2}, programs=("AMAZON_EASY_SHIP",))
        order = await connector.read_order(ref)
        simulator.fail_next(Fault.LOST_ANSWER, containing="POST /easyShip/2022-03-23/package")
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "SN1", "SN2", tracking=None))
        await connector.push_fulfillment(shipped(order, "SN1", "SN2", tracking=None))
        (item,) = simulator.booked[ref]["packageItems"]
        assert item["orderItemSerialNumbers"] == ["SN1", "SN2"]
        assert simulator.booked[ref]["packageTimeSlot"]["handoverMethod"] == "PICKUP"
        with pytest.raises(Rejected, match="booked without these serials"):
            await connector.push_fulfillment(shipped(order, "SN9", reference="F2"))
        other = await connector.read_order(
            simulator.place_order({"CAM": 1}, programs=("AMAZON_EASY_SHIP",))
        )
        with pytest.raises(Rejected, match="255"):
            await connector.push_fulfillment(shipped(other, "S" * 256))

    run(scenario, easy_ship=PARCEL)

    async def without(simulator: AmazonSimulator, connector: Amazon) -> None:
        simulator.add_item("CAM", 9)
        ref = simulator.place_order({"CAM": 1}, programs=("AMAZON_EASY_SHIP",))
        with pytest.raises(Rejected, match="easy_ship"):
            await connector.push_fulfillment(shipped(await connector.read_order(ref), "SN1"))

    run(without)


def test_notices_are_taken_and_come_again_until_they_are_acknowledged() -> None:
    clock = [NOW]
    simulator = AmazonSimulator(clock=lambda: clock[0])

    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        simulator.add_item("CAM", 50)
        refs = [simulator.place_order({"CAM": 1}) for _ in range(12)]
        theirs = simulator.place_order({"CAM": 1}, by="AMAZON")
        simulator.queue.put("not a notice")
        taken = await connector.receive()
        assert [connector.read(each.call.topic, each.body) for each in taken] == [
            (OrderRef(ref),) for ref in refs[:10]
        ]
        rest = await connector.receive()
        assert len(rest) == 4
        assert [connector.read(each.call.topic, each.body) for each in rest[2:]] == [(), ()]
        assert theirs in rest[2].body.decode()
        assert await connector.receive() == []
        await connector.acknowledge([each.receipt for each in rest])
        clock[0] += timedelta(minutes=3)
        again = await connector.receive()
        assert [each.call for each in again] == [each.call for each in taken]
        await connector.acknowledge([each.receipt for each in again])
        assert simulator.queue.messages == []
        simulator.queue.path = "/elsewhere"
        with pytest.raises(NotFound, match="QueueDoesNotExist"):
            await connector.receive()

    run(scenario, simulator)

    async def without(simulator: AmazonSimulator, connector: Amazon) -> None:
        assert await connector.receive() == []
        await connector.acknowledge(["r"])
        assert simulator.calls == []

    none = dict.fromkeys(("queue_url", "queue_access_key_id", "queue_secret_access_key"))
    run(without, **none)


def test_the_worked_example_of_a_signature_comes_out() -> None:
    """The request `get-vanilla` of Amazon's published test suite for Signature Version 4."""
    key = SigningKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    at = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    request = httpx.Request("GET", "https://example.amazonaws.com/")
    next(SigV4Auth(key, "us-east-1", "service", lambda: at).auth_flow(request))
    assert request.headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )
    assert "wJalr" not in repr(key)


def test_the_pace_of_each_operation_is_learned_from_the_answers() -> None:
    assert operation_of("GET", "/orders/2026-01-01/orders") == "GET /orders/2026-01-01/orders"
    assert operation_of("GET", "/orders/2026-01-01/orders/1") == "GET /orders/2026-01-01/orders/"
    assert operation_of("PUT", "/elsewhere") == ""

    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        learned = LocalRateLimits(lambda: 0.0)
        connector.api._rate_limit_store = learned
        simulator.add_item("CAM", 9)
        ref = simulator.place_order({"CAM": 1})
        path = f"/orders/2026-01-01/orders/{ref}"
        simulator.rates[path] = "2.5"
        await connector.read_order(ref)
        account = learned._accounts["GET /orders/2026-01-01/orders/"]
        assert (account.per_second, account.left, account.capacity) == (2.5, 29, 30)
        simulator.rates[path] = "fast"
        await connector.read_order(ref)
        assert learned._accounts["GET /orders/2026-01-01/orders/"].per_second == 2.5

    run(scenario)
    answer = httpx.Response(200, request=httpx.Request("GET", "https://x.test/elsewhere"))
    assert read_rate_limits(answer) == ()
    assert len({rate_limit.name for rate_limit in BUDGETS}) == len(BUDGETS)


def test_faults_become_the_right_errors() -> None:
    async def scenario(simulator: AmazonSimulator, connector: Amazon) -> None:
        simulator.add_item("A", 1)
        simulator.fail_next(Fault.RATE_LIMITED, containing="/orders/2026")
        with pytest.raises(RateLimited):
            await connector.pull_orders("")
        simulator.fail_next(Fault.SERVER_ERROR, times=3, containing="PATCH")
        with pytest.raises(Transient):
            await connector.push_stock([level("A", 4)])
        simulator.fail_next(Fault.LOST_ANSWER, containing="PATCH")
        assert (await connector.push_stock([level("A", 4)]))[0].quantity == 4
        simulator.tokens.clear()
        assert (await connector.push_stock([level("A", 5)]))[0].quantity == 5

    run(scenario)


def test_every_request_keeps_to_the_official_contracts() -> None:
    contracts = [Contract.at("amazon-sp-api", "oas3", f"{name}.json") for name in CONTRACTS]
    sent = asyncio.run(every_request())
    ours = [each for each in sent if each.url.path.partition("/files/")[0] not in ("", "/")]
    for request in ours:
        (contract,) = (each for each in contracts if each.knows(request, ""))
        contract.check(request, "")
    checked = [each for contract in contracts for each in contract.checked]
    assert len(checked) == len(ours) == 24
    assert set(checked) == {
        "getMarketplaceParticipations",
        "searchListingsItems",
        "searchOrders",
        "getOrder",
        "patchListingsItem",
        "getFeeds",
        "createFeedDocument",
        "createFeed",
        "getFeed",
        "getFeedDocument",
        "confirmShipment",
        "getScheduledPackage",
        "listHandoverSlots",
        "createScheduledPackage",
    }
    schema = Contract.at("amazon-sp-api", "feeds-listings-feed-schema-v2.json")
    message = Contract.at("amazon-sp-api", "feeds-listings-feed-message-schema-v2.json")
    (document,) = [json.loads(each.content) for each in sent if each.method == "PUT"]
    header = schema.spec["properties"]["header"]
    assert list(schema.problems(header, document["header"], "$.header")) == []
    plain = {name: part for name, part in message.spec.items() if name != "oneOf"}
    for each in document["messages"]:
        assert list(message.problems(plain, each, "$")) == []


async def every_request() -> list[httpx.Request]:
    """Use the whole connector once and keep what it sent."""
    simulator, sent = earlier(), list[httpx.Request]()

    async def keep(request: httpx.Request) -> None:
        sent.append(request)

    async with connected(simulator, easy_ship=PARCEL) as connector:
        connector.api._client.event_hooks["request"].append(keep)
        for n in range(21):
            simulator.add_item(f"S{n}", 9)
        await connector.check()
        ref = simulator.place_order({"S0": 1})
        easy = simulator.place_order({"S0": 1}, programs=("AMAZON_EASY_SHIP",))
        await pull_all(connector)
        await connector.push_stock([level("S0", 4)])
        await connector.push_stock([level(f"S{n}", 5) for n in range(21)])
        assert [each async for each in connector.snapshot_stock()]
        since = datetime.now(UTC) - timedelta(days=1)
        assert [each async for each in connector.snapshot_orders(since, datetime.now(UTC))]
        await connector.push_fulfillment(shipped(await connector.read_order(ref), "C-1"))
        await connector.push_fulfillment(shipped(await connector.read_order(easy), "C-2"))
    return sent
