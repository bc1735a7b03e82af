"""Plant changes and see whether tests notice: ``python -m tests.mutation --seed 1 --sample 300``.

A sample of all changes that can be planted in the functions of some packages is drawn by the seed.
Each is played in a process of its own against the tests that call its function, on SQLite. Printed
are the survivors and the share that was killed; a change that no test calls counts as a survivor.
Constants of modules are not changed.
"""

import argparse
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation.calls import Calls
from tests.mutation.mutants import ROOT, Mutant, mutants_of
from tests.mutation.playing import play

FOLDERS = ("hub/ledger", "hub/orders", "hub/returns", "hub/reconciliation")
TESTS = (
    "tests/hub/ledger", "tests/hub/orders", "tests/hub/returns", "tests/hub/history",
    "tests/hub/fulfillment", "tests/hub/inbound", "tests/hub/unit_records", "tests/hub/capture",
    "tests/hub/kits", "tests/hub/recalls", "tests/hub/storefront", "tests/hub/availability",
    "tests/hub/after_sales", "tests/hub/proof", "tests/hub/counts", "tests/hub/test_clients.py",
    "tests/hub/identifiers/test_composite.py", "tests/hub/identifiers/test_names.py",
    "tests/hub/imports/test_imports.py", "tests/jobs", "tests/hub_api/units",
    "tests/hub_api/orders", "tests/hub_api/returns", "tests/hub_api/reconciliation",
    "tests/hub_api/fulfillment", "tests/hub_api/storefront", "tests/hub_api/kits",
    "tests/hub_api/recalls", "tests/hub_api/history", "tests/hub_api/inbound",
)  # fmt: skip
FAST = "not postgres and not slow and not browser and not real"


def main() -> int:
    """Draw, play and count; return 0 if the goal was reached."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--goal", type=float, default=0.9, help="share that has to be killed")
    parser.add_argument("--folder", action="append", help=f"instead of {', '.join(FOLDERS)}")
    parser.add_argument("--only", help="play the mutants whose description holds this text")
    parser.add_argument("--survivors", type=Path, help="play those that this output names again")
    parser.add_argument(
        "--calls", default="artefacts/mutation-calls.json", help="which test calls what, if known"
    )
    given = parser.parse_args()
    folders = tuple(given.folder or FOLDERS)
    drawn = sample(folders, given.seed, given.sample)
    began = time.monotonic()
    calls = Calls(folders)
    kept = ROOT / given.calls
    arguments = [*TESTS, "-q", "-m", FAST, "-p", "no:cacheprovider", "-p", "no:xdist"]
    if kept.exists():
        pytest.main([*arguments, "-q", "--collect-only"])  # it imports all that is exchanged
        calls.take(kept)
    else:
        calls.run(arguments)
        calls.keep(kept)
    calls.make_template()
    named = given.survivors.read_text() if given.survivors else ""
    drawn = [
        each
        for each in drawn
        if (given.only or "") in str(each) and (not named or f": {each}\n" in named)
    ]
    known = f"{len(calls.seconds)} tests in {time.monotonic() - began:.0f} s"
    print(f"{known}, {len(calls.failed)} failed and left out", flush=True)
    outcomes = Counter[str]()
    for played in play(drawn, calls, given.processes):
        outcomes[played.outcome] += 1
        if played.outcome != "killed":
            print(f"{played.outcome} ({played.tests} tests): {played.mutant}", flush=True)
    counted = sum(outcomes.values()) - outcomes["unplanted"]
    share = outcomes["killed"] / max(1, counted)
    print(
        f"seed {given.seed}: {outcomes['killed']} of {counted} killed ({share:.1%}), "
        f"{dict(outcomes)}, {time.monotonic() - began:.0f} s"
    )
    return 0 if share >= given.goal else 1


def sample(folders: tuple[str, ...], seed: int, count: int) -> list[Mutant]:
    """Draw changes by a seed, out of all that can be planted in the modules of some folders."""
    every = [
        mutant
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        for mutant in mutants_of(path)
    ]
    return random.Random(seed).sample(every, min(count, len(every)))


if __name__ == "__main__":
    sys.exit(main())
