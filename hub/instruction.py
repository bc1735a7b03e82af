"""What is commanded, beside the units it is commanded for."""

from dataclasses import dataclass
from typing import Any

from hub.lifecycle import Action
from hub.sql import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One action with its place, promise, hold, grade, and further details for the event.

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
    details: dict[str, Any] | None = None
