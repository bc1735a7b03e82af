"""Keys that are narrowed: to a site, a client, commands, networks, and a time."""

from datetime import timedelta
from typing import Any

import pytest

from api_client import Caller, Hub, play
from hub.access import keys
from hub.access.keys import Narrowing, Scope
from hub.errors import InvalidInput, UnknownReference
from world import World

MAKE = """mutation($name: String!, $scopes: [KeyScope!]!, $client: String,
    $narrowing: KeyNarrowingInput, $key: String! = "NEW") {
  done: createApiKey(idempotencyKey: $key, name: $name, scopes: $scopes, client: $client,
    narrowing: $narrowing) { __typename
    ... on NewApiKey { keyId secret } ... on InvalidInput { field message }
    ... on Problem { code } } }"""
LIST = """{ apiKeys { name site client commands addresses createdBy expiresAt lastUsedAt
    lastUsedFrom } }"""
PRIORITY = """mutation { done: createApiKey(idempotencyKey: "NEW", name: "x", scopes: [OPS]) {
    __typename ... on Problem { code message } } }"""


async def made(hub: Hub, *scopes: str, client: str | None = None, **narrowing: Any) -> Caller:
    admin = await hub.caller(Scope.ADMIN, name="boss")
    done = (
        await admin.ask(MAKE, name="till", scopes=list(scopes), client=client, narrowing=narrowing)
    )["done"]
    assert done["__typename"] == "NewApiKey", done
    return await hub.with_secret(done["secret"])


def codes(answer: Any) -> list[str | None]:
    return [each["problem"] and each["problem"]["code"] for each in answer["results"]]


def at_the_shop(world: World) -> None:
    world.client("ANT")
    world.client("BEE")
    for serial, owner in (("OWN", None), ("OF-ANT", "ANT"), ("OF-BEE", "BEE")):
        world.receive(serial, place="SHOP", client=owner)


def test_a_till_sells_no_goods_of_clients(world: World) -> None:
    at_the_shop(world)

    async def story(hub: Hub) -> None:
        till = await hub.caller(Scope.POS)
        sold = await till.command(
            "sellUnits", ["OWN", "OF-ANT", "OF-BEE"], key="k-1", location="SHOP", receipt="R-1"
        )
        assert codes(sold) == [None, "FORBIDDEN", "FORBIDDEN"]
        assert sold["results"][0]["unit"]["status"] == "SOLD"
        staff = await hub.caller(Scope.OPS)
        sold = await staff.command(
            "sellUnits", ["OF-ANT"], key="k-2", location="SHOP", receipt="R-2"
        )
        assert codes(sold) == [None]

    play(world, story)


def test_a_key_of_one_client_acts_on_its_goods_and_sees_no_others(world: World) -> None:
    at_the_shop(world)

    async def story(hub: Hub) -> None:
        till = await made(hub, "POS", "SCANNER", client="ANT")
        sold = await till.command(
            "sellUnits", ["OWN", "OF-ANT", "OF-BEE"], key="k-1", location="SHOP", receipt="R-1"
        )
        assert codes(sold) == ["FORBIDDEN", None, "FORBIDDEN"]
        assert [each["unit"] is None for each in sold["results"]] == [True, False, True]
        for mutation, more in (
            ("moveUnits", {"location": "SHOP"}),
            ("holdUnits", {"kind": "QUALITY", "reference": "Q"}),
        ):
            done = await till.command(mutation, ["OF-BEE"], key=f"k-{mutation}", **more)
            assert codes(done) == ["FORBIDDEN"], mutation
        received = await till.command(
            "receiveUnits",
            [{"serial": "NEW-1", "product": "CAM", "client": "BEE"},
             {"serial": "NEW-2", "product": "CAM", "client": "ANT"}],
            key="k-r", location="SHOP",
        )  # fmt: skip
        assert codes(received) == ["FORBIDDEN", None]
        found = await till.ask("{ units { edges { node { serial } } } }")
        assert {each["node"]["serial"] for each in found["units"]["edges"]} == {"OF-ANT", "NEW-2"}

    play(world, story)


def test_a_key_of_one_site_acts_there_alone(world: World) -> None:
    world.receive("HERE", place="SHOP")
    world.receive("THERE", place="WH")

    async def story(hub: Hub) -> None:
        till = await made(hub, "POS", "SCANNER", site="SHOP")
        sold = await till.command("sellUnits", ["HERE", "THERE"], key="k-1", receipt="R-1")
        assert codes(sold) == [None, "FORBIDDEN"]
        moved = await till.command("moveUnits", ["THERE"], key="k-2", location="WH-A1")
        assert codes(moved) == ["FORBIDDEN"]
        received = await till.post(
            'mutation { receiveUnits(idempotencyKey: "k-3", location: "WH", '
            'units: [{serial: "N", product: "CAM"}]) { ... on Problem { code } } }'
        )
        assert received.json()["data"]["receiveUnits"] == {"code": "FORBIDDEN"}
        # What the ledger does not check unit by unit is closed to it.
        checked = await till.ask(
            'mutation { done: checkReturn(idempotencyKey: "NEW", identifier: "THERE", '
            'location: "SHOP", reason: "r") { __typename ... on Problem { code } } }'
        )
        assert checked["done"]["code"] == "FORBIDDEN"
        assert "N" not in str(world.rows("SELECT serial FROM unit"))

    play(world, story)


