"""How many levels a second go through the engine to a channel that takes everything at once.

Each level is leased, counted in the ledger, told, and acknowledged in a commit. Then a slow channel
while products change all the time: how many changes one push stands for.
"""

import asyncio
import random
import time

from hub import catalogue
from hub.storage.database import Database
from hub.storage.sql import Row, Transaction
from hub.sync import bindings, listings
from jobs import relay
from jobs.runtime import Runtime
from tests.benchmarks.harness import (
    Measurement,
    context,
    fresh_ground,
    opened,
    receive,
    run,
    say,
)
from tests.benchmarks.large_channel import LargeChannel, OnlyLarge, catalogue_of, sku

LISTINGS = 10_000
UNITS = 10_000
ROUNDS = 3
SINGLE_WRITES = 5_000
CHANGE_SECONDS = 4.0
CHANGED_AT_ONCE = 20
POPULAR = 200  # products that change all the time
SLOW_SECONDS = 0.25  # that the channel then takes for a call


def push_throughput(backend: str) -> Measurement:
    """Measure pushes a second; the yardstick is single writes a second of the same writer."""
    with fresh_ground(backend) as ground, opened(ground) as database:
        connector = LargeChannel(LISTINGS)
        channel = catalogue_of(database, LISTINGS)
        database.write_now(_stock)
        database.write_now(lambda tx: _bind(tx, channel))
        runtime = Runtime(database, OnlyLarge(connector))
        rates = [run(lambda: _round(runtime, channel)) for _ in range(ROUNDS)]
        run(lambda: _changing(runtime, channel, connector))
        yardstick = _writes(database)
        run(connector.api.aclose)
    rate = sorted(rates)[ROUNDS // 2]
    return Measurement("push_throughput", rate, "pushes/s", yardstick, rate / yardstick)


def _stock(tx: Transaction) -> None:
    serials = [f"T{number:07}" for number in range(UNITS)]
    receive(tx, serials, [sku(number) for number in range(LISTINGS)])


def _bind(tx: Transaction, channel: Row) -> None:
    for number in range(LISTINGS):
        product = catalogue.reference(tx, "product", "sku", sku(number))
        bindings.bind(tx, channel["id"], product["id"], sku(number), {}, context().now)


async def _round(runtime: Runtime, channel: Row) -> float:
    await runtime.database.write(
        lambda tx: listings.touch_channel(tx, channel["id"], context().now)
    )
    started = time.perf_counter()
    pushed = await relay.drain(runtime, channel["id"])
    rate = pushed / (time.perf_counter() - started)
    assert pushed == LISTINGS
    say(f"{pushed} levels, {rate:.0f} a second")
    return rate


async def _changing(runtime: Runtime, channel: Row, connector: LargeChannel) -> None:
    chance = random.Random(7)
    ids = await runtime.database.read(
        lambda tx: [
            row["product_id"]
            for row in tx.rows("SELECT product_id FROM listing LIMIT :most", most=POPULAR)
        ]
    )
    before, changes = connector.pushed, 0
    connector.seconds = SLOW_SECONDS
    telling = asyncio.create_task(relay.run(runtime))
    until = time.perf_counter() + CHANGE_SECONDS
    while time.perf_counter() < until:
        some = chance.sample(ids, CHANGED_AT_ONCE)
        await runtime.database.write(lambda tx, some=some: listings.touch(tx, some, context().now))
        changes += len(some)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    connector.seconds = 0.0
    await relay.drain(runtime, channel["id"])
    pushes = connector.pushed - before
    say(f"{changes} changes in {CHANGE_SECONDS:.0f} s made {pushes} pushes: {changes / pushes:.1f}")


def _writes(database: Database) -> float:
    def one(tx: Transaction) -> int:
        return tx.run("UPDATE listing_level SET attempts = 0 WHERE listing_id = 'nobody'")

    started = time.perf_counter()
    futures = [database.submit(one) for _ in range(SINGLE_WRITES)]
    for future in futures:
        future.result()
    return len(futures) / (time.perf_counter() - started)
