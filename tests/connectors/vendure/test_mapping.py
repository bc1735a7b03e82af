"""What we ask Vendure keeps to its schema; the rest is shown against a real server (tests/e2e)."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import build_schema, parse, validate

from connectors import AuthFailed, Conflict, NotFound, Rejected, RemoteApi, Transient
from connectors.testing import ServedSimulator
from connectors.vendure import documents
from connectors.vendure.connector import (
    OPEN_ORDERS_MAX,
    OPEN_ORDERS_PER_PULL,
    Vendure,
    VendureSettings,
)
from connectors.vendure.mapping import result_or_raise
from connectors.vendure.returns import parse_returns
from connectors.vendure.simulator.server import VendureSimulator
from hub.vocabulary import OrderState, Return, ReturnState

WIRED = ServedSimulator("vendure", VendureSimulator)
LATER = "2026-11-02T00:00:00.000Z"

SHARED = Path(__file__).parents[3].parent / "shared"
SCHEMA = Path(os.environ.get("SERIAL_HUB_SPECS", SHARED / "specs")) / "vendure/schema-admin.graphql"
HOW = "set SERIAL_HUB_SPECS to the folder that holds the channels' official contracts"
SETTINGS = VendureSettings.model_validate(
    {
        "url": "https://shop.test/admin-api",
        "api_key": "key",
        "webhook_secret": "secret",
        "stock_location_id": "1",
        "calls_per_second": 1000,
    }
)


def test_every_document_is_valid_against_the_schema() -> None:
    if not SCHEMA.exists():
        pytest.skip(f"no schema at {SCHEMA}: {HOW}")
    plain = SCHEMA.read_text()
    # A server that declares our custom field shows it as an object instead of JSON.
    start = plain.index("type Fulfillment implements Node")
    end = plain.index("}", start)
    declared = plain[start:end].replace("customFields: JSON", "customFields: Declared")
    extended = f"{plain[:start]}{declared}{plain[end:]}\ntype Declared {{ serials: [String!] }}"
    schema = build_schema(extended, assume_valid=True)
    for document in documents.ALL:
        assert validate(schema, parse(document)) == [], document


def wired(answer: Any, status: int = 200) -> Vendure:
    def play(request: httpx.Request) -> httpx.Response:
        said = answer(request) if callable(answer) else answer
        return httpx.Response(status, json=said)

    transport = httpx.MockTransport(play)
    return Vendure(SETTINGS, RemoteApi(Vendure.remote(SETTINGS), transport=transport, attempts=1))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("FORBIDDEN", AuthFailed),
        ("ENTITY_NOT_FOUND", NotFound),
        ("INTERNAL_SERVER_ERROR", Transient),
        ("USER_INPUT_ERROR", Rejected),
    ],
)
def test_codes_with_status_200_are_errors(code: str, error: type[Exception]) -> None:
    answer = {"errors": [{"message": "no", "extensions": {"code": code}}]}
    with pytest.raises(error):
        asyncio.run(wired(answer).read_order("1"))


def test_refusals_inside_the_data_are_errors() -> None:
    with pytest.raises(Rejected, match="ITEMS_ALREADY_FULFILLED_ERROR"):
        result_or_raise({"errorCode": "ITEMS_ALREADY_FULFILLED_ERROR", "message": "no"})
    with pytest.raises(Conflict):
        result_or_raise({"errorCode": "INSUFFICIENT_STOCK_ON_HAND_ERROR", "message": "no"})
    assert result_or_raise({"id": "1"}) == {"id": "1"}


def order(number: int, state: str = "PaymentSettled") -> dict[str, Any]:
    at = f"2026-11-01T{number // 60:02}:{number % 60:02}:00.000Z"
    return {
        "id": str(number),
        "code": f"C{number}",
        "state": state,
        "createdAt": at,
        "updatedAt": at,
        "orderPlacedAt": at,
        "customer": None,
        "lines": [],
        "payments": [],
        "fulfillments": [],
    }


def test_open_orders_are_read_again_in_turn_and_their_number_is_bounded() -> None:
    shop = {number: order(number) for number in range(1, 701)}
    asked: list[list[str]] = []

    def answer(request: httpx.Request) -> dict[str, Any]:
        options = json.loads(request.content)["variables"]["options"]
        if "id" in options["filter"]:
            asked.append(options["filter"]["id"]["in"])
            items = [shop[int(each)] for each in asked[-1] if int(each) in shop]
            return {"data": {"orders": {"items": items, "totalItems": len(items)}}}
        (by,) = options["sort"]
        after = options["filter"][by]["after"]
        found = [each for each in shop.values() if each[by] > after]
        page = found[options["skip"] : options["skip"] + options["take"]]
        return {"data": {"orders": {"items": page, "totalItems": len(found)}}}

    async def play() -> None:
        connector = wired(answer)
        cursor, more, seen = "", True, set[str]()
        while more:
            page = await connector.pull_orders(cursor)
            seen |= {each.ref for each in page.items}
            cursor, more = page.cursor, page.more
        assert seen == {str(number) for number in shop}
        known = json.loads(cursor)["open"]
        assert len(known) == OPEN_ORDERS_MAX
        shop[350]["state"] = "Cancelled"
        del shop[351]
        changed: list[str] = []
        for _ in range(40):
            page = await connector.pull_orders(cursor)
            changed += [each.ref for each in page.items]
            cursor = page.cursor
        assert changed == ["350"]
        assert not {"350", "351"} & set(json.loads(cursor)["open"])
        read_again = {each for turn in asked for each in turn}
        in_the_overlap = {str(number) for number in range(695, 701)}
        assert read_again >= set(known) - {"350", "351"} - in_the_overlap

    asyncio.run(play())


def test_a_change_that_moves_the_time_is_seen_at_once_however_many_are_open() -> None:
    async def play(simulator: VendureSimulator, connector: Vendure) -> None:
        simulator.add_variant("CAM", 1_000)
        placed = [simulator.place_order("CAM", 1).id for _ in range(OPEN_ORDERS_PER_PULL * 3)]
        cursor, more = "", True
        while more:
            page = await connector.pull_orders(cursor)
            cursor, more = page.cursor, page.more
        simulator.cancel(placed[-1])
        states, more = dict[str, OrderState](), True
        while more:
            page = await connector.pull_orders(cursor)
            states |= {each.ref: each.state for each in page.items}
            cursor, more = page.cursor, page.more
        assert states == {placed[-1]: OrderState.CANCELLED}

    WIRED.run(play)


class TestReturns:
    """Refunds and cancellations are read into returns."""

    def returns(
        self, *, cancelled: int = 0, refunded: int = 0, shipped: int = 2, state: str = "Settled"
    ) -> list[Return]:
        """Two of one article, so many shipped, then so many cancelled and refunded."""
        node = order(1) | {
            "lines": [{"id": "l-1", "quantity": 2 - cancelled, "orderPlacedQuantity": 2}],
            "fulfillments": [
                {
                    "id": "f-1",
                    "state": "Shipped",
                    "updatedAt": LATER,
                    "lines": [{"orderLineId": "l-1", "quantity": shipped}],
                }
            ],
        }
        refund = {
            "id": "r-1",
            "state": state,
            "reason": "broken",
            "createdAt": LATER,
            "updatedAt": LATER,
            "lines": [{"orderLineId": "l-1", "quantity": refunded}],
        }
        paid = [refund] if refunded else []
        return parse_returns(node | {"payments": [{"updatedAt": LATER, "refunds": paid}]})

    def test_a_refund_alone_lets_the_customer_keep_the_goods(self) -> None:
        (back,) = self.returns(refunded=1)
        (line,) = back.lines
        assert (line.comes_back, line.refunded, line.taken_off) == (False, 1, 0)
        assert (back.state, back.refunded, line.reason) == (ReturnState.CLOSED, True, "broken")

    def test_cancelled_after_it_left_and_refunded_is_back(self) -> None:
        (back,) = self.returns(cancelled=1, refunded=1)
        (line,) = back.lines
        assert (line.comes_back, line.arrived, line.refunded, line.taken_off) == (True, 1, 1, 1)

    def test_what_was_cancelled_before_it_left_is_no_return(self) -> None:
        assert self.returns(cancelled=1, refunded=1, shipped=1) == []

    def test_of_two_refunded_one_may_be_back(self) -> None:
        (back,) = self.returns(cancelled=1, refunded=2)
        assert [(each.comes_back, each.quantity) for each in back.lines] == [(True, 1), (False, 1)]

    def test_taken_back_without_a_refund_is_told_by_itself(self) -> None:
        (back,) = self.returns(cancelled=2)
        assert (back.ref, back.refunded, back.lines[0].quantity) == ("1/taken-back", False, 2)

    def test_a_refund_that_waits_or_failed_has_paid_nobody(self) -> None:
        (waits,) = self.returns(refunded=1, state="Pending")
        (failed,) = self.returns(refunded=1, state="Failed")
        assert (waits.state, waits.refunded) == (ReturnState.OPEN, False)
        assert (failed.state, failed.refunded, failed.lines) == (ReturnState.CANCELLED, False, ())
