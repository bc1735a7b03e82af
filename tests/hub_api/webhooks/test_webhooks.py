"""Webhooks through the API: who may, what is shown once, what is refused and why."""

from typing import Any

import pytest

from api_client import Caller, Hub, play
from hub import webhooks
from hub.access.keys import Scope
from hub.clock import new_id
from hub.webhooks import messages
from hub.webhooks.messages import DeliveryAttempt
from world import World

CREATE = """mutation($key: String!, $webhook: WebhookInput!, $signature: WebhookSignature! = HMAC,
    $secret: String) {
  done: createWebhook(idempotencyKey: $key, webhook: $webhook, signature: $signature,
    secret: $secret) { __typename
    ... on WebhookChange { replayed secret endpoint { id url topics sku sites client state
      publicKey waiting createdBy } }
    ... on Problem { code message } ... on InvalidInput { field } ... on Forbidden { needs } } }"""
CHANGE = """__typename ... on WebhookChange { replayed secret endpoint { id url state
  disabledReason oldSecretUntil publicKey waiting } }
  ... on Problem { code } ... on InvalidInput { field }"""
QUEUED = """__typename ... on WebhookQueued { replayed delivery { id topic eventId state
  attemptCount body } } ... on Problem { code }"""


def mutation(declared: str, call: str, answer: str) -> str:
    return f"mutation($key: String!, {declared}) {{ done: {call} {{ {answer} }} }}"


UPDATE = mutation(
    "$id: ID!, $webhook: WebhookInput!",
    "updateWebhook(idempotencyKey: $key, id: $id, webhook: $webhook)",
    CHANGE,
)
ROTATE = mutation(
    "$id: ID!, $hours: Int! = 24",
    "rotateWebhookSecret(idempotencyKey: $key, id: $id, overlapHours: $hours)",
    CHANGE,
)
DISABLE = mutation(
    "$id: ID!", 'disableWebhook(idempotencyKey: $key, id: $id, reason: "a move")', CHANGE
)
ENABLE = mutation("$id: ID!", "enableWebhook(idempotencyKey: $key, id: $id)", CHANGE)
RECOVER = mutation(
    "$id: ID!, $since: DateTime!",
    "recoverWebhooks(idempotencyKey: $key, id: $id, since: $since)",
    CHANGE,
)
TEST = mutation("$id: ID!", "testWebhook(idempotencyKey: $key, id: $id)", QUEUED)
REPLAY = mutation(
    "$delivery: ID!", "replayWebhook(idempotencyKey: $key, delivery: $delivery)", QUEUED
)
DELETE = """mutation($key: String!, $id: ID!) {
  done: deleteWebhook(idempotencyKey: $key, id: $id) { __typename
    ... on WebhookDeleted { webhookId replayed } ... on Problem { code } } }"""
DELIVERIES = """query($id: ID!, $state: String, $first: Int! = 50, $after: String) {
  webhookDeliveries(endpoint: $id, state: $state, first: $first, after: $after) {
    nodes { id topic eventId state attemptCount lastError body dueAt settledAt
      attempts { number status answer durationMs } }
    pageInfo { hasNextPage endCursor } } }"""
URL = "https://partner.example/hooks"


async def create(caller: Caller, key: str = "k", **webhook: Any) -> Any:
    given = {"url": URL} | webhook
    return (await caller.ask(CREATE, key=key, webhook=given))["done"]


def test_an_administrator_makes_an_endpoint_and_sees_its_secret_once(world: World) -> None:
    world.client("ANT")

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN, name="ann")
        asked = {"topics": ["unit.ship"], "sku": "CAM", "sites": ["SHOP"], "client": "ANT"}
        made = await create(admin, **asked)
        assert made["secret"].startswith("whsec_")
        endpoint = made["endpoint"]
        assert endpoint == {
            "id": endpoint["id"], "url": URL, "topics": ["unit.ship"], "sku": "CAM",
            "sites": ["SHOP"], "client": "ANT", "state": "ACTIVE", "publicKey": None,
            "waiting": 0, "createdBy": "ann",
        }  # fmt: skip
        again = await create(admin, **asked)
        assert (again["replayed"], again["secret"]) == (True, None)
        assert again["endpoint"]["id"] == endpoint["id"]
        other = await create(admin, sku="SAW")
        assert other["code"] == "IDEMPOTENCY_KEY_REUSED"
        (shown,) = (await admin.ask("{ webhooks { id } }"))["webhooks"]
        assert shown == {"id": endpoint["id"]}
        found = await admin.ask("query($id: ID!) { webhook(id: $id) { url } }", id=endpoint["id"])
        assert found["webhook"] == {"url": URL}
        topics = (await admin.ask("{ webhookTopics }"))["webhookTopics"]
        assert {"unit.ship", "unit.correct"} <= set(topics)
        secret = made["secret"]
        kept = world.rows("SELECT answer FROM command")
        assert not [row for row in kept if secret.encode() in row["answer"]]
        assert secret not in world.value("SELECT secrets FROM webhook_endpoint")

    play(world, story)


