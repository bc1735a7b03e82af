"""The eBay connector talks to its simulator over a real socket, and keeps to the contract."""

import asyncio
import json
from collections.abc import Awaitable, Callable
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
    RemoteApi,
    Transient,
    Unknown,
)
from connectors.ebay.auth import RefreshTokenAuth
from connectors.ebay.connector import Ebay, EbaySettings
from connectors.ebay.fulfillment import is_same_shipment
from connectors.ebay.mapping import first_error, parse_order
from connectors.ebay.signature import Keys
from connectors.ebay.simulator import EbaySimulator
from connectors.registry import SettingsInvalid, connect
from connectors.testing import ServedSimulator
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault, Webhook
from connectors.toolkit.rate_limits import NoRateLimits
from connectors.toolkit.tokens import LocalTokens
from contracts import Contract, example
from hub.vocabulary import Fulfillment, FulfillmentLine, Order, OrderState, StockLevel
from pulling import pull_all

WIRED = ServedSimulator("ebay", EbaySimulator)
connected, run = WIRED.connected, WIRED.run
NOW = datetime(2026, 11, 1, tzinfo=UTC)
ROOTS = {
    "sell_fulfillment_v1": "/sell/fulfillment/v1",
    "sell_inventory_v1": "/sell/inventory/v1",
    "commerce_notification_v1": "/commerce/notification/v1",
}


def level(sku: str, available: int, expected: int | None = None, **more: str) -> StockLevel:
    return StockLevel(
        listing=sku,
        sku=sku,
        available=available,
        remote={"sku": sku, **more},
        expected=expected,
        key="k",
    )


def shipped(order: Order, *serials: str, reference: str = "F1", hours: int = 0) -> Fulfillment:
    return Fulfillment(
        reference=reference,
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=order.lines[0].ref, serials=serials),),
        shipped_at=NOW + timedelta(hours=hours),
        tracking="1Z 999-9",
    )


def test_check_buys_a_token_and_says_what_is_wrong() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        await connector.check()
        assert simulator.calls.count("POST /identity/v1/oauth2/token") == 1
        simulator.refresh_token = "revoked"
        simulator.tokens.clear()
        with pytest.raises(AuthFailed, match=r"no token was given.*sell\.inventory"):
            await connector.check()

    run(scenario)
    given = {**EbaySimulator().settings("http://x.test"), "verification_token": "short"}
    with pytest.raises(SettingsInvalid, match="verification_token"):
        connect("ebay", given)


def test_a_token_that_dies_is_bought_anew_and_the_call_is_made_again() -> None:
    simulator = EbaySimulator()
    simulator.calls_per_token = 3

    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        simulator.add_item("CAM", 5)
        ref = simulator.place_order({"CAM": 1})
        for _ in range(7):
            assert (await connector.read_order(ref)).ref == ref
        assert len(simulator.tokens) == 3
        simulator.fail_next(Fault.RATE_LIMITED, containing="oauth2")
        simulator.tokens.clear()
        with pytest.raises(RateLimited):
            await connector.read_order(ref)

    run(scenario, simulator)


def test_a_token_is_renewed_before_it_grows_old() -> None:
    now, asked = [0.0], list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"access_token": "t", "expires_in": 7200})

    async def scenario() -> None:
        auth = RefreshTokenAuth("https://x.test/token", ("a", "b"), "r", "s", lambda: now[0])
        transport = httpx.MockTransport(answer)
        auth.use_transport(transport)
        async with httpx.AsyncClient(transport=transport, auth=auth) as client:
            for moment in (0.0, 7000.0, 7150.0):
                now[0] = moment
                await client.get("https://x.test/a")
        assert asked == ["/token", "/a", "/a", "/token", "/a"]

    asyncio.run(scenario())


def test_processes_of_one_account_share_a_token() -> None:
    async def scenario(simulator: EbaySimulator, url: str) -> None:
        simulator.add_item("CAM", 5)
        ref = simulator.place_order({"CAM": 1})
        given = EbaySettings.model_validate(simulator.settings(url))
        shared = LocalTokens()
        apis = [RemoteApi(Ebay.remote(given), tokens=shared) for _ in range(3)]
        for api in apis:
            assert (await Ebay(given, api).read_order(ref)).ref == ref
            await Ebay(given, api).read_returns(ref)  # the same token under another scheme
        assert len(simulator.tokens) == 1
        for api in apis:
            await api.aclose()

    asyncio.run(served(scenario))


async def served(scenario: Callable[[EbaySimulator, str], Awaitable[None]]) -> None:
    simulator = EbaySimulator()
    async with serve(simulator.app) as url:
        await scenario(simulator, url)


