"""Webhooks: real signatures of the twins; stored once, answered at once, or refused unread."""

import logging
from typing import Any

import pytest

from api_client import Hub, play
from calling_back import TWINS, connected, deliver, delivery_of_an_order
from connectors.ebay.simulator import EbaySimulator
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault, Webhook
from hub.clock import MICROSECOND
from hub.storage.sql import Row
from hub.sync.inbox import REPEATED
from hub_api.http.channel_webhooks import BODY_BYTES_MAX
from world import World

each_twin = pytest.mark.parametrize("connector", TWINS)


def inbox(world: World) -> list[Row]:
    return world.rows("SELECT * FROM inbox")


@each_twin
def test_a_delivery_is_stored_as_it_came_and_answered_at_once(world: World, connector: str) -> None:
    twin = connected(world, connector)
    webhook = delivery_of_an_order(twin)

    async def story(hub: Hub) -> None:
        answer = await deliver(hub, webhook)
        assert answer.status_code == 202
        assert answer.json() == {"accepted": True, "duplicate": False}

    play(world, story)
    (row,) = inbox(world)
    assert (bytes(row["body"]), row["source"], row["state"]) == (webhook.body, "webhook", "waiting")
    assert row["topic"]
    assert twin.calls == []  # nothing is asked before it is answered


@each_twin
def test_a_delivery_that_comes_again_is_answered_like_the_first_and_stored_once(
    world: World, connector: str
) -> None:
    webhook = delivery_of_an_order(connected(world, connector))

    async def story(hub: Hub) -> None:
        answers = [await deliver(hub, webhook) for _ in range(3)]
        assert [each.status_code for each in answers] == [202] * 3
        assert [each.json()["duplicate"] for each in answers] == [False, True, True]

    play(world, story)
    assert len(inbox(world)) == 1


def test_a_replay_under_another_id_is_known_by_its_content(world: World) -> None:
    """Ids of deliveries are not signed: whoever replays one changes it, and gains nothing."""
    webhook = delivery_of_an_order(connected(world, "shopify"))
    ids = (f"replayed-{number}" for number in range(100))

    async def replay(hub: Hub) -> bool:
        headers = {
            name: next(ids) if name.lower().endswith(("webhook-id", "event-id")) else value
            for name, value in webhook.headers.items()
        }
        answer = await deliver(hub, webhook, headers=headers)
        assert answer.status_code == 202
        return bool(answer.json()["duplicate"])

    async def story(hub: Hub) -> None:
        assert [await replay(hub) for _ in range(5)] == [False, True, True, True, True]
        world.write(lambda tx: tx.run("UPDATE inbox SET state = 'done'"))
        # A channel may mean it: it is looked at once more, a little later, however often it comes.
        assert [await replay(hub) for _ in range(5)] == [False, True, True, True, True]
        first, second = sorted(inbox(world), key=lambda row: row["due_at"])
        assert second["due_at"] - first["due_at"] == REPEATED // MICROSECOND

    play(world, story)


@each_twin
@pytest.mark.parametrize("forgery", ["body", "signature", "nothing"])
def test_a_delivery_that_is_not_signed_rightly_is_refused_and_not_stored(
    world: World, connector: str, forgery: str, caplog: pytest.LogCaptureFixture
) -> None:
    twin = connected(world, connector)
    webhook = delivery_of_an_order(twin)
    stranger = TWINS[connector](**{_secret_of(connector): "another secret"})
    changes: dict[str, Any] = {
        "body": {"content": webhook.body.replace(b"{", b"{ ", 1)},
        "signature": {"headers": dict(stranger.sign(webhook))},
        "nothing": {"headers": {}},
    }[forgery]

    async def story(hub: Hub) -> None:
        answer = await deliver(hub, webhook, **changes)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "BAD_SIGNATURE"

    with caplog.at_level(logging.DEBUG):
        play(world, story)
    assert inbox(world) == []
    assert "a webhook for shop was refused" in caplog.text
    assert getattr(twin, _secret_of(connector)) not in caplog.text


def _secret_of(connector: str) -> str:
    return "webhook_secret" if connector == "shopify" else "signature_key"


