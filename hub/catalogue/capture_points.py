"""Where a product must be scanned: points of its way at which no other capture will do.

A person who types, or a program that says so, proves nothing about what lies on the table; a
barcode or a tag that was read does. What a job records is exempt: a channel's sale has happened
elsewhere, and to refuse it would leave the unit for sale. So is what somebody else has approved.
"""

from collections.abc import Iterable, Mapping

import orjson

from hub.commands.context import CommandContext
from hub.errors import CaptureRequired, InvalidInput
from hub.lifecycle import Action
from hub.storage.sql import Row
from hub.vocabulary import CaptureMethod

READ_FROM_THE_UNIT = frozenset({CaptureMethod.SCAN, CaptureMethod.RFID})
# These are made at a desk, or follow from another step: nobody has the unit in hand.
NO_POINTS = frozenset({
    Action.HOLD, Action.UNBLOCK, Action.ALLOCATE, Action.RELEASE, Action.LOSE,
    Action.REPORT_STOLEN, Action.FOLLOW_KIT, Action.ACTIVATE, Action.CHANGE_OWNER, Action.SENSE,
    Action.ANNOTATE,
})  # fmt: skip


def checked_points(points: Iterable[str]) -> str:
    """Return points as they are kept, or raise InvalidInput for one where nothing is handled."""
    wanted = sorted({str(point) for point in points})
    possible = sorted(str(action) for action in Action if action not in NO_POINTS)
    for point in wanted:
        if point not in possible:
            text = f"{point!r} is no point of capture: {', '.join(possible)}"
            raise InvalidInput(text, field="capturePoints")
    return orjson.dumps(wanted).decode()


def points(product: Row) -> list[Action]:
    """Return the actions for which units of a product must be scanned."""
    return [Action(point) for point in orjson.loads(product["capture_points"])]


def unscanned(context: CommandContext, action: Action, wanted: Mapping[str, str]) -> set[str]:
    """Return the products that need a scan for an action that was not captured by one.

    `wanted` are the points of products as they are kept, by the products' ids.
    """
    if _satisfied(context) or action in NO_POINTS:
        return set()
    return {each for each, written in wanted.items() if action in orjson.loads(written)}


def demand(context: CommandContext, product: Row, *actions: Action) -> None:
    """Raise CaptureRequired if a product must be scanned for one of the actions, and was not."""
    if _satisfied(context):
        return
    for action in points(product):
        if action in actions:
            raise missing(context, action, product["sku"])


def missing(context: CommandContext, action: Action, sku: str) -> CaptureRequired:
    """Return the refusal of an action whose scan is missing."""
    return CaptureRequired(
        f"{sku} must be scanned to {action.replace('_', ' ')}: {context.captured_by} is no scan",
        action=str(action),
        captured_by=str(context.captured_by),
    )


def _satisfied(context: CommandContext) -> bool:
    exempt = context.scope.startswith("job:") or context.approved_by is not None
    return context.captured_by in READ_FROM_THE_UNIT or exempt