def test_a_key_that_may_only_sell(world: World) -> None:
    world.receive("SN-1", "SN-2", place="SHOP")

    async def story(hub: Hub) -> None:
        till = await made(hub, "POS", commands=["sellUnits"], site="SHOP")
        sold = await till.command("sellUnits", ["SN-1"], key="k-1", receipt="R-1")
        assert codes(sold) == [None]
        for mutation in ("acceptReturns", "checkReturn"):
            answer = await till.post(
                f'mutation {{ done: {mutation}(idempotencyKey: "NEW", '
                + (
                    'units: [{identifier: "SN-1"}], location: "SHOP", reason: "r")'
                    if mutation == "acceptReturns"
                    else 'identifier: "SN-1", location: "SHOP", reason: "r")'
                )
                + " { __typename ... on Problem { code } } }"
            )
            assert answer.json()["data"]["done"]["code"] == "FORBIDDEN", mutation
        units = await made(hub, "POS", commands=["units"])
        sold = await units.command("sellUnits", ["SN-2"], key="k-2", location="SHOP", receipt="R-2")
        assert codes(sold) == [None]

    play(world, story)


def test_a_key_is_taken_from_its_networks_alone(world: World) -> None:
    async def story(hub: Hub) -> None:
        near = await made(hub, "OPS", addresses=["127.0.0.0/8"])
        assert (await near.ask("{ viewer { name } }"))["viewer"]["name"] == "till"
        far = await made(hub, "OPS", addresses=["192.0.2.0/24", "2001:db8::/48"])
        answer = await far.post("{ viewer { name } }")
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (
            403, "ADDRESS_NOT_ALLOWED",
        )  # fmt: skip

    play(world, story)


def test_a_key_ends_by_itself(world: World) -> None:
    async def story(hub: Hub) -> None:
        ends = (world.now + timedelta(hours=1)).isoformat()
        caller = await made(hub, "OPS", expiresAt=ends)
        await caller.ask("{ viewer { name } }")
        world.pass_time(minutes=61)
        assert (await caller.post("{ viewer { name } }")).status_code == 401

    play(world, story)


def test_who_made_a_key_and_when_it_was_used_is_listed_and_noted_sparingly(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = []
    original = keys.note_use
    monkeypatch.setattr(
        keys, "note_use", lambda tx, *more: (noted.append(more), original(tx, *more))
    )

    async def story(hub: Hub) -> None:
        caller = await made(hub, "OPS", addresses=["127.0.0.1/32"], commands=["reconcile"])
        noted.clear()
        for _ in range(20):
            await caller.ask("{ viewer { name } }")
        assert len(noted) == 1
        world.pass_time(minutes=11)
        await caller.ask("{ viewer { name } }")
        assert len(noted) == 2
        admin = await hub.caller(Scope.ADMIN)
        row = next(row for row in (await admin.ask(LIST))["apiKeys"] if row["name"] == "till")
        assert row["createdBy"] == "boss"
        assert (row["addresses"], row["commands"]) == (["127.0.0.1/32"], ["reconcile"])
        assert (row["lastUsedAt"], row["lastUsedFrom"]) == (
            world.now.isoformat(), "127.0.0.1",
        )  # fmt: skip

    play(world, story)


@pytest.mark.parametrize(
    ("scopes", "narrowing", "field"),
    [
        (["OPS"], {"site": "SHOP"}, "scopes"),
        (["OPS"], {"addresses": ["10.0.0.1/8"]}, "addresses"),
        (["OPS"], {"addresses": []}, "addresses"),
        (["OPS"], {"addresses": ["here"]}, "addresses"),
        (["OPS"], {"commands": ["sellEverything"]}, "commands"),
        (["OPS"], {"commands": []}, "commands"),
        (["OPS"], {"expiresAt": "2020-01-01T00:00:00Z"}, "expires"),
    ],
)
def test_what_does_not_narrow_a_key_is_refused(
    world: World, scopes: list[str], narrowing: dict[str, Any], field: str
) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        done = (await admin.ask(MAKE, name="x", scopes=scopes, narrowing=narrowing))["done"]
        assert (done["code"], done["field"]) == ("INVALID_INPUT", field)

    play(world, story)


def test_a_narrowing_that_nobody_can_read_allows_nothing(world: World) -> None:
    key_id, secret = world.write(
        lambda tx: keys.create(
            tx, "k", [Scope.OPS], world.now,
            narrowing=Narrowing(commands=["reconcile"], addresses=["127.0.0.1"]),
        )
    )  # fmt: skip
    world.write(
        lambda tx: tx.run("UPDATE api_key SET commands = '{', addresses = '[1]' WHERE id = :id",
                          id=key_id)
    )  # fmt: skip
    caller = world.read(lambda tx: keys.caller(tx, secret, world.now))
    assert caller is not None
    assert not caller.may_call_from("127.0.0.1")
    assert caller.commands is not None
    assert "reconcile" not in caller.commands


def test_a_site_and_a_client_have_to_exist(world: World) -> None:
    for narrowing in (Narrowing(site="NOWHERE"), Narrowing(client="NOBODY")):
        with pytest.raises(UnknownReference):
            world.write(
                lambda tx, n=narrowing: keys.create(tx, "k", [Scope.POS], world.now, narrowing=n)
            )
    with pytest.raises(InvalidInput):
        world.write(
            lambda tx: keys.create(
                tx, "k", [Scope.OPS], world.now, narrowing=Narrowing(client="NOBODY")
            )
        )
