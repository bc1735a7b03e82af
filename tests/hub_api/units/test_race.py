"""Sixteen clients at once, over real HTTP, on real server processes: one of them wins.

On PostgreSQL the clients are spread over two processes, so that no lock inside one can help.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import httpx
import pytest

from e2e.processes import POLL_SECONDS, api_process
from hub import ledger
from hub.access import keys
from hub.access.keys import Scope
from hub.clock import new_id
from hub.commands.work import Work
from hub.ledger import hash_chain
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Transaction
from world import World

CLIENTS = 16
SECONDS_MAX = 60.0
VERDICT = """{ __typename ... on CommandResult { commandId replayed accepted refused
  results { accepted status version unitId problem { __typename code message } } }
  ... on Problem { code message } }"""
SELL = f"""mutation($key: String!, $serial: String!) {{
  done: sellUnits(idempotencyKey: $key, units: [{{identifier: $serial}}], receipt: "R-1") {VERDICT}
}}"""
PROMISE = f"""mutation($key: String!, $serial: String!) {{
  done: holdUnits(idempotencyKey: $key, units: [{{identifier: $serial}}], kind: SALE,
    reference: $key) {VERDICT} }}"""
RECEIVE = f"""mutation($key: String!, $serial: String!) {{
  done: receiveUnits(idempotencyKey: $key, units: [{{serial: $serial, product: "CAM"}}],
    location: "SHOP", putAway: true) {VERDICT} }}"""
Answer = dict[str, Any]


@pytest.fixture
def servers(world: World, url: str, backend: str, tmp_path: Path) -> Iterator[list[str]]:
    """Serve the world's database: one process for a file, two for a server."""
    with ExitStack() as running:
        count = 1 if backend == "sqlite" else 2
        hubs = [running.enter_context(api_process(url, tmp_path)) for _ in range(count)]
        yield [hub.url for hub in hubs]
        for hub in hubs:
            log = hub.log.read_text()
            assert "Traceback" not in log, log


@pytest.fixture
def secret(world: World) -> str:
    """Make a key that may sell and receive."""
    return world.write(lambda tx: keys.create(tx, "till", [Scope.OPS], world.now))[1]


@contextmanager
def clients(servers: list[str], secret: str) -> Iterator[list[httpx.Client]]:
    """Open a connection of its own for each client."""
    with ExitStack() as opened:
        yield [
            opened.enter_context(
                httpx.Client(
                    base_url=servers[number % len(servers)],
                    headers={"authorization": f"Bearer {secret}"},
                    timeout=SECONDS_MAX,
                )
            )
            for number in range(CLIENTS)
        ]


def race(
    servers: list[str], secret: str, document: str, key_of: Callable[[int], str]
) -> list[Answer]:
    """Have every client send the command for SN-1 at the same moment; return their answers."""
    start = Barrier(CLIENTS, timeout=SECONDS_MAX)

    def run(number: int, client: httpx.Client) -> Answer:
        body = {"query": document, "variables": {"key": key_of(number), "serial": "SN-1"}}
        # The connection stands before the start: what races is the commands.
        assert client.get("/healthz").status_code == 200
        start.wait()
        answer = client.post("/graphql", json=body)
        assert answer.status_code == 200
        said = answer.json()
        assert "errors" not in said, said["errors"]
        done: Answer = said["data"]["done"]
        return done

    with clients(servers, secret) as opened, ThreadPoolExecutor(CLIENTS) as threads:
        return list(threads.map(run, range(CLIENTS), opened))


def split(answers: list[Answer]) -> tuple[list[Answer], list[Answer]]:
    """Split the answers into those of winners and those of losers."""
    assert {answer["__typename"] for answer in answers} == {"CommandResult"}
    assert all(answer["accepted"] + answer["refused"] == 1 for answer in answers)
    won = [answer for answer in answers if answer["accepted"]]
    return won, [answer for answer in answers if answer["refused"]]


def problems(answers: list[Answer]) -> set[str]:
    return {answer["results"][0]["problem"]["__typename"] for answer in answers}


def actions(world: World) -> list[str]:
    return [event["action"] for event in world.history("SN-1")]


