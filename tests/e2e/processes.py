"""Processes of the hub for tests: the real command, with a port and a log file of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from world import KEY

SECONDS_MAX = 30.0
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class HubProcess:
    """One running `serial-hub serve`."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def kill(self) -> None:
        """End all its processes at once, in the middle of whatever they do (SIGKILL)."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS_MAX)

    def children(self) -> set[int]:
        """Return the processes that serve, where there are several."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        served = "from multiprocessing.spawn import spawn_main"
        return {
            int(pid)
            for pid in task.read_text().split()
            if served in Path(f"/proc/{pid}/cmdline").read_text()
        }

    def stop(self) -> int:
        """Ask it to end (SIGTERM) and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS_MAX)


@contextmanager
def hub_process(role: str, database_url: str, folder: Path, **more: str) -> Iterator[HubProcess]:
    """Run a hub in the given role on a database; it is killed when the block ends.

    `more` are settings, by the second half of their variables' names in lower case.
    """
    hub = start(role, database_url, folder, **more)
    try:
        yield hub
    finally:
        hub.kill()


def start(role: str, database_url: str, folder: Path, **more: str) -> HubProcess:
    """Start a hub; whoever starts it ends it."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if "SERIAL_HUB" not in name},
        "SERIAL_HUB_DATABASE": database_url,
        "SERIAL_HUB_SECRET_KEY": KEY,
        "SERIAL_HUB_PRIVATE_HOSTS": "127.0.0.1",
        "SERIAL_HUB_PORT": str(port),
        # Nothing but what the test is about happens by schedule.
        "SERIAL_HUB_POLL_SECONDS": "3600",
        "SERIAL_HUB_RECONCILE_SECONDS": "3600",
        **{f"SERIAL_HUB_{name.upper()}": value for name, value in more.items()},
    }
    command = [sys.executable, "-m", "serial_hub", "serve", "--role", role]
    log = folder / f"{role}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return HubProcess(process, f"http://127.0.0.1:{port}", log)


@contextmanager
def api_process(database_url: str, folder: Path, **more: str) -> Iterator[HubProcess]:
    """Run a hub that serves its API and does nothing else; it is ready when the block begins."""
    with (
        hub_process("api", database_url, folder, **more) as hub,
        httpx.Client(base_url=hub.url) as client,
    ):
        until(lambda: _is_ready(client), hub)
        yield hub


def until(reached: Callable[[], bool], hub: HubProcess) -> None:
    """Wait for something that a process brings about; show its log if it does not."""
    deadline = time.monotonic() + SECONDS_MAX
    while not reached():
        if time.monotonic() > deadline or hub.process.poll() is not None:
            raise AssertionError(f"it did not happen; the process says:\n{hub.log.read_text()}")
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
