"""The database is away: every door says so, says when to come again, and recovers."""

import asyncio
from typing import Any

import pytest

from api_client import Hub, play
from calling_back import connected, deliver, delivery_of_an_order
from hub.access.keys import Scope
from hub.storage.database import DatabaseAway, DatabaseClosed, DatabaseLost
from hub_api import app
from world import World

TROUBLES = [DatabaseAway("at 10.0.0.1"), DatabaseLost("x"), DatabaseClosed("postgresql://me:pw@h")]
each_trouble = pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: type(each).__name__)
PICK = 'mutation { pickUnits(idempotencyKey: "k", units: [{identifier: "SN-1"}]) { __typename } }'


def fail(world: World, monkeypatch: pytest.MonkeyPatch, name: str, trouble: Exception) -> None:
    async def failing(_: Any) -> Any:
        raise trouble

    for each in ("read", "read_once") if name == "read" else (name,):
        monkeypatch.setattr(world.database, each, failing)


@each_trouble
@pytest.mark.parametrize("fails", ["read", "write"])
def test_a_command_is_answered_with_503_and_the_code_to_try_again(
    world: World, monkeypatch: pytest.MonkeyPatch, trouble: Exception, fails: str
) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        with monkeypatch.context() as patched:
            fail(world, patched, fails, trouble)
            answer = await scanner.post(PICK)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            (error,) = answer.json()["errors"]
            assert error["extensions"]["code"] == "TRY_AGAIN"
            assert str(trouble) not in error["message"]
        assert (await scanner.post(PICK)).status_code == 200

    play(world, story)


@each_trouble
def test_a_page_of_another_origin_is_answered_with_503(
    world: World, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        scanner.http.headers["origin"] = "https://shop.example"
        with monkeypatch.context() as patched:
            fail(world, patched, "read", trouble)
            answer = await scanner.post(PICK)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")

    play(world, story)


@each_trouble
def test_a_webhook_is_sent_again_by_its_channel(
    world: World, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    async def story(hub: Hub) -> None:
        delivery = delivery_of_an_order(connected(world, "shopify"))
        with monkeypatch.context() as patched:
            fail(world, patched, "write", trouble)
            answer = await deliver(hub, delivery)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["error"]["code"] == "TRY_AGAIN"
        assert (await deliver(hub, delivery)).json() == {"accepted": True, "duplicate": False}

    play(world, story)


def test_the_hub_is_not_ready_while_its_database_is_away_or_silent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "READY_SECONDS_MAX", 0.05)

    async def story(hub: Hub) -> None:
        http = (await hub.with_secret(None)).http
        with monkeypatch.context() as patched:
            fail(world, patched, "read", DatabaseAway("away"))
            away = await http.get("/readyz")
            assert (away.status_code, away.json()["reason"]) == (503, "DatabaseAway")

        async def silent(_: Any) -> Any:
            await asyncio.Event().wait()

        with monkeypatch.context() as patched:
            patched.setattr(world.database, "read", silent)
            assert (await http.get("/readyz")).json()["reason"] == "TimeoutError"
            assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 200

    play(world, story)
