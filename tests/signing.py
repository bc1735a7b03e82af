"""Signing in a test's world: what has just happened is signed as soon as it may be."""

import json
import time
from typing import Any

from hub.ledger import event_views
from hub.proof import certificate, checkpoints
from hub.proof.checkpoints import Signer
from world import World


def settle(world: World) -> None:
    """Wait until no transaction of the server is older than the newest event."""
    events = world.value("SELECT COUNT(*) FROM event")
    deadline = time.monotonic() + 30
    while len(world.read(lambda tx: event_views.sealed_after(tx, 0, 0, limit=events + 1))) < events:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def sign(world: World) -> int:
    """Sign everything; return how many events were signed now."""
    settle(world)
    return world.write(lambda tx: checkpoints.make(tx, Signer(world.vault), world.now))


def issued(world: World, serial: str = "SN-1") -> dict[str, Any]:
    """Issue a certificate, as it is read from a file."""
    paper = world.read(
        lambda tx: certificate.issue(tx, Signer(world.vault), serial, None, world.now)
    )
    found: dict[str, Any] = json.loads(json.dumps(paper))
    return found
