"""Shapes of the rows that reconciliation reads."""

from typing import TypedDict

from hub.storage.rows import ListingLevelRow


class BoundLevel(ListingLevelRow):
    """A level with its listing: SKU, references, and the tracking of its product."""

    sku: str
    remote: str
    reference: str
    copy_of: str | None
    tracking: str


class SentFact(TypedDict):
    """The columns of a fact that identify the differences that it heals."""

    channel_id: str
    subject: str


class Identified(TypedDict):
    """A row by its id."""

    id: str
