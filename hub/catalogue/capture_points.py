"""Capture points: actions of a product that require a scan of the unit.

Typed input does not prove which unit is present; a barcode or tag that was read does. Jobs are
exempt: a channel's sale has already happened, and refusing it would leave the unit for sale.
Approved commands are exempt too.
"""

from collections.abc import Iterable, Mapping
from typing import TypedDict

import orjson

from hub.commands.context import CommandContext
from hub.errors import CaptureRequired, InvalidInput
from hub.lifecycle import Action
from hub.storage.documents import values
from hub.storage.sql import Row
from hub.vocabulary import CaptureMethod

READ_FROM_THE_UNIT = frozenset({CaptureMethod.SCAN, CaptureMethod.RFID})
# Actions without handling of the unit: made at a desk, or consequences of another action.
NO_POINTS = frozenset({
    Action.HOLD, Action.UNBLOCK, Action.ALLOCATE, Action.REALLOCATE, Action.RELEASE, Action.LOSE,
    Action.REPORT_STOLEN, Action.FOLLOW_KIT, Action.ACTIVATE, Action.CHANGE_OWNER, Action.SENSE,
    Action.ANNOTATE, Action.REIDENTIFY, Action.MERGE, Action.ABSORB,
})  # fmt: skip
_ACTIONS = frozenset(str(action) for action in Action)


class CapturedProduct(TypedDict):
    """The columns of a product that the capture check reads."""

    sku: str
    capture_points: str


def checked_points(points: Iterable[str]) -> str:
    """Return capture points as stored JSON; raise InvalidInput for an invalid action."""
    wanted = sorted({str(point) for point in points})
    possible = sorted(str(action) for action in Action if action not in NO_POINTS)
    for point in wanted:
        if point not in possible:
            text = f"{point!r} is no point of capture: {', '.join(possible)}"
            raise InvalidInput(text, field="capturePoints")
    return orjson.dumps(wanted).decode()


def points(product: CapturedProduct | Row) -> list[Action]:
    """Return the actions that require a scan of a product's units."""
    return [Action(each) for each in values(product["capture_points"]) if each in _ACTIONS]


def unscanned(context: CommandContext, action: Action, wanted: Mapping[str, str]) -> set[str]:
    """Return the ids of the products that require a scan that the command does not have.

    `wanted` holds the stored capture points by product id.
    """
    if _satisfied(context) or action in NO_POINTS:
        return set()
    return {each for each, written in wanted.items() if action in values(written)}


def demand(context: CommandContext, product: CapturedProduct, *actions: Action) -> None:
    """Raise CaptureRequired if one of the actions requires a scan that the command lacks."""
    if _satisfied(context):
        return
    for action in points(product):
        if action in actions:
            raise missing(context, action, product["sku"])


def missing(context: CommandContext, action: Action, sku: str) -> CaptureRequired:
    """Return the refusal for an action without its required scan."""
    return CaptureRequired(
        f"{sku} must be scanned to {action.replace('_', ' ')}: {context.captured_by} is no scan",
        action=str(action),
        captured_by=str(context.captured_by),
    )


def _satisfied(context: CommandContext) -> bool:
    exempt = context.scope.startswith("job:") or context.approved_by is not None
    return context.captured_by in READ_FROM_THE_UNIT or exempt
