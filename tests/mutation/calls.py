"""Which tests call which functions: learned from one run, so that a mutant meets only its tests."""

import json
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from hub.storage.migrations import migrate
from tests.mutation.mutants import ROOT, Mutant

Place = tuple[str, int]  # path from the root, first line of the outermost code that was called


class Calls:
    """A plugin of pytest that notes the calls of functions in some folders, by test."""

    def __init__(self, folders: tuple[str, ...]) -> None:
        self._folders = tuple(str(ROOT / each) for each in folders)
        self._seen: dict[CodeType, bool] = {}
        self._now: str | None = None
        self.tests: dict[Place, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self.template: Path | None = None

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note what a test calls, its fixtures included, and how long it takes."""
        self._now, began = item.nodeid, time.monotonic()
        yield
        self._now = None
        self.seconds[item.nodeid] = time.monotonic() - began

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the tests that fail without any mutant: they prove nothing."""
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        """Keep the database with its tables, which every run would make again."""
        made = fixturedef.cached_result
        if fixturedef.argname == "_sqlite_template" and made and self.template is None:
            self.template = Path(shutil.copy(made[0], tempfile.mkdtemp(prefix="mutation-")))

    def make_template(self) -> None:
        """Make the database with its tables, where no test of this run did."""
        if self.template is None:
            self.template = Path(tempfile.mkdtemp(prefix="mutation-")) / "template.db"
            migrate(f"sqlite:///{self.template}")

    def _call(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or self._now is None:
            return
        code = frame.f_code
        if (ours := self._seen.get(code)) is None:
            ours = self._seen[code] = code.co_filename.startswith(self._folders)
        if ours:
            path = Path(code.co_filename).relative_to(ROOT).as_posix()
            self.tests[path, code.co_firstlineno].add(self._now)

    def keep(self, path: Path) -> None:
        """Write what is known into a file, for runs over the same code."""
        tests = [[*place, sorted(names)] for place, names in self.tests.items()]
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps([tests, self.seconds, sorted(self.failed)]))

    def take(self, path: Path) -> None:
        """Read what another run wrote."""
        tests, self.seconds, failed = json.loads(path.read_text())
        self.failed = set(failed)
        for module, line, names in tests:
            self.tests[module, line] = set(names)

    def of(self, mutant: Mutant) -> set[str]:
        """Return the tests that call the function of a mutant, or one within it."""
        return {
            test
            for (path, line), tests in self.tests.items()
            if path == mutant.path and mutant.first <= line <= mutant.last
            for test in tests - self.failed
        }

    def run(self, arguments: list[str]) -> int:
        """Run tests with this plugin."""
        threading.setprofile(self._call)
        sys.setprofile(self._call)
        try:
            return int(pytest.main(arguments, plugins=[self]))
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
