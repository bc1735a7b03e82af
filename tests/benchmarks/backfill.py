"""The first reconciliation of a channel with 100,000 listings: each is bound, counted and told.

What is to be seen is that its memory does not grow with the channel: the peak of a tenth of the
listings, in the same process before it, is the yardstick.
"""

import time
import tracemalloc

from jobs.reconciliation import run as reconcile
from jobs.runtime import Runtime
from tests.benchmarks.harness import Measurement, fresh_ground, opened, run, say
from tests.benchmarks.large_channel import LargeChannel, OnlyLarge, catalogue_of

LISTINGS = 100_000


def backfill(backend: str) -> Measurement:
    """Measure the peak of the memory in MiB; the ratio says how it grew for ten times as much."""
    small = _run(backend, LISTINGS // 10)
    large = _run(backend, LISTINGS)
    return Measurement("backfill", large, "MiB peak", small, large / small)


def _run(backend: str, count: int) -> float:
    with fresh_ground(backend) as ground, opened(ground) as database:
        connector = LargeChannel(count)
        channel = catalogue_of(database, count)
        runtime = Runtime(database, OnlyLarge(connector))
        started = time.perf_counter()
        run(lambda: reconcile.reconcile(runtime, channel))
        seconds = time.perf_counter() - started
        bound = database.read_now(lambda tx: tx.value("SELECT COUNT(*) FROM listing"))
        assert bound == count, f"{bound} of {count} listings were bound"
        # Again, under the eyes of the allocator, which makes it slow.
        tracemalloc.start()
        started = time.perf_counter()
        run(lambda: reconcile.reconcile(runtime, channel))
        again = time.perf_counter() - started
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        run(connector.api.aclose)
    say(f"{count} listings bound and told in {seconds:.1f} s, compared again in {again:.1f} s")
    return peak