def holds_together(world: World) -> bool:
    return world.read(hash_chain.verify).breaks == ()


def test_sixteen_tills_sell_the_same_unit_and_one_of_them_does(
    world: World, servers: list[str], secret: str
) -> None:
    world.receive("SN-1", place="SHOP")
    won, lost = split(race(servers, secret, SELL, lambda number: f"sale-{number}"))
    assert (len(won), len(lost)) == (1, CLIENTS - 1)
    assert problems(lost) == {"StepNotAllowed"}
    assert {answer["results"][0]["status"] for answer in lost} == {"SOLD"}
    assert not any(answer["replayed"] for answer in won + lost)
    assert actions(world) == ["receive", "put_away", "sell"]
    assert world.unit("SN-1")["version"] == 3
    assert world.value("SELECT COUNT(*) FROM event") == 3
    assert holds_together(world)


def test_sixteen_buyers_are_promised_the_same_unit_and_one_of_them_is(
    world: World, servers: list[str], secret: str
) -> None:
    world.receive("SN-1", place="SHOP")
    won, lost = split(race(servers, secret, PROMISE, lambda number: f"cart-{number}"))
    assert (len(won), len(lost)) == (1, CLIENTS - 1)
    assert problems(lost) == {"UnitPromised"}
    assert actions(world) == ["receive", "put_away", "allocate"]
    (hold,) = world.rows("SELECT * FROM hold")
    assert hold["released_at"] is None
    assert hold["id"] == world.unit("SN-1")["promised_to"]
    assert holds_together(world)


def test_sixteen_repeats_of_one_sale_are_one_sale_with_one_answer(
    world: World, servers: list[str], secret: str
) -> None:
    world.receive("SN-1", place="SHOP")
    answers = race(servers, secret, SELL, lambda _: "the-same-sale")
    assert [answer["accepted"] for answer in answers] == [1] * CLIENTS
    assert sum(answer["replayed"] for answer in answers) == CLIENTS - 1
    first, *others = [{**answer, "replayed": None} for answer in answers]
    assert all(other == first for other in others)
    assert actions(world) == ["receive", "put_away", "sell"]
    assert world.value("SELECT COUNT(*) FROM command WHERE key = 'the-same-sale'") == 1
    assert holds_together(world)


def test_sixteen_docks_receive_the_same_serial_and_it_is_one_unit(
    world: World, servers: list[str], secret: str
) -> None:
    won, lost = split(race(servers, secret, RECEIVE, lambda number: f"dock-{number}"))
    assert (len(won), len(lost)) == (1, CLIENTS - 1)
    assert problems(lost) == {"DuplicateSerial"}
    assert world.value("SELECT COUNT(*) FROM unit") == 1
    assert world.unit("SN-1")["id"] == won[0]["results"][0]["unitId"]
    assert actions(world) == ["receive", "put_away"]
    assert holds_together(world)


def test_a_sale_that_waited_for_another_sees_where_the_unit_is_now(
    world: World, backend: str
) -> None:
    world.receive("SN-1", place="SHOP")
    holds_lock, may_commit = Event(), Event()

    def sell(tx: Transaction) -> list[Verdict]:
        sale = UnitCommand(action=Action.SELL)
        return ledger.record(Work(tx, world.context(), new_id()), sale, [Scan("SN-1")])

    def sell_and_wait(tx: Transaction) -> list[Verdict]:
        results = sell(tx)
        holds_lock.set()
        assert may_commit.wait(SECONDS_MAX)
        return results

    first: Future[list[Verdict]] = world.database.submit(sell_and_wait)
    assert holds_lock.wait(SECONDS_MAX)
    second = world.database.submit(sell)
    if backend == "postgresql":
        await_waiter(world)
    may_commit.set()
    assert [verdict.code for verdict in first.result(SECONDS_MAX)] == [None]
    (refused,) = second.result(SECONDS_MAX)
    assert (refused.code, refused.status) == ("STEP_NOT_ALLOWED", "sold")


def await_waiter(world: World) -> None:
    """Wait until somebody waits for a row of this database."""
    deadline = time.monotonic() + SECONDS_MAX
    while not world.value(
        "SELECT COUNT(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ):
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)
