"""What ops and admins do over the API: channels, cases, reconciliation, dead letters, keys."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from api_client import Caller, Hub, play
from connectors.shopify.simulator.server import ShopifySimulator
from connectors.testing.serving import serve
from hub.access.keys import Scope
from hub.storage.sql import Row
from hub.sync import inbox, outbox, push_log
from hub.sync.inbox import Message
from hub.sync.outbox import Fact
from hub.sync.push_log import PushOutcome
from hub.vocabulary import OrderLine
from jobs import schedule
from world import World

PROBLEM = "... on Problem { code message } ... on InvalidInput { field }"
CHANNEL = f"""mutation($channel: ChannelInput!) {{
  done: registerChannel(idempotencyKey: "NEW", channel: $channel) {{
  __typename {PROBLEM}
  ... on Channel {{ channelCode: code name connector capabilities state safetyBuffer }} }}
}}"""
CHECK = f"""mutation($code: String!) {{ done: checkChannel(idempotencyKey: "NEW", code: $code) {{
  __typename ... on ChannelCheck {{ ok message }} {PROBLEM} }} }}"""
LAG = """{ channels { code state lag { levelsWaiting factsWaiting inboxWaiting dead seconds
  oldestUnsentAt lastSuccessAt } } }"""
CASES = """query($state: String, $kind: CaseKind) { cases(state: $state, kind: $kind) {
  nodes { id kind subject state owner severity occurrences resolution resolvedBy } } }"""
ASSIGN = f"""mutation($id: ID!, $owner: String!) {{
  done: assignCase(idempotencyKey: "NEW", id: $id, owner: $owner) {{
  __typename ... on Case {{ state owner }} {PROBLEM} }} }}"""
RESOLVE = f"""mutation($id: ID!, $text: String!) {{
  done: resolveCase(idempotencyKey: "NEW", id: $id, resolution: $text) {{
  __typename ... on Case {{ state resolution resolvedBy }} {PROBLEM} }} }}"""
RECONCILE = f"""mutation {{ done: reconcile(idempotencyKey: "NEW", channel: "shop") {{ __typename
  ... on ReconciliationStarted {{ runs {{ id scope state trigger compared matched inFlight
    differencesFound healed error }} }} {PROBLEM} }} }}"""
DIFFERENCES = """query($state: DifferenceState) { differences(state: $state) { nodes {
  id kind subject sku cause fix state evidence ledgerClaim remoteClaim resolvedBy } } }"""
DISMISS = f"""mutation($id: ID!, $why: String!) {{
  done: dismissDifference(idempotencyKey: "NEW", id: $id, reason: $why) {{
  __typename ... on Difference {{ state resolvedBy }} {PROBLEM} }} }}"""
DEAD = """{ deadLetters(channel: "shop") { id direction topic subject attempts error } }"""
REPLAY = f"""mutation($ids: [ID!]) {{
  done: replayDeadLetters(idempotencyKey: "NEW", channel: "shop", ids: $ids) {{
  __typename ... on Replayed {{ messages }} {PROBLEM} }} }}"""
MAKE_KEY = f"""mutation($name: String!, $scopes: [KeyScope!]!) {{
  done: createApiKey(idempotencyKey: "NEW", name: $name, scopes: $scopes) {{
  __typename ... on NewApiKey {{ keyId secret }}
  {PROBLEM} }} }}"""
REVOKE = f"""mutation($id: ID!) {{ done: revokeApiKey(idempotencyKey: "NEW", id: $id) {{ __typename
  ... on Viewer {{ name }} {PROBLEM} }} }}"""
VIEWER = "{ viewer { name scopes } }"
SECRET = "shpat_SECRET4711-never-to-be-seen"


def as_scope(world: World, scope: Scope, story: Callable[[Caller], Any]) -> None:
    async def told(hub: Hub) -> None:
        await story(await hub.caller(scope, name="olga"))

    play(world, told)


# --- Keys -----------------------------------------------------------------------------------------


def test_a_key_works_from_when_it_is_made_until_it_is_revoked(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        made = (await admin.ask(MAKE_KEY, name="dock 3", scopes=["SCANNER"]))["done"]
        dock = await hub.with_secret(made["secret"])
        assert (await dock.ask(VIEWER))["viewer"] == {
            "name": "dock 3",
            "scopes": ["QUANTITIES", "SCANNER", "STOREFRONT"],
        }
        listing = await admin.post("{ apiKeys { id name scopes revokedAt } }")
        assert made["secret"] not in listing.text
        newest = listing.json()["data"]["apiKeys"][0]
        assert newest == {
            "id": made["keyId"],
            "name": "dock 3",
            "scopes": ["SCANNER"],
            "revokedAt": None,
        }
        assert (await admin.ask(REVOKE, id=made["keyId"]))["done"]["__typename"] == "Viewer"
        answer = await dock.post(VIEWER)
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        keys = (await admin.ask("{ apiKeys { id revokedAt } }"))["apiKeys"]
        assert keys[0]["revokedAt"] is not None
        unknown = (await admin.ask(REVOKE, id="none"))["done"]
        assert unknown["__typename"] == "UnknownReference"

    play(world, story)


@pytest.mark.parametrize(("name", "scopes"), [("", ["OPS"]), ("x" * 101, ["OPS"]), ("x", [])])
def test_a_key_without_a_name_or_a_scope_is_not_made(
    world: World, name: str, scopes: list[str]
) -> None:
    async def story(admin: Caller) -> None:
        done = (await admin.ask(MAKE_KEY, name=name, scopes=scopes))["done"]
        assert (done["__typename"], done["field"]) == ("InvalidInput", "name")

    as_scope(world, Scope.ADMIN, story)
    assert world.value("SELECT COUNT(*) FROM api_key") == 1


# A mutation with arguments that pass the schema, and the narrowest scope that may send it.
GUARDED = [
    ('registerCatalogue(idempotencyKey: "NEW") { __typename }', Scope.ADMIN),
    (
        'registerChannel(idempotencyKey: "NEW", '
        'channel: {code: "c", name: "c", connector: "c", settings: {}}) '
        "{ __typename }",
        Scope.ADMIN,
    ),
    (
        'bindListings(idempotencyKey: "NEW", channel: "none", listings: []) { __typename }',
        Scope.ADMIN,
    ),
    (
        'setAvailabilityPolicy(idempotencyKey: "", channel: "none", policy: {}) { __typename }',
        Scope.ADMIN,
    ),
    ('reopenCase(idempotencyKey: "NEW", id: "none", reason: "x") { __typename }', Scope.OPS),
    ('removeCaseRule(idempotencyKey: "", code: "none") { __typename }', Scope.ADMIN),
    ('setCaseOwner(idempotencyKey: "", kind: OVERSOLD) { __typename }', Scope.ADMIN),
    ('createApiKey(idempotencyKey: "NEW", name: "", scopes: []) { __typename }', Scope.ADMIN),
    ('revokeApiKey(idempotencyKey: "NEW", id: "none") { __typename }', Scope.ADMIN),
    ('checkChannel(idempotencyKey: "NEW", code: "none") { __typename }', Scope.OPS),
    ('pauseChannel(idempotencyKey: "NEW", code: "none", reason: "x") { __typename }', Scope.OPS),
    ('resumeChannel(idempotencyKey: "NEW", code: "none") { __typename }', Scope.OPS),
    ('replayDeadLetters(idempotencyKey: "NEW", channel: "none") { __typename }', Scope.OPS),
    ('assignCase(idempotencyKey: "NEW", id: "none", owner: "x") { __typename }', Scope.OPS),
    ('resolveCase(idempotencyKey: "NEW", id: "none", resolution: "x") { __typename }', Scope.OPS),
    ('reconcile(idempotencyKey: "NEW", channel: "none") { __typename }', Scope.OPS),
    ('healDifference(idempotencyKey: "NEW", id: "none") { __typename }', Scope.OPS),
    ('dismissDifference(idempotencyKey: "NEW", id: "none", reason: "x") { __typename }', Scope.OPS),
]


@pytest.mark.parametrize("scope", Scope)
def test_administration_needs_its_scope(world: World, scope: Scope) -> None:
    async def story(caller: Caller) -> None:
        for selection, needed in GUARDED:
            data = await caller.ask(f"mutation {{ done: {selection} }}")
            refused = data["done"]["__typename"] == "Forbidden"
            allowed = scope is Scope.ADMIN or scope is needed
            assert refused is not allowed, selection

    as_scope(world, scope, story)
    assert world.value("SELECT COUNT(*) FROM channel") == 0


# --- Channels and their secrets -------------------------------------------------------------------


def settings(**changes: Any) -> dict[str, Any]:
    twin = ShopifySimulator(access_token=SECRET, webhook_secret=f"{SECRET}-too")
    return twin.settings("http://127.0.0.1:9") | changes  # nobody listens there


@pytest.mark.parametrize(
    ("connector", "changes"),
    [
        ("shopify", {"access_token": None}),
        ("shopify", {"shop_url": f"not a url {SECRET}"}),
        ("shopify", {f"{SECRET}": 1}),
        ("shopify", {"calls_per_second": SECRET}),
        ("shopify", {"acess_token": SECRET}),
        ("etsy", {}),
    ],
)
def test_settings_that_the_connector_does_not_take_are_refused_without_being_repeated(
    world: World, connector: str, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    given = {
        "code": "shop",
        "name": "Shop",
        "connector": connector,
        "settings": settings(**changes),
    }

    async def story(admin: Caller) -> None:
        answer = await admin.post(CHANNEL, channel=given)
        done = answer.json()["data"]["done"]
        assert (done["__typename"], done["field"]) == ("InvalidInput", "settings")
        if SECRET not in changes:  # the name of a setting is no secret
            assert SECRET not in answer.text

    with caplog.at_level(logging.DEBUG):
        as_scope(world, Scope.ADMIN, story)
    assert SECRET not in caplog.text
    assert world.value("SELECT COUNT(*) FROM channel") == 0


def test_the_secret_of_a_channel_is_seen_nowhere(
    world: World, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    channel = {"code": "shop", "name": "Shop", "connector": "shopify", "settings": settings()}
    said: list[str] = []

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for document, given in (
            (CHANNEL, {"channel": channel}),
            (CHECK, {"code": "shop"}),
            (RECONCILE, {}),
            (CHANNEL, {"channel": {**channel, "name": "Renamed"}}),
            (CHANNEL, {"channel": {**channel, "connector": "square"}}),
            (LAG, {}),
            (
                "{ channels { id code name connector capabilities state pausedReason "
                "safetyBuffer waitsUntil } }",
                {},
            ),
            (CASES, {"state": None}),
            ("{ reconciliationRuns { nodes { state error } } }", {}),
        ):
            answer = await admin.post(document, **given)
            assert answer.status_code == 200
            said.append(answer.text)
        assert '"ok":false' in said[1]
        assert '"channelCode":"shop"' in said[0]

    with caplog.at_level(logging.DEBUG):
        play(world, story)
    assert all(SECRET not in each for each in said)
    assert SECRET not in caplog.text
    # It is kept all the same: whoever has the key of the vault can open it.
    (row,) = world.rows("SELECT * FROM channel")
    assert world.vault.open(row["settings"])["access_token"] == SECRET
    assert SECRET.encode() not in raw_bytes(world, url)


def raw_bytes(world: World, url: str) -> bytes:
    """Return everything that the database keeps: its files, or all rows of all tables."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        kept = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    else:
        tables = world.rows(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        rows = [world.rows(f"SELECT * FROM {table['name']}") for table in tables]
        kept = orjson.dumps(rows, default=lambda value: bytes(value).decode("latin-1"))
    assert b"shopify" in kept  # the search would find what is there
    return kept


def test_the_lag_of_a_channel_is_what_waits_and_for_how_long(world: World) -> None:
    channel = world.channel(settings=settings())
    world.list_product(channel)
    world.write(lambda tx: outbox.put(tx, [fact(channel, "f-1"), fact(channel, "f-2")], world.now))
    world.write(lambda tx: inbox.accept(tx, [message(channel, "d-1")], world.now))
    world.pass_time(seconds=90)

    async def story(ops: Caller) -> None:
        (shown,) = (await ops.ask(LAG))["channels"]
        assert shown["lag"] == {
            "levelsWaiting": 1,
            "factsWaiting": 2,
            "inboxWaiting": 1,
            "dead": 0,
            "seconds": 90.0,
            "oldestUnsentAt": "2026-11-02T12:00:00+00:00",
            "lastSuccessAt": None,
        }
        pause = """mutation {
  done: pauseChannel(idempotencyKey: "NEW", code: "shop", reason: "stock-taking") {
          ... on Channel { state pausedReason } } }"""
        assert (await ops.ask(pause))["done"] == {
            "state": "paused",
            "pausedReason": "stock-taking",
        }
        resume = (
            "mutation { done: "
            'resumeChannel(idempotencyKey: "NEW", code: "shop") { ... on Channel { state } } }'
        )
        assert (await ops.ask(resume))["done"] == {"state": "active"}
        error = await ops.error('{ channel(code: "none") { code } }')
        assert error["code"] == "UNKNOWN_REFERENCE"

    as_scope(world, Scope.OPS, story)


def fact(channel: Row, key: str) -> Fact:
    return Fact(channel["id"], "fulfillment", f"order-{key}", key, {})


def message(channel: Row, delivery: str) -> Message:
    return Message(channel["id"], delivery, "webhook", "orders/create", b"{}")


# --- Dead letters ---------------------------------------------------------------------------------


def test_dead_letters_are_listed_and_put_back_one_by_one_or_all(world: World) -> None:
    channel = world.channel(settings=settings())
    facts = [fact(channel, f"f-{number}") for number in range(3)]
    world.write(lambda tx: outbox.put(tx, facts, world.now))
    world.write(lambda tx: inbox.accept(tx, [message(channel, "d-1")], world.now))
    for row in world.write(lambda tx: outbox.lease(tx, channel["id"], world.now, limit=2)):
        world.write(lambda tx, row=row: outbox.give_up(tx, row, "Rejected: no", world.now))
    (row,) = world.write(lambda tx: inbox.lease(tx, world.now, limit=5))
    world.write(lambda tx: inbox.give_up(tx, row, "NotFound: gone", world.now))

    async def story(ops: Caller) -> None:
        dead = (await ops.ask(DEAD))["deadLetters"]
        assert sorted(each["direction"] for each in dead) == ["in", "out", "out"]
        assert {each["error"] for each in dead} == {"Rejected: no", "NotFound: gone"}
        one = next(each["id"] for each in dead if each["direction"] == "out")
        assert (await ops.ask(REPLAY, ids=[one, "none"]))["done"]["messages"] == 1
        assert one not in {each["id"] for each in (await ops.ask(DEAD))["deadLetters"]}
        assert (await ops.ask(REPLAY, ids=[one]))["done"]["messages"] == 0
        assert (await ops.ask(REPLAY))["done"]["messages"] == 2
        assert (await ops.ask(DEAD))["deadLetters"] == []

    as_scope(world, Scope.OPS, story)
    assert world.value("SELECT COUNT(*) FROM outbox WHERE state = 'waiting'") == 3
    assert world.value("SELECT COUNT(*) FROM inbox WHERE state = 'waiting'") == 1


# --- Cases ----------------------------------------------------------------------------------------


def test_a_case_is_given_to_somebody_and_closed_with_what_was_done(world: World) -> None:
    channel = world.channel(settings=settings())
    world.accept(channel, world.order(lines=[OrderLine(ref="l", sku="WHAT", quantity=1)]))

    async def story(ops: Caller) -> None:
        (case,) = (await ops.ask(CASES, state="live"))["cases"]["nodes"]
        assert (case["kind"], case["subject"], case["state"]) == (
            "UNMAPPED_LISTING",
            "WHAT",
            "open",
        )
        given = {"id": case["id"]}
        assert (await ops.ask(ASSIGN, **given, owner="  "))["done"]["field"] == "owner"
        assert (await ops.ask(ASSIGN, **given, owner="bo"))["done"]["state"] == "assigned"
        assert (await ops.ask(RESOLVE, **given, text=""))["done"]["field"] == "resolution"
        done = (await ops.ask(RESOLVE, **given, text="Mapped it."))["done"]
        assert done == {
            "__typename": "Case",
            "state": "resolved",
            "resolution": "Mapped it.",
            "resolvedBy": "olga",
        }
        again = (await ops.ask(RESOLVE, **given, text="And again."))["done"]
        assert again["__typename"] == "StepNotAllowed"
        assert (await ops.ask(CASES, state="live"))["cases"]["nodes"] == []
        (closed,) = (await ops.ask(CASES, state="resolved"))["cases"]["nodes"]
        assert (closed["id"], closed["owner"]) == (case["id"], "bo")
        unknown = (await ops.ask(RESOLVE, id="none", text="x"))["done"]
        assert unknown["__typename"] == "UnknownReference"

    as_scope(world, Scope.OPS, story)


# --- Reconciliation -------------------------------------------------------------------------------


def test_a_run_heals_what_is_safe_and_leaves_the_rest_to_a_person(world: World) -> None:
    twin = ShopifySimulator(clock=lambda: world.now)
    item = twin.add_item("CAM", 0)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS, name="olga")
        async with serve(twin.app) as shop_url:
            channel = world.channel(settings=twin.settings(shop_url))
            world.receive("SN-1", "SN-2", "SN-3")
            world.list_product(channel, remote={"inventory_item_id": item})
            order_ref = twin.place_order({"CAM": 1})
            await runs_of(ops)  # brings both sides together
            assert twin.quantity("CAM") == 2
            world.pass_time(hours=1)
            twin.set_quantity("CAM", 9)
            line = twin.orders[order_ref].lines[0]
            twin.ship(order_ref, {line.id: 1})
            runs = await runs_of(ops)
            assert {run["trigger"] for run in runs} == {"olga"}
            assert sum(run["differencesFound"] for run in runs) == 2
            assert twin.quantity("CAM") == 2  # healed
            await dismissed(ops)
            await hub.runtime.connections.aclose()
        await twin.aclose()

    play(world, story)


