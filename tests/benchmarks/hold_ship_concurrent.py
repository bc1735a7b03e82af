"""Fifty scanners at once promise, pick and ship units over HTTP, half of them after the same ones.

Each scanner works at a person's pace, four steps a second, so that what is measured is what a step
takes, not how long a queue can be made; the steady one has each of them do a step a second. Every
step is on the disk before it is answered: the yardstick is one small write that is flushed, at the
same pace, in the same minute.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from hub.clock import new_id
from hub.proof import conservation
from hub.storage.sql import Transaction
from tests.benchmarks.harness import (
    Client,
    Measurement,
    Server,
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

CLIENTS = 50
PACE_SECONDS = 0.25
STEADY_SECONDS = 1.0
ROUND_SECONDS = 6.0
STEADY_ROUND_SECONDS = 12.0
ROUNDS = 3
UNITS_EACH = 40
FLUSHES = 400
STEPS = {
    "hold": "holdUnits(idempotencyKey: $key, units: [{identifier: $serial}], kind: SALE, "
    "reference: $key)",
    "pick": "pickUnits(idempotencyKey: $key, units: [{identifier: $serial}])",
    "ship": "shipUnits(idempotencyKey: $key, units: [{identifier: $serial}])",
}
STEP = """mutation($key: String!, $serial: String!) { %s {
  __typename ... on CommandResult { accepted results { problem { code } } }
  ... on Problem { code message } } }"""
DOCUMENTS = {name: STEP % field for name, field in STEPS.items()}


@dataclass
class Found:
    """The p99 of each round, in milliseconds."""

    steps: list[float] = field(default_factory=list)
    flushes: list[float] = field(default_factory=list)


@dataclass
class Round:
    """What the steps took, in milliseconds, and what became of the promises."""

    taken: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


def hold_ship_concurrent(backend: str) -> Measurement:
    """Measure the p99 of a step; the ratio says how many times that of one flush to the disk."""
    return _measured("hold_ship_concurrent", backend, PACE_SECONDS)


def hold_ship_steady(backend: str) -> Measurement:
    """Measure the same with one step a second from each of them."""
    return _measured("hold_ship_steady", backend, STEADY_SECONDS)


def _measured(name: str, backend: str, pace: float) -> Measurement:
    serials = [f"H{number:07}" for number in range(CLIENTS * UNITS_EACH)]
    with fresh_ground(backend) as ground:
        with opened(ground) as database:
            skus = database.write_now(register)
            database.write_now(lambda tx: receive(tx, serials, skus))
            secrets = make_keys(database, CLIENTS)
        with hub_server(ground) as hub:
            found = run(lambda: _rounds(hub, secrets, serials, pace))
        with opened(ground) as database:
            database.read_now(_nothing_promised_twice)
    step, flush = statistics.median(found.steps), statistics.median(found.flushes)
    return Measurement(name, step, "ms p99 of a step", flush, step / flush)


def _nothing_promised_twice(tx: Transaction) -> None:
    assert conservation.check(tx).holds
    twice = tx.value(
        "SELECT COUNT(*) FROM (SELECT unit_id FROM event WHERE action = 'ship' "
        "GROUP BY unit_id HAVING COUNT(*) > 1) AS shipped"
    )
    assert twice == 0


async def _rounds(
    hub: Server, secrets: Sequence[str], serials: Sequence[str], pace: float
) -> Found:
    # Neighbours share a list and walk it in one order: every unit is sought by two at once.
    each = 2 * UNITS_EACH
    walks = [iter(serials[n // 2 * each : (n // 2 + 1) * each]) for n in range(CLIENTS)]
    found = Found()
    seconds = STEADY_ROUND_SECONDS if pace == STEADY_SECONDS else ROUND_SECONDS
    for number in range(ROUNDS + 1):
        # Anew for each round: a server closes what is silent while something else is measured.
        clients = [await Client.connect(hub.port, secret) for secret in secrets]
        round_, spent = Round(), cpu_seconds(hub.pid)
        until = time.perf_counter() + (seconds if number else 1.5)
        await asyncio.gather(
            *(
                _work(client, walk, round_, until, place / CLIENTS * pace, pace)
                for place, (client, walk) in enumerate(zip(clients, walks, strict=True))
            )
        )
        spent = cpu_seconds(hub.pid) - spent
        for client in clients:
            client.close()
        flushes = _flushes(pace)
        if number:  # the first round warms up
            found.steps.append(statistics.quantiles(round_.taken, n=100)[-1])
            found.flushes.append(statistics.quantiles(flushes, n=100)[-1])
            say(
                f"{len(round_.taken)} steps, p50 {statistics.median(round_.taken):.1f} ms, "
                f"p99 {found.steps[-1]:.1f} ms, {spent:.2f} s of processor, "
                f"{dict(round_.outcomes)}; a flush: p50 {statistics.median(flushes):.2f} ms, "
                f"p99 {found.flushes[-1]:.2f} ms"
            )
    return found


def _flushes(pace: float) -> list[float]:
    """Flush small writes to the disk at the pace of the steps; return what each took, in ms."""
    taken = []
    with tempfile.NamedTemporaryFile(dir=tempfile.gettempdir()) as file:
        for _ in range(FLUSHES):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1000)
            time.sleep(pace / CLIENTS)
    return taken


async def _work(
    client: Client, walk: Iterator[str], round_: Round, until: float, wait: float, pace: float
) -> None:
    await asyncio.sleep(wait)
    while time.perf_counter() < until:
        serial = next(walk, None)
        if serial is None:
            return
        for step, document in DOCUMENTS.items():
            done = await _step(client, step, document, serial, round_)
            await asyncio.sleep(pace)
            if not done:
                break


async def _step(client: Client, step: str, document: str, serial: str, round_: Round) -> bool:
    """Do one step; False where another scanner has the unit."""
    request = client.request(document, key=new_id(), serial=serial)
    started = time.perf_counter()
    answer = await client.post(request)
    round_.taken.append((time.perf_counter() - started) * 1000)
    if b'"accepted":1' in answer:
        round_.outcomes[step] += 1
        return True
    if b'"accepted":0' not in answer:
        raise AssertionError(answer)
    (verdict,) = next(iter(orjson.loads(answer)["data"].values()))["results"]
    assert step == "hold"
    assert verdict["problem"]["code"] in {"UNIT_PROMISED", "STEP_NOT_ALLOWED"}
    round_.outcomes["taken by another"] += 1
    return False