def test_a_token_endpoint_that_echoes_our_secrets_cannot_make_us_tell_them() -> None:
    settings = EbaySettings.model_validate(EbaySimulator().settings("https://x.test"))
    for status, kind in ((400, Rejected), (401, AuthFailed), (200, Unknown)):

        def answer(request: httpx.Request, status: int = status) -> httpx.Response:
            return httpx.Response(status, text=f"{request.content!r} {request.headers}")

        api = RemoteApi(Ebay.remote(settings), transport=httpx.MockTransport(answer), attempts=1)
        with pytest.raises(kind) as reported:
            asyncio.run(Ebay(settings, api).read_order("1"))
        assert "twin-" not in str(reported.value)
        assert "Basic" not in str(reported.value)


def test_orders_keep_no_buyer() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        simulator.add_item("CAM", 9)
        paid, unpaid = (
            simulator.place_order({"CAM": 2}),
            simulator.place_order({"CAM": 1}, paid="PENDING"),
        )
        orders = {order.ref: order for order in (await pull_all(connector))[0]}
        assert (orders[paid].state, orders[unpaid].state) == (OrderState.OPEN, OrderState.PENDING)
        line = orders[paid].lines[0]
        assert (line.sku, line.quantity, line.fulfilled) == ("CAM", 2, 0)
        assert "twin-buyer" not in repr(orders)
        simulator.change(paid, cancelStatus={"cancelState": "CANCELED"})
        assert (await connector.read_order(paid)).state is OrderState.CANCELLED
        with pytest.raises(NotFound):
            await connector.read_order("nope")

    run(scenario)


def test_pages_shift_while_they_are_read_and_no_order_is_lost() -> None:
    clock = [datetime.now(UTC) - timedelta(hours=5)]
    simulator = EbaySimulator(clock=lambda: clock[0])

    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        simulator.add_item("CAM", 500)
        placed = []
        for _ in range(230):
            clock[0] += timedelta(seconds=30)
            placed.append(simulator.place_order({"CAM": 1}))
        seen, cursor, more, calls = set[str](), "", True, 0
        while more:
            page = await connector.pull_orders(cursor)
            seen |= {order.ref for order in page.items}
            cursor, more, calls = page.cursor, page.more, calls + 1
            if calls == 2:
                clock[0] = datetime.now(UTC) + timedelta(minutes=1)
                simulator.change(placed[200], orderPaymentStatus="FULLY_REFUNDED")
        assert (calls, seen >= set(placed) - {placed[200]}) == (4, True)
        since = datetime.fromisoformat(simulator.orders[placed[100]]["creationDate"])
        until = datetime.fromisoformat(simulator.orders[placed[110]]["creationDate"])
        window = [order.ref async for order in connector.snapshot_orders(since, until)]
        assert sorted(window) == sorted(placed[100:111])

    run(scenario, simulator)


def test_quantities_are_set_and_seen() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        for n in range(130):
            simulator.add_item(f"SKU-{n}", 1)
        results = await connector.push_stock([level(f"SKU-{n}", 7) for n in range(25)])
        assert {each.quantity for each in results} == {7}
        seen = {each.sku: each async for each in connector.snapshot_stock()}
        assert (len(seen), seen["SKU-3"].quantity, seen["SKU-129"].quantity) == (130, 7, 1)
        await connector.push_stock([level("SKU-3", 7)])
        assert simulator.revisions["SKU-3"] == 1, "a revision is not wasted"
        await connector.push_stock([level("SKU-3", 6, offer_id="9")])
        assert simulator.items["SKU-3"] == {"quantity": 6, "offer": 6}
        simulator.place_order({"SKU-3": 1})
        (result,) = await connector.push_stock([level("SKU-3", 9, expected=6)])
        assert isinstance(result.error, Conflict)
        assert result.error.observed == 5

    run(scenario)


def test_a_bad_listing_does_not_block_the_others() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        for sku in ("A", "B", "C"):
            simulator.add_item(sku, 1)
        simulator.revisions["B"] = 250
        levels = [level("A", 4), level("nope", 4), level("B", 4), level("C", -1)]
        answers = {each.listing: each for each in await connector.push_stock(levels)}
        assert (simulator.quantity("A"), answers["A"].error) == (4, None)
        assert isinstance(answers["nope"].error, NotFound)
        assert isinstance(answers["B"].error, Rejected)
        assert isinstance(answers["C"].error, Rejected)

    run(scenario)


