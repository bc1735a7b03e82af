"""The short form of fuzzing the API: hostile arguments by seeds, and attackers' questions."""

import json
import random
from collections import Counter
from typing import Any

import pytest

from api_client import Caller, Hub, play
from commanding import CORE
from hub.access.keys import Scope
from tests.fuzz.hostile import ATTACKS, asked
from world import World

SEEDS = (1, 2)


def root_fields() -> list[tuple[str, str]]:
    assert CORE.query_type is not None
    assert CORE.mutation_type is not None
    return [
        *(("query", name) for name in CORE.query_type.fields),
        *(("mutation", name) for name in CORE.mutation_type.fields),
    ]


async def ask(caller: Caller, body: Any) -> Any:
    text = json.dumps(body)  # lone surrogates are written as they are
    answer = await caller.http.post(
        "/graphql", content=text.encode(), headers={"content-type": "application/json"}
    )
    assert answer.status_code < 500, (answer.status_code, text[:500])
    return answer.json()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_no_hostile_argument_is_an_error_of_ours(world: World, seed: int) -> None:
    world.receive("SN-1", "SN-2")
    draw, told = random.Random(seed), Counter[str]()

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for kind, name in root_fields():
            body = asked(draw, kind, name)
            said = await ask(admin, body)
            codes = [each["extensions"]["code"] for each in said.get("errors", ())]
            assert "INTERNAL" not in codes, (seed, name, body["variables"])
            told.update(codes or ["answered"])
            words = json.dumps(said)
            for word in ("Traceback", "NoneType", "sqlite3", "psycopg", ".py"):
                assert word not in words, (seed, name, word)

    play(world, story)
    assert told.total() >= len(root_fields())
    assert told["answered"] > 20


def test_questions_of_attackers_tools_are_refused_and_cost_little(world: World) -> None:
    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.STOREFRONT)
        for document in ATTACKS:
            said = await ask(shop, {"query": document})
            assert said.get("errors"), document[:80]
            assert "INTERNAL" not in str(said)
            assert "Did you mean" not in str(said)
        # Batches, changes by GET, and forms of other sites.
        assert (await shop.http.post("/graphql", json=[{"query": "{ viewer { name } }"}] * 10)
                ).status_code in (400, 422)  # fmt: skip
        change = (
            'mutation { done: releaseReservation(idempotencyKey: "k", cart: "c") { __typename } }'
        )
        changed = await shop.http.get("/graphql", params={"query": change})
        assert changed.status_code == 405
        form = {"query": "{ viewer { name } }"}
        assert (await shop.http.post("/graphql", data=form)).status_code == 415

    play(world, story)
