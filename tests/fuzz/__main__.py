"""Fuzz the parsers: ``python -m tests.fuzz --seconds 600``, or one seed: ``--seed 123``."""

import argparse
import secrets
import sys
import time
from collections import Counter

from tests.fuzz.playing import EXAMPLES, Failure, play
from tests.fuzz.targets import TARGETS

FAILURES_MAX = 20  # printed


def main() -> int:
    """Do what the command line says; return 1 if an example failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, over all targets")
    parser.add_argument("--seed", type=int, help="play this seed of every target, once")
    parser.add_argument("--target", choices=TARGETS, help="fuzz this one only")
    options = parser.parse_args()
    names = [options.target] if options.target else list(TARGETS)
    first = options.seed if options.seed is not None else secrets.randbelow(2**31)
    played, failures = Counter[str](), list[Failure]()
    began, seed = time.monotonic(), first
    while True:
        for name in names:
            examples, failure = play(name, seed)
            played[name] += examples
            if failure is not None:
                failures.append(failure)
                if len(failures) <= FAILURES_MAX:
                    print(f"{name}, seed {seed}: {failure.text}", flush=True)
                    print(f"    replay it: {failure.command}", flush=True)
        seed += 1
        if options.seed is not None or time.monotonic() - began > options.seconds:
            break
    listed = ", ".join(f"{count:,} {name}" for name, count in played.items())
    print(f"in {time.monotonic() - began:.0f} s, seeds {first} to {seed - 1}: {listed}")
    print(f"{played.total():,} examples ({EXAMPLES} a seed and target), {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
