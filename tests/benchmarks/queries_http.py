"""Three usual questions over HTTP, each against an endpoint written by hand with the same SQL."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from hub.catalogue import location
from hub.clock import new_id
from hub.commands.work import Work
from hub.ledger.command import UnitCommand
from hub.ledger.recording import record
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.database import Database
from hub.storage.sql import Transaction
from tests.benchmarks.harness import (
    BINS,
    Client,
    Measurement,
    Server,
    context,
    cpu_seconds,
    fresh_ground,
    handwritten_server,
    hub_server,
    make_keys,
    opened,
    receive,
    register,
    run,
    say,
)

UNITS = 1_000
SKUS = 50
MOVES = 18  # beside receiving and putting away: 20 events
CLIENTS = 16  # each with a key, whose pace is limited
ROUNDS = 5
ROUND_SECONDS = 1.0
PLAIN = "id serial status disposition version grade condition isBlocked receivedAt changedAt"
HISTORY = (
    f"query($identifier: String!) {{ unit(identifier: $identifier) {{ {PLAIN} "
    "history { id action status actor occurredAt location locationName } } }"
)
PAGE = f"query($first: Int!) {{ units(first: $first) {{ nodes {{ {PLAIN} }} }} }}"
STOCK = """query($skus: [String!]!) { availability(skus: $skus) {
  sku band available nextArrival sites { site band available } } }"""

Asked = tuple[str, dict[str, object], bytes]


def queries_http(backend: str) -> list[Measurement]:
    """Measure processor time; each ratio is the hand-written endpoint's time over ours.

    On PostgreSQL two processes serve on each side; the database server's own time is not counted.
    """
    serials = [f"Q{number:06}" for number in range(UNITS)]
    with fresh_ground(backend) as ground, ExitStack() as servers:
        with opened(ground) as database:
            skus = database.write_now(lambda tx: register(tx, SKUS))
            database.write_now(lambda tx: receive(tx, serials, skus))
            moved = serials[:: UNITS // 50]
            for number in range(MOVES):
                _move(database, moved, BINS[(number + 1) % 2])
            secrets = make_keys(database, CLIENTS)
        more = {"PROCESSES": "2"} if backend == "postgresql" else {}
        hub = servers.enter_context(hub_server(ground, **more))
        hand = servers.enter_context(handwritten_server(ground, len(more) + 1))
        asked: dict[str, list[Asked]] = {
            "queries_http.unit_history": [(HISTORY, {"identifier": each}, b"Q0") for each in moved],
            "queries_http.units_page": [(PAGE, {"first": 100}, b"Q0000")],
            "queries_http.availability": [(STOCK, {"skus": skus}, b"SKU-049")],
        }
        found: list[Measurement] = run(lambda: _all(hub, hand, secrets, asked))
    return found


def _move(database: Database, serials: Sequence[str], to: str) -> None:
    def work(tx: Transaction) -> None:
        command = UnitCommand(action=Action.MOVE, location=location(tx, to))
        verdicts = record(Work(tx, context(), new_id()), command, [Scan(each) for each in serials])
        assert all(verdict.accepted for verdict in verdicts), verdicts[0]

    database.write_now(work)


async def _all(
    hub: Server, hand: Server, secrets: Sequence[str], asked: Mapping[str, Sequence[Asked]]
) -> list[Measurement]:
    return [await _compare(name, hub, hand, secrets, each) for name, each in asked.items()]


async def _compare(
    name: str, hub: Server, hand: Server, secrets: Sequence[str], asked: Sequence[Asked]
) -> Measurement:
    found: dict[str, list[float]] = {"hub": [], "hand": []}
    for number in range(ROUNDS + 1):
        for side, server in (("hub", hub), ("hand", hand)):
            spent, count = await _round(server, secrets, asked)
            if number:  # the first round warms up
                found[side].append(spent / count * 1e6)
                say(f"{name} {side}: {found[side][-1]:.0f} us, {count} requests")
    ours, theirs = statistics.median(found["hub"]), statistics.median(found["hand"])
    return Measurement(name, ours, "us of processor per request", theirs, theirs / ours)


async def _round(
    server: Server, secrets: Sequence[str], asked: Sequence[Asked]
) -> tuple[float, int]:
    clients = [await Client.connect(server.port, secret) for secret in secrets]
    until = time.perf_counter() + ROUND_SECONDS
    spent = cpu_seconds(server.pid)
    counts = await asyncio.gather(*(_ask(client, asked, until) for client in clients))
    spent = cpu_seconds(server.pid) - spent
    for client in clients:
        client.close()
    return spent, sum(counts)


async def _ask(client: Client, asked: Sequence[Asked], until: float) -> int:
    requests = [(client.request(query, **values), mark) for query, values, mark in asked]
    for count, (request, mark) in enumerate(itertools.cycle(requests)):
        if time.perf_counter() >= until:
            return count
        assert mark in await client.post(request)
    raise AssertionError("the requests repeat for ever")
