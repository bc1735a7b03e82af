"""One unit at a time, side by side with stateset-embedded: created, and looked up by its serial.

Both run in this process on a SQLite file of their own, in alternating rounds. Their look-up gives
the serial's record; ours the unit with its product, maker and place. It has no bulk creation, and
ours joins what comes at the same time into one commit: that is the line `create_concurrent`.
"""

import asyncio
import itertools
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from hub import catalogue
from hub.clock import new_id
from hub.commands.work import Work
from hub.inbound import receiving
from hub.inbound.receiving import Arrival
from hub.ledger import units
from hub.ledger.event_writer import Verdict
from hub.storage.database import Database
from hub.storage.sql import Transaction
from tests.benchmarks.harness import (
    BINS,
    Measurement,
    context,
    fresh_ground,
    opened,
    register,
    run,
    say,
)

ROUNDS = 5
AMOUNT = 400
CALLERS = 64


def vs_stateset(backend: str) -> list[Measurement]:
    """Measure rates a second; the ratios are ours over theirs."""
    from stateset_embedded import Commerce  # of the extra `bench`

    with fresh_ground(backend) as ground, opened(ground) as database:
        (sku,) = database.write_now(register)
        theirs = Commerce(str(ground.folder / "stateset.db")).serials
        rates = run(lambda: _rounds(database, theirs, sku))
    create, lookup = rates["their create"], rates["their lookup"]
    return [
        _compared("create", rates["create"], create),
        _compared("create_concurrent", rates["create together"], create),
        _compared("lookup", rates["lookup"], lookup),
    ]


def _compared(what: str, ours: float, theirs: float) -> Measurement:
    return Measurement(f"vs_stateset.{what}", ours, "a second", theirs, ours / theirs)


async def _rounds(database: Database, theirs: Any, sku: str) -> dict[str, float]:
    numbers = itertools.count()

    def new(amount: int) -> list[str]:
        return [f"V{next(numbers):09}" for _ in range(amount)]

    async def create(serial: str) -> None:
        (verdict,) = await database.write(partial(_receive, sku, serial))
        assert verdict.accepted

    async def find(serial: str) -> None:
        assert (await database.read(lambda tx: units.find(tx, serial)))["serial"] == serial

    async def create_there(serial: str) -> None:
        theirs.create(sku, serial)

    async def find_there(serial: str) -> None:
        assert theirs.get_by_serial(serial).serial == serial

    rates: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        serials = new(AMOUNT)
        sought = random.Random(1).sample(serials, AMOUNT)
        for name, do, given, callers in (
            ("create", create, serials, 1),
            ("their create", create_there, serials, 1),
            ("create together", create, new(AMOUNT * 5), CALLERS),
            ("lookup", find, sought, 1),
            ("their lookup", find_there, sought, 1),
        ):
            rates.setdefault(name, []).append(await _rate(do, given, callers))
        say(", ".join(f"{name} {each[-1]:,.0f}/s" for name, each in rates.items()))
    return {name: statistics.median(each) for name, each in rates.items()}


async def _rate(
    do: Callable[[str], Awaitable[None]], serials: Sequence[str], callers: int
) -> float:
    waiting = iter(serials)

    async def call() -> None:
        for serial in waiting:
            await do(serial)

    started = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return len(serials) / (time.perf_counter() - started)


def _receive(sku: str, serial: str, tx: Transaction) -> list[Verdict]:
    place = catalogue.location(tx, BINS[0])
    arrivals = [Arrival(serial=serial, product=sku)]
    return receiving.receive(Work(tx, context(), new_id()), arrivals, place)
