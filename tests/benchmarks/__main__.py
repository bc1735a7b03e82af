"""Run one benchmark: ``python -m tests.benchmarks NAME``, from the root of the repository."""

import argparse

from tests.benchmarks.lookup_http import lookup_http
from tests.benchmarks.push_latency import push_latency, push_latency_loaded
from tests.benchmarks.receive_bulk import receive_bulk
from tests.benchmarks.scan_concurrent import scan_concurrent

BENCHMARKS = {
    "receive_bulk": receive_bulk,
    "lookup_http": lookup_http,
    "scan_concurrent": scan_concurrent,
    "push_latency": push_latency,
    "push_latency_loaded": push_latency_loaded,
}


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=BENCHMARKS, help="the benchmark to run")
    parser.add_argument("--list", action="store_true", help="print the names, one a line")
    parser.add_argument("--backend", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    if options.list:
        print("\n".join(BENCHMARKS))
        return
    if options.name is None:
        parser.error("name a benchmark, or ask for --list")
    print(BENCHMARKS[options.name](options.backend).line())


if __name__ == "__main__":
    main()
