"""Count the files and functions of one operation: ``python -m tests.benchmarks.walk``.

Receive, pick and ship go through the GraphQL API, intake through the order of a channel. Each runs
once before it is counted: imports and caches do not count.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "graphql"), str(ROOT / "tests")]
PACKAGES = tuple(f"{ROOT / each}{os.sep}" for each in ("hub", "jobs", "graphql", "connectors"))
RECEIVE = """mutation($key: String!, $units: [ArrivalInput!]!) { receiveUnits(
  idempotencyKey: $key, units: $units, location: "WH", putAway: true) { __typename
  ... on Problem { message } } }"""
PICK = """mutation($key: String!, $units: [UnitInput!]!) { pickUnits(idempotencyKey: $key,
  units: $units) { __typename
  ... on Problem { message } } }"""
SHIP = """mutation($key: String!, $units: [UnitInput!]!) { shipUnits(idempotencyKey: $key,
  units: $units, carrier: "UPS", tracking: "1Z") { __typename
  ... on Problem { message } } }"""


class Walk:
    """What ran between entering and leaving, in every thread."""

    def __init__(self) -> None:
        self.functions: set[tuple[str, int]] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGES):
            self.functions.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

    @property
    def files(self) -> int:
        """Return how many files were passed."""
        return len({name for name, _ in self.functions})


def main() -> None:
    """Print one line for each operation."""
    from api_client import Caller, Hub, play
    from hub.access.keys import Scope
    from hub.storage.database import open_database
    from hub.storage.migrations import migrate
    from world import World

    walk = Walk()
    counting = [False]

    def profile(frame: FrameType, event: str, given: object) -> None:
        if counting[0]:
            walk(frame, event, given)

    threading.setprofile(profile)
    sys.setprofile(profile)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/hub.db"
        migrate(url)
        database = open_database(url)
        world = World.build(database)

        def counted(name: str) -> None:
            counting[0] = False
            sys.stdout.write(f"{name:8} {walk.files:4} files {len(walk.functions):5} functions\n")

        async def story(hub: Hub) -> None:
            caller: Caller = await hub.caller(Scope.SCANNER)

            async def ask(document: str, number: int, units: list[dict[str, str]]) -> None:
                key = f"{document.split('(')[1][-12:]}{number}{units}"
                (done,) = (await caller.ask(document, key=key, units=units)).values()
                assert "message" not in done, done

            shop = world.channel()
            for number in range(2):
                serial = f"SN-{number}"
                arrival = [{"serial": serial, "product": "CAM"}]
                steps: list[tuple[str, Callable[[], Any]]] = [
                    ("receive", lambda each=arrival: ask(RECEIVE, 0, each)),
                    ("intake", lambda each=f"o-{number}": world.accept(shop, world.order(each))),
                    ("pick", lambda each=serial: ask(PICK, 0, [{"identifier": each}])),
                    ("ship", lambda each=serial: ask(SHIP, 0, [{"identifier": each}])),
                ]
                for name, do in steps:
                    walk.functions.clear()
                    counting[0] = True
                    done = do()
                    if hasattr(done, "__await__"):
                        await done
                    counting[0] = False
                    if number:
                        counted(name)

        play(world, story)
        sys.setprofile(None)
        database.close()


if __name__ == "__main__":
    main()
