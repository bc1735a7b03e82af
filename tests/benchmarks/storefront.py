"""A shop asks for the stock of fifty products, and reservations end by the thousand.

What was ever sold must not make the stock dearer to ask for: the same question is asked, in
alternating rounds of one run, about fifty products of which nothing was ever sold.
"""

import statistics
import time
from collections.abc import Iterator
from datetime import timedelta

from hub.clock import micros, new_id, now
from hub.commands.work import Work
from hub.ledger import lapsing
from hub.ledger.command import UnitCommand
from hub.ledger.recording import record
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.database import Database
from hub.storage.sql import Transaction
from tests.benchmarks.harness import (
    Client,
    Measurement,
    context,
    fresh_ground,
    hub_server,
    make_keys,
    opened,
    receive,
    register,
    run,
    say,
)

SKUS = 50
IN_STOCK = 20  # of each product
SOLD = 300_000
ROUNDS = 200
KEYS = 30  # the pace of each is limited
EXPIRING = 20_000
BATCH = 1_000  # promises that one sweep takes at a time
QUERY = """query($skus: [String!]!) { availability(skus: $skus) {
  sku band available nextArrival sites { site band available } } }"""


def availability_sold(backend: str) -> Measurement:
    """Measure the median time of the question with 300,000 sold units, beside that with none."""
    with fresh_ground(backend) as ground:
        with opened(ground) as database:
            skus = database.write_now(lambda tx: register(tx, 2 * SKUS))
            serials = [f"A{number:07}" for number in range(2 * SKUS * IN_STOCK)]
            database.write_now(lambda tx: receive(tx, serials, skus))
            database.write_now(lambda tx: _sold(tx, skus[:SKUS]))
            if backend == "postgresql":
                _analyze(database)
            secrets = make_keys(database, KEYS)
        with hub_server(ground) as hub:
            sold, fresh = run(lambda: _rounds(hub.port, secrets, skus))
    say(f"{SKUS} products: {sold:.2f} ms with {SOLD} sold units, {fresh:.2f} ms with none")
    return Measurement("availability_sold", sold, "ms p50 of 50 SKUs", fresh, sold / fresh)


def expire(backend: str) -> Measurement:
    """Measure how many reservations a second are ended, beside how many are made in one command."""
    serials = [f"E{number:07}" for number in range(EXPIRING)]
    with fresh_ground(backend) as ground, opened(ground) as database:
        skus = database.write_now(lambda tx: register(tx, SKUS))
        database.write_now(lambda tx: receive(tx, serials, skus))
        made = _timed(lambda: database.write_now(lambda tx: _promise(tx, serials)))

        def sweep() -> None:
            while database.write_now(
                lambda tx: lapsing.release_expired(tx, context(), limit=BATCH)
            ):
                pass

        time.sleep(1.1)  # a promise of a second is over
        ended = _timed(sweep)
        left = database.read_now(
            lambda tx: tx.value("SELECT COUNT(*) FROM hold WHERE released_at IS NULL")
        )
        assert left == 0
    say(f"{EXPIRING} reservations: made in {made:.2f} s, ended in {ended:.2f} s")
    value, yardstick = EXPIRING / ended, EXPIRING / made
    return Measurement("expire", value, "reservations ended a second", yardstick, value / yardstick)


def _timed(work: object) -> float:
    assert callable(work)
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _promise(tx: Transaction, serials: list[str]) -> None:
    ends = micros(now() + timedelta(seconds=1))
    command = UnitCommand(
        action=Action.ALLOCATE, hold_reference="cart", expires_at=ends, owner="benchmark"
    )
    verdicts = record(Work(tx, context(), new_id()), command, [Scan(each) for each in serials])
    assert all(verdict.accepted for verdict in verdicts)


def _sold(tx: Transaction, skus: list[str]) -> None:
    """Store sold units as the ledger stores them; what is asked for reads no event of theirs."""
    pattern = tx.rows(
        "SELECT unit.* FROM unit JOIN product ON product.id = unit.product_id "
        "WHERE product.sku IN (:skus...) ORDER BY unit.id LIMIT :limit",
        skus=skus,
        limit=SKUS,
    )
    customer = tx.value("SELECT id FROM location WHERE code = 'CUSTOMER'")
    columns = list(pattern[0])

    def rows() -> Iterator[list[object]]:
        for number in range(SOLD):
            serial = f"S{number:07}"
            row = dict(pattern[number % len(pattern)]) | {
                "id": new_id(),
                "serial": serial,
                "serial_canonical": serial,
                "skeleton": serial,
                "status": "sold",
                "disposition": "retail_sold",
                "location_id": customer,
            }
            yield [row[name] for name in columns]

    tx.insert("unit", columns, rows())


def _analyze(database: Database) -> None:
    database.write_now(lambda tx: tx.run("ANALYZE"))


async def _rounds(port: int, secrets: list[str], skus: list[str]) -> tuple[float, float]:
    clients = [await Client.connect(port, secret) for secret in secrets]
    taken: list[list[float]] = [[], []]
    for number in range(ROUNDS + 10):
        client = clients[number % KEYS]
        for place, asked in enumerate((skus[:SKUS], skus[SKUS:])):
            request = client.request(QUERY, skus=asked)
            started = time.perf_counter()
            answer = await client.post(request)
            if number >= 10:  # the first rounds warm up
                taken[place].append((time.perf_counter() - started) * 1000)
            assert answer.count(f'"available":{IN_STOCK}'.encode()) == 2 * SKUS, answer[:500]
    for client in clients:
        client.close()
    return statistics.median(taken[0]), statistics.median(taken[1])
