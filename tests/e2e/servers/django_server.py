"""Run somebody else's Django server for a test, in an environment of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

ENVIRONMENTS = Path(__file__).parents[3] / ".cache/e2e"
START_SECONDS_MAX = 180
STEP_SECONDS_MAX = 600


def python_of(name: str) -> Path:
    """Return the interpreter of the environment that `make e2e` made for a server."""
    return ENVIRONMENTS / name / "bin" / "python"


def why_not(name: str) -> str | None:
    """Say what is missing to run a server here, or None."""
    if python_of(name).exists():
        return None
    return f"{name} is not installed: `make e2e` installs tests/e2e/{name}/requirements.txt"


def step(
    name: str,
    command: list[str],
    *,
    where: Path,
    environment: Mapping[str, str],
    log: Path,
    told: str = "",
) -> str:
    """Run a program of the server's environment to its end; returns what it printed."""
    done = subprocess.run(
        [str(python_of(name)), *command],
        cwd=where,
        env={**os.environ, **environment},
        input=told,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=STEP_SECONDS_MAX,
    )
    with log.open("a") as output:
        output.write(done.stdout)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}"
    return done.stdout


@contextmanager
def served(
    name: str,
    application: str,
    *,
    where: Path,
    environment: Mapping[str, str],
    log: Path,
    port: int,
    ready: str,
) -> Iterator[str]:
    """Serve a WSGI application with gunicorn until the block ends; `ready` is a path to ask."""
    url = f"http://127.0.0.1:{port}"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                *(str(python_of(name)), "-m", "gunicorn", application),
                *("-b", f"127.0.0.1:{port}", "--threads", "4", "--graceful-timeout", "2"),
                *("--timeout", "120", "--no-control-socket"),
            ],
            cwd=where,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await(process, f"{url}{ready}", log)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=30).status_code < 500:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not start: {log.read_text()[-3000:]}")