async def runs_of(ops: Caller) -> Any:
    done = (await ops.ask(RECONCILE))["done"]
    assert done["__typename"] == "ReconciliationStarted", done
    for run in done["runs"]:
        assert (run["state"], run["error"]) == ("finished", None)
        assert run["compared"] == run["matched"] + run["inFlight"] + run["differencesFound"]
    assert {run["scope"] for run in done["runs"]} == {"ORDERS", "LEVELS", "SHIPMENTS", "RETURNS"}
    return done["runs"]


async def dismissed(ops: Caller) -> None:
    healed = (await ops.ask(DIFFERENCES, state="HEALED"))["differences"]["nodes"]
    edited = next(each for each in healed if each["cause"] == "FOREIGN_EDIT")
    assert (edited["kind"], edited["sku"], edited["fix"]) == ("QUANTITY", "CAM", "PUSH_LEVEL")
    (foreign,) = (await ops.ask(DIFFERENCES))["differences"]["nodes"]
    assert (foreign["kind"], foreign["fix"]) == ("FOREIGN_FULFILLMENT", "ASK")
    assert (await ops.ask("{ oldestOpenDifferenceAt }"))["oldestOpenDifferenceAt"] is not None
    given = {"id": foreign["id"]}
    assert (await ops.ask(DISMISS, **given, why=" "))["done"]["field"] == "reason"
    done = (await ops.ask(DISMISS, **given, why="It was handed over by hand."))["done"]
    assert (done["state"], done["resolvedBy"]) == ("DISMISSED", "olga")
    again = (await ops.ask(DISMISS, **given, why="Again."))["done"]
    assert again["__typename"] == "StepNotAllowed"
    assert (await ops.ask(DIFFERENCES))["differences"]["nodes"] == []
    assert (await ops.ask("{ oldestOpenDifferenceAt }"))["oldestOpenDifferenceAt"] is None
    nodes = (await ops.ask("{ reconciliationRuns { nodes { id differences { nodes { id } } } } }"))[
        "reconciliationRuns"
    ]["nodes"]
    found = {each["id"]: [d["id"] for d in each["differences"]["nodes"]] for each in nodes}
    assert sum(foreign["id"] in ids for ids in found.values()) == 1


