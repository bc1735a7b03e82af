"""Pages of rows: forward by the id of the last row. Ids are time-ordered: pages never shift."""

from dataclasses import dataclass, field
from typing import Any

from hub.errors import InvalidInput

PAGE_MAX = 200


@dataclass(slots=True)
class Filter:
    """Conditions that are joined by AND, with their values."""

    conditions: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, condition: str, **values: Any) -> None:
        """Add a condition, unless one of its values is None: then nobody asked for it."""
        if None not in values.values():
            self.conditions.append(condition)
            self.values |= values

    def where(self) -> str:
        """Return the WHERE clause."""
        return f"WHERE {' AND '.join(self.conditions)} " if self.conditions else ""


def page_size(first: int) -> int:
    """Check how many rows are asked for."""
    if not 0 < first <= PAGE_MAX:
        raise InvalidInput(f"first is 1 to {PAGE_MAX}", field="first")
    return first
