"""Short ways to correct what happened in a test's world."""

from typing import Any

from hub.clock import new_id
from hub.commands.work import Work
from hub.history import corrections
from hub.history.corrections import Changes, Corrected
from hub.history.replay import Declaration
from world import World


def never(world: World, serial: str, version: int, **more: Any) -> Corrected:
    """Declare that an event did not occur."""
    return correct(world, serial, version, Declaration.DID_NOT_OCCUR, **more)


def restate(world: World, serial: str, version: int, **changes: Any) -> Corrected:
    """State what was right instead."""
    return correct(world, serial, version, Declaration.INCORRECT_DATA, changes=Changes(**changes))


def correct(
    world: World, serial: str, version: int, declaration: Declaration, **more: Any
) -> Corrected:
    """Correct the event of a unit at a version."""
    event = world.history(serial)[version - 1]
    context = world.context(reason=more.pop("why", "wrong label scanned"))
    return world.write(
        lambda tx: corrections.correct(
            Work(tx, context, new_id()), event["id"], reason=declaration, **more
        )
    )
