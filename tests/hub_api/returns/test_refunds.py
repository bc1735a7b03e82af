"""Refunds by channels: asked for by who may, paid once, never more than is left."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from api_client import Caller, Hub, play
from connectors import ConnectorError, RefundOrders, Rejected, Unknown
from hub.access.keys import Scope
from hub.lifecycle import Action
from hub.storage.sql import Row
from hub.sync import channels
from hub.vocabulary import HoldReason, Order, OrderLine, OrderState, Refund
from jobs import relay
from jobs.runtime import Runtime
from recording import Recording, stage
from world import World

SHOWN = """{ __typename
  ... on Refund { id order channel returnId state amount currency reason refundReference error
    requestedBy settledAt lines { orderLineRef quantity amount } }
  ... on Problem { code message } ... on InvalidInput { field } ... on Forbidden { needs } }"""
ASK = f"""mutation($key: String!, $id: ID!, $lines: [RefundLineInput!], $amount: Decimal) {{
  done: refundOrder(idempotencyKey: $key, orderId: $id, lines: $lines, amount: $amount,
    reason: "broken") {SHOWN} }}"""
RETURN = f"""mutation($key: String!, $id: ID!) {{
  done: refundReturn(idempotencyKey: $key, returnId: $id) {SHOWN} }}"""
LIST = """query($state: RefundState, $order: ID) { refunds(state: $state, orderId: $order) {
  nodes { id state amount refundReference error } } }"""
CHECK = """mutation { done: checkReturn(idempotencyKey: "check", identifier: "SN-1",
  location: "RETURNS", reason: "too small") { ... on ReturnCase { id decision } } }"""
ACCEPT = """mutation($id: ID!) { done: acceptReturn(idempotencyKey: "accept", returnId: $id) {
  ... on ReturnCase { state } ... on Problem { message } } }"""
RECORD = """mutation($id: ID!) { done: recordRefund(idempotencyKey: "record", returnId: $id,
  reference: "cash") { ... on ReturnCase { state } ... on Problem { code message } } }"""
SHOW = "query($id: ID!) { returnCase(id: $id) { state refundReference } }"


class Paying(Recording, RefundOrders):
    """A channel in memory that pays back what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Refund] = []
        self.refusals: list[ConnectorError] = []

    async def refund_order(self, refund: Refund) -> str:
        self.asked.append(refund)
        if self.refusals:
            raise self.refusals.pop(0)
        return f"paid-{len(self.asked)}"


class Shop:
    """An order of three at 10.00 with 1.00 off, and the channel that sold it."""

    def __init__(self, world: World, **more: Any) -> None:
        self.world = world
        self.paying: Any
        self.runtime: Runtime
        self.channel: Row
        self.paying, self.runtime, self.channel = stage(world, Paying, **more)
        world.receive("SN-1", "SN-2", "SN-3")
        self.order = self.placed(world)
        order_id = world.accept(self.channel, self.order)
        assert order_id is not None
        self.id = order_id
        self.line = world.value("SELECT id FROM order_line")

    @staticmethod
    def placed(world: World) -> Order:
        line = OrderLine(
            ref="l-1",
            sku="CAM",
            quantity=3,
            unit_price=Decimal("10.00"),
            discount=Decimal("1.00"),
            tax=Decimal("5.51"),
        )
        return replace(
            world.order(lines=[line]),
            currency="EUR",
            total=Decimal("39.51"),
            shipping=Decimal("5.00"),
            tax_included=False,
        )


async def sent(shop: Shop) -> None:
    """Let the job send what is due."""
    shop.world.pass_time(minutes=5)
    await relay.drain(shop.runtime, shop.channel["id"])


async def ask(caller: Caller, document: str, **variables: Any) -> Any:
    return (await caller.ask(document, **variables))["done"]


def lines(shop: Shop, quantity: int, amount: str | None = None) -> list[dict[str, Any]]:
    return [{"lineId": shop.line, "quantity": quantity, "amount": amount}]


