"""Looking a unit up among ten million, against looking one up among ten thousand, in one run."""

import asyncio
import random
import statistics
import time
from collections.abc import Sequence

from tests.benchmarks.harness import (
    Client,
    Measurement,
    Server,
    hub_server,
    make_keys,
    opened,
    run,
    say,
)
from tests.benchmarks.large_ledger import large_ledger, serial

LARGE, SMALL = 10_000_000, 10_000
SOUGHT = 2_000  # units, spread over the whole ledger
CLIENTS = 4
ROUNDS = 6
LOOKUP = """query($identifier: String!) { unit(identifier: $identifier) {
  id serial status disposition version grade isPromised isBlocked receivedAt changedAt } }"""


def lookup_scale(backend: str) -> Measurement:
    """Measure the p99 of a look-up over HTTP; the ratio is large to small."""
    with large_ledger(backend, SMALL) as small, large_ledger(backend, LARGE) as large:
        with opened(small) as database:
            small_keys = make_keys(database, CLIENTS)
        with opened(large) as database:
            large_keys = make_keys(database, CLIENTS)
        with hub_server(small) as few, hub_server(large) as many:
            theirs, ours = run(lambda: _compare(few, small_keys, many, large_keys))
    return Measurement("lookup_scale", ours, "ms p99", theirs, ours / theirs)


async def _compare(
    few: Server, small_keys: Sequence[str], many: Server, large_keys: Sequence[str]
) -> tuple[float, float]:
    sides = {
        "ten thousand": (few, small_keys, SMALL),
        "ten million": (many, large_keys, LARGE),
    }
    found: dict[str, list[float]] = {name: [] for name in sides}
    chosen = random.Random(7)
    sought = {
        name: [serial(chosen.randrange(size)) for _ in range(SOUGHT)]
        for name, (_, _, size) in sides.items()
    }
    for number in range(ROUNDS + 1):
        for name in sides:
            server, secrets, _ = sides[name]
            taken = await _round(server, secrets, sought[name])
            if number:  # the first round brings what is sought into memory
                found[name].append(statistics.quantiles(taken, n=100)[-1])
                say(
                    f"among {name}: p50 {statistics.median(taken):.2f} ms, "
                    f"p99 {found[name][-1]:.2f} ms"
                )
    few_p99, many_p99 = (statistics.median(found[name]) for name in sides)
    return few_p99, many_p99


async def _round(server: Server, secrets: Sequence[str], sought: Sequence[str]) -> list[float]:
    # Anew for each round: a server closes what is silent while the other is measured.
    clients = [await Client.connect(server.port, secret) for secret in secrets]
    taken: list[float] = []
    waiting = iter(sought)

    async def look_up(client: Client) -> None:
        for identifier in waiting:
            request = client.request(LOOKUP, identifier=identifier)
            started = time.perf_counter()
            answer = await client.post(request)
            taken.append((time.perf_counter() - started) * 1000)
            assert identifier.encode() in answer

    await asyncio.gather(*(look_up(client) for client in clients))
    for client in clients:
        client.close()
    return taken
