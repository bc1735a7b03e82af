"""Forty shoppers at once, over real HTTP, on processes that serve the API and run no job.

On PostgreSQL they are spread over two processes, so that no lock inside one can help.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest

from e2e.processes import api_process
from hub import catalogue
from hub.access import keys
from hub.access.keys import Scope
from hub.catalogue import ProductCard
from hub.clock import now
from hub.proof import conservation
from hub.storage.sql import Transaction
from world import World

SHOPPERS = 40
SKUS = 50
EACH = 4  # units of a SKU
LINES = 5  # of a cart: all units are wanted, and none is wanted twice
SECONDS_MAX = 60.0
RESERVE = """mutation($key: String!, $cart: String!, $lines: [CartLineInput!]!, $ttl: Int!) {
  done: reserve(idempotencyKey: $key, cart: $cart, lines: $lines, ttlSeconds: $ttl) {
    __typename ... on ReserveOutcome { lines { reserved } } ... on Problem { code message } } }"""
STOCK = "query($skus: [String!]!) { availability(skus: $skus) { available } }"
Answer = dict[str, Any]


@pytest.fixture
def shoppers(world: World, url: str, backend: str, tmp_path: Path) -> Iterator[list[httpx.Client]]:
    """Serve the world's database without jobs, and open a connection for each shopper."""
    secret = world.write(lambda tx: keys.create(tx, "shop", [Scope.ORDERS], world.now))[1]
    headers = {"authorization": f"Bearer {secret}"}
    with ExitStack() as running:
        count = 1 if backend == "sqlite" else 2
        hubs = [running.enter_context(api_process(url, tmp_path)) for _ in range(count)]
        yield [
            running.enter_context(
                httpx.Client(
                    base_url=hubs[number % count].url, headers=headers, timeout=SECONDS_MAX
                )
            )
            for number in range(SHOPPERS)
        ]
        for hub in hubs:
            log = hub.log.read_text()
            assert "Traceback" not in log, log


def ask(client: httpx.Client, document: str, **variables: Any) -> Any:
    answer = client.post("/graphql", json={"query": document, "variables": variables}).json()
    assert "errors" not in answer, answer
    return answer["data"]


def at_once(clients: list[httpx.Client], do: Callable[[int, httpx.Client], Answer]) -> list[Answer]:
    """Let every client begin in the same moment."""
    start = Barrier(len(clients))

    def run(number: int) -> Answer:
        start.wait()
        return do(number, clients[number])

    with ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(run, range(len(clients))))


def stock(world: World) -> list[str]:
    """Register fifty products with four units each; return the SKUs."""
    skus = [f"P-{number:02}" for number in range(SKUS)]

    def register(tx: Transaction) -> None:
        for sku in skus:
            card = ProductCard(sku=sku, name=sku, manufacturer="ACME")
            catalogue.register_product(tx, world.context(), card)

    world.write(register)
    for sku in skus:
        world.receive(*(f"{sku}-{number}" for number in range(EACH)), sku=sku)
    return skus


def held(world: World) -> list[tuple[str, int]]:
    rows = world.rows(
        "SELECT hold.reference, COUNT(*) AS units, COUNT(DISTINCT hold.unit_id) AS different "
        "FROM hold WHERE released_at IS NULL GROUP BY hold.reference"
    )
    assert all(row["units"] == row["different"] for row in rows)
    return [(row["reference"], row["units"]) for row in rows]


def test_forty_shoppers_get_all_units_of_fifty_products_with_one_call_each(
    world: World, shoppers: list[httpx.Client]
) -> None:
    skus = stock(world)
    calls = [0] * SHOPPERS

    def shop(number: int, client: httpx.Client) -> Answer:
        mine = [skus[(number * LINES + each) % SKUS] for each in range(LINES)]
        lines = [{"sku": sku, "quantity": 1} for sku in mine]
        while True:
            calls[number] += 1
            key = f"{number}-{calls[number]}"
            done: Answer = ask(client, RESERVE, key=key, cart=f"c-{number}", lines=lines, ttl=600)[
                "done"
            ]
            if done["__typename"] == "ReserveOutcome" or calls[number] == 10:
                return done

    answers = at_once(shoppers, shop)
    assert all(done["__typename"] == "ReserveOutcome" for done in answers), answers
    assert sum(calls) <= 1.2 * SHOPPERS, calls
    assert sorted(held(world)) == sorted((f"c-{number}", LINES) for number in range(SHOPPERS))
    left = ask(shoppers[0], STOCK, skus=skus)["availability"]
    assert {each["available"] for each in left} == {0}
    assert list(world.read(conservation.check).breaches) == []


def test_of_forty_shoppers_for_twenty_units_twenty_get_one(
    world: World, shoppers: list[httpx.Client]
) -> None:
    world.receive(*(f"SN-{number}" for number in range(SHOPPERS // 2)))
    lines = [{"sku": "CAM", "quantity": 1}]

    def shop(number: int, client: httpx.Client) -> Answer:
        asked = {"key": f"k-{number}", "cart": f"c-{number}", "lines": lines, "ttl": 600}
        done: Answer = ask(client, RESERVE, **asked)["done"]
        return done

    answers = at_once(shoppers, shop)
    won = [done for done in answers if done["__typename"] == "ReserveOutcome"]
    lost = [done for done in answers if done["__typename"] == "NotEnoughStock"]
    assert (len(won), len(lost)) == (SHOPPERS // 2, SHOPPERS // 2)
    assert len(held(world)) == SHOPPERS // 2


def test_what_lapses_is_free_for_all_at_once_where_no_job_runs(
    world: World, shoppers: list[httpx.Client]
) -> None:
    world.receive(*(f"SN-{number}" for number in range(SHOPPERS)))

    def shop(ttl: int, prefix: str) -> list[Answer]:
        def do(number: int, client: httpx.Client) -> Answer:
            cart = f"{prefix}-{number}"
            lines = [{"sku": "CAM", "quantity": 1}]
            done: Answer = ask(client, RESERVE, key=cart, cart=cart, lines=lines, ttl=ttl)["done"]
            return done

        return at_once(shoppers, do)

    first = shop(2, "early")
    assert {done["__typename"] for done in first} == {"ReserveOutcome"}
    ends = world.value("SELECT MAX(expires_at) FROM hold") / 1e6
    time.sleep(max(0.0, ends - now().timestamp()) + 0.01)
    assert ask(shoppers[0], STOCK, skus=["CAM"])["availability"] == [{"available": SHOPPERS}]
    again = shop(600, "late")
    assert {done["__typename"] for done in again} == {"ReserveOutcome"}
    live = held(world)
    assert len(live) == SHOPPERS
    assert all(cart.startswith("late-") for cart, _ in live)
