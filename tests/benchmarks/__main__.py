"""Run one benchmark: ``python -m tests.benchmarks NAME``, from the root of the repository."""

import argparse
from collections.abc import Callable

from tests.benchmarks.backfill import backfill
from tests.benchmarks.harness import Measurement
from tests.benchmarks.hold_ship_concurrent import hold_ship_concurrent, hold_ship_steady
from tests.benchmarks.import_file import import_100k
from tests.benchmarks.lookup_http import lookup_http
from tests.benchmarks.lookup_scale import lookup_scale
from tests.benchmarks.push_latency import push_latency, push_latency_loaded
from tests.benchmarks.push_throughput import push_throughput
from tests.benchmarks.queries_http import queries_http
from tests.benchmarks.receive_bulk import receive_100k, receive_bulk
from tests.benchmarks.reconciling import reconcile_1m, reconcile_100k
from tests.benchmarks.scan_concurrent import scan_concurrent
from tests.benchmarks.storefront import availability_sold, expire
from tests.benchmarks.streams import stream_memory
from tests.benchmarks.vs_stateset import vs_stateset

Benchmark = Callable[[str], Measurement | list[Measurement]]

BENCHMARKS: dict[str, Benchmark] = {
    "receive_bulk": receive_bulk,
    "receive_100k": receive_100k,
    "import_100k": import_100k,
    "lookup_http": lookup_http,
    "queries_http": queries_http,
    "lookup_scale": lookup_scale,
    "hold_ship_concurrent": hold_ship_concurrent,
    "hold_ship_steady": hold_ship_steady,
    "vs_stateset": vs_stateset,
    "scan_concurrent": scan_concurrent,
    "push_latency": push_latency,
    "push_throughput": push_throughput,
    "backfill": backfill,
    "reconcile_100k": reconcile_100k,
    "reconcile_1m": reconcile_1m,
    "push_latency_loaded": push_latency_loaded,
    "availability_sold": availability_sold,
    "expire": expire,
    "stream_memory": stream_memory,
}
LONG = frozenset({"reconcile_1m"})
"""Benchmarks of many minutes, which `--list` leaves out: they run when they are named."""


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=BENCHMARKS, help="the benchmark to run")
    parser.add_argument("--list", action="store_true", help="print the names, one a line")
    parser.add_argument("--backend", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    if options.list:
        print("\n".join(name for name in BENCHMARKS if name not in LONG))
        return
    if options.name is None:
        parser.error("name a benchmark, or ask for --list")
    found = BENCHMARKS[options.name](options.backend)
    for each in found if isinstance(found, list) else [found]:
        print(each.line())


if __name__ == "__main__":
    main()
