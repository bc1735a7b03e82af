"""The Saleor connector talks to its simulator over a real socket, and keeps to the schema."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import build_schema, parse, validate
from graphql.execution.values import get_variable_values

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
from connectors.registry import SettingsInvalid, connect
from connectors.saleor import documents
from connectors.saleor.connector import Saleor
from connectors.saleor.mapping import call_id, first_error, order_refs, parse_order
from connectors.saleor.signature import ShopKeys
from connectors.saleor.simulator import SaleorSimulator, taxed
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault, Webhook
from connectors.toolkit.rate_limits import NoRateLimits
from contracts import example
from hub.vocabulary import (
    Cancellation,
    Fulfillment,
    FulfillmentLine,
    Order,
    OrderState,
    Refund,
    RefundLine,
    StockLevel,
)
from pulling import pull_all

CaseFunction = Callable[[SaleorSimulator, Saleor], Awaitable[None]]
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SHARED = Path(__file__).parents[3].parent / "shared"
SCHEMA = Path(os.environ.get("SERIAL_HUB_SPECS", SHARED / "specs")) / "saleor/schema.graphql"
HOW = "set SERIAL_HUB_SPECS to the folder that holds the channels' official contracts"


@asynccontextmanager
async def connected(simulator: SaleorSimulator) -> AsyncIterator[Saleor]:
    async with serve(simulator.app) as url:
        connector: Any = connect("saleor", simulator.settings(url), rate_limits=NoRateLimits())
        try:
            yield connector
        finally:
            await connector.api.aclose()
            await simulator.aclose()


def run(scenario: CaseFunction, simulator: SaleorSimulator | None = None) -> None:
    async def reported() -> None:
        shop = simulator or SaleorSimulator()
        async with connected(shop) as connector:
            await scenario(shop, connector)

    asyncio.run(reported())


def level(ref: str, available: int, expected: int | None = None) -> StockLevel:
    return StockLevel(
        listing=ref,
        sku=ref,
        available=available,
        remote={"variant_id": ref},
        expected=expected,
        key="k",
    )


def shipped(order: Order, *serials: str, reference: str = "F1", **more: Any) -> Fulfillment:
    return Fulfillment(
        reference=reference,
        order_ref=order.ref,
        lines=(FulfillmentLine(order_line_ref=order.lines[0].ref, serials=serials),),
        shipped_at=NOW,
        **{"tracking": "T1", **more},
    )


def test_check_says_what_is_wrong() -> None:
    async def scenario(simulator: SaleorSimulator, connector: Saleor) -> None:
        await connector.check()
        simulator.permissions = ["MANAGE_ORDERS"]
        with pytest.raises(AuthFailed, match="MANAGE_PRODUCTS"):
            await connector.check()
        simulator.permissions.append("MANAGE_PRODUCTS")
        simulator.warehouse_id = "another"
        with pytest.raises(NotFound, match="warehouse"):
            await connector.check()
        simulator.app_token = "another"
        with pytest.raises(AuthFailed, match="InvalidTokenError"):
            await connector.check()

    run(scenario)
    for changes, reported in (({"url": "shop"}, "url"), ({"warehouse_id": ""}, "warehouse_id")):
        with pytest.raises(SettingsInvalid, match=reported):
            connect("saleor", {**SaleorSimulator().settings("https://x.test"), **changes})


def test_orders_come_in_by_their_time_of_change_while_the_list_moves() -> None:
    clock = [datetime.now(UTC) - timedelta(hours=5)]
    simulator = SaleorSimulator(clock=lambda: clock[0])

    async def scenario(simulator: SaleorSimulator, connector: Saleor) -> None:
        item = simulator.add_item("CAM", 500)
        placed = []
        for _ in range(130):
            clock[0] += timedelta(seconds=20)
            placed.append(simulator.place_order({item: 1}))
        first = await connector.pull_orders("")
        simulator.change(placed[3], status="CANCELED")
        rest, cursor = await pull_all(connector, first.cursor)
        assert {order.ref for order in (*first.items, *rest)} == set(placed)
        assert [each.state for each in rest if each.ref == placed[3]] == [OrderState.CANCELLED]
        clock[0] += timedelta(minutes=20)
        simulator.change(placed[50], status="UNFULFILLED")
        assert placed[50] in {order.ref for order in (await pull_all(connector, cursor))[0]}
        since = datetime.fromisoformat(simulator.orders[placed[100]]["created"])
        until = datetime.fromisoformat(simulator.orders[placed[110]]["created"])
        window = [order.ref async for order in connector.snapshot_orders(since, until)]
        assert window == placed[100:111]
        with pytest.raises(NotFound):
            await connector.read_order("T3JkZXI6MQ==")

    run(scenario, simulator)


@pytest.mark.parametrize(
    ("status", "paid", "left", "state"),
    [
        ("UNCONFIRMED", "FULL", 1, OrderState.PENDING),
        ("UNFULFILLED", "NONE", 1, OrderState.PENDING),
        ("UNFULFILLED", "PARTIAL", 1, OrderState.OPEN),
        ("PARTIALLY_FULFILLED", "FULL", 1, OrderState.OPEN),
        ("FULFILLED", "NONE", 0, OrderState.FULFILLED),
        ("PARTIALLY_RETURNED", "FULL", 0, OrderState.FULFILLED),
        ("PARTIALLY_RETURNED", "FULL", 1, OrderState.OPEN),
        ("EXPIRED", "NONE", 1, OrderState.CANCELLED),
        ("A_NEW_WORD", "FULL", 1, OrderState.OPEN),
    ],
)
def test_the_words_of_an_order_are_read(
    status: str, paid: str, left: int, state: OrderState
) -> None:
    simulator = SaleorSimulator()
    ref = simulator.place_order({simulator.add_item("CAM", 5): 1}, status, paid)
    simulator.orders[ref]["lines"][0]["quantityToFulfill"] = left
    order = parse_order(simulator.orders[ref])
    assert (order.state, order.customer_ref) == (state, "VXNlcjo3")
    assert (order.lines[0].sku, order.lines[0].title) == ("CAM", "A CAM Default")


def test_quantities_are_set_beside_what_is_allocated() -> None:
    async def scenario(simulator: SaleorSimulator, connector: Saleor) -> None:
        items = [simulator.add_item(f"S{n}", 5) for n in range(120)]
        never = simulator.add_item("NEVER", 0, stocked=False)
        ref = simulator.place_order({items[0]: 2})
        wanted = [level(items[0], 4, 3), level(items[1], 5), level("nope", 1), level(never, 1)]
        wanted.append(level(items[2], -9))
        answers = {each.listing: each for each in await connector.push_stock(wanted)}
        assert simulator.variants[items[0]]["quantity"] == 6
        assert (simulator.quantity(items[0]), answers[items[0]].quantity) == (4, 4)
        errors = {name: type(each.error) for name, each in answers.items() if each.error}
        assert errors == {"nope": NotFound, never: NotFound, items[2]: Rejected}
        simulator.change(ref, status="CANCELED")
        (result,) = await connector.push_stock([level(items[0], 9, expected=4)])
        assert isinstance(result.error, Conflict)
        assert result.error.observed == 6
        simulator.variants[items[5]]["trackInventory"] = False
        seen = {each.sku: each.quantity async for each in connector.snapshot_stock()}
        assert (len(seen), seen["S0"], seen["S119"]) == (119, 6, 5)

    run(scenario)


def test_a_shipment_is_told_once_and_names_its_serials() -> None:
    async def scenario(simulator: SaleorSimulator, connector: Saleor) -> None:
        item = simulator.add_item("CAM", 9)
        order = await connector.read_order(simulator.place_order({item: 3}))
        line = order.lines[0].ref
        simulator.fail_next(Fault.LOST_ANSWER, containing="orderFulfill")
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "SN1"))
        simulator.fail_next(Fault.LOST_REQUEST, times=3, containing="updatePrivateMetadata")
        with pytest.raises(Unknown):
            await connector.push_fulfillment(shipped(order, "SN1"))
        link = await connector.push_fulfillment(shipped(order, "SN1"))
        assert await connector.push_fulfillment(shipped(order, "SN1")) == link
        (made,) = simulator.orders[order.ref]["fulfillments"]
        assert made["metadata"]["serial_hub.reference"] == "F1"
        assert json.loads(made["metadata"]["serial_hub.serials"]) == {line: ["SN1"]}
        await connector.push_fulfillment(shipped(order, "SN2", reference="F2"))
        await connector.push_fulfillment(shipped(order, "SN3", reference="F3", tracking=None))
        assert len(simulator.orders[order.ref]["fulfillments"]) == 3
        assert (await connector.read_order(order.ref)).state is OrderState.FULFILLED
        assert simulator.quantity(item) == 6
        with pytest.raises(Conflict, match="FULFILL_ORDER_LINE"):
            await connector.push_fulfillment(shipped(order, "SN4", reference="F4"))
        with pytest.raises(NotFound):
            await connector.push_fulfillment(
                Fulfillment(reference="F5", order_ref="nope", lines=(), shipped_at=NOW)
            )

    run(scenario)


def test_an_order_is_cancelled_once() -> None:
    async def scenario(simulator: SaleorSimulator, connector: Saleor) -> None:
        item = simulator.add_item("CAM", 9)
        ref, sent = (simulator.place_order({item: 1}) for _ in range(2))
        ended = Cancellation(reference="C1", order_ref=ref, reason="out of stock")
        simulator.fail_next(Fault.LOST_ANSWER, containing="orderCancel")
        with pytest.raises(Unknown):
            await connector.cancel_order(ended)
        assert simulator.orders[ref]["number"] in await connector.cancel_order(ended)
        await connector.push_fulfillment(shipped(await connector.read_order(sent), "SN1"))
        with pytest.raises(Rejected, match="CANNOT_CANCEL_ORDER"):
            await connector.cancel_order(
                Cancellation(reference="C2", order_ref=sent, reason="late")
            )

    run(scenario)


def test_what_came_back_is_read_as_done() -> None:
    async def scenario(simulator: SaleorSimulator, connector: Saleor) -> None:
        item = simulator.add_item("CAM", 9)
        order = await connector.read_order(simulator.place_order({item: 3}))
        await connector.push_fulfillment(shipped(order, "SN1", "SN2", "SN3"))
        assert await connector.read_returns(order.ref) == []
        back = simulator.create_return(order.ref, 0, 1)
        paid = simulator.create_return(order.ref, 0, 1, "REFUNDED")
        both = simulator.create_return(order.ref, 0, 1, "REFUNDED_AND_RETURNED")
        found = {each.ref: each for each in await connector.read_returns(order.ref)}
        reported = {
            ref: (each.refunded, each.lines[0].arrived, each.lines[0].comes_back)
            for ref, each in found.items()
        }
        assert reported == {back: (False, 1, True), paid: (True, 0, False), both: (True, 1, True)}
        assert found[back].lines[0].order_line_ref == order.lines[0].ref
        page = await connector.pull_returns("")
        assert {each.ref for each in page.items} == set(found)
        with pytest.raises(NotFound):
            await connector.read_returns("nope")

    run(scenario)


@pytest.mark.parametrize("raw", [True, False])
def test_webhooks_are_verified_under_the_keys_of_the_shop(raw: bool) -> None:
    async def scenario(simulator: SaleorSimulator, connector: Saleor) -> None:
        simulator.raw_payload = raw
        simulator.subscribers.append("http://127.0.0.1:9/hook")
        ref = simulator.place_order({simulator.add_item("CAM", 5): 1})
        await simulator.settle()
        (sent,) = simulator.sent
        headers = {name.lower(): value for name, value in sent.headers.items()}
        with pytest.raises(AuthFailed, match="not known"):
            connector.verify(headers, sent.body, NOW)
        await connector.prepare(headers)
        delivery = connector.verify(headers, sent.body, NOW)
        assert delivery.topic == "order_created"
        assert connector.read(delivery.topic, sent.body) == (OrderRef(ref),)
        with pytest.raises(AuthFailed, match="wrong"):
            connector.verify(headers, sent.body + b" ", NOW)
        asked = len(simulator.calls)
        await connector.prepare(headers)
        assert len(simulator.calls) == asked, "a key is kept"
        stranger = SaleorSimulator()
        stranger.key_id = "a stranger's"
        forged = {
            name.lower(): value
            for name, value in stranger.sign(Webhook("", "order_created", "1", b"{}")).items()
        }
        for _ in range(5):
            await connector.prepare(forged)
            with pytest.raises(AuthFailed, match="not known"):
                connector.verify(forged, b"{}", NOW)
        assert len(simulator.calls) == asked, "strangers can not make us ask again and again"

    run(scenario)


def test_a_key_that_was_changed_is_fetched_again_after_a_while() -> None:
    now = [0.0]

    async def scenario(simulator: SaleorSimulator, connector: Saleor) -> None:
        keys = ShopKeys(lambda: now[0])
        simulator.key_id = "old"
        hook = Webhook("", "order_created", "1", b"{}")

        def headers() -> dict[str, str]:
            return {name.lower(): value for name, value in simulator.sign(hook).items()}

        await keys.fetch(connector.api, headers())
        keys.verify(headers(), b"{}")
        simulator.key_id = "new"
        await keys.fetch(connector.api, headers())
        with pytest.raises(AuthFailed):
            keys.verify(headers(), b"{}")
        now[0] = 61.0
        await keys.fetch(connector.api, headers())
        keys.verify(headers(), b"{}")
        now[0] = 4000.0
        with pytest.raises(AuthFailed):
            keys.verify(headers(), b"{}")

    run(scenario)


def _jws(head: Any, payload: str = "", signature: str = "AA") -> str:
    text = base64.urlsafe_b64encode(json.dumps(head).encode()).rstrip(b"=").decode()
    return f"{text}.{payload}.{signature}"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "é",
        "a.b",
        "..",
        "a.b.c.d",
        _jws([]),
        _jws({"alg": "RS256", "kid": "twin-key-1"}, payload="e30"),
        _jws({"alg": "none", "kid": "twin-key-1"}),
        _jws({"alg": "HS256", "kid": "twin-key-1"}),
        _jws({"alg": "RS256", "kid": "twin-key-1", "crit": ["exp"]}),
        _jws({"alg": "RS256", "kid": "twin-key-1"}, signature="!"),
        _jws({"alg": "RS256", "kid": "twin-key-1", "b64": False}),
    ],
)
def test_what_is_not_signed_as_it_should_be_is_refused(given: str) -> None:
    async def scenario(simulator: SaleorSimulator, connector: Saleor) -> None:
        right = simulator.sign(Webhook("", "order_created", "1", b"{}"))["Saleor-Signature"]
        await connector.prepare({"saleor-signature": right})
        with pytest.raises(AuthFailed):
            connector.verify({"saleor-signature": given}, b"{}", NOW)

    run(scenario)


def test_keys_that_are_none_are_left_out() -> None:
    async def scenario(answer: Any) -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
        connector: Any = connect(
            "saleor", SaleorSimulator().settings("https://x.test"), transport=transport
        )
        hook = Webhook("", "order_created", "1", b"{}")
        headers = {name.lower(): value for name, value in SaleorSimulator().sign(hook).items()}
        await connector.prepare(headers)
        with pytest.raises(AuthFailed):
            connector.verify(headers, b"{}", NOW)
        await connector.api.aclose()

    short = {"kty": "RSA", "kid": "twin-key-1", "e": "AQAB", "n": "wf8"}
    for answer in ([], {}, {"keys": 1}, {"keys": [1, {}, {"kty": "RSA"}, short]}):
        asyncio.run(scenario(answer))


def test_payloads_are_read_liberally() -> None:
    read = [
        order_refs("order_updated", json.dumps(each["body"]).encode())
        for each in example("saleor", "sample-webhook-payloads.json")
    ]
    assert [hint[0].order_ref for hint in read if hint] == [
        "VXNlcjo1MQ==",
        "VXNlcjo1Mg==",
        "VXNlcjo1MQ==",
    ]
    legacy = b'[{"type": "Order", "id": "T3JkZXI6MQ=="}]'
    assert order_refs("order_created", legacy) == (OrderRef("T3JkZXI6MQ=="),)
    parcel = b'{"fulfillment": {"order": {"id": "T3JkZXI6MQ=="}}}'
    assert order_refs("fulfillment_created", parcel) == (OrderRef("T3JkZXI6MQ=="),)
    assert order_refs("product_updated", parcel) == ()
    assert call_id(b'{"issuedAt": 1}', "a") == call_id(b'{"issuedAt": 1}', "b")
    assert call_id(parcel, "a") != call_id(parcel, "b")
    assert first_error([]) is None


def test_faults_become_the_right_errors() -> None:
    async def scenario(simulator: SaleorSimulator, connector: Saleor) -> None:
        item = simulator.add_item("A", 1)
        simulator.fail_next(Fault.RATE_LIMITED, containing="orders(")
        with pytest.raises(RateLimited):
            await connector.pull_orders("")
        simulator.fail_next(Fault.SERVER_ERROR, times=3, containing="stockBulkUpdate")
        with pytest.raises(Transient):
            await connector.push_stock([level(item, 4)])
        simulator.fail_next(Fault.LOST_ANSWER, containing="stockBulkUpdate")
        assert (await connector.push_stock([level(item, 4)]))[0].quantity == 4

    run(scenario)


def test_every_request_keeps_to_the_official_schema() -> None:
    if not SCHEMA.exists():
        pytest.skip(f"no schema at {SCHEMA}: {HOW}")
    schema = build_schema(SCHEMA.read_text(), assume_valid=True)
    for document in documents.ALL:
        assert validate(schema, parse(document)) == [], document
    sent = asyncio.run(every_request())
    for asked in sent:
        (operation,) = (
            each
            for each in parse(asked["query"]).definitions
            if each.kind == "operation_definition"
        )
        found = get_variable_values(schema, operation.variable_definitions, asked["variables"])
        assert not isinstance(found, list), f"{asked}: {found}"
    assert {asked["query"] for asked in sent} == set(documents.ALL)
    assert len(sent) == 21


async def every_request() -> list[dict[str, Any]]:
    """Use the whole connector once and keep what it sent."""
    simulator, sent = SaleorSimulator(), list[dict[str, Any]]()

    async def keep(request: httpx.Request) -> None:
        sent.append(json.loads(request.content))

    async with connected(simulator) as connector:
        connector.api._client.event_hooks["request"].append(keep)
        item = simulator.add_item("CAM", 3)
        ref, other = (simulator.place_order({item: 1}) for _ in range(2))
        await connector.check()
        _, cursor = await pull_all(connector)
        await pull_all(connector, cursor)
        cursor = (await connector.pull_returns("")).cursor
        await connector.pull_returns(cursor)
        order = await connector.read_order(ref)
        await connector.read_contact(ref)
        await connector.push_stock([level(item, 9)])
        assert [each async for each in connector.snapshot_stock()]
        since = datetime.now(UTC) - timedelta(days=1)
        assert [each async for each in connector.snapshot_orders(since, datetime.now(UTC))]
        await connector.push_fulfillment(shipped(order, "C-1"))
        await connector.push_fulfillment(shipped(order, "C-1"))
        await connector.read_returns(ref)
        await connector.cancel_order(Cancellation(reference="C", order_ref=other, reason="r"))
        simulator.orders[ref]["total"] = taxed(net=Decimal(10))
        amount = Decimal("1.10")
        line = RefundLine(order_line_ref=order.lines[0].ref, quantity=1, amount=amount)
        await connector.refund_order(
            Refund(
                reference="R",
                order_ref=ref,
                amount=amount,
                currency="EUR",
                refunded_before=Decimal(),
                lines=(line,),
            )
        )
    return sent