def test_a_delivery_for_an_unknown_channel_is_refused_like_a_wrong_signature(world: World) -> None:
    webhook = delivery_of_an_order(connected(world, "shopify"))

    async def story(hub: Hub) -> None:
        answer = await deliver(hub, webhook, url="http://hub/webhooks/nobody")
        wrong = await deliver(hub, webhook, content=webhook.body + b" ")
        # Whoever tries codes does not learn which channels there are.
        assert (answer.status_code, answer.json()) == (wrong.status_code, wrong.json())
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "BAD_SIGNATURE")

    play(world, story)
    assert inbox(world) == []


def test_a_channel_that_sends_no_webhooks_has_no_address(world: World) -> None:
    settings = {"base_url": "http://maker.test", "token": "t", "lookup_path": "/{serial}"}
    world.channel("maker", "warranty_rest", settings=settings)
    webhook = delivery_of_an_order(connected(world, "shopify"))

    async def story(hub: Hub) -> None:
        of_maker = await deliver(hub, webhook, url="http://hub/webhooks/maker")
        of_nobody = await deliver(hub, webhook, url="http://hub/webhooks/nobody")
        assert (of_maker.status_code, of_maker.json()) == (401, of_nobody.json())

    play(world, story)
    assert inbox(world) == []


def test_a_delivery_that_is_too_large_is_refused_however_it_is_signed(world: World) -> None:
    twin = connected(world, "shopify")
    webhook = delivery_of_an_order(twin)
    fits = Webhook(webhook.url, webhook.topic, "fits", b"x" * BODY_BYTES_MAX)
    large = Webhook(webhook.url, webhook.topic, "large", b"x" * (BODY_BYTES_MAX + 1))

    async def story(hub: Hub) -> None:
        answers = [
            await deliver(hub, each, headers=dict(twin.sign(each))) for each in (fits, large)
        ]
        assert [each.status_code for each in answers] == [202, 413]
        assert answers[1].json()["error"]["code"] == "BODY_TOO_LARGE"

    play(world, story)
    assert [row["delivery"] for row in inbox(world)] == ["fits"]


def test_a_webhook_is_posted_and_nothing_else(world: World) -> None:
    connected(world, "shopify")

    async def story(hub: Hub) -> None:
        caller = await hub.with_secret(None)
        assert (await caller.http.get("/webhooks/shop")).status_code == 405

    play(world, story)


def test_a_channel_that_asks_whose_address_it_is_gets_an_answer(world: World) -> None:
    twin = EbaySimulator()
    address = "http://hub/webhooks/shop"
    world.channel(connector="ebay", settings=twin.settings("http://twin.test", address))

    async def story(hub: Hub) -> None:
        caller = await hub.with_secret(None)
        answer = await caller.http.get("/webhooks/shop", params={"challenge_code": "a code"})
        expected = twin.challenge_response("a code", address)
        assert (answer.status_code, answer.json()) == (200, {"challengeResponse": expected})
        assert (await caller.http.get("/webhooks/shop")).status_code == 405
        assert (await caller.http.get("/webhooks/elsewhere")).status_code == 405

    play(world, story)


def test_a_key_is_fetched_for_a_signature_and_what_cannot_be_verified_now_is_sent_again(
    world: World,
) -> None:
    twin = EbaySimulator()
    twin.subscribers.append("http://hub/webhooks/shop")
    twin.add_item("CAM", 3)
    twin.place_order({"CAM": 1})
    webhook = twin._pending.pop(0)

    async def story(hub: Hub) -> None:
        async with serve(twin.app) as url:
            world.channel(connector="ebay", settings=twin.settings(url))
            twin.fail_next(Fault.LOST_REQUEST, times=3, containing="oauth2")
            assert (await deliver(hub, webhook)).status_code == 503
        assert inbox(world) == []

    play(world, story)


def test_a_notification_of_ebay_is_stored_under_the_key_that_it_names(world: World) -> None:
    twin = EbaySimulator()
    twin.subscribers.append("http://hub/webhooks/shop")
    twin.add_item("CAM", 3)
    twin.place_order({"CAM": 1})
    webhook = twin._pending.pop(0)

    async def story(hub: Hub) -> None:
        async with serve(twin.app) as url:
            world.channel(connector="ebay", settings=twin.settings(url))
            assert (await deliver(hub, webhook)).status_code == 202
            assert (await deliver(hub, webhook, content=webhook.body + b" ")).status_code == 401
        assert [row["topic"] for row in inbox(world)] == ["ORDER_CONFIRMATION"]

    play(world, story)
