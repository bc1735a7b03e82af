"""The Vendure connector against a real Vendure server."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors import AuthFailed, Conflict, NotFound, OrderRef, RemoteApi, Unknown
from connectors.registry import connect
from connectors.testing.serving import serve
from connectors.vendure.connector import Vendure, VendureSettings
from e2e.servers.vendure_server import VendureServer, vendure_server, why_not
from hub.vocabulary import (
    Cancellation,
    Fulfillment,
    FulfillmentLine,
    Order,
    OrderState,
    StockLevel,
)

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

CANCEL = "mutation($i: CancelOrderInput!) { cancelOrder(input: $i) { __typename } }"
PAYMENT = "query($id: ID!) { order(id: $id) { payments { id } } }"
REFUND = """mutation($i: RefundOrderInput!) { refundOrder(input: $i) { __typename
  ... on Refund { id state } ... on ErrorResult { errorCode message } } }"""
SETTLE = """mutation($id: ID!) { settleRefund(input: {id: $id, transactionId: "t"}) { __typename
  ... on Refund { id state } ... on ErrorResult { errorCode message } } }"""


@pytest.fixture(scope="module")
def server() -> Iterator[VendureServer]:
    with vendure_server() as running:
        yield running


def run(server: VendureServer, story: Callable[[Vendure], Awaitable[None]], **more: Any) -> None:
    async def told() -> None:
        connector: Any = connect("vendure", {**server.settings(), **more})
        try:
            await story(connector)
        finally:
            await connector.api.aclose()

    asyncio.run(told())


def level(stock: dict[str, Any], sku: str, available: int, expected: int | None) -> StockLevel:
    return StockLevel(
        listing=sku,
        sku=sku,
        available=available,
        remote=stock[sku].remote,
        expected=expected,
        key="k",
    )


def shipped(order: Order, *serials: str, reference: str = "F1") -> Fulfillment:
    return Fulfillment(
        reference=reference,
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=order.lines[0].ref, serials=serials),),
        shipped_at=datetime(2026, 11, 1, tzinfo=UTC),
        carrier="UPS",
        tracking="1Z999",
    )


async def pull_all(connector: Vendure, cursor: str = "") -> tuple[dict[str, Order], str]:
    orders: dict[str, Order] = {}
    more = True
    while more:
        page = await connector.pull_orders(cursor)
        orders |= {order.ref: order for order in page.items}
        cursor, more = page.cursor, page.more
    return orders, cursor


async def stock_of(connector: Vendure) -> dict[str, Any]:
    return {each.sku: each async for each in connector.snapshot_stock()}


def test_check_proves_key_location_and_handler(server: VendureServer) -> None:
    async def works(connector: Vendure) -> None:
        await connector.check()

    async def fails(connector: Vendure) -> None:
        with pytest.raises((AuthFailed, NotFound)):
            await connector.check()

    run(server, works)
    run(server, fails, api_key="wrong:key")
    run(server, fails, stock_location_id="999")
    run(server, fails, fulfillment_handler="no-such-handler")


def test_an_order_is_found_though_its_time_of_change_stands_still(server: VendureServer) -> None:
    async def story(connector: Vendure) -> None:
        _, cursor = await pull_all(connector)
        ref = server.shopper.place_order("CAM-X1", 2)
        found, cursor = await pull_all(connector, cursor)
        assert (found[ref].state, found[ref].remote_state) == (OrderState.OPEN, "PaymentSettled")
        assert [(line.sku, line.quantity) for line in found[ref].lines] == [("CAM-X1", 2)]
        assert await connector.read_order(ref) == found[ref]
        quiet, cursor = await pull_all(connector, cursor)
        assert ref not in quiet, "nothing changed, nothing is said again"
        server.as_admin(CANCEL, i={"orderId": ref})
        changed, cursor = await pull_all(connector, cursor)
        assert changed[ref].state is OrderState.CANCELLED
        until = datetime.now(UTC)
        window = connector.snapshot_orders(until - timedelta(hours=1), until)
        assert ref in {order.ref async for order in window}
        with pytest.raises(NotFound):
            await connector.read_order("98765")

    run(server, story)


def test_a_quantity_is_set_beside_what_is_allocated(server: VendureServer) -> None:
    async def story(connector: Vendure) -> None:
        stock = await stock_of(connector)
        before = stock["LENS-50"].quantity
        server.shopper.place_order("LENS-50", 1)
        assert (await stock_of(connector))["LENS-50"].quantity == before - 1
        (stale,) = await connector.push_stock([level(stock, "LENS-50", 20, before)])
        assert isinstance(stale.error, Conflict)
        assert stale.error.observed == before - 1
        ghost = StockLevel(
            listing="ghost", sku="ghost", available=1, remote={"variant_id": "987"}, key="k"
        )
        levels = [level(stock, "LENS-50", 20, before - 1), ghost, level(stock, "BAG-1", 3, None)]
        results = {each.listing: each for each in await connector.push_stock(levels)}
        assert (results["LENS-50"].quantity, results["BAG-1"].quantity) == (20, 3)
        assert isinstance(results["ghost"].error, NotFound)
        seen = await stock_of(connector)
        assert (seen["LENS-50"].quantity, seen["BAG-1"].quantity) == (20, 3)
        (repeat,) = await connector.push_stock([level(stock, "LENS-50", 20, before - 1)])
        assert (repeat.quantity, repeat.error) == (20, None)

    run(server, story)


def test_a_shipment_is_told_once_with_its_serials(server: VendureServer) -> None:
    async def story(connector: Vendure) -> None:
        ref = server.shopper.place_order("CAM-X1", 2)
        order = await connector.read_order(ref)
        first = await connector.push_fulfillment(shipped(order, "SN-1"))
        assert await connector.push_fulfillment(shipped(order, "SN-1")) == first
        assert (await connector.read_order(ref)).remote_state == "PartiallyShipped"
        await connector.push_fulfillment(shipped(order, "SN-2", reference="F2"))
        after = await connector.read_order(ref)
        assert (after.state, after.lines[0].fulfilled) == (OrderState.FULFILLED, 2)
        asked = "query($id: ID!) { order(id: $id) { fulfillments { trackingCode customFields } } }"
        asked = asked.replace("customFields", "customFields { serials }")
        told = server.as_admin(asked, id=ref)["order"]["fulfillments"]
        assert sorted(each["customFields"]["serials"] for each in told) == [["SN-1"], ["SN-2"]]

    run(server, story)


class LosesAnswers(httpx.AsyncHTTPTransport):
    """Lets the request through and the answer not back."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if b"mutation Fulfill" in request.content:
            await response.aread()
            raise httpx.ReadTimeout("lost", request=request)
        return response


