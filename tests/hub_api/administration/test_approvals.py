"""The rule of two people: asked for, approved or rejected by somebody else, used once, in time."""

from typing import Any

import pytest

from api_client import Caller, Hub, play
from hub.access.keys import Scope
from world import World

ERASE = """mutation($key: String! = "NEW", $ref: String! = "p-1", $reason: String! = "asked") {
  done: erasePerson(idempotencyKey: $key, ref: $ref, reason: $reason) { __typename
    ... on ApprovalNeeded { code approval expiresAt } ... on Problem { code message } } }"""
DECIDE = """mutation($id: ID!, $reason: String! = "seen the letter") {
  done: %s(idempotencyKey: "NEW", id: $id, reason: $reason) { __typename
    ... on CommandRequest { state decidedBy reason } ... on Problem { code message } } }"""
APPROVE, REJECT = DECIDE % "approveRequest", DECIDE % "rejectRequest"
LIST = "{ commandRequests { id command arguments state requestedBy decidedBy } }"
TWO = {"two_person": "erasePerson"}


async def asked(caller: Caller, **variables: Any) -> Any:
    return (await caller.ask(ERASE, **variables))["done"]


async def with_person(hub: Hub) -> None:
    admin = await hub.caller(Scope.ADMIN, name="writer")
    done = await admin.ask(
        'mutation { done: upsertContact(idempotencyKey: "NEW", ref: "p-1", name: "P", '
        'email: "p@example.com") { __typename ... on Problem { code message } } }'
    )
    assert done["done"]["__typename"] == "PersonChange", done


def test_a_dangerous_command_waits_for_somebody_else_and_is_done_once(world: World) -> None:
    async def story(hub: Hub) -> None:
        await with_person(hub)
        first = await hub.caller(Scope.ADMIN, name="first")
        second = await hub.caller(Scope.ADMIN, name="second")
        world.pass_time(minutes=1)
        needed = await asked(first, key="k-1")
        assert needed["code"] == "APPROVAL_NEEDED"
        assert world.value("SELECT erased_at FROM person") is None
        # Asked again, it is the same request; by others it is theirs.
        assert (await asked(first, key="k-1"))["approval"] == needed["approval"]
        assert (await asked(second, key="k-1"))["approval"] != needed["approval"]
        row = (await second.ask(LIST))["commandRequests"][-1]
        assert (row["command"], row["state"], row["requestedBy"]) == (
            "erasePerson", "REQUESTED", "first",
        )  # fmt: skip
        own = (await first.ask(APPROVE, id=needed["approval"]))["done"]
        assert own["code"] == "FORBIDDEN"
        approved = (await second.ask(APPROVE, id=needed["approval"]))["done"]
        assert (approved["state"], approved["decidedBy"]) == ("APPROVED", "second")
        # Nothing but what was approved is done.
        assert (await asked(first, key="k-2", reason="another"))["code"] == "APPROVAL_NEEDED"
        assert (await asked(first, key="k-1"))["__typename"] == "PersonChange"
        assert world.value("SELECT erased_at FROM person") is not None
        # The same key answers again; another one needs an approval of its own.
        assert (await asked(first, key="k-1"))["__typename"] == "PersonChange"
        assert (await asked(first, key="k-3"))["code"] == "APPROVAL_NEEDED"

    play(world, story, **TWO)


def test_what_is_rejected_or_too_old_is_not_done(world: World) -> None:
    async def story(hub: Hub) -> None:
        await with_person(hub)
        first, second = await hub.caller(Scope.ADMIN), await hub.caller(Scope.ADMIN, name="second")
        world.pass_time(minutes=1)
        needed = await asked(first)
        assert (await second.ask(REJECT, id=needed["approval"]))["done"]["state"] == "REJECTED"
        again = (await second.ask(APPROVE, id=needed["approval"]))["done"]
        assert again["code"] == "STEP_NOT_ALLOWED"
        needed = await asked(first)
        assert (await second.ask(APPROVE, id=needed["approval"]))["done"]["state"] == "APPROVED"
        world.pass_time(hours=25)
        states = [row["state"] for row in (await second.ask(LIST))["commandRequests"]]
        assert states == ["EXPIRED", "REJECTED"]
        assert (await asked(first))["code"] == "APPROVAL_NEEDED"
        assert world.value("SELECT erased_at FROM person") is None

    play(world, story, **TWO)


def test_no_second_key_of_ones_own_approves(world: World) -> None:
    async def story(hub: Hub) -> None:
        await with_person(hub)
        first, second = await hub.caller(Scope.ADMIN), await hub.caller(Scope.ADMIN)
        make = (
            'mutation { done: createApiKey(idempotencyKey: "NEW", name: "me too", '
            "scopes: [ADMIN]) { ... on NewApiKey { secret } } }"
        )
        before = await hub.with_secret((await first.ask(make))["done"]["secret"])
        world.pass_time(minutes=1)
        needed = await asked(first)
        world.pass_time(minutes=1)
        after = await hub.with_secret((await second.ask(make))["done"]["secret"])
        clerk = await hub.caller(Scope.OPS)
        for other in (before, after, clerk):
            done = (await other.ask(APPROVE, id=needed["approval"]))["done"]
            assert done.get("code") == "FORBIDDEN", done
        assert (await second.ask(APPROVE, id=needed["approval"]))["done"]["state"] == "APPROVED"

    play(world, story, **TWO)


def test_a_refused_command_does_not_use_its_approval_up(world: World) -> None:
    async def story(hub: Hub) -> None:
        first, second = await hub.caller(Scope.ADMIN), await hub.caller(Scope.ADMIN)
        world.pass_time(minutes=1)
        needed = await asked(first, key="k-1")
        await second.ask(APPROVE, id=needed["approval"])
        assert (await asked(first, key="k-1"))["code"] == "UNKNOWN_REFERENCE"
        await with_person(hub)
        assert (await asked(first, key="k-1"))["__typename"] == "PersonChange"

    play(world, story, **TWO)


def test_without_the_setting_nobody_is_asked(world: World) -> None:
    async def story(hub: Hub) -> None:
        await with_person(hub)
        assert (await asked(await hub.caller(Scope.ADMIN)))["__typename"] == "PersonChange"

    play(world, story)


def test_a_setting_that_names_no_command_stops_the_start(world: World) -> None:
    async def story(hub: Hub) -> None:
        raise AssertionError("it started")

    with pytest.raises(ValueError, match="eraseEverything"):
        play(world, story, two_person="eraseEverything")
