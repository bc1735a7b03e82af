"""One record with a stored value that nobody can read stops no query, page, feed, loop or job."""

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import postgres
from hub.ledger import event_views
from hub.storage.database import Database, open_database
from hub.storage.model import metadata
from hub_api import app
from hub_api.engine.limits import Limits
from hub_api.http.limiter import Limiter
from poisoning.filling import Filling, Full, fill
from poisoning.values import VALUES, Column, columns, poison
from poisoning.walking import FEED_MAX, PATHS, Route, deliver, hear, route, unasked, walk, work

EXPECTED = {"INVALID_INPUT", "UNKNOWN_REFERENCE", "UNKNOWN_UNIT", "WRONG_KEY"}
EVERY = list(columns())
TABLES = sorted({each.table for each in EVERY})
WITHIN_OTHERS = {"product", "location", "channel", "manufacturer", "unit"}
"""Tables whose records are shown within others: what shows them is left out with them."""
OF_THE_FEED = {"event", "unit", "product", "location"}
DEPTH = os.environ.get("SERIAL_HUB_TEST_POISON")
"""``columns``: each column takes each value by itself, which takes an hour on each database.
``rounds``: one column of every table at once, and each by itself where a round fails; minutes."""
ROUNDS = max(Counter(each.table for each in EVERY).values())


class Unlimited(Limiter):
    """Lets every question pass."""

    async def spend(self, *_: object) -> None:
        """Take nothing."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Fill one database of each kind."""
    return str(request.param)


@pytest.fixture(scope="module", autouse=True)
def _without_limits() -> Iterator[None]:
    """Whole lists are asked for here, and all of them at once; feeds begin at their beginning."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(app, "Limiter", Unlimited)
        patched.setattr(app, "Limits", partial(Limits, cost_max=10**9))
        patched.setattr(event_views, "feed_end", lambda _: (-1, 0))
        yield


@dataclass(frozen=True)
class Answers:
    """What a database answers to all that reads it."""

    lists: dict[str, Any]  # items of each query's list, or the codes of its errors
    pages: dict[str, int]  # states
    arrived: dict[str, int]  # messages by endpoint
    outcomes: dict[str, str]  # of jobs
    heard: int  # events of the feed


@dataclass(frozen=True)
class Stand:
    """A filled database, the way through it, and how it is copied."""

    full: Full
    way: Route
    copy: Callable[[], str]
    drop: Callable[[str], None]


def _opened(url: str, read: Callable[[Database], Any]) -> Any:
    database = open_database(url)
    try:
        return read(database)
    finally:
        database.close()


@pytest.fixture(scope="module")
def stand(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("full")
    if backend == "sqlite":
        shutil.copy(request.getfixturevalue("_sqlite_template"), folder / "hub.db")
        url = f"sqlite:///{folder / 'hub.db'}"
    else:
        url = postgres.create(request.getfixturevalue("_postgres_template"))

    def copy() -> str:
        if backend == "postgresql":
            return postgres.create(url)
        path = tmp_path_factory.mktemp("copy") / "hub.db"
        shutil.copy(folder / "hub.db", path)
        return f"sqlite:///{path}"

    def drop(copied: str) -> None:
        if backend == "postgresql":
            postgres.drop(copied)
        else:
            shutil.rmtree(Path(copied.removeprefix("sqlite:///")).parent)

    full = _opened(url, lambda database: fill(database, folder))
    yield Stand(full, _opened(url, route), copy, drop)
    if backend == "postgresql":
        postgres.drop(url)


@pytest.fixture(scope="module")
def before(stand: Stand) -> Answers:
    """What is answered while nothing is wrong, which is no error."""
    found = use(stand, stand.copy())
    assert errors(found) == {}
    return found


def use(stand: Stand, url: str, *, with_feed: bool = True) -> Answers:
    """Use all that reads a database, and remove it."""
    try:
        found: Answers = _opened(url, partial(_used, stand, with_feed))
    finally:
        stand.drop(url)
    return found


def _used(stand: Stand, with_feed: bool, database: Database) -> Answers:
    full = stand.full
    heard = FEED_MAX
    if with_feed:
        heard = asyncio.run(hear(database, full.secret, full.now))
    lists, pages = asyncio.run(walk(database, full.secret, full.now, stand.way))
    outcomes = asyncio.run(work(database, full.now, Filling()))
    return Answers(lists, pages, asyncio.run(deliver(database, full.now)), outcomes, heard)


def errors(found: Answers) -> dict[str, Any]:
    """Return the queries that fail with an error of the server's own, and the jobs that fail."""
    lists = {
        name: each
        for name, each in found.lists.items()
        if isinstance(each, set) and each - EXPECTED
    }
    return lists | {
        name: text[:200] for name, text in found.outcomes.items() if text.startswith("failed:")
    }


