"""What holds for every answer: its headers, the names the hub is asked by, clients that hang up."""

import logging
from typing import Any

import pytest

from api_client import Hub, play
from calling_back import connected
from hub.access.keys import Scope
from world import World

PATHS = ("/healthz", "/readyz", "/graphql", "/console/login", "/console/", "/imports", "/nowhere")


def test_no_answer_is_kept_or_guessed_at(world: World) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.OPS)
        stranger = await hub.with_secret(None)
        answers = [await each.http.get(path) for path in PATHS for each in (caller, stranger)]
        answers.append(await caller.http.post("/graphql", json={"query": "{ __typename }"}))
        answers.append(await stranger.http.post("/webhooks/nobody", content=b"{}"))
        for answer in answers:
            assert answer.headers["x-content-type-options"] == "nosniff", answer.url
            assert answer.headers["cache-control"] == "no-store", answer.url
        files = await stranger.http.get("/console/static/console.css")
        assert files.status_code == 200
        assert (files.headers.get("cache-control"), "etag" in files.headers) == (
            "public, no-cache",
            True,
        )
        assert files.headers["x-content-type-options"] == "nosniff"

    play(world, story)


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        ({}, "anything.example", 200),
        ({"public_url": "https://hub.example"}, "hub.example", 200),
        ({"public_url": "https://hub.example"}, "HUB.example:8443", 200),
        ({"public_url": "https://hub.example"}, "127.0.0.1:8000", 200),
        ({"public_url": "https://hub.example"}, "[::1]:8000", 200),
        ({"public_url": "https://hub.example"}, "evil.example", 421),
        ({"public_url": "https://hub.example"}, "hub.example.evil.example", 421),
        ({"public_url": "https://hub.example"}, "", 421),
        ({"hosts": "a.example, b.example"}, "b.example", 200),
        ({"hosts": "a.example", "public_url": "https://hub.example"}, "hub.example", 421),
    ],
)
def test_the_hub_is_asked_by_its_names_only(
    world: World, settings: dict[str, Any], host: str, status: int
) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.OPS)
        asked = {"query": "{ __typename }"}
        answer = await caller.http.post("/graphql", json=asked, headers={"host": host})
        assert answer.status_code == status
        watched = await caller.http.get("/healthz", headers={"host": "10.1.2.3"})
        assert watched.status_code == 200

    play(world, story, **settings)


@pytest.mark.parametrize("path", ["/webhooks/shop", "/imports", "/graphql", "/console/login"])
def test_a_client_that_hangs_up_leaves_no_traceback(
    world: World, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    connected(world, "shopify")

    async def story(hub: Hub) -> None:
        caller = await hub.caller(Scope.OPS)
        sent: list[Any] = []
        messages = [
            {"type": "http.request", "body": b"{", "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> Any:
            return messages.pop(0) if len(messages) > 1 else messages[0]

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [
            (b"host", b"hub"),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"authorization", caller.http.headers["authorization"].encode()),
        ]
        if path == "/graphql":
            headers[1] = (b"content-type", b"application/json")
        scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
            "query_string": b"location=WH", "headers": headers, "http_version": "1.1",
            "scheme": "http", "root_path": "", "server": ("hub", 80), "client": ("1.2.3.4", 1),
        }  # fmt: skip
        await hub.app(scope, receive, send)
        assert all(each.get("status", 400) < 500 for each in sent)

    with caplog.at_level(logging.WARNING):
        play(world, story)
    assert not [record for record in caplog.records if record.exc_info]
