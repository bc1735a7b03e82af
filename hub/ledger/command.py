"""What is commanded, beside the units it is commanded for."""

from dataclasses import dataclass
from typing import Any

from hub.lifecycle import Action
from hub.storage.sql import Row
from hub.vocabulary import BizStep


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCommand:
    """One action with its place, promise, hold, grade, and further details for the event.

    `kit` is the unit that the units become part of, `members` how many are part of the unit after
    it. `step` names the business step where it is not the action's own.
    `location` is a row of the location table, `line` the id of an order line, `expires_at` in
    microseconds since 1970.
    """

    action: Action
    location: Row | None = None
    line: str | None = None
    hold_kind: str | None = None
    hold_reference: str | None = None
    expires_at: int | None = None
    grade: str | None = None
    condition: str | None = None
    kit: str | None = None
    members: int | None = None
    step: BizStep | None = None
    details: dict[str, Any] | None = None
