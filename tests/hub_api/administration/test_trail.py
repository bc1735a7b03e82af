"""The trail: who did what from where, before and after, without secrets, and chained."""

import sqlite3
from typing import Any

import psycopg
import pytest

from api_client import Hub, play
from commanding import CORE
from hub.access import trail
from hub.access.keys import Scope
from hub.access.trail import OUTSIDE
from hub.storage.model import metadata
from hub.storage.sql import Transaction
from hub_api.common.commands import COMMANDS
from world import World

LIST = "{ trail { number actor keyId address command commandId arguments changes hash } }"
CHANNEL = """mutation($settings: JSON!, $buffer: Int!) {
  registerChannel(idempotencyKey: "NEW", channel: {code: "shop", name: "Shop",
    connector: "shopify", settings: $settings, safetyBuffer: $buffer}) {
    __typename ... on Problem { code message } } }"""
SETTINGS = {
    "shop_url": "https://acme.example", "access_token": "s3cret-token", "location_id": "gid://shopify/Location/1",
    "webhook_secret": "another-s3cret-of-the-app",
}  # fmt: skip


def test_a_command_leaves_who_what_from_where_before_and_after(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN, name="boss")
        for name in ("Ant", "Ant Ltd"):
            await admin.ask(
                'mutation($name: String!) { registerClient(idempotencyKey: "NEW", '
                'code: "ANT", name: $name) { __typename } }',
                name=name,
            )
        entries = (await admin.ask(LIST))["trail"]
        renamed, made = entries[0], entries[1]
        assert (made["actor"], made["command"], made["address"]) == (
            "boss", "registerClient", "127.0.0.1",
        )  # fmt: skip
        assert made["arguments"] == {"code": "ANT", "name": "Ant"}
        (change,) = made["changes"]
        assert (change["table"], change["before"], change["after"]["name"]) == (
            "client", None, "Ant",
        )  # fmt: skip
        (change,) = renamed["changes"]
        assert (change["before"], change["after"]) == ({"name": "Ant"}, {"name": "Ant Ltd"})
        assert made["keyId"] == world.value("SELECT id FROM api_key")
        assert renamed["number"] == made["number"] + 1
        assert world.read(trail.verify).breaks == []

    play(world, story)


