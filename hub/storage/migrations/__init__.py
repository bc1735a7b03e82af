"""The tables' history: numbered, forward only, the same on SQLite and on PostgreSQL."""

import os
from contextlib import suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine

HERE = Path(__file__).parent


def engine_for(url: str) -> Engine:
    """Open the database for administration; everything else uses `hub.storage.database`."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))


def migrate(url: str) -> None:
    """Bring the tables to the newest revision; nothing happens if they are there already."""
    if url.startswith("sqlite:///"):
        _keep_private(Path(url.removeprefix("sqlite:///")))
    config = Config()
    config.set_main_option("script_location", str(HERE))
    engine = engine_for(url)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def _keep_private(file: Path) -> None:
    """Have a database file readable by its owner only; the files beside it take over its mode."""
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        with suppress(PermissionError):  # of another owner, who decides about it
            file.chmod(file.stat().st_mode & 0o700)


def is_current(url: str) -> bool:
    """Say whether the tables are those that this version of the hub works with."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    engine = engine_for(url)
    try:
        with engine.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    return present == ScriptDirectory.from_config(config).get_current_head()