def test_units_are_paid_back_by_their_channel_once_and_to_the_cent(world: World) -> None:
    shop = Shop(world)

    async def story(hub: Hub) -> None:
        boss = await hub.caller(Scope.REFUNDS)
        first = await ask(boss, ASK, key="a", id=shop.id, lines=lines(shop, 1))
        # (30.00 - 1.00 + 5.51) / 3, and the three of them add up to 34.51.
        assert (first["state"], first["amount"], first["currency"]) == ("REQUESTED", "11.50", "EUR")
        again = await ask(boss, ASK, key="a", id=shop.id, lines=lines(shop, 1))
        assert again["id"] == first["id"]
        rest = await ask(boss, ASK, key="b", id=shop.id, lines=lines(shop, 2))
        assert rest["amount"] == "23.01"
        await sent(shop)
        await sent(shop)
        found = (await boss.ask(LIST, state="PAID"))["refunds"]["nodes"]
        assert [each["refundReference"] for each in found] == ["paid-2", "paid-1"]
        over = await ask(boss, ASK, key="c", id=shop.id, lines=lines(shop, 1))
        assert over["code"] == "STEP_NOT_ALLOWED"
        more = await ask(boss, ASK, key="d", id=shop.id, amount="5.01")
        assert (more["code"], "5.00 EUR" in more["message"]) == ("STEP_NOT_ALLOWED", True)
        shipping = await ask(boss, ASK, key="e", id=shop.id, amount="5.00")
        assert (shipping["state"], shipping["lines"]) == ("REQUESTED", [])

    play(world, story)
    one, two = shop.paying.asked
    assert (one.order_ref, one.amount, one.refunded_before) == ("o-1", Decimal("11.50"), 0)
    assert (two.amount, two.refunded_before) == (Decimal("23.01"), Decimal("11.50"))
    assert [(line.order_line_ref, line.quantity) for line in two.lines] == [("l-1", 2)]


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"amount": "0"}, "INVALID_INPUT", "amount"),
        ({"amount": "-1.00"}, "INVALID_INPUT", "amount"),
        ({"amount": "1.001"}, "INVALID_INPUT", "amount"),
        ({"amount": "1e30"}, "INVALID_INPUT", "amount"),
        ({}, "INVALID_INPUT", "amount"),
        ({"quantity": 0}, "STEP_NOT_ALLOWED", None),
        ({"quantity": 4}, "STEP_NOT_ALLOWED", None),
        ({"quantity": 1, "of_line": "9.00", "amount": "8.99"}, "INVALID_INPUT", "amount"),
        ({"quantity": 1, "of_line": "-1.00", "amount": "8.99"}, "INVALID_INPUT", "lines"),
        ({"line": "no-line", "quantity": 1}, "UNKNOWN_REFERENCE", None),
        ({"order": "no-order", "amount": "1.00"}, "UNKNOWN_REFERENCE", None),
    ],
)
def test_a_wrong_refund_is_a_typed_error_and_reaches_no_channel(
    world: World, said: dict[str, Any], code: str, field: str | None
) -> None:
    shop = Shop(world)

    async def story(hub: Hub) -> None:
        boss = await hub.caller(Scope.REFUNDS)
        line = {
            "lineId": said.get("line", shop.line),
            "quantity": said.get("quantity", 1),
            "amount": said.get("of_line"),
        }
        answer = await ask(
            boss,
            ASK,
            key="a",
            id=said.get("order", shop.id),
            lines=[line] if "quantity" in said else None,
            amount=said.get("amount"),
        )
        assert (answer["code"], answer.get("field")) == (code, field)

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM outbox WHERE topic = 'refund'") == 0


def test_only_who_may_pay_back_does(world: World) -> None:
    shop = Shop(world)

    async def story(hub: Hub) -> None:
        for scope in (Scope.OPS, Scope.POS, Scope.ORDERS, Scope.OVERRIDE, Scope.SCANNER):
            caller = await hub.caller(scope)
            refused = await ask(caller, ASK, key="a", id=shop.id, amount="1.00")
            assert (refused["code"], refused["needs"]) == ("FORBIDDEN", "refunds")
        admin = await hub.caller(Scope.ADMIN)
        assert (await ask(admin, ASK, key="b", id=shop.id, amount="1.00"))["state"] == "REQUESTED"

    play(world, story)


def test_a_refused_refund_is_a_case_and_frees_its_amount(world: World) -> None:
    shop = Shop(world)
    shop.paying.refusals = [Rejected("the card is closed")]

    async def story(hub: Hub) -> None:
        boss = await hub.caller(Scope.REFUNDS, Scope.OPS)
        first = await ask(boss, ASK, key="a", id=shop.id, amount="39.51")
        await sent(shop)
        (found,) = (await boss.ask(LIST, order=shop.id))["refunds"]["nodes"]
        assert (found["state"], "the card is closed" in found["error"]) == ("REFUSED", True)
        assert world.open_cases() == [("refund_refused", first["id"])]
        second = await ask(boss, ASK, key="b", id=shop.id, amount="39.51")
        assert second["state"] == "REQUESTED"
        await sent(shop)
        assert world.open_cases() == [("refund_refused", first["id"])]

    play(world, story)
    assert [each.reference == shop.paying.asked[0].reference for each in shop.paying.asked] == [
        True,
        False,
    ]


