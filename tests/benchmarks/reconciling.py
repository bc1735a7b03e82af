"""Reconciliation of a shop with as many listings and orders, a share of which drifts.

Time is that of the first run, which finds, explains, heals and looks again; the shop answers at
once, from memory. That memory does not grow with the shop is to be seen beside a tenth of it: both
peaks are taken of a further run with other drift, under the eyes of the allocator, which is slow.
"""

import time
import tracemalloc
from datetime import timedelta

from hub.reconciliation.kinds import Scope
from hub.storage.database import Database
from hub.storage.sql import Row
from jobs.reconciliation import run as reconcile
from jobs.reconciliation.options import RunOptions
from jobs.runtime import Runtime
from tests.benchmarks.harness import Measurement, fresh_ground, opened, run, say
from tests.benchmarks.large_channel import OnlyLarge
from tests.benchmarks.large_shop import LargeShop, ledger_of

OPTIONS = RunOptions(trigger="benchmark", grace=timedelta())
SCOPES = (Scope.ORDERS, Scope.LEVELS)


def reconcile_100k(backend: str) -> list[Measurement]:
    """Measure the seconds and the peak of memory for 100,000 listings and 100,000 orders."""
    seconds, small = _run(backend, 10_000)
    larger, peak = _run(backend, 100_000)
    return [
        Measurement("reconcile_100k", larger, "s", seconds, larger / seconds),
        Measurement("reconcile_100k.memory", peak, "MiB peak", small, peak / small),
    ]


def reconcile_1m(backend: str) -> Measurement:
    """Measure the seconds for 500,000 listings and 500,000 orders, beside a tenth of each."""
    small, _ = _run(backend, 50_000, memory=False)
    large, _ = _run(backend, 500_000, memory=False)
    return Measurement("reconcile_1m", large, "s", small, large / small)


def _run(backend: str, count: int, *, memory: bool = True) -> tuple[float, float]:
    with fresh_ground(backend) as ground, opened(ground) as database:
        shop = LargeShop(count, count)
        began = time.perf_counter()
        channel = ledger_of(database, shop)
        say(f"{count:,} listings and orders written in {time.perf_counter() - began:.1f} s")
        runtime = Runtime(database, OnlyLarge(shop))
        shop.drift()
        seconds = sum(_timed(runtime, channel, scope) for scope in SCOPES)
        peak = 0.0
        if memory:
            shop.drift()
            tracemalloc.start()
            for scope in SCOPES:
                _timed(runtime, channel, scope)
            peak = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
        run(shop.api.aclose)
    say(f"{count:,} listings and orders: {seconds:.1f} s, {peak:.1f} MiB")
    return seconds, peak


def _timed(runtime: Runtime, channel: Row, scope: Scope) -> float:
    """Reconcile one scope; the run must be whole, and find and heal what drifted."""
    began = time.perf_counter()
    (run_id,) = run(lambda: reconcile.reconcile(runtime, channel, OPTIONS, scope))
    seconds = time.perf_counter() - began
    row = _row(runtime.database, run_id)
    say(
        f"{scope}: {seconds:.1f} s, {row['compared']:,} compared, {row['differences']:,} differ, "
        f"{row['healed']:,} healed"
    )
    assert row["state"] == "finished", row["error"]
    assert row["differences"] > 0
    assert row["healed"] > 0
    return seconds


def _row(database: Database, run_id: str) -> Row:
    found = database.read_now(
        lambda tx: tx.row("SELECT * FROM reconciliation_run WHERE id = :id", id=run_id)
    )
    assert found is not None
    return found
