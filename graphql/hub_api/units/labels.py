"""Labels of units, as they are shown and printed."""

import strawberry

from hub.identifiers import labels
from hub.identifiers.labels import LabelFormat
from hub.storage.sql import Row


@strawberry.type(description="The label of a unit; asking again prints it again.")
class UnitLabel:
    content: str = strawberry.field(
        description="Content of the code: a GS1 Digital Link, or the id of the unit."
    )
    element_string: str | None = strawberry.field(description="GS1 for people: (01)…(21)…")
    lines: list[str]
    media_type: str
    body: str = strawberry.field(description="To be sent to the printer, or shown.")

    @classmethod
    def of(cls, unit: Row, form: LabelFormat) -> "UnitLabel":
        """Draw the label of a unit; no unit is made or changed by it."""
        label = labels.unit_label(unit, form)
        return cls(
            content=label.content,
            element_string=label.element_string,
            lines=list(label.lines),
            media_type=label.media_type,
            body=label.body,
        )