def test_a_key_pair_shows_its_public_key_always_and_its_private_one_never(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        asked = {"key": "k", "webhook": {"url": URL}}
        made = (await admin.ask(CREATE, **asked, signature="ED25519"))["done"]
        assert made["secret"].startswith("whpk_")
        assert made["endpoint"]["publicKey"] == made["secret"]
        turned = (await admin.ask(ROTATE, key="r", id=made["endpoint"]["id"]))["done"]
        assert turned["secret"].startswith("whsec_")
        assert turned["endpoint"]["publicKey"] is None

    play(world, story)


@pytest.mark.parametrize(
    ("webhook", "code", "field"),
    [
        ({"url": "http://partner.example/"}, "INVALID_INPUT", "url"),
        ({"url": "https://127.0.0.1/"}, "INVALID_INPUT", "url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "INVALID_INPUT", "url"),
        ({"url": ""}, "INVALID_INPUT", "url"),
        ({"topics": ["unit.explode"]}, "INVALID_INPUT", "topics"),
        ({"description": "x" * 201}, "INVALID_INPUT", "description"),
        ({"sites": ["SHOP"] * 51}, "INVALID_INPUT", "sites"),
        ({"sku": "NOTHING"}, "UNKNOWN_REFERENCE", None),
        ({"client": "NOBODY"}, "UNKNOWN_REFERENCE", None),
        ({"sites": ["NOWHERE"]}, "UNKNOWN_REFERENCE", None),
    ],
)
def test_what_makes_no_sense_is_refused(
    world: World, webhook: dict[str, Any], code: str, field: str | None
) -> None:
    async def story(hub: Hub) -> None:
        refused = await create(await hub.caller(Scope.ADMIN), **webhook)
        assert (refused["code"], refused.get("field")) == (code, field)
        assert world.value("SELECT COUNT(*) FROM webhook_endpoint") == 0

    play(world, story)


def test_a_hub_of_developers_takes_addresses_of_its_own_network(world: World) -> None:
    async def story(hub: Hub) -> None:
        made = await create(await hub.caller(Scope.ADMIN), url="http://127.0.0.1:8001/hook")
        assert made["endpoint"]["state"] == "ACTIVE"

    play(world, story, webhooks_to_private_networks=True)


def test_the_life_of_an_endpoint(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin, ops = await hub.caller(Scope.ADMIN), await hub.caller(Scope.OPS)
        made = await create(admin)
        endpoint = made["endpoint"]["id"]
        moved = {"url": URL + "/new", "topics": ["unit.pick"]}
        done = (await admin.ask(UPDATE, key="u", id=endpoint, webhook=moved))["done"]
        assert done["endpoint"]["url"] == URL + "/new"
        turned = (await admin.ask(ROTATE, key="r", id=endpoint))["done"]
        assert turned["secret"] not in (None, made["secret"])
        assert turned["endpoint"]["oldSecretUntil"].startswith("2026-11-03T12:00")
        again = (await admin.ask(ROTATE, key="r", id=endpoint))["done"]
        assert (again["replayed"], again["secret"]) == (True, None)
        late = (await admin.ask(ROTATE, key="r2", id=endpoint, hours=24 * 8))["done"]
        assert (late["code"], late["field"]) == ("INVALID_INPUT", "overlapHours")
        off = (await ops.ask(DISABLE, key="d", id=endpoint))["done"]["endpoint"]
        assert (off["state"], off["disabledReason"]) == ("DISABLED", "a move")
        since = world.now.isoformat()
        refused = (await ops.ask(RECOVER, key="v", id=endpoint, since=since))["done"]
        assert refused["code"] == "STEP_NOT_ALLOWED"
        on = (await ops.ask(ENABLE, key="e", id=endpoint))["done"]["endpoint"]
        assert (on["state"], on["disabledReason"]) == ("ACTIVE", None)
        done = (await ops.ask(RECOVER, key="v", id=endpoint, since=since))["done"]
        assert done["__typename"] == "WebhookChange"
        naive = (await ops.ask(RECOVER, key="w", id=endpoint, since="2026-11-01T00:00:00"))["done"]
        assert naive["field"] == "since"
        gone = (await admin.ask(DELETE, key="x", id=endpoint))["done"]
        assert gone == {"__typename": "WebhookDeleted", "webhookId": endpoint, "replayed": False}
        for document, asked in ((ENABLE, {"key": "e2"}), (TEST, {"key": "t2"})):
            refused = (await ops.ask(document, id=endpoint, **asked))["done"]
            assert refused["code"] == "UNKNOWN_REFERENCE"
        assert (await ops.ask("{ webhooks { id } }"))["webhooks"] == []

    play(world, story)


def test_deliveries_are_read_with_every_try_and_sent_again(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin, ops = await hub.caller(Scope.ADMIN), await hub.caller(Scope.OPS)
        endpoint = (await create(admin))["endpoint"]["id"]
        tested = (await ops.ask(TEST, key="t", id=endpoint))["done"]
        assert tested["delivery"]["topic"] == "webhook.test"
        assert (await ops.ask(TEST, key="t", id=endpoint))["done"]["replayed"] is True
        (message,) = world.rows("SELECT * FROM webhook_message")
        fence = world.write(lambda tx: messages.lease(tx, endpoint, world.now, hub.runtime.lease))
        assert fence is not None
        said = DeliveryAttempt(502, "bad gateway", 31)
        world.write(
            lambda tx: messages.settle(tx, endpoint, fence["fence"], [(message, said)], world.now)
        )
        (shown,) = (await ops.ask(DELIVERIES, id=endpoint))["webhookDeliveries"]["nodes"]
        assert shown["attempts"] == [
            {"number": 1, "status": 502, "answer": "bad gateway", "durationMs": 31}
        ]
        assert (shown["state"], shown["lastError"]) == ("given_up", "502: bad gateway")
        waiting = (await ops.ask(DELIVERIES, id=endpoint, state="waiting"))["webhookDeliveries"]
        assert waiting["nodes"] == []
        again = (await ops.ask(REPLAY, key="p", delivery=message["id"]))["done"]
        assert (again["delivery"]["state"], again["delivery"]["attemptCount"]) == ("waiting", 0)
        unknown = (await ops.ask(REPLAY, key="q", delivery=new_id()))["done"]
        assert unknown["code"] == "UNKNOWN_REFERENCE"
        assert (await ops.error(DELIVERIES, id=endpoint, state="lost"))["code"] == "INVALID_INPUT"
        for number in range(3):
            await ops.ask(TEST, key=f"more-{number}", id=endpoint)
        page = (await ops.ask(DELIVERIES, id=endpoint, first=3))["webhookDeliveries"]
        assert page["pageInfo"]["hasNextPage"] is True
        rest = await ops.ask(DELIVERIES, id=endpoint, first=3, after=page["pageInfo"]["endCursor"])
        assert [each["id"] for each in rest["webhookDeliveries"]["nodes"]] == [message["id"]]

    play(world, story)


def test_a_client_reads_its_own_endpoints_and_no_others(world: World) -> None:
    async def story(hub: Hub) -> None:
        ant = await hub.caller(Scope.CLIENT, client="ANT")
        world.client("BEE")
        admin = await hub.caller(Scope.ADMIN)
        own = (await create(admin, "k1", client="ANT"))["endpoint"]["id"]
        of_bee = (await create(admin, "k2", client="BEE"))["endpoint"]["id"]
        house = (await create(admin, "k3"))["endpoint"]["id"]
        assert (await ant.ask("{ webhooks { id } }"))["webhooks"] == [{"id": own}]
        assert (await ant.ask(DELIVERIES, id=own))["webhookDeliveries"]["nodes"] == []
        for other in (of_bee, house, new_id()):
            assert (await ant.error(DELIVERIES, id=other))["code"] == "FORBIDDEN"
        refused = await create(ant, "k4", client="ANT")
        assert (refused["__typename"], refused["needs"]) == ("Forbidden", "admin")

    play(world, story)


@pytest.mark.parametrize("scope", [Scope.STOREFRONT, Scope.SCANNER, Scope.POS])
def test_other_keys_may_neither_read_nor_change(world: World, scope: Scope) -> None:
    async def story(hub: Hub) -> None:
        caller = await hub.caller(scope)
        assert (await caller.error("{ webhooks { id } }"))["code"] == "FORBIDDEN"
        assert (await create(caller))["code"] == "FORBIDDEN"
        for document in (DISABLE, ENABLE, TEST, DELETE, ROTATE):
            assert (await caller.ask(document, key="k", id="x"))["done"]["code"] == "FORBIDDEN"

    play(world, story)


def test_there_is_a_bound_on_endpoints(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "ENDPOINTS_MAX", 1)

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        await create(admin, "k1")
        assert (await create(admin, "k2"))["code"] == "INVALID_INPUT"

    play(world, story)
