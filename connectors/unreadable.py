"""Unreadable records: one entry of a remote's list that has another shape than its contract says.

An unreadable record concerns itself alone. It is kept, with what could not be read of it, and the
entries beside it are read as usual.
"""

from dataclasses import dataclass

from connectors.errors import Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRecord:
    """One record that could not be read: which one, which field of it, and why.

    Texts are short, can be stored, and hold no personal data.
    """

    kind: str
    """Of what it is a record: order, return, listing, warranty."""

    ref: str | None
    """The reference by which its connector reads it again; for a return, that of its order. None
    where that could not be read either."""

    field: str
    """Path of the field in the remote's own names: ``line_items[1].quantity``."""

    value: str
    """The value of the field as JSON, shortened."""

    reason: str
    raw: str
    """The record as JSON, shortened."""

    def __str__(self) -> str:
        """Name the record, the field and its value in one line."""
        name = f"{self.kind} {self.ref}" if self.ref else f"{self.kind} without a reference"
        return f"{name}: {self.field} is {self.value}: {self.reason}"


class Unreadable(Rejected):
    """The record that was asked for could not be read. Dead letter, and a case that names it."""

    def __init__(self, record: UnreadableRecord) -> None:
        super().__init__(str(record))
        self.record = record
