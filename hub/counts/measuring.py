"""Inventory accuracy: agreement of the ledger with the shelves, count by count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from hub import catalogue
from hub.clock import micros
from hub.counts.counting import Kind
from hub.counts.rows import CountOfPlace
from hub.storage.paging import page_size
from hub.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Tally:
    """Numbers of serials of each kind that a count found."""

    confirmed: int = 0
    missing: int = 0
    unexpected: int = 0
    misplaced: int = 0

    @property
    def accuracy(self) -> float | None:
        """Return the share of confirmed serials, 0 to 1; None for a count of nothing."""
        total = self.confirmed + self.missing + self.unexpected + self.misplaced
        return self.confirmed / total if total else None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The counts of a place, oldest first, and the drift of their accuracy."""

    counts: tuple[tuple[CountOfPlace, Tally], ...]

    @property
    def drift(self) -> float | None:
        """Return the accuracy of the last count minus the first; None for less than two."""
        known = [tally.accuracy for _, tally in self.counts if tally.accuracy is not None]
        return known[-1] - known[0] if len(known) > 1 else None


class _KindCount(TypedDict):
    count_id: str
    kind: str
    serials: int


def tally(tx: Transaction, count_ids: Sequence[str]) -> dict[str, Tally]:
    """Count the serials of each kind in counts, by the counts' ids."""
    found: dict[str, dict[str, int]] = {count_id: {} for count_id in count_ids}
    for row in tx.rows_as(
        _KindCount,
        "SELECT count_id, kind, COUNT(*) AS serials FROM count_result "
        "WHERE count_id IN (:counts...) GROUP BY count_id, kind",
        counts=list(count_ids),
    ):
        found[row["count_id"]][row["kind"]] = row["serials"]
    return {
        count_id: Tally(**{str(kind): kinds.get(str(kind), 0) for kind in Kind})
        for count_id, kinds in found.items()
    }


def accuracy(
    tx: Transaction, location: str, *, since: datetime | None = None, last: int = 10
) -> Accuracy:
    """Return the last closed counts of a site with its bins, or of one bin."""
    place = catalogue.location(tx, location)
    rows = tx.rows_as(
        CountOfPlace,
        "SELECT stock_count.*, location.code FROM stock_count "
        "JOIN location ON location.id = stock_count.location_id "
        "WHERE (location.id = :place OR location.site_id = :place) "
        "AND stock_count.state = 'closed' AND stock_count.closed_at >= :since "
        "ORDER BY stock_count.closed_at DESC, stock_count.id DESC LIMIT :last",
        place=place["id"],
        since=micros(since) if since else 0,
        last=page_size(last),
    )
    tallies = tally(tx, [row["id"] for row in rows])
    return Accuracy(tuple((row, tallies[row["id"]]) for row in reversed(rows)))
