"""A channel that announces the end of its API is a case before the end."""

import asyncio

import httpx

from connectors import Remote, RemoteApi
from jobs import poll
from jobs.reconciliation import run as reconcile
from recording import Recording, stage
from world import World


def announce(connector: Recording, *answers: dict[str, str]) -> None:
    """Let the connector's client make one call for each of these headers."""
    waiting = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=waiting.pop(0), json={})

    async def play() -> None:
        remote = Remote(base_url="http://recording.test")
        connector.api = RemoteApi(remote, transport=httpx.MockTransport(answer))
        for number in range(len(answers)):
            await connector.api.json("GET", f"/v{number}/orders")

    asyncio.run(play())


def test_an_announced_end_is_a_case_once_and_urgent_when_it_is_near(world: World) -> None:
    connector, runtime, channel = stage(world)
    day = f"{world.now:%a, %d %b %Y %H:%M:%S} GMT"
    announce(connector, {"deprecation": "true"}, {})
    asyncio.run(poll.poll(runtime, channel))
    asyncio.run(poll.poll(runtime, channel))
    assert world.rows("SELECT kind, severity, occurrences FROM exception_case") == [
        {"kind": "api_retiring", "severity": "medium", "occurrences": 1}
    ]
    announce(connector, {"sunset": day})
    asyncio.run(poll.poll(runtime, channel))
    assert world.value("SELECT severity FROM exception_case") == "high"
    assert "/v0/orders" in world.value("SELECT details FROM exception_case")


def test_reconciling_notices_it_too(world: World) -> None:
    connector, runtime, channel = stage(world)
    announce(connector, {"x-shopify-api-deprecated-reason": "https://shopify.dev"})
    asyncio.run(reconcile.reconcile(runtime, channel))
    assert world.open_cases() == [("api_retiring", "rec")]


def test_an_api_that_stays_is_no_case(world: World) -> None:
    connector, runtime, channel = stage(world)
    announce(connector, {}, {})
    asyncio.run(poll.poll(runtime, channel))
    assert world.open_cases() == []
