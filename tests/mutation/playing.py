"""Play a mutant: in a process of its own, its function is exchanged, and its tests are run."""

import functools
import gc
import itertools
import os
import shutil
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

import pytest

from tests.mutation.calls import Calls
from tests.mutation.mutants import ROOT, Mutant, planted

ROUNDS = (40, 160, 600)  # tests of a mutant: few first, and more for those that survive them
PATIENCE = 120  # seconds, and one for each test, until a mutant counts as killed: it has no end
KILLED, SURVIVED, UNPLANTED = 1, 0, 90


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a mutant, and of how many tests it met."""

    mutant: Mutant
    outcome: str  # killed, survived, untested, unplanted
    tests: int


def ranked(mutant: Mutant, calls: Calls) -> list[str]:
    """Return the tests that a mutant may meet: the fastest of each module in turn."""
    by_module: dict[str, list[str]] = defaultdict(list)
    for test in sorted(calls.of(mutant), key=lambda each: (calls.seconds.get(each, 99.0), each)):
        by_module[test.partition("::")[0]].append(test)
    turns = itertools.zip_longest(*by_module.values())
    return [each for each in itertools.chain.from_iterable(turns) if each is not None]


def play(mutants: Sequence[Mutant], calls: Calls, processes: int) -> Iterator[Played]:
    """Play mutants, some at a time; yield each as it ends."""
    waiting = [(mutant, 0) for mutant in reversed(mutants)]
    running: dict[int, tuple[Mutant, int, float]] = {}
    while waiting or running:
        while waiting and len(running) < processes:
            mutant, done = waiting.pop()
            tests = ranked(mutant, calls)[done : _round_after(done)]
            if tests:
                pid = _begun(mutant, tests, calls)
                running[pid] = (mutant, done + len(tests), time.monotonic())
            else:
                yield Played(mutant, "survived" if done else "untested", done)
        pid, state = os.waitpid(-1, os.WNOHANG) if running else (0, 0)
        if pid == 0:
            _end_the_late(running)
            time.sleep(0.05)
            continue
        mutant, done, _ = running.pop(pid)
        code = os.waitstatus_to_exitcode(state)
        if code == SURVIVED and done in ROUNDS[:-1]:
            waiting.insert(0, (mutant, done))  # after the first round of all the others
            continue
        outcome = {SURVIVED: "survived", UNPLANTED: "unplanted"}.get(code, "killed")
        yield Played(mutant, outcome, done)


def _round_after(done: int) -> int:
    return next((each for each in ROUNDS if each > done), ROUNDS[-1])


def _end_the_late(running: dict[int, tuple[Mutant, int, float]]) -> None:
    for pid, (_, done, began) in running.items():
        if time.monotonic() - began > PATIENCE + done:
            os.kill(pid, signal.SIGKILL)


def _begun(mutant: Mutant, tests: list[str], calls: Calls) -> int:
    """Begin a process that plays a mutant, and ends with what became of it."""
    sys.stdout.flush()
    if (pid := os.fork()) != 0:
        return pid
    code = 99
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        code = _played(mutant, tests, calls)
    finally:
        os._exit(code)


def _played(mutant: Mutant, tests: list[str], calls: Calls) -> int:
    if not exchange(mutant):
        return UNPLANTED
    for cache in (
        each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper)
    ):
        cache.cache_clear()
    if calls.template is not None:
        _spare_migrations(calls.template)
    modules = sorted({each.partition("::")[0] for each in tests})
    arguments = [*modules, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=60"]
    return int(pytest.main(arguments, plugins=[_Only(set(tests))]))


class _Only:
    """A plugin of pytest that runs some of the tests that were found."""

    def __init__(self, wanted: set[str]) -> None:
        self._wanted = wanted

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the other tests out."""
        items[:] = [each for each in items if each.nodeid in self._wanted]


def exchange(mutant: Mutant) -> bool:
    """Give every function of that code the mutant's; return whether there was one that takes it."""
    path, name = str(ROOT / mutant.path), mutant.function.rpartition(".")[2]
    code, done = planted(mutant), False
    for each in gc.get_objects():
        if not isinstance(each, FunctionType):
            continue
        own = each.__code__
        if (own.co_filename, own.co_firstlineno, own.co_name) == (path, mutant.first, name):
            if own.co_freevars != code.co_freevars:
                return False
            each.__code__ = code
            done = True
    return done


def _spare_migrations(template: Path) -> None:
    """Have each run copy the database with its tables instead of making them."""

    def migrate(url: str) -> None:
        shutil.copy(template, url.removeprefix("sqlite:///"))

    for module in list(sys.modules.values()):
        if getattr(module, "migrate", None) is not None and hasattr(module, "_sqlite_template"):
            vars(module)["migrate"] = migrate