def test_faults_become_the_right_errors() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        simulator.add_item("A", 1)
        simulator.fail_next(Fault.RATE_LIMITED, containing="/order")
        with pytest.raises(RateLimited):
            await connector.pull_orders("")
        simulator.fail_next(Fault.SERVER_ERROR, times=3, containing="bulk_update")
        with pytest.raises(Transient):
            await connector.push_stock([level("A", 4)])
        simulator.fail_next(Fault.LOST_ANSWER, containing="bulk_update")
        assert (await connector.push_stock([level("A", 4)]))[0].quantity == 4

    run(scenario)


def test_a_parcel_is_told_once() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        simulator.add_item("CAM", 5)
        order = await connector.read_order(simulator.place_order({"CAM": 2}))
        simulator.fail_next(Fault.LOST_ANSWER, containing="POST /sell/fulfillment")
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "SN1"))
        link = await connector.push_fulfillment(shipped(order, "SN1"))
        assert link.endswith(order.ref)
        (parcel,) = simulator.parcels[order.ref]
        assert (parcel["shipmentTrackingNumber"], parcel["shippingCarrierCode"]) == (
            "1Z9999",
            "OTHER",
        )
        assert (await connector.read_order(order.ref)).state is OrderState.OPEN
        second = shipped(order, "SN1b", "SN2", reference="F2", hours=2)
        await connector.push_fulfillment(second)
        assert len(simulator.parcels[order.ref]) == 2
        assert (await connector.read_order(order.ref)).state is OrderState.FULFILLED

    run(scenario)


def test_parcels_are_compared_by_lines_and_by_time_or_tracking() -> None:
    lines = [{"lineItemId": "1", "quantity": 1}]
    wanted = {"lineItems": lines, "shippedDate": "2026-11-01T00:00:00.000Z"}
    tracked = {**wanted, "trackingNumber": "T1"}
    known = {"lineItems": [{"lineItemId": "1"}], "shippedDate": "2026-11-01T00:00:00.500Z"}
    later = {**known, "shippedDate": "2026-11-02T00:00:00.000Z"}
    assert is_same_shipment(known, wanted)
    assert not is_same_shipment(later, wanted)
    assert not is_same_shipment({**known, "lineItems": [{"lineItemId": "2"}]}, wanted)
    assert is_same_shipment({**later, "shipmentTrackingNumber": "T1"}, tracked)
    assert not is_same_shipment({"lineItems": lines}, tracked)


def test_notifications_are_verified_under_the_key_that_they_name() -> None:
    async def scenario(simulator: EbaySimulator, connector: Ebay) -> None:
        simulator.subscribers.append("http://127.0.0.1:9/hook")
        simulator.add_item("CAM", 5)
        ref = simulator.place_order({"CAM": 1})
        await simulator.settle()
        (sent,) = simulator.sent
        with pytest.raises(AuthFailed, match="not known"):
            connector.verify(sent.headers, sent.body, NOW)
        await connector.prepare(sent.headers)
        delivery = connector.verify(sent.headers, sent.body, NOW)
        assert (delivery.id, delivery.topic) == (sent.id, "ORDER_CONFIRMATION")
        assert connector.read(delivery.topic, sent.body) == (OrderRef(ref),)
        with pytest.raises(AuthFailed, match="wrong"):
            connector.verify(sent.headers, sent.body + b" ", NOW)
        asked = len(simulator.calls)
        await connector.prepare(sent.headers)
        assert len(simulator.calls) == asked, "a key is kept"
        simulator.key_id = "another"
        with pytest.raises(AuthFailed):
            await connector.prepare(EbaySimulator().sign(sent))
        asked = len(simulator.calls)
        for _ in range(5):
            await connector.prepare(EbaySimulator().sign(sent))
        assert len(simulator.calls) == asked, "strangers cannot make us ask for key after key"

    run(scenario)


