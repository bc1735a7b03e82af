"""What all tests share: a database of either kind for each of them, and a small world in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import postgres
from hub.storage import sql
from hub.storage.database import Database, open_database
from hub.storage.migrations import migrate
from world import World

ROOT = Path(__file__).parent.parent

sql.check_shapes()

if (ROOT / "graphql" / "__init__.py").exists():
    pytest.exit(
        "graphql/ has become a package (graphql/__init__.py) and hides graphql-core.\n"
        "It is a folder on purpose: see graphql/README.md.",
        returncode=4,
    )


SLOW = ("tests/e2e", "tests/simulation")
"""Folders of tests that start processes of the hub, or play hundreds of schedules."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs PostgreSQL, a browser or patience, so that `make quick` can leave it out."""
    for item in items:
        folder = item.path.parent.relative_to(ROOT).as_posix()
        given = getattr(item, "callspec", None)
        if given and given.params.get("backend") == "postgresql":
            item.add_marker("postgres")
        if folder == "tests/browser":
            item.add_marker("browser")
        if folder in SLOW:
            item.add_marker("slow")


def pytest_configure() -> None:
    """Put the folders of tests into memory, where there is room; examples have no deadline."""
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(postgres.folder()))
    # How long an example takes says more of the machine than of what is tested.
    settings.register_profile("house", deadline=None)
    settings.load_profile("house")


@pytest.fixture(autouse=True)
def _requirements(request: pytest.FixtureRequest) -> None:
    """Carry the requirements that a test shows into the report of the run."""
    for mark in request.node.iter_markers("req"):
        request.node.user_properties += [("req", number) for number in mark.args]


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Run a test on both backends."""
    return str(request.param)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _postgres_template() -> Iterator[str]:
    url = postgres.create()
    migrate(url)
    yield url
    postgres.stop()


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give an empty database with the newest tables."""
    if backend == "sqlite":
        shutil.copy(request.getfixturevalue("_sqlite_template"), tmp_path / "hub.db")
        yield f"sqlite:///{tmp_path / 'hub.db'}"
        return
    url = postgres.create(request.getfixturevalue("_postgres_template"))
    yield url
    postgres.drop(url)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Open the empty database."""
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.fixture
def world(database: Database) -> World:
    """Give a database with a catalogue: two makers, three products, a warehouse and a shop."""
    return World.build(database)