def test_a_shipment_whose_answer_got_lost_is_not_created_twice(server: VendureServer) -> None:
    async def story(connector: Vendure) -> None:
        order = await connector.read_order(server.shopper.place_order("CAM-X1", 1))
        settings = VendureSettings.model_validate(server.settings())
        wire = RemoteApi(Vendure.remote(settings), transport=LosesAnswers())
        with pytest.raises(Unknown):
            await Vendure(settings, wire).push_fulfillment(shipped(order, "SN-9"))
        await wire.aclose()
        await connector.push_fulfillment(shipped(order, "SN-9"))
        after = await connector.read_order(order.ref)
        assert (after.state, after.lines[0].fulfilled) == (OrderState.FULFILLED, 1)

    run(server, story)


def test_its_webhooks_are_signed_and_name_the_order() -> None:
    received: list[tuple[dict[str, str], bytes]] = []

    async def hook(request: Request) -> Response:
        received.append((dict(request.headers), await request.body()))
        return Response(status_code=202)

    async def story() -> None:
        async with serve(Starlette(routes=[Route("/hook", hook, methods=["POST"])])) as url:

            def shop() -> tuple[str, VendureServer]:
                with vendure_server(webhook_url=f"{url}/hook") as server:
                    return server.shopper.place_order("CAM-X1"), server

            ref, server = await asyncio.to_thread(shop)
        connector: Any = connect("vendure", server.settings())
        hints, ids = set(), set()
        for headers, body in received:
            delivery = connector.verify(headers, body, datetime.now(UTC))
            hints |= set(connector.read(delivery.topic, body))
            ids.add(delivery.id)
            with pytest.raises(AuthFailed):
                connector.verify(headers, body + b" ", datetime.now(UTC))
        assert hints == {OrderRef(ref)}
        assert len(ids) == len(received) > 1
        await connector.api.aclose()

    asyncio.run(story())


def refund(server: VendureServer, ref: str, line: str, quantity: int) -> str:
    """Pay so many units of a line back, as a person does, and return the refund's id."""
    payment = server.as_admin(PAYMENT, id=ref)["order"]["payments"][0]["id"]
    wanted = {
        "lines": [{"orderLineId": line, "quantity": quantity}],
        "paymentId": payment,
        "shipping": 0,
        "adjustment": 0,
        "reason": "broken",
    }
    made = server.as_admin(REFUND, i=wanted)["refundOrder"]
    assert made["__typename"] == "Refund", made
    if made["state"] != "Settled":
        assert server.as_admin(SETTLE, id=made["id"])["settleRefund"]["state"] == "Settled"
    return str(made["id"])


def test_what_is_paid_back_and_taken_back_is_read(server: VendureServer) -> None:
    async def story(connector: Vendure) -> None:
        ref = server.shopper.place_order("BAG-1", 3)
        order = await connector.read_order(ref)
        await connector.push_fulfillment(shipped(order, "B-1", "B-2", "B-3"))
        assert await connector.read_returns(ref) == []
        line = order.lines[0].ref
        kept = refund(server, ref, line, 1)
        (told,) = await connector.read_returns(ref)
        assert (told.ref, told.refunded, told.lines[0].comes_back) == (kept, True, False)
        server.as_admin(CANCEL, i={"orderId": ref, "lines": [{"orderLineId": line, "quantity": 1}]})
        (paid,) = await connector.read_returns(ref)
        assert (paid.lines[0].comes_back, paid.lines[0].arrived) == (True, 1)
        pulled = await connector.pull_returns("")
        while pulled.more:
            pulled = await connector.pull_returns(pulled.cursor)
        assert [each for each in pulled.items if each.order_ref == ref] == [paid]
        # The line fell by what was taken off it, and the order does not ask for more than it has.
        after = await connector.read_order(ref)
        assert (after.lines[0].quantity, paid.lines[0].taken_off) == (2, 1)

    run(server, story)


def test_an_order_that_can_not_be_served_is_cancelled_once(server: VendureServer) -> None:
    async def story(connector: Vendure) -> None:
        ref = server.shopper.place_order("BAG-1", 1)
        wanted = Cancellation(reference="c-1", order_ref=ref, reason="none left")
        first = await connector.cancel_order(wanted)
        assert await connector.cancel_order(wanted) == first
        assert (await connector.read_order(ref)).state is OrderState.CANCELLED
        with pytest.raises(NotFound):
            await connector.cancel_order(replace(wanted, order_ref="98765"))

    run(server, story)
