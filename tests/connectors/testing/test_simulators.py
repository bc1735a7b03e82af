"""The simulators call back with signed webhooks, lose them on order, and fail when told to."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from graphql import parse, validate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors import AuthFailed, OrderRef
from connectors.registry import connect
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.square.simulator.server import SquareSimulator
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault
from connectors.vendure import documents
from connectors.vendure.simulator import server as vendure_twin
from connectors.warranty_rest.simulator import WarrantySimulator

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Hook:
    """Somebody who listens for webhooks."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.app = Starlette(routes=[Route("/hook", self._receive, methods=["POST"])])

    async def _receive(self, request: Request) -> Response:
        self.received.append((dict(request.headers), await request.body()))
        return Response(status_code=202)


def verified(connector: Any, received: list[tuple[dict[str, str], bytes]]) -> list[tuple[str, Any]]:
    found = []
    for headers, body in received:
        delivery = connector.verify(headers, body, NOW)
        found.append((delivery.topic, connector.read(delivery.topic, body)))
        with pytest.raises(AuthFailed):
            connector.verify(headers, body + b" ", NOW)
    return found


def test_shopify_tells_about_orders_with_a_signature() -> None:
    async def scenario() -> None:
        simulator, hook = ShopifySimulator(), Hook()
        async with serve(hook.app) as url:
            simulator.subscribers.append(f"{url}/hook")
            simulator.add_item("CAM", 5)
            ref = simulator.place_order({"CAM": 1})
            simulator.cancel_order(ref)
            await simulator.settle()
            connector = connect("shopify", simulator.settings("https://shop.test"))
            said = verified(connector, hook.received)
            assert said == [
                ("orders/create", (OrderRef(ref),)),
                ("orders/cancelled", (OrderRef(ref),)),
            ]
            assert [each.status for each in simulator.sent] == [202, 202]
            simulator.lose_webhooks = True
            simulator.place_order({"CAM": 1})
            simulator.lose_webhooks, simulator.duplicate_webhooks = False, True
            simulator.place_order({"CAM": 1})
            await simulator.settle()
            ids = [headers["x-shopify-webhook-id"] for headers, _ in hook.received]
            assert len(ids) == 4
            assert ids[2] == ids[3]
            await connector.api.aclose()

    asyncio.run(scenario())


def test_square_tells_about_orders_with_a_signature_over_the_url() -> None:
    async def scenario() -> None:
        simulator, hook = SquareSimulator(), Hook()
        async with serve(hook.app) as url:
            simulator.subscribers.append(f"{url}/hook")
            simulator.add_variation("CAM", 5)
            ref = simulator.sell("CAM", serials=["A1"])
            await simulator.settle()
            settings = simulator.settings("https://square.test", notification_url=f"{url}/hook")
            connector = connect("square", settings)
            assert verified(connector, hook.received) == [("order.created", (OrderRef(ref),))]
            other = connect("square", {**settings, "notification_url": f"{url}/other"})
            with pytest.raises(AuthFailed):
                other.verify(*hook.received[0], NOW)
            await connector.api.aclose()
            await other.api.aclose()

    asyncio.run(scenario())


def test_nobody_listening_stops_nobody() -> None:
    simulator = SquareSimulator()
    simulator.subscribers.append("http://127.0.0.1:9/hook")
    simulator.add_variation("CAM", 5)
    simulator.sell("CAM")
    asyncio.run(simulator.settle())
    assert [each.status for each in simulator.sent] == [None]


def test_faults_come_in_turn_and_only_where_they_are_meant() -> None:
    async def scenario() -> None:
        simulator = WarrantySimulator()
        simulator.add_unit("SN1", "P1")
        headers = {"authorization": f"Bearer {simulator.door.key}"}
        async with serve(simulator.app) as url, httpx.AsyncClient(headers=headers) as client:
            simulator.fail_next(Fault.RATE_LIMITED, containing="SN2")
            simulator.fail_next(Fault.SERVER_ERROR)
            statuses = [
                (await client.get(f"{url}/warranties/SN{n}")).status_code for n in (1, 1, 2)
            ]
            assert statuses == [500, 200, 429]
            for fault in (Fault.LOST_REQUEST, Fault.LOST_ANSWER):
                simulator.fail_next(fault)
                with pytest.raises(httpx.RemoteProtocolError):
                    await client.get(f"{url}/warranties/SN1")
            assert simulator.calls[0] == "GET /warranties/SN1"

    asyncio.run(scenario())


def test_a_registration_needs_its_key_and_keeps_it() -> None:
    async def scenario() -> None:
        simulator = WarrantySimulator()
        simulator.add_unit("SN1", "P1")
        headers = {"authorization": f"Bearer {simulator.door.key}"}
        async with serve(simulator.app) as url, httpx.AsyncClient(headers=headers) as client:

            async def register(key: str, sold_on: str) -> int:
                body = {"serial": "SN1", "sold_on": sold_on}
                sent = {"Idempotency-Key": key} if key else {}
                return (
                    await client.post(f"{url}/registrations", json=body, headers=sent)
                ).status_code

            assert await register("", "2026-11-01") == 400
            assert await register("k1", "2026-11-01") == 201
            assert await register("k1", "2026-11-01") == 201
            assert await register("k1", "2026-11-02") == 422
            assert await register("k2", "2026-11-01") == 409

    asyncio.run(scenario())


def test_a_server_can_be_started_again_on_its_port() -> None:
    async def scenario() -> None:
        simulator = WarrantySimulator()
        async with serve(simulator.app) as url:
            port = int(url.rsplit(":", 1)[1])
        async with serve(simulator.app, port=port) as again, httpx.AsyncClient() as client:
            assert again == url
            assert (await client.get(f"{url}/warranties/X")).status_code == 401

    asyncio.run(scenario())


def test_the_twin_of_vendure_speaks_the_documents_of_its_connector() -> None:
    for document in documents.ALL:
        assert validate(vendure_twin.SCHEMA, parse(document)) == [], document
