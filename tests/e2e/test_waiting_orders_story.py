"""Orders that wait, at real Vendure and Medusa servers: nothing leaves that is not to leave."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.servers import medusa_server as medusa
from e2e.servers import vendure_server as vendure
from e2e.story import in_thread, set_up, working_hub
from e2e.waiting import orders_of, picked, units

STORY = "unpaid checkout takes no unit → held order is not picked → set free → refunded → cancelled"
MOVE = """mutation($id: ID!, $state: String!) { transitionOrderToState(id: $id, state: $state) {
  __typename ... on ErrorResult { message } } }"""
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
