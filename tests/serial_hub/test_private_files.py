"""Files of the hub are readable by their owner only, whatever the umask of the process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.clock import now
from hub.settings import Settings
from serial_hub.compose import prepare


@pytest.fixture(autouse=True)
def generous() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("exists", [False, True])
def test_the_database_and_what_lies_beside_it_are_private(tmp_path: Path, exists: bool) -> None:
    file = tmp_path / "hub.db"
    if exists:
        file.touch(0o666)
    settings = Settings(database=f"sqlite:///{file}")
    settings.vault()
    database = prepare(settings)
    database.write_now(lambda tx: tx.run("UPDATE product SET created_at = :now", now=now().year))
    found = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    database.close()
    assert {"hub.db", "hub.db-wal", "serial-hub.key"} <= set(found)
    assert {mode & 0o077 for mode in found.values()} == {0}, found