def test_secrets_are_in_no_entry(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for buffer in (1, 2):
            given = {**SETTINGS, "access_token": f"s3cret-token-{buffer}"}
            done = await admin.ask(CHANNEL, settings=given, buffer=buffer)
            assert done["registerChannel"]["__typename"] == "Channel", done
        made = await admin.ask(
            'mutation { k: createApiKey(idempotencyKey: "NEW", name: "n", scopes: [OPS]) '
            "{ ... on NewApiKey { secret } } }"
        )
        await admin.ask(
            'mutation { w: upsertContact(idempotencyKey: "NEW", ref: "p-1", name: "Pat Private", '
            'email: "pat@example.com") { __typename } }'
        )
        await admin.ask(
            'mutation { w: createWebhook(idempotencyKey: "NEW", '
            'webhook: {url: "https://example.com/x"}) { __typename } }'
        )
        stored = str(world.rows("SELECT arguments, changes FROM trail_entry"))
        for secret in ("s3cret", made["k"]["secret"], "Pat Private", "pat@example.com", "whsec_"):
            assert secret not in stored, secret
        for row in world.rows("SELECT settings, secrets FROM channel, webhook_endpoint"):
            assert row["settings"] not in stored
            assert row["secrets"] not in stored
        changed = next(
            each
            for entry in (await admin.ask(LIST))["trail"]
            for each in entry["changes"]
            if each["table"] == "channel" and each["before"] is not None
        )
        # That a secret changed is known, and what else did.
        assert set(changed["after"]) == {"safety_buffer", "settings"}

    play(world, story)


def test_every_administrative_command_is_in_the_trail(world: World) -> None:
    """What only staff with wide rights may send leaves an entry, by the declaration alone."""
    mutations = CORE.mutation_type.fields if CORE.mutation_type else {}
    administrative = {each.field for each in COMMANDS.values() if each.is_administrative}
    assert administrative <= mutations.keys()
    assert {"registerChannel", "createApiKey", "erasePerson", "setAvailabilityPolicy",
            "overrideOrderHold", "putCaseRule", "approveRequest",
            "refundOrder"} <= administrative  # fmt: skip
    assert not {"sellUnits", "receiveUnits", "reserve"} & administrative


@pytest.mark.parametrize("table", ["channel", "api_key", "product", "location", "person"])
def test_what_the_database_notes_names_columns_that_exist(world: World, table: str) -> None:
    noted = world.read(lambda tx: _noted_columns(tx, table))
    columns = {column.name for column in metadata.tables[table].columns}
    assert noted <= columns
    # What is left out is no setting: it is when and by whom, or the state of running work.
    left = {"id", "created_at", "created_by_key", "last_used_at", "last_used_from",
            "waits_until", "changed_at"}  # fmt: skip
    assert columns - noted <= left


def _noted_columns(tx: Transaction, table: str) -> set[str]:
    if tx.dialect == "sqlite":
        text = tx.value(
            "SELECT sql FROM sqlite_master WHERE name = :name", name=f"{table}_notes_update"
        )
        return {each.strip() for each in text.split("UPDATE OF ")[1].split(" ON ")[0].split(",")}
    rows = tx.rows(
        "SELECT event_object_column AS name FROM information_schema.triggered_update_columns "
        "WHERE event_object_table = :name",
        name=table,
    )
    return {row["name"] for row in rows}


def test_what_is_changed_outside_commands_is_noted_too(world: World) -> None:
    world.channel()

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        await admin.ask('mutation { pauseChannel(idempotencyKey: "NEW", code: "shop", '
                        'reason: "x") { __typename } }')  # fmt: skip
        world.write(lambda tx: tx.run("UPDATE channel SET safety_buffer = 7"))
        await admin.ask('mutation { resumeChannel(idempotencyKey: "NEW", code: "shop") '
                        "{ __typename } }")  # fmt: skip
        resumed, outside, paused = (await admin.ask(LIST))["trail"][:3]
        assert (resumed["command"], paused["command"]) == ("resumeChannel", "pauseChannel")
        assert (outside["command"], outside["actor"]) == (OUTSIDE, "unknown")
        assert outside["changes"][0]["after"] == {"safety_buffer": "7"}
        assert paused["changes"][0]["before"] == {"state": "active", "paused_reason": None}

    play(world, story)


def test_no_entry_is_changed_and_a_changed_chain_is_found(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for code in ("A", "B", "C"):
            await admin.ask(
                f'mutation {{ registerClient(idempotencyKey: "NEW", code: "{code}", name: "n") '
                "{ __typename } }"
            )

    play(world, story)
    count = world.read(trail.verify).entries
    for statement in ("UPDATE trail_entry SET actor = 'x'", "DELETE FROM trail_entry"):
        with pytest.raises((sqlite3.DatabaseError, psycopg.Error)):
            world.write(lambda tx, s=statement: tx.run(s))
    _without_guard(world, "UPDATE trail_entry SET actor = 'x' WHERE number = 2")
    assert world.read(trail.verify).breaks == ["trail entry 2 was changed"]
    _without_guard(world, "DELETE FROM trail_entry WHERE number = 2")
    found = world.read(trail.verify)
    assert found.entries == count
    assert found.breaks == ["trail entry 3 does not follow entry 1"]


def _without_guard(world: World, statement: str) -> None:
    def do(tx: Transaction) -> None:
        if tx.dialect == "sqlite":
            for verb in ("update", "delete"):
                tx.run(f"DROP TRIGGER IF EXISTS trail_entry_refuses_{verb}")
        else:
            tx.run("DROP TRIGGER IF EXISTS trail_entry_refuses_change ON trail_entry")
        tx.run(statement)

    world.write(do)


def test_entries_of_commands_at_the_same_time_follow_each_other(world: World) -> None:
    async def story(hub: Hub) -> None:
        import asyncio

        admin = await hub.caller(Scope.ADMIN)
        await asyncio.gather(
            *(
                admin.ask(
                    f'mutation {{ registerClient(idempotencyKey: "NEW", code: "C{number}", '
                    'name: "n") { __typename } }'
                )
                for number in range(12)
            )
        )
        assert world.read(trail.verify).breaks == []
        entries = (await admin.ask(LIST))["trail"]
        codes: list[Any] = [each["changes"][0]["after"]["code"] for each in entries[:12]]
        assert sorted(codes) == sorted(each["arguments"]["code"] for each in entries[:12])
        assert all(
            each["changes"][0]["after"]["code"] == each["arguments"]["code"]
            for each in entries[:12]
        )

    play(world, story)
