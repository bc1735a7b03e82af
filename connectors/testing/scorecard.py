"""Scorecard: every installed connector, every conformance case, and its result. Needs no pytest.

Connectors of other packages are found as ours are, by the entry points ``serial_hub.connectors``
and ``serial_hub.drivers``.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path

from connectors import registry
from connectors.contract import capabilities
from connectors.testing.case import Case, Class, NotApplicable
from connectors.testing.conformance import CASES
from connectors.testing.harness import FaultyTransport, play_case
from connectors.testing.official_answers import hold_answers
from connectors.testing.official_contracts import PROBLEMS_MAX, ContractReport, hold
from connectors.testing.simulator_driver import SimulatorDriver

DRIVERS = "serial_hub.drivers"
OFFICIAL = "official-contract"
OFFICIAL_PROMISE = "Every request keeps to the channel's official contract."
ANSWERS = "official-answers"
ANSWERS_PROMISE = "Every answer of its simulator keeps to the channel's official contract."
OFFICIAL_ROWS = ((OFFICIAL, OFFICIAL_PROMISE), (ANSWERS, ANSWERS_PROMISE))
DETAIL_CHARS_MAX = 700


class Verdict(StrEnum):
    """Result of a case."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Result:
    """Result of one case for one connector; `detail` says why it is no plain pass."""

    case: str
    verdict: Verdict
    detail: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Column:
    """One connector's results, by case."""

    key: str
    capabilities: tuple[str, ...] = ()
    results: dict[str, Result] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        """Add a result."""
        self.results[result.case] = result

    def count(self, verdict: Verdict) -> int:
        """Return how many cases have this verdict."""
        return sum(each.verdict is verdict for each in self.results.values())


@dataclass(frozen=True, slots=True)
class Card:
    """Results of all connectors. `passed` is true where nothing failed."""

    columns: tuple[Column, ...]

    @property
    def passed(self) -> bool:
        """Return whether no case of any connector failed."""
        return not any(column.count(Verdict.FAIL) for column in self.columns)


def driver_of(key: str) -> type[SimulatorDriver] | None:
    """Return the installed driver of a connector's simulator; None where no package brings one."""
    points = {point.value: point for point in entry_points(group=DRIVERS, name=key)}
    if not points:
        return None
    if len(points) > 1:
        raise ValueError(f"several installed packages claim the driver {key!r}")
    driver: type[SimulatorDriver] = next(iter(points.values())).load()
    return driver


def score(keys: Sequence[str] = (), specs: Path | None = None) -> Card:
    """Run every case for the named connectors, or for all that are installed.

    Raises ConnectorUnknown for a key that no installed package brings.
    """
    known = registry.keys()
    for key in keys:
        if key not in known:
            raise registry.ConnectorUnknown(f"no connector {key!r} is installed")
    return Card(tuple(_column(key, specs) for key in keys or known))


def score_one(connector: Class, driver: type[SimulatorDriver], specs: Path | None = None) -> Column:
    """Run every case for one connector and its driver."""
    column = Column(connector.key, capabilities(connector))
    played: list[FaultyTransport] = []
    for case in CASES:
        column.add(_result(case, connector, driver, played))
    for result in _official(driver, played, specs):
        column.add(result)
    return column


def _column(key: str, specs: Path | None) -> Column:
    try:
        connector, driver = registry.connector_class(key), driver_of(key)
    except Exception as error:  # whatever a package does wrong harms only its own column
        return _blank(Column(key), Verdict.FAIL, f"it can not be loaded: {error!r}")
    if driver is None:
        why = f"no package brings a driver of its twin (entry point {DRIVERS})"
        return _blank(Column(key, capabilities(connector)), Verdict.NOT_RUN, why)
    return score_one(connector, driver, specs)


def _blank(column: Column, verdict: Verdict, why: str) -> Column:
    for name in (*(case.name for case in CASES), OFFICIAL, ANSWERS):
        column.add(Result(name, verdict, why[:DETAIL_CHARS_MAX]))
    return column


