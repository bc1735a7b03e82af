"""On PostgreSQL several processes serve one port: each alone can end, and together they do."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from e2e.processes import (
    POLL_SECONDS,
    SECONDS_MAX,
    HubProcess,
    api_process,
    hub_process,
    until,
)
from serial_hub import processes
from world import World

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)

REQUESTS = 40


def ask(hub: HubProcess) -> None:
    """Ask over a new connection, which the kernel gives to any of the processes."""
    assert httpx.get(f"{hub.url}/readyz").status_code == 200


def is_gone(pid: int) -> bool:
    """Say whether a process has ended; one that nobody has asked after yet has, too."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


def listeners(hub: HubProcess) -> int:
    """Return how many sockets listen on the port of a hub, as the kernel tells."""
    port = f":{int(hub.url.rpartition(':')[2]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(port) and row[3] == "0A" for row in rows)


def test_each_process_serves_and_one_that_dies_is_replaced(world: World, tmp_path: Path) -> None:
    with api_process(world.database.url, tmp_path, processes="3") as hub:
        until(lambda: listeners(hub) == 3, hub)
        before = hub.children()
        assert len(before) == 3
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(hub.children() - before) == 1 and listeners(hub) == 3, hub)
        for _ in range(REQUESTS):
            ask(hub)
        assert f"process {victim} ended: -9" in hub.log.read_text()


def test_told_to_stop_all_of_them_end_with_0(world: World, tmp_path: Path) -> None:
    with api_process(world.database.url, tmp_path, processes="2") as hub:
        until(lambda: listeners(hub) == 2, hub)
        children = hub.children()
        assert hub.stop() == 0
        assert all(map(is_gone, children))
        assert listeners(hub) == 0


def test_without_their_parent_they_end_too(world: World, tmp_path: Path) -> None:
    with api_process(world.database.url, tmp_path, processes="2") as hub:
        children = hub.children()
        hub.process.kill()
        hub.process.wait()
        deadline = time.monotonic() + SECONDS_MAX
        while not all(map(is_gone, children)):
            assert time.monotonic() < deadline, hub.log.read_text()
            time.sleep(POLL_SECONDS)
        assert listeners(hub) == 0


def test_a_port_that_is_taken_is_said_at_once(world: World, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with hub_process("api", world.database.url, tmp_path, processes="2", port=port) as hub:
            assert hub.process.wait(SECONDS_MAX) == 1
        assert f"127.0.0.1:{port} can not be listened on" in hub.log.read_text()


def test_what_can_not_start_is_not_tried_for_ever(world: World) -> None:
    vain = [
        sys.executable,
        "-c",
        "from serial_hub import processes; processes.keep('builtins:int', '', 1)",
    ]
    ended = subprocess.run(vain, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert ended.returncode == 1
    assert ended.stderr.endswith("The hub could not start: see above.\n")
    assert ended.stderr.count("ValueError") == processes.YOUNG_DEATHS_MAX
