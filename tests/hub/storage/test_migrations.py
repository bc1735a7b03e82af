"""The tables: the models and the sum of the migrations are the same."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from hub.storage.migrations import engine_for, is_current, migrate
from hub.storage.model import metadata


def test_the_migrations_make_the_tables_of_the_models(url: str) -> None:
    engine = engine_for(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert differences == []


def test_migrating_again_changes_nothing(url: str) -> None:
    assert is_current(url)
    migrate(url)
    assert is_current(url)