def _result(
    case: Case, connector: Class, driver: type[SimulatorDriver], played: list[FaultyTransport]
) -> Result:
    if why := case.not_applicable(connector):
        return Result(case.name, Verdict.NOT_APPLICABLE, why)
    began = time.perf_counter()
    try:
        played.append(play_case(case, connector, driver))
    except NotApplicable as reason:
        return Result(case.name, Verdict.NOT_APPLICABLE, str(reason))
    except Exception as error:  # a bug of the connector is a row that it fails
        message = str(error) if isinstance(error, AssertionError) else repr(error)
        return Result(case.name, Verdict.FAIL, message[:DETAIL_CHARS_MAX])
    return Result(case.name, Verdict.PASS, seconds=time.perf_counter() - began)


def _official(
    driver: type[SimulatorDriver], played: Sequence[FaultyTransport], specs: Path | None
) -> Iterator[Result]:
    """Hold requests and answers of all rows against the contracts that the driver names."""
    if not driver.official or specs is None:
        for name, _ in OFFICIAL_ROWS:
            if driver.official:
                message = "no folder of official contracts was given (--specs)"
                yield Result(name, Verdict.NOT_RUN, message)
            else:
                message = "its driver names no official contract"
                yield Result(name, Verdict.NOT_APPLICABLE, message)
        return
    sent = [request for each in played for request in each.requests]
    answered = [exchange for each in played for exchange in each.exchanges]
    try:
        requests = hold(sent, driver.official, specs)
        answers = hold_answers(answered, driver.official, specs)
    except (OSError, ImportError) as error:
        lacking = error.filename if isinstance(error, OSError) else f"the package {error.name}"
        for name, _ in OFFICIAL_ROWS:
            yield Result(name, Verdict.NOT_RUN, f"{lacking} is not there")
        return
    yield _held(OFFICIAL, "requests", requests)
    yield _held(ANSWERS, "answers", answers)


def _held(name: str, what: str, found: ContractReport) -> Result:
    if found.problems:
        first = "; ".join(found.problems[:PROBLEMS_MAX])
        message = f"{len(found.problems)} {what} break it: {first}"
        return Result(name, Verdict.FAIL, message[:DETAIL_CHARS_MAX])
    operations = f"{len(found.operations)} operations"
    message = f"{found.checked} {what} of {operations} held, {found.outside} of which none speaks"
    return Result(name, Verdict.PASS if found.checked else Verdict.FAIL, message)


def as_json(card: Card) -> str:
    """Return the card as JSON."""
    columns = [
        {
            "key": column.key,
            "capabilities": list(column.capabilities),
            "counts": {verdict.value: column.count(verdict) for verdict in Verdict},
            "results": {
                name: {"verdict": each.verdict.value, "detail": each.detail}
                for name, each in column.results.items()
            },
        }
        for column in card.columns
    ]
    cases = [{"name": name, "promise": promise} for name, promise in _promises()]
    message = {"passed": card.passed, "rows": cases, "connectors": columns}
    return json.dumps(message, indent=2, ensure_ascii=False) + "\n"


def as_markdown(card: Card) -> str:
    """Return the card as Markdown: a table, the reasons as notes, and the promise of every case."""
    notes: dict[str, int] = {}
    table = [["row", *(column.key for column in card.columns)]]
    table.append(["---", *("---" for _ in card.columns)])
    for name, _ in _promises():
        cells = [_cell(column.results[name], notes) for column in card.columns]
        table.append([f"`{name}`", *cells])
    for verdict in Verdict:
        counts = [str(column.count(verdict)) for column in card.columns]
        table.append([f"*{verdict.value}*", *counts])
    lines = ["# Scorecard of the connectors", ""]
    lines += [f"| {' | '.join(cells)} |" for cells in table]
    lines += ["", "Notes:", ""] if notes else []
    lines += [f"{number}. {_plain(message)}" for message, number in notes.items()]
    lines += ["", "What the rows promise:", ""]
    lines += [f"- `{name}`: {promise}" for name, promise in _promises()]
    return "\n".join(lines) + "\n"


def _promises() -> list[tuple[str, str]]:
    return [*((case.name, case.promise) for case in CASES), *OFFICIAL_ROWS]


def _cell(result: Result, notes: dict[str, int]) -> str:
    word = {Verdict.FAIL: "**FAIL**", Verdict.NOT_APPLICABLE: "n/a", Verdict.NOT_RUN: "not run"}
    shown = word.get(result.verdict, result.verdict.value)
    if not result.detail:
        return shown
    return f"{shown} ({notes.setdefault(result.detail, len(notes) + 1)})"


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