# --- What ran -------------------------------------------------------------------------------------


def test_job_runs_are_shown_with_their_outcome(world: World) -> None:
    async def story(hub: Hub) -> None:
        jobs = {job.name: job for job in schedule.timetable(hub.settings)}
        for name in ("sweep", "integrity"):
            assert await schedule.fire(hub.runtime, jobs[name]) is not None
        ops = await hub.caller(Scope.OPS)
        document = """query($job: String) { jobRuns(job: $job) {
          job holder outcome startedAt finishedAt } }"""
        assert {run["job"] for run in (await ops.ask(document))["jobRuns"]} == {
            "sweep",
            "integrity",
        }
        (run,) = (await ops.ask(document, job="integrity"))["jobRuns"]
        assert run["outcome"] == "0 subjects compared, 0 differ"
        assert run["holder"] == hub.runtime.holder
        assert run["finishedAt"] is not None

    play(world, story)


def test_what_a_channel_was_told_is_read_try_by_try(world: World) -> None:
    channel = world.channel(settings=settings())
    told = [
        push_log.Push(
            topic="level",
            subject=f"CAM-{number}",
            key=f"k-{number}",
            sent={"quantity": number},
            outcome=PushOutcome.ACCEPTED if number else PushOutcome.WAITS,
            answer="shows it" if number else "Transient: 503",
        )
        for number in range(3)
    ]
    world.write(lambda tx: push_log.note(tx, channel["id"], told, world.now))
    query = """query($subject: String, $first: Int!, $before: ID) {
      pushes(channel: "shop", subject: $subject, first: $first, before: $before) {
        id topic subject key sent outcome answer at } }"""

    async def story(ops: Caller) -> None:
        newest = (await ops.ask(query, first=2))["pushes"]
        assert [each["subject"] for each in newest] == ["CAM-2", "CAM-1"]
        (rest,) = (await ops.ask(query, first=2, before=newest[-1]["id"]))["pushes"]
        assert (rest["sent"], rest["outcome"], rest["answer"]) == (
            {"quantity": 0},
            "WAITS",
            "Transient: 503",
        )
        (one,) = (await ops.ask(query, first=5, subject="CAM-1"))["pushes"]
        assert (one["key"], one["at"]) == ("k-1", "2026-11-02T12:00:00+00:00")
        assert (await ops.error(query, first=0))["code"] == "INVALID_INPUT"

    as_scope(world, Scope.OPS, story)
