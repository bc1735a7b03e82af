"""The demo: the main job from beginning to end, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from hub.storage.database import open_database
from world import World


@pytest.mark.slow
def test_the_demo_ends_in_agreement(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "serial_hub", "demo", "--once"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "The ledger and all channels agreed." in told.stdout
    assert "Decisions for you" in told.stdout
    assert "lost webhook" in told.stdout
    assert "foreign edit" in told.stdout
    assert "Traceback" not in told.stderr
    proved = subprocess.run(
        [sys.executable, "-m", "serial_hub", "verify"],
        cwd=tmp_path,
        env={"SERIAL_HUB_DATABASE": "sqlite:///demo-data/serial-hub.db", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert proved.returncode == 0, proved.stderr
    assert ", 0 breaks" in proved.stdout


@pytest.mark.slow
def test_a_certificate_is_issued_and_verified_offline(tmp_path: Path) -> None:
    def hub(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "serial_hub", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    assert hub("keys", "create", "first", "--scope", "admin").startswith("shk_")
    database = open_database(f"sqlite:///{tmp_path}/serial-hub.db")
    World.build(database).receive("SN-1")
    database.close()
    (tmp_path / "paper.json").write_text(hub("certificate", "sn 1"))
    (tmp_path / "paper.html").write_text(hub("certificate", "sn 1", "--html"))
    key = hub("public-key").strip()
    (tmp_path / "serial-hub.db").unlink()
    for paper in ("paper.json", "paper.html"):
        told = hub("check-certificate", paper, "--public-key", key)
        assert told == "The certificate holds.\n"
