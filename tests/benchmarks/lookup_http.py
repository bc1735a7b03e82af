"""One unit of ten fields over HTTP, against a plain Starlette endpoint that answers from memory."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Sequence

from tests.benchmarks.harness import (
    Client,
    Measurement,
    Server,
    cpu_seconds,
    fresh_ground,
    hub_server,
    make_keys,
    opened,
    plain_server,
    receive,
    register,
    run,
    say,
)

UNITS = 2_000
CLIENTS = 16
ROUNDS = 5
ROUND_SECONDS = 1.2
LOOKUP = """query($identifier: String!) { unit(identifier: $identifier) {
  id serial status disposition version grade isPromised isBlocked receivedAt changedAt } }"""


def lookup_http(backend: str) -> Measurement:
    """Measure processor time of a look-up; the ratio is the plain endpoint's time over ours."""
    serials = [f"L{number:07}" for number in range(UNITS)]
    with fresh_ground(backend) as ground:
        with opened(ground) as database:
            skus = database.write_now(register)
            database.write_now(lambda tx: receive(tx, serials, skus))
            secrets = make_keys(database, CLIENTS)
        with hub_server(ground) as hub, plain_server() as plain:
            ours, theirs = run(lambda: _compare(hub, plain, secrets, serials))
    return Measurement("lookup_http", ours, "us of processor per request", theirs, theirs / ours)


async def _compare(
    hub: Server, plain: Server, secrets: Sequence[str], serials: Sequence[str]
) -> tuple[float, float]:
    sides = {"hub": hub, "plain": plain}
    clients = {
        name: [await Client.connect(side.port, secret) for secret in secrets]
        for name, side in sides.items()
    }
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(ROUNDS + 1):
        for name, side in sides.items():
            spent, count = await _round(side, clients[name], serials)
            if number:  # the first round warms up
                found[name].append(spent / count * 1e6)
                say(f"{name}: {found[name][-1]:.0f} us, {count / ROUND_SECONDS:.0f} requests/s")
    for each in itertools.chain(*clients.values()):
        each.close()
    return statistics.median(found["hub"]), statistics.median(found["plain"])


async def _round(
    side: Server, clients: Sequence[Client], serials: Sequence[str]
) -> tuple[float, int]:
    until = time.perf_counter() + ROUND_SECONDS
    spent = cpu_seconds(side.pid)
    counts = await asyncio.gather(
        *(
            _look_up(client, serials[number :: len(clients)], until)
            for number, client in enumerate(clients)
        )
    )
    return cpu_seconds(side.pid) - spent, sum(counts)


async def _look_up(client: Client, serials: Sequence[str], until: float) -> int:
    requests = [(serial, client.request(LOOKUP, identifier=serial)) for serial in serials]
    for count, (serial, request) in enumerate(itertools.cycle(requests)):
        if time.perf_counter() >= until:
            return count
        assert serial.encode() in await client.post(request)
    raise AssertionError("the requests repeat for ever")