@pytest.mark.parametrize("header", ["", "é", "bm90IGpzb24=", "W10=", "eyJraWQiOiAiLi4vLi4ifQ=="])
def test_a_header_that_cannot_be_read_is_refused_and_asks_for_nothing(header: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    transport = httpx.MockTransport(answer)
    connector: Any = connect(
        "ebay", EbaySimulator().settings("https://x.test"), transport=transport
    )
    headers = {"x-ebay-signature": header}
    asyncio.run(connector.prepare(headers))
    with pytest.raises(AuthFailed):
        connector.verify(headers, b"{}", NOW)


def test_the_published_notification_is_verified() -> None:
    (vector,) = example("ebay", "notification-signature-vectors.json")

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith(f"/public_key/{vector['public_key_id']}")
        return httpx.Response(200, json=vector["public_key_response"])

    async def scenario() -> None:
        settings = EbaySettings.model_validate(EbaySimulator().settings("https://x.test"))
        transport = httpx.MockTransport(
            lambda request: (
                httpx.Response(200, json={"access_token": "t", "expires_in": 7200})
                if "oauth2" in request.url.path
                else answer(request)
            )
        )
        connector = Ebay(settings, RemoteApi(Ebay.remote(settings), transport=transport))
        headers = {"x-ebay-signature": vector["x_ebay_signature"]}
        await connector.prepare(headers)
        body = json.dumps(vector["message"], separators=(",", ":")).encode()
        delivery = connector.verify(headers, body, NOW)
        assert delivery.topic == "MARKETPLACE_ACCOUNT_DELETION"
        assert connector.read(delivery.topic, body) == ()
        with pytest.raises(AuthFailed):
            connector.verify(headers, body.replace(b"test_user", b"fake_user"), NOW)

    asyncio.run(scenario())


def test_a_key_that_is_none_is_refused() -> None:
    async def scenario(key: str) -> None:
        answer = {"access_token": "t", "expires_in": 7200, "key": key}
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
        settings = EbaySettings.model_validate(EbaySimulator().settings("https://x.test"))
        api = RemoteApi(Ebay.remote(settings), transport=transport)
        with pytest.raises(AuthFailed):
            await Keys().fetch(api, EbaySimulator().sign(_webhook()))

    for key in ("", "not a key", "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="):
        asyncio.run(scenario(key))


def _webhook() -> Webhook:
    return Webhook("http://hub.test/hook", "A_TOPIC", "1", b"{}")


def test_the_challenge_of_a_new_address_is_answered() -> None:
    simulator = EbaySimulator()
    connector: Any = connect(
        "ebay",
        simulator.settings("https://x.test", "https://hub.test/hook"),
        rate_limits=NoRateLimits(),
    )
    expected = simulator.challenge_response("a code", "https://hub.test/hook")
    assert connector.challenge({"challenge_code": "a code"}) == {"challengeResponse": expected}
    assert connector.challenge({}) is None


def test_unknown_words_and_refusals_are_read() -> None:
    order = {"orderId": "1", "creationDate": "2026-11-01T00:00:00.000Z", "lineItems": []}
    assert parse_order({**order, "orderFulfillmentStatus": "NEW"}).state is OrderState.OPEN
    refunded = {"orderPaymentStatus": "FULLY_REFUNDED", "orderFulfillmentStatus": "NOT_STARTED"}
    assert parse_order({**order, **refunded}).state is OrderState.CANCELLED
    kinds = [
        first_error([{"statusCode": 200}, {"statusCode": status, "errors": [{"errorId": 1}]}])
        for status in (400, 404, 409, 500)
    ]
    assert [type(each) for each in kinds] == [Rejected, NotFound, Conflict, Transient]
    assert first_error([{"sku": "A", "statusCode": 204}]) is None


def test_every_request_keeps_to_the_official_contract() -> None:
    contracts = {name: Contract.at("ebay", f"{name}_oas3.json") for name in ROOTS}
    sent = [each for each in asyncio.run(every_request()) if "/identity/" not in each.url.path]
    for request in sent:
        (name,) = (name for name, root in ROOTS.items() if request.url.path.startswith(root))
        contracts[name].check(request, ROOTS[name])
    checked = [each for contract in contracts.values() for each in contract.checked]
    assert len(checked) == len(sent) == 11
    assert set(checked) == {
        "getOrders",
        "getOrder",
        "getShippingFulfillments",
        "createShippingFulfillment",
        "getInventoryItems",
        "bulkGetInventoryItem",
        "bulkUpdatePriceQuantity",
        "getPublicKey",
    }


async def every_request() -> list[httpx.Request]:
    """Use the whole connector once and keep what it sent."""
    simulator, sent = EbaySimulator(), list[httpx.Request]()

    async def keep(request: httpx.Request) -> None:
        sent.append(request)

    async with connected(simulator) as connector:
        connector.api._client.event_hooks["request"].append(keep)
        simulator.add_item("CAM", 3)
        ref = simulator.place_order({"CAM": 1})
        await connector.check()
        await pull_all(connector)
        order = await connector.read_order(ref)
        await connector.push_stock([level("CAM", 9, offer_id="9")])
        assert [each async for each in connector.snapshot_stock()]
        since = datetime.now(UTC) - timedelta(days=1)
        assert [each async for each in connector.snapshot_orders(since, datetime.now(UTC))]
        await connector.push_fulfillment(shipped(order, "C-1"))
        await connector.prepare(simulator.sign(_webhook()))
    return sent
