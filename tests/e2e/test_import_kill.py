"""An import is killed in the middle of its file: resumed, it has read every row once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2e.processes import POLL_SECONDS, SECONDS_MAX
from hub.ledger import hash_chain
from hub.proof import conservation
from world import KEY, World

ROWS = 3_000
ODD = 7  # every so many rows one is wrong


def command(world: World, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    environment = {
        **{name: value for name, value in os.environ.items() if "SERIAL_HUB" not in name},
        "SERIAL_HUB_DATABASE": world.database.url,
        "SERIAL_HUB_SECRET_KEY": KEY,
    }
    given = ["import", str(folder / "stock.csv"), "--location", "WH", "--batch", "100", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "serial_hub", *given],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@pytest.mark.req("R208")
def test_an_import_that_was_killed_goes_on(world: World, tmp_path: Path) -> None:
    lines = ["serial,sku"]
    lines += [f"SN-{number},{'CAM' if number % ODD else 'NOTHING'}" for number in range(ROWS)]
    (tmp_path / "stock.csv").write_text("\n".join(lines))
    started = command(world, tmp_path)
    end = time.monotonic() + SECONDS_MAX
    while (done := world.value("SELECT MAX(done) FROM import_run") or 0) == 0:
        assert time.monotonic() < end
        assert started.poll() is None, started.communicate()[0]
        time.sleep(POLL_SECONDS)
    started.kill()
    started.communicate()
    done = world.value("SELECT done FROM import_run")
    assert 0 < done < ROWS
    assert done % 100 == 0
    assert world.value("SELECT COUNT(*) FROM import_row") == done
    again = command(world, tmp_path)
    assert b"resume" in again.communicate()[0]
    assert again.returncode != 0
    resumed = command(world, tmp_path, "--resume")
    told = resumed.communicate()[0]
    assert resumed.returncode == 0, told
    wrong = len(range(0, ROWS, ODD))
    assert f"{ROWS} rows: {ROWS - wrong} accepted, {wrong} refused".encode() in told
    assert world.value("SELECT COUNT(*) FROM unit") == ROWS - wrong
    numbers = world.rows("SELECT COUNT(*) AS rows, MAX(number) AS last FROM import_row")
    assert numbers == [{"rows": ROWS, "last": ROWS}]
    assert world.read(conservation.check).breaches == ()
    assert world.read(hash_chain.verify).breaks == ()
