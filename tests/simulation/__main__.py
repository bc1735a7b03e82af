"""Run schedules: ``python -m tests.simulation --seeds 10000``, or one: ``--seed 123``."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.schedule import Outcome, run

BATCH = 25


def _batch(seeds: range) -> list[Outcome]:
    return [run(seed) for seed in seeds]


def _outcomes(first: int, count: int, processes: int) -> Iterator[Outcome]:
    batches = [
        range(at, min(at + BATCH, first + count)) for at in range(first, first + count, BATCH)
    ]
    with ProcessPoolExecutor(processes) as pool:
        for found in pool.map(_batch, batches):
            yield from found


def many(first: int, count: int, processes: int, failures_max: int) -> bool:
    """Run many schedules; print progress and totals; say whether all of them held."""
    began, faults, totals = time.monotonic(), Counter[str](), Counter[str]()
    for outcome in _outcomes(first, count, processes):
        faults += outcome.faults
        totals += Counter(
            schedules=1,
            commits=outcome.commits,
            steps=outcome.steps,
            orders=outcome.orders,
            promises=outcome.allocations,
            commands_replayed=outcome.replayed,
            failed=outcome.failure is not None,
        )
        if outcome.failure is not None and totals["failed"] <= failures_max:
            print(f"seed {outcome.seed} FAILED: {outcome.failure[:400]}")
            print(f"    replay it: python -m tests.simulation --seed {outcome.seed}", flush=True)
        if totals["schedules"] % 100 == 0:
            seconds = time.monotonic() - began
            print(
                f"{totals['schedules']} schedules, {totals['failed']} failed, {seconds:.0f} s; "
                f"to go on from here: --first {outcome.seed + 1}",
                flush=True,
            )
    failed = totals.pop("failed", 0)
    print(f"in {time.monotonic() - began:.1f} s: {_listed(totals)}")
    print(f"faults: {_listed(faults)}")
    print(f"failed: {failed}")
    return not failed


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def one(seed: int) -> bool:
    """Replay one schedule with its trace."""
    outcome = run(seed)
    print("\n".join(outcome.trace))
    print(f"seed {seed}: {outcome.failure or 'every invariant holds'}")
    print(f"digest {outcome.digest}, {outcome.commits} commits, {outcome.seconds:.2f} s")
    print(f"faults: {_listed(outcome.faults)}")
    return outcome.failure is None


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one and print its trace")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many to run")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--failures", type=int, default=20, help="how many are told in full")
    options = parser.parse_args()
    if options.seed is not None:
        held = one(options.seed)
    else:
        held = many(options.first, options.seeds, options.processes, options.failures)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