def check(
    stand: Stand,
    before: Answers,
    change: Callable[[str], list[Column]],
    *,
    with_feed: bool = True,
) -> Answers | None:
    """Use all that reads a poisoned database; return what it answers, None if nothing changed."""
    url = stand.copy()
    if not change(url):
        stand.drop(url)
        return None
    after = use(stand, url, with_feed=with_feed)
    wrong = errors(after)
    # A page of the very record that nobody can read says so; every other one is as before.
    wrong |= {
        page: state
        for page, state in after.pages.items()
        if state != before.pages[page] and (page in PATHS or page in stand.way.whole)
    }
    # The second of three endpoints is told of all events but those that nobody can read.
    if after.arrived.get("/two", 0) < before.arrived["/two"] - 4:
        wrong["webhooks"] = after.arrived
    if after.heard < before.heard - 4:
        wrong["feed"] = after.heard
    assert wrong == {}
    return after


def test_every_table_has_a_row(stand: Stand) -> None:
    url = stand.copy()
    empty = _opened(url, lambda database: database.read_now(_empty))
    stand.drop(url)
    assert empty == []
    assert unasked() == []


def _empty(tx: Any) -> list[str]:
    return [name for name in metadata.tables if not tx.value(f'SELECT COUNT(*) FROM "{name}"')]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param(kind, value, marks=() if value == values[0] else pytest.mark.slow)
        for kind, values in VALUES.items()
        for value in values
    ],
    ids=lambda given: repr(given)[:24],
)
def test_no_stored_value_stops_a_reader_or_a_job(
    stand: Stand, before: Answers, kind: str, value: Any
) -> None:
    wanted = [each for each in EVERY if each.kind == kind]
    check(stand, before, partial(poison, wanted=wanted, value=value))


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_no_record_of_a_table_hides_the_others(stand: Stand, before: Answers, table: str) -> None:
    def change(url: str) -> list[Column]:
        changed = []
        for kind, values in VALUES.items():
            wanted = [each for each in EVERY if (each.kind, each.table) == (kind, table)]
            changed += poison(url, wanted, values[0])
        return changed

    after = check(stand, before, change)
    assert after is not None
    shorter = {
        name: (before.lists[name], items)
        for name, items in after.lists.items()
        if isinstance(items, int) and items < before.lists[name] - 2
    }
    assert table in WITHIN_OTHERS or shorter == {}


# One column alone: of several, one may leave a record out before another is read.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("event", "action"), ("event", "biz_step"), ("event", "status"), ("event", "status_from"),
        ("event", "disposition"), ("event", "occurred_at"), ("event", "details"), ("event", "id"),
        ("checkpoint", "number"), ("reconciliation_difference", "kind"),
    ],
)  # fmt: skip
def test_no_single_column_stops_the_feed_or_a_plan(
    stand: Stand, before: Answers, table: str, name: str
) -> None:
    (column,) = (each for each in EVERY if (each.table, each.name) == (table, name))
    value = VALUES[column.kind][0]
    assert check(stand, before, partial(poison, wanted=[column], value=value)) is not None


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(DEPTH != "rounds", reason="SERIAL_HUB_TEST_POISON=rounds asks for it")
@pytest.mark.parametrize("which", range(2))
@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_round_of_columns_stops_a_reader_or_a_job(
    stand: Stand, before: Answers, number: int, which: int
) -> None:
    # The tables that are shown within others are poisoned apart, or they would hide these.
    wrong: dict[str, str] = {}
    for inner in (True, False):
        tables = [each for each in TABLES if (each in WITHIN_OTHERS) == inner]
        group = [each for table in tables if (each := _nth(table, number))]
        if group and (failed := _tried(stand, before, group, which)):
            alone: dict[str, str] = {}
            for column in group:
                alone |= _tried(stand, before, [column], which)
            wrong |= alone or failed
    assert wrong == {}


def _nth(table: str, number: int) -> Column | None:
    found = [each for each in EVERY if each.table == table]
    return found[number] if number < len(found) else None


def _tried(stand: Stand, before: Answers, wanted: list[Column], which: int) -> dict[str, str]:
    """Return what fails with a value of each of these columns, by what was changed."""

    def change(url: str) -> list[Column]:
        changed = []
        for kind, values in VALUES.items():
            if which < len(values):
                changed += poison(
                    url, [each for each in wanted if each.kind == kind], values[which]
                )
        return changed

    try:
        check(stand, before, change, with_feed=any(each.table in OF_THE_FEED for each in wanted))
    except Exception as error:
        names = ", ".join(f"{each.table}.{each.name}" for each in wanted)
        return {f"{names} ({which})": str(error)[:600]}
    return {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(DEPTH != "columns", reason="SERIAL_HUB_TEST_POISON=columns asks for it")
@pytest.mark.parametrize("table", TABLES)
def test_no_value_of_a_single_column_stops_a_reader_or_a_job(
    stand: Stand, before: Answers, table: str
) -> None:
    wrong = {}
    for column in (each for each in EVERY if each.table == table):
        for value in VALUES[column.kind][:3]:
            try:
                change = partial(poison, wanted=[column], value=value)
                check(stand, before, change, with_feed=table in OF_THE_FEED)
            except Exception as error:
                wrong[column.name, repr(value)[:30]] = str(error)[:600]
    assert wrong == {}
