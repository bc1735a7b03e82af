"""Fuzz the running API: ``python -m tests.fuzz.api --seconds 60 [--schemathesis PATH]``.

Hostile arguments for every root field, by seeds, until the time is up; then Schemathesis against a
served hub, over /openapi.json and over GraphQL, where its command is given.
"""

import argparse
import asyncio
import logging
import random
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from api_client import Hub
from connectors.testing.serving import serve
from hub.access import keys
from hub.access.keys import Scope
from hub.storage.database import open_database
from hub.storage.migrations import migrate
from tests.fuzz.hostile import asked
from tests.fuzz.test_hostile import ask, root_fields
from world import World


class Bugs(logging.Handler):
    """Counts what the hub logs as errors of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


async def hostile(hub: Hub, seconds: float) -> tuple[int, list[str]]:
    """Ask hostile questions; return how many, and those that failed."""
    admin = await hub.caller(Scope.ADMIN)
    began, calls, failures = time.monotonic(), 0, list[str]()
    while time.monotonic() - began < seconds:
        seed = secrets.randbelow(2**31)
        draw = random.Random(seed)
        for kind, name in root_fields():
            body = asked(draw, kind, name)
            calls += 1
            try:
                said = await ask(admin, body)
                assert "INTERNAL" not in str(said)
            except (AssertionError, ValueError) as error:
                failures.append(f"{name}, seed {seed}: {error}")
            if time.monotonic() - began > seconds:
                break
    return calls, failures


async def schemathesis(hub: Hub, world: World, command: str, seconds: float) -> int:
    """Have Schemathesis ask a served hub; return how many of its runs failed."""
    _, secret = world.write(lambda tx: keys.create(tx, "fuzz", [Scope.ADMIN], world.now))
    failed = 0
    async with serve(hub.app) as url:
        # Over GraphQL every refusal is an error to Schemathesis: there our own log tells bugs.
        for path, most, check in (
            ("/openapi.json", 25, "not_a_server_error"),
            ("/graphql", 2, "status_code_conformance"),
        ):
            process = await asyncio.create_subprocess_exec(
                command, "run", f"{url}{path}", "--header", f"Authorization: Bearer {secret}",
                "--checks", check, "--max-examples", str(most), "--no-color",
                "--phases", "fuzzing", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                out, _ = await asyncio.wait_for(process.communicate(), seconds)
            except TimeoutError:
                process.kill()
                out, _ = await process.communicate()
                print(f"schemathesis {path}: stopped after {seconds:.0f} s", flush=True)
                continue
            print(f"schemathesis {path}:\n{out.decode()[-1_500:]}", flush=True)
            failed += process.returncode != 0
    return failed


async def main() -> int:
    """Do what the command line says; return 1 if something failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.api", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--schemathesis", metavar="PATH")
    options = parser.parse_args()
    bugs = Bugs()
    logging.getLogger("hub_api").addHandler(bugs)
    share = options.seconds / (3 if options.schemathesis else 1)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/hub.db"
        migrate(url)
        database = open_database(url)
        world = World.build(database)
        world.receive("SN-1", "SN-2")
        hub, failed = Hub(world), 0
        try:
            async with hub.opened:
                calls, failures = await hostile(hub, share)
                print(f"hostile arguments: {calls:,} calls, {len(failures)} failures", flush=True)
                for each in failures[:20]:
                    print(f"    {each[:400]}", flush=True)
                if options.schemathesis:
                    failed = await schemathesis(hub, world, options.schemathesis, share)
        finally:
            await hub.runtime.connections.aclose()
            database.close()
    print(f"{len(bugs.texts)} errors of the hub itself", flush=True)
    return 1 if failures or failed or bugs.texts else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
