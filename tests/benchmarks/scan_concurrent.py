"""Single scans by 64 clients at once over HTTP, against the writer fed directly in process."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Sequence
from functools import partial

from hub import catalogue, ledger
from hub.clock import new_id
from hub.commands.work import Work
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
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
    hub_server,
    make_keys,
    opened,
    receive,
    register,
    run,
    say,
)

CLIENTS = 64
UNITS_EACH = 40
ROUNDS = 3
ROUND_SECONDS = 3.0
MOVE = """mutation($key: String!, $serial: String!, $to: String!) {
  moveUnits(idempotencyKey: $key, units: [{identifier: $serial}], location: $to) {
    __typename ... on CommandResult { accepted } ... on Problem { code message } } }"""
ACCEPTED = b'"accepted":1'


def scan_concurrent(backend: str) -> Measurement:
    """Measure scans a second; the ratio is our rate over that of the bare writer."""
    serials = [f"S{number:07}" for number in range(CLIENTS * UNITS_EACH)]
    with fresh_ground(backend) as ground:
        with opened(ground) as database:
            skus = database.write_now(register)
            database.write_now(lambda tx: receive(tx, serials, skus))
            secrets = make_keys(database, CLIENTS)
        shares = [serials[number::CLIENTS] for number in range(CLIENTS)]
        with hub_server(ground) as server:
            rate = run(lambda: _over_http(server, secrets, shares))
        with opened(ground) as database:
            yardstick = run(lambda: _in_process(database, shares))
    return Measurement("scan_concurrent", rate, "scans/s", yardstick, rate / yardstick)


async def _over_http(
    server: Server, secrets: Sequence[str], shares: Sequence[Sequence[str]]
) -> float:
    clients = [await Client.connect(server.port, secret) for secret in secrets]
    steps = [_steps(share) for share in shares]
    rates = []
    for number in range(ROUNDS + 1):
        started, spent = time.perf_counter(), cpu_seconds(server.pid)
        until = started + ROUND_SECONDS
        counts = await asyncio.gather(
            *(_scan(client, each, until) for client, each in zip(clients, steps, strict=True))
        )
        elapsed, spent = time.perf_counter() - started, cpu_seconds(server.pid) - spent
        if number:  # the first round warms up
            rates.append(sum(counts) / elapsed)
            say(f"HTTP: {rates[-1]:.0f} scans/s, {spent / sum(counts) * 1e6:.0f} us of processor")
    for client in clients:
        client.close()
    return statistics.median(rates)


def _steps(share: Sequence[str]) -> "itertools.chain[tuple[str, str]]":
    """Return an endless walk: every unit to the other bin, then every unit back."""
    bins = itertools.cycle(reversed(BINS))
    return itertools.chain.from_iterable(((serial, place) for serial in share) for place in bins)


async def _scan(client: Client, steps: "itertools.chain[tuple[str, str]]", until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        serial, place = next(steps)
        answer = await client.post(client.request(MOVE, key=new_id(), serial=serial, to=place))
        assert ACCEPTED in answer, answer
        count += 1
    return count


async def _in_process(database: Database, shares: Sequence[Sequence[str]]) -> float:
    steps = [_steps(share) for share in shares]
    rates = []
    for number in range(ROUNDS + 1):
        started = time.perf_counter()
        until = started + ROUND_SECONDS / 2
        counts = await asyncio.gather(*(_feed(database, each, until) for each in steps))
        if number:
            rates.append(sum(counts) / (time.perf_counter() - started))
            say(f"in process: {rates[-1]:.0f} scans/s")
    return statistics.median(rates)


async def _feed(database: Database, steps: "itertools.chain[tuple[str, str]]", until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        verdicts = await database.write(partial(_move, *next(steps)))
        assert verdicts[0].accepted
        count += 1
    return count


def _move(serial: str, place: str, tx: Transaction) -> list[Verdict]:
    command = UnitCommand(action=Action.MOVE, location=catalogue.location(tx, place))
    return ledger.record(Work(tx, context(), new_id()), command, [Scan(serial)])
