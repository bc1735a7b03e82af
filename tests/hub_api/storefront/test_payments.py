"""Payments of checked-out orders: a server confirms them, by the token, once."""

from typing import Any

import pytest

from api_client import Caller, Hub, play
from hub.access.keys import Scope
from shopping.steps import promised
from world import World

CHECKOUT = """mutation($paid: Boolean! = false, $total: Decimal = "89.00") {
  reserve(idempotencyKey: "NEW", cart: "cart", lines: [{sku: "CAM", quantity: 1}]) { __typename }
  done: checkout(idempotencyKey: "NEW", cart: "cart", order: {paid: $paid, total: $total,
    currency: "EUR"}) { ... on CheckedOut { token order { id hold } } } }"""
CONFIRM = """mutation($token: String!, $amount: Decimal, $currency: String, $key: String! = "NEW") {
  done: confirmPayment(idempotencyKey: $key, token: $token, amount: $amount, currency: $currency)
    { __typename ... on Order { state hold } ... on InvalidInput { field }
      ... on UnknownReference { field } ... on Problem { code message } } }"""


async def bought(hub: Hub, **given: Any) -> tuple[Caller, Any]:
    """Check out a cart; return a caller of the shop's server and the answer."""
    server = await hub.caller(Scope.ORDERS)
    return server, (await server.ask(CHECKOUT, **given))["done"]


def test_a_confirmed_payment_lets_the_order_leave_and_is_confirmed_once(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        server, done = await bought(hub)
        assert done["order"]["hold"] == "PAYMENT_PENDING"
        paid = {"token": done["token"], "amount": "89.0", "currency": "EUR"}
        for _ in range(2):
            answer = (await server.ask(CONFIRM, **paid))["done"]
            assert answer == {"__typename": "Order", "state": "OPEN", "hold": None}

    play(world, story)
    assert promised(world, "CAM") == ["SN-1"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"amount": "88.99"}, "amount"),
        ({"currency": "USD"}, "currency"),
        ({"token": "nothing"}, "token"),
        ({"token": ""}, "token"),
    ],
)
def test_another_amount_or_order_is_refused(
    world: World, given: dict[str, Any], field: str
) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        server, done = await bought(hub)
        answer = (await server.ask(CONFIRM, **({"token": done["token"]} | given)))["done"]
        assert answer["field"] == field
        assert answer["__typename"] in {"InvalidInput", "UnknownReference"}

    play(world, story)
    assert world.value("SELECT hold FROM sales_order") == "payment_pending"


def test_an_amount_cannot_be_compared_with_an_order_that_states_none(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        server, done = await bought(hub, total=None)
        paid = {"token": done["token"], "amount": "89.00"}
        assert (await server.ask(CONFIRM, **paid))["done"]["field"] == "amount"
        assert (await server.ask(CONFIRM, token=done["token"]))["done"]["hold"] is None

    play(world, story)


def test_a_cancelled_order_is_to_be_paid_back(world: World) -> None:
    world.receive("SN-1")
    cancel = """mutation($id: ID!) { cancelOrder(idempotencyKey: "NEW", orderId: $id,
      reason: "late") { __typename } }"""

    async def story(hub: Hub) -> None:
        server, done = await bought(hub)
        await server.ask(cancel, id=done["order"]["id"])
        answer = (await server.ask(CONFIRM, token=done["token"]))["done"]
        assert answer["__typename"] == "StepNotAllowed"
        assert "pay back" in answer["message"]

    play(world, story)


def test_only_servers_with_the_scope_orders_confirm(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        _, done = await bought(hub)
        for scope in (Scope.CARTS, Scope.STOREFRONT, Scope.POS, Scope.SCANNER):
            other = await hub.caller(scope)
            answer = (await other.ask(CONFIRM, token=done["token"]))["done"]
            assert answer["__typename"] == "Forbidden"

    play(world, story)
