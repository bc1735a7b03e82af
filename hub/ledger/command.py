"""Unit command: one action with its parameters, apart from the units it applies to."""

from dataclasses import dataclass
from typing import Any

from hub.lifecycle import Action
from hub.storage.rows import LocationRow
from hub.storage.sql import Row
from hub.vocabulary import BizStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a unit is: its serial as on the label, and the ids of its product and manufacturer."""

    serial: str
    product_id: str
    manufacturer_id: str
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCommand:
    """One action with its location, allocation, hold, grade and further details for the event.

    `kit` is the id of the unit that the units become part of, `members` the number of parts of the
    unit afterwards; `into` is the id of the record that absorbs this one, `identity` what a unit is
    from now on. `step` overrides the business step of the action. `line` is the id of an order
    line, `expires_at` in microseconds since 1970. `owner` is the API key whose promise it becomes:
    others may not pick, sell or release it.
    """

    action: Action
    location: LocationRow | Row | None = None
    line: str | None = None
    hold_kind: str | None = None
    hold_reference: str | None = None
    expires_at: int | None = None
    owner: str | None = None
    grade: str | None = None
    condition: str | None = None
    kit: str | None = None
    members: int | None = None
    into: str | None = None
    step: BizStep | None = None
    details: dict[str, Any] | None = None
    identity: Identity | None = None
