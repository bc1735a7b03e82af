"""Reconciliation runs and their differences, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from hub.reconciliation.kinds import Kind, State
from hub.storage.paging import Filter, page_size
from hub.storage.rows import ReconciliationDifferenceRow, ReconciliationRunRow
from hub.storage.sql import Transaction


class RunRow(ReconciliationRunRow):
    """A run with its channel."""

    channel_code: str
    channel_name: str


class DifferenceRow(ReconciliationDifferenceRow):
    """A difference with its channel, and the SKU of its product."""

    channel_code: str
    channel_name: str
    sku: str | None


def runs(
    tx: Transaction, *, first: int, before: str | None, channel: str | None = None
) -> list[RunRow]:
    """Return reconciliation runs, the newest first, one more than asked for."""
    wanted = Filter()
    wanted.add("reconciliation_run.id < :before", before=before)
    wanted.add("channel.code = :channel", channel=channel)
    return tx.rows_as(
        RunRow,
        "SELECT reconciliation_run.*, channel.code AS channel_code, "
        "channel.name AS channel_name FROM reconciliation_run "
        f"JOIN channel ON channel.id = reconciliation_run.channel_id {wanted.where()}"
        "ORDER BY reconciliation_run.id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def run(tx: Transaction, run_id: str) -> RunRow | None:
    """Return one run."""
    return tx.row_as(
        RunRow,
        "SELECT reconciliation_run.*, channel.code AS channel_code, "
        "channel.name AS channel_name FROM reconciliation_run "
        "JOIN channel ON channel.id = reconciliation_run.channel_id "
        "WHERE reconciliation_run.id = :id",
        id=run_id,
    )


_DIFFERENCE = (
    "SELECT difference.*, channel.code AS channel_code, channel.name AS channel_name, "
    "product.sku FROM reconciliation_difference AS difference "
    "JOIN channel ON channel.id = difference.channel_id "
    "LEFT JOIN product ON product.id = difference.product_id "
)


def difference(tx: Transaction, difference_id: str) -> DifferenceRow | None:
    """Return one difference."""
    return tx.row_as(DifferenceRow, f"{_DIFFERENCE}WHERE difference.id = :id", id=difference_id)


def differences(
    tx: Transaction,
    *,
    first: int,
    after: str | None,
    run: str | None = None,
    state: State | None = None,
    kind: Kind | None = None,
    channel: str | None = None,
) -> list[DifferenceRow]:
    """Return differences in the order in which they were found, one more than asked for.

    Those of a run are all that it found, also those that an earlier run found first.
    """
    wanted = Filter()
    wanted.add("difference.id > :after", after=after)
    wanted.add(
        "difference.id IN (SELECT difference_id FROM reconciliation_finding WHERE run_id = :run)",
        run=run,
    )
    wanted.add("difference.state = :state", state=state and str(state))
    wanted.add("difference.kind = :kind", kind=kind and str(kind))
    wanted.add("channel.code = :channel", channel=channel)
    return tx.rows_as(
        DifferenceRow,
        f"{_DIFFERENCE}{wanted.where()}ORDER BY difference.id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page of the differences of a run: the first so many after a difference."""

    run: str
    first: int
    after: str | None
    kind: Kind | None = None


class _Found(DifferenceRow):
    finding_run: str
    place: int


def differences_of_runs(
    tx: Transaction, wanted: Sequence[Wanted]
) -> dict[Wanted, list[DifferenceRow]]:
    """Return pages of differences of several runs, one more than asked for of each.

    Pages of one size that begin alike are read together.
    """
    found: dict[Wanted, list[DifferenceRow]] = {each: [] for each in wanted}
    for page in {(each.first, each.after, each.kind) for each in wanted}:
        first, after, kind = page
        rows = tx.rows_as(
            _Found,
            "SELECT * FROM (SELECT difference.*, channel.code AS channel_code, "
            "channel.name AS channel_name, product.sku, finding.run_id AS finding_run, "
            "ROW_NUMBER() OVER (PARTITION BY finding.run_id ORDER BY difference.id) AS place "
            "FROM reconciliation_finding AS finding "
            "JOIN reconciliation_difference AS difference "
            "ON difference.id = finding.difference_id "
            "JOIN channel ON channel.id = difference.channel_id "
            "LEFT JOIN product ON product.id = difference.product_id "
            "WHERE finding.run_id IN (:runs...) AND difference.id > :after "
            "AND difference.kind = COALESCE(:kind, difference.kind)) AS placed "
            "WHERE place <= :limit ORDER BY finding_run, id",
            runs=[each.run for each in wanted if (each.first, each.after, each.kind) == page],
            kind=kind and str(kind),
            after=after or "",
            limit=page_size(first) + 1,
        )
        for row in rows:
            found[Wanted(row["finding_run"], first, after, kind)].append(row)
    return found


class GroupRow(TypedDict):
    """Differences of one kind, cause and fix on one channel; of one run where runs are asked."""

    run_id: str

    channel_code: str
    channel_name: str
    kind: str
    cause: str
    fix: str
    number: int
    surplus: int
    shortage: int
    oldest: int
    sample: str


_GROUP = (
    "channel.code AS channel_code, channel.name AS channel_name, difference.kind, "
    "difference.cause, difference.fix, COUNT(*) AS number, "
    "SUM(CASE WHEN difference.surplus > 0 THEN difference.surplus ELSE 0 END) AS surplus, "
    "SUM(CASE WHEN difference.surplus < 0 THEN -difference.surplus ELSE 0 END) AS shortage, "
    "MIN(difference.first_seen_at) AS oldest, MIN(difference.evidence) AS sample "
)
_BY = "channel.code, channel.name, difference.kind, difference.cause, difference.fix"


def groups(
    tx: Transaction, *, state: State = State.OPEN, channel: str | None = None
) -> list[GroupRow]:
    """Return how many differences there are of each kind, cause and fix, the most first."""
    wanted = Filter()
    wanted.add("difference.state = :state", state=str(state))
    wanted.add("channel.code = :channel", channel=channel)
    return tx.rows_as(
        GroupRow,
        f"SELECT '' AS run_id, {_GROUP}FROM reconciliation_difference AS difference "
        f"JOIN channel ON channel.id = difference.channel_id {wanted.where()}"
        f"GROUP BY {_BY} ORDER BY COUNT(*) DESC, {_BY}",
        **wanted.values,
    )


def groups_of_runs(tx: Transaction, run_ids: Sequence[str]) -> dict[str, list[GroupRow]]:
    """Return the differences of runs by kind, cause and fix, the most first, for each run."""
    found: dict[str, list[GroupRow]] = {each: [] for each in run_ids}
    for row in tx.rows_as(
        GroupRow,
        f"SELECT finding.run_id, {_GROUP}FROM reconciliation_finding AS finding "
        "JOIN reconciliation_difference AS difference ON difference.id = finding.difference_id "
        "JOIN channel ON channel.id = difference.channel_id WHERE finding.run_id IN (:ids...) "
        f"GROUP BY finding.run_id, {_BY} ORDER BY COUNT(*) DESC, {_BY}",
        ids=list(run_ids),
    ):
        found[row["run_id"]].append(row)
    return found


def oldest_open(tx: Transaction) -> int | None:
    """Return the time at which the oldest open difference was first found: a service level."""
    value = tx.value(
        "SELECT MIN(first_seen_at) FROM reconciliation_difference WHERE state = 'open'"
    )
    return None if value is None else int(value)