def test_while_an_outcome_is_unknown_nothing_else_of_the_order_is_paid(world: World) -> None:
    shop = Shop(world)
    shop.paying.refusals = [Unknown("no answer")] * 8

    async def story(hub: Hub) -> None:
        boss = await hub.caller(Scope.REFUNDS, Scope.OPS)
        first = await ask(boss, ASK, key="a", id=shop.id, amount="10.00")
        for _ in range(8):
            world.pass_time(hours=3)
            await sent(shop)
        (found,) = (await boss.ask(LIST, order=shop.id))["refunds"]["nodes"]
        assert found["state"] == "UNKNOWN"
        refused = await ask(boss, ASK, key="b", id=shop.id, amount="1.00")
        assert (refused["code"], first["id"] in refused["message"]) == ("STEP_NOT_ALLOWED", True)
        assert world.open_cases() == [("refund_refused", first["id"])]
        world.write(lambda tx: channels.replay(tx, "rec", None, world.now))
        await sent(shop)
        (found,) = (await boss.ask(LIST, order=shop.id))["refunds"]["nodes"]
        assert (found["state"], found["error"]) == ("PAID", None)
        assert world.open_cases() == []
        assert (await ask(boss, ASK, key="c", id=shop.id, amount="1.00"))["state"] == "REQUESTED"

    play(world, story)
    assert len({each.reference for each in shop.paying.asked}) == 1
    assert {each.refunded_before for each in shop.paying.asked} == {Decimal(0)}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"state": OrderState.PENDING, "hold": HoldReason.PAYMENT_PENDING}, "not paid"),
        ({"total": None}, "hides"),
        ({"currency": None}, "hides"),
        ({"refunded": Decimal("39.00")}, "0.51 EUR"),
    ],
)
def test_what_is_not_paid_hidden_or_paid_back_is_refused(
    world: World, change: dict[str, Any], text: str
) -> None:
    shop = Shop(world)
    world.pass_time(minutes=1)
    world.accept(shop.channel, replace(shop.order, updated_at=world.now, **change))

    async def story(hub: Hub) -> None:
        boss = await hub.caller(Scope.REFUNDS)
        refused = await ask(boss, ASK, key="a", id=shop.id, amount="1.00")
        assert (refused["code"], text in refused["message"]) == ("STEP_NOT_ALLOWED", True)

    play(world, story)


def test_a_channel_that_pays_nothing_back_says_so(world: World) -> None:
    till = world.channel("till", "recording", capabilities=("pull_orders",))
    order_id = world.accept(till, Shop.placed(world))

    async def story(hub: Hub) -> None:
        boss = await hub.caller(Scope.REFUNDS)
        refused = await ask(boss, ASK, key="a", id=order_id, amount="1.00")
        assert "by hand" in refused["message"]

    play(world, story)


def test_a_return_is_refunded_once_its_channel_has_paid(world: World) -> None:
    shop = Shop(world)
    for serial in ("SN-1", "SN-2", "SN-3"):
        for action in (Action.PICK, Action.SHIP):
            assert world.do(action, serial)[0].accepted

    async def story(hub: Hub) -> None:
        boss = await hub.caller(Scope.REFUNDS, Scope.POS)
        checked = await ask(boss, CHECK)
        assert checked["decision"] == "ACCEPT"
        early = await ask(boss, RETURN, key="a", id=checked["id"])
        assert early["code"] == "STEP_NOT_ALLOWED"  # it was not taken in
        assert (await ask(boss, ACCEPT, id=checked["id"]))["state"] == "received"
        asked = await ask(boss, RETURN, key="b", id=checked["id"])
        assert (asked["amount"], asked["returnId"]) == ("11.50", checked["id"])
        assert asked["reason"] == "too small"
        # The till does not pay what the channel was asked for.
        assert (await ask(boss, RECORD, id=checked["id"]))["code"] == "STEP_NOT_ALLOWED"
        twice = await ask(boss, RETURN, key="c", id=checked["id"])
        assert twice["code"] == "STEP_NOT_ALLOWED"
        await sent(shop)
        shown = (await boss.ask(SHOW, id=checked["id"]))["returnCase"]
        assert shown == {"state": "refunded", "refundReference": "paid-1"}

    play(world, story)
