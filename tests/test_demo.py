"""The demo: the main job from beginning to end, in a process of its own."""

import subprocess
import sys
from pathlib import Path


def test_the_demo_ends_in_agreement(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "hub", "demo", "--once"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "The ledger and all channels agree." in told.stdout
    assert "lost webhook" in told.stdout
    assert "foreign edit" in told.stdout
    assert "Traceback" not in told.stderr
    proved = subprocess.run(
        [sys.executable, "-m", "hub", "verify"],
        cwd=tmp_path,
        env={"SERIAL_HUB_DATABASE": "sqlite:///demo-data/serial-hub.db", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert proved.returncode == 0, proved.stderr
    assert ", 0 breaks" in proved.stdout
