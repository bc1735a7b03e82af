"""Shapes of the rows of counts that several modules read."""

from typing import TypedDict

from hub.storage.rows import CountResultRow, CountScanRow, StockCountRow


class CountOfPlace(StockCountRow):
    """A count with the code of its place."""

    code: str


class PlacedCount(CountOfPlace):
    """A count with the code and the site of its place."""

    site_id: str


class PlacedScan(CountScanRow):
    """A scan with the code of its place."""

    code: str


class ResultOfCount(CountResultRow):
    """A result with the codes of its places."""

    expected_code: str | None
    found_code: str | None


class FoundResult(CountResultRow):
    """A result with the site where the unit was found."""

    found_site: str | None


class CountedUnit(TypedDict):
    """The columns of a unit that a count compares."""

    id: str
    serial: str
    status: str
    version: int
    product_id: str
    location_id: str
    location_site_id: str
    category: str | None
    value: int | None
