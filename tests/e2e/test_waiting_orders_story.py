"""Orders that wait, are paid back, odd or deleted, at real Vendure and Medusa servers."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.servers import medusa_server as medusa
from e2e.servers import vendure_server as vendure
from e2e.story import in_thread, set_up, settled, working_hub
from e2e.waiting import asked, kinds, orders_of, picked, refunds, refused, units
from serial_hub.demo import Api

STORY = "unpaid checkout takes no unit → held order is not picked → set free → refunded → cancelled"
AT_VENDURE = "the hub asks for a refund → Vendure waits for a person → settled → paid once"
AT_MEDUSA = "refused uncaptured → paid back once → too much is refused → odd order → deleted order"
MOVE = """mutation($id: ID!, $state: String!) { transitionOrderToState(id: $id, state: $state) {
  __typename ... on ErrorResult { message } } }"""
REPLAY = """mutation($key: String!, $channel: String!) {
  done: replayDeadLetters(idempotencyKey: $key, channel: $channel) { __typename } }"""
RECONCILE = """mutation($key: String!, $channel: String!) {
  done: reconcile(idempotencyKey: $key, channel: $channel, scope: ORDERS) { __typename
    ... on Problem { code message } } }"""
SETTLE = """mutation($i: SettleRefundInput!) { settleRefund(input: $i) {
  ... on Refund { id state } ... on ErrorResult { message } } }"""
AT_SHOP = """query($id: ID!) { order(id: $id) {
  payments { refunds { id state total reason lines { quantity } } } } }"""
CANCEL = "mutation($i: CancelOrderInput!) { cancelOrder(input: $i) { __typename } }"


@pytest.mark.skipif(vendure.why_not() is not None, reason=str(vendure.why_not()))
def test_orders_that_wait_at_vendure(
    url: str, record_property: Callable[[str, object], None]
) -> None:
    package = vendure.FOLDER / "node_modules/@vendure/core/package.json"
    record_property("server", f"Vendure {json.loads(package.read_text())['version']}")
    record_property("story", STORY)

    async def story() -> None:
        async with working_hub(url) as hub:
            with vendure.vendure_server(f"{hub.url}/webhooks/vendure", "CAM-X1:0") as shop:
                await set_up(hub.api, {"vendure": ("vendure", shop.settings())})
                await in_thread(shop.shopper.leave_checkout, "CAM-X1", 2)
                placed = await in_thread(shop.shopper.place_order, "CAM-X1", 2)
                found = await orders_of(hub.api, "vendure")
                assert {each["state"] for each in found.values()} <= {"OPEN", "DRAFT"}
                assert sum(units(each) for each in found.values()) == 2
                order = found[placed]
                assert (order["state"], order["hold"], units(order)) == ("OPEN", None, 2)

                def move(state: str) -> None:
                    done = shop.as_admin(MOVE, id=placed, state=state)["transitionOrderToState"]
                    assert "message" not in done, done

                await in_thread(move, "Modifying")
                order = (await orders_of(hub.api, "vendure"))[placed]
                assert (order["state"], order["hold"]) == ("PENDING", "ON_HOLD")
                assert await picked(hub.api, order) == "ORDER_ON_HOLD"
                await in_thread(move, "PaymentSettled")
                order = (await orders_of(hub.api, "vendure"))[placed]
                assert (order["state"], order["hold"]) == ("OPEN", None)
                assert await picked(hub.api, order) is None
                gone = {"orderId": placed, "reason": "thought better of it", "cancelShipping": True}
                await in_thread(lambda: shop.as_admin(CANCEL, i=gone))
                order = (await orders_of(hub.api, "vendure"))[placed]
                assert (order["state"], units(order)) == ("CANCELLED", 0)

    asyncio.run(story())


@pytest.mark.real
@pytest.mark.timeout(600)
@pytest.mark.skipif(medusa.why_not() is not None, reason=str(medusa.why_not()))
def test_orders_that_wait_at_medusa(
    url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    package = medusa.FOLDER / "node_modules/@medusajs/medusa/package.json"
    record_property("server", f"Medusa {json.loads(package.read_text())['version']}")
    record_property("story", STORY)

    async def story() -> None:
        async with working_hub(url) as hub:
            running = medusa.medusa_server(f"{hub.url}/webhooks/medusa", tmp_path)
            shop = await in_thread(running.__enter__)
            try:
                await set_up(hub.api, {"medusa": ("medusa", shop.settings())})
                draft = await in_thread(shop.draft_order, 2)
                placed = await in_thread(shop.place_order, 2)
                found = await orders_of(hub.api, "medusa")
                assert draft not in found or (found[draft]["state"], units(found[draft])) == (
                    "DRAFT",
                    0,
                )
                order = found[placed]
                assert (order["state"], order["hold"], units(order)) == ("OPEN", None, 2)
                await in_thread(shop.refund, placed)
                order = (await orders_of(hub.api, "medusa"))[placed]
                assert (order["state"], order["hold"]) == ("PENDING", "REFUNDED")
                assert await picked(hub.api, order) == "ORDER_ON_HOLD"
                await in_thread(shop.admin, "POST", f"/orders/{placed}/cancel", {})
                order = (await orders_of(hub.api, "medusa"))[placed]
                assert (order["state"], units(order)) == ("CANCELLED", 0)
            finally:
                await in_thread(running.__exit__, None, None, None)

    asyncio.run(story())


@pytest.mark.skipif(vendure.why_not() is not None, reason=str(vendure.why_not()))
def test_a_refund_at_vendure(url: str, record_property: Callable[[str, object], None]) -> None:
    package = vendure.FOLDER / "node_modules/@vendure/core/package.json"
    record_property("server", f"Vendure {json.loads(package.read_text())['version']}")
    record_property("story", AT_VENDURE)

    async def story() -> None:
        async with working_hub(url) as hub:
            with vendure.vendure_server(f"{hub.url}/webhooks/vendure", "CAM-X1:0") as shop:
                await set_up(hub.api, {"vendure": ("vendure", shop.settings())})
                placed = await in_thread(shop.shopper.place_order, "CAM-X1", 2)
                order = (await orders_of(hub.api, "vendure"))[placed]

                def made() -> list[Any]:
                    (payment,) = shop.as_admin(AT_SHOP, id=placed)["order"]["payments"]
                    return list(payment["refunds"])

                # The method that it was paid with pays nothing back by itself.
                first = await asked(hub.api, order, "10.10")
                said = (await refunds(hub.api))[first["id"]]
                assert (said["state"], "settle it in Vendure" in said["error"]) == (
                    "REFUSED",
                    True,
                ), said
                assert "REFUND_REFUSED" in await kinds(hub.api)
                (refund,) = await in_thread(made)
                assert (refund["state"], refund["total"]) == ("Pending", 1010)
                assert [line["quantity"] for line in refund["lines"]] == [1]
                settle = {"id": refund["id"], "transactionId": "by hand"}
                await in_thread(lambda: shop.as_admin(SETTLE, i=settle))
                await hub.api.ask(REPLAY, channel="vendure")
                await settled(hub.api)
                said = (await refunds(hub.api))[first["id"]]
                assert (said["state"], said["refundReference"]) == ("PAID", refund["id"])
                assert "REFUND_REFUSED" not in await kinds(hub.api)
                assert len(await in_thread(made)) == 1
                assert await refused(hub.api, order, "9999.00") == "STEP_NOT_ALLOWED"

    asyncio.run(story())


@pytest.mark.real
@pytest.mark.timeout(600)
@pytest.mark.skipif(medusa.why_not() is not None, reason=str(medusa.why_not()))
def test_refunds_and_odd_orders_at_medusa(
    url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    package = medusa.FOLDER / "node_modules/@medusajs/medusa/package.json"
    record_property("server", f"Medusa {json.loads(package.read_text())['version']}")
    record_property("story", AT_MEDUSA)

    async def story() -> None:
        async with working_hub(url) as hub:
            running = medusa.medusa_server(f"{hub.url}/webhooks/medusa", tmp_path)
            shop = await in_thread(running.__enter__)
            try:
                await set_up(hub.api, {"medusa": ("medusa", shop.settings())})
                await _paid_back(hub.api, shop)
                await _odd_and_deleted(hub.api, shop)
            finally:
                await in_thread(running.__exit__, None, None, None)

    asyncio.run(story())


async def _paid_back(api: Api, shop: Any) -> None:
    placed = await in_thread(shop.place_order, 1)
    order = (await orders_of(api, "medusa"))[placed]
    early = await asked(api, order, "10.10")  # nothing was captured yet
    assert (await refunds(api))[early["id"]]["state"] == "REFUSED"
    await in_thread(shop.capture, placed)
    again = await asked(api, order, "10.10")
    said = (await refunds(api))[again["id"]]
    assert (said["state"], said["error"]) == ("PAID", None)
    (payment,) = await in_thread(shop.payments, placed)
    (refund,) = payment["refunds"]
    assert (refund["id"], refund["amount"]) == (said["refundReference"], 10.1)
    assert again["id"] in refund["note"]
    assert await refused(api, order, "9999.00") == "STEP_NOT_ALLOWED"
    order = (await orders_of(api, "medusa"))[placed]
    assert (order["state"], order["hold"], units(order)) == ("OPEN", None, 1)


async def _odd_and_deleted(api: Api, shop: Any) -> None:
    """An order with a line that somebody typed in is served; one that is deleted, cancelled."""
    odd = await in_thread(shop.place_odd_order)
    placed = await in_thread(shop.place_order, 1)
    found = await orders_of(api, "medusa")
    assert {line["sku"] for line in found[odd]["lines"]} == {"CAM-X1", ""}
    assert units(found[odd]) == 1
    assert units(found[placed]) == 1
    assert "UNMAPPED_LISTING" not in await kinds(api)
    await in_thread(shop.delete_order, placed)
    async with asyncio.timeout(240):  # it is gone after two looks, one grace apart
        while (await orders_of(api, "medusa"))[placed]["state"] != "CANCELLED":
            await api.ask(RECONCILE, channel="medusa")
            await asyncio.sleep(5)
    assert units((await orders_of(api, "medusa"))[placed]) == 0
