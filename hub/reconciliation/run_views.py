"""Reconciliation runs and their differences, page by page."""

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


def differences(
    tx: Transaction,
    *,
    first: int,
    after: str | None,
    run: str | None = None,
    state: str | None = None,
    channel: str | None = None,
) -> list[DifferenceRow]:
    """Return differences in the order in which they were found, one more than asked for."""
    wanted = Filter()
    wanted.add("difference.id > :after", after=after)
    wanted.add("difference.run_id = :run", run=run)
    wanted.add("difference.state = :state", state=state)
    wanted.add("channel.code = :channel", channel=channel)
    return tx.rows_as(
        DifferenceRow,
        "SELECT difference.*, channel.code AS channel_code, channel.name AS channel_name, "
        "product.sku FROM reconciliation_difference AS difference "
        "JOIN channel ON channel.id = difference.channel_id "
        f"LEFT JOIN product ON product.id = difference.product_id {wanted.where()}"
        "ORDER BY difference.id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def oldest_unexplained(tx: Transaction) -> int | None:
    """Return the time at which the oldest open difference was first found: a service level."""
    value = tx.value(
        "SELECT MIN(first_seen_at) FROM reconciliation_difference WHERE state = 'open'"
    )
    return None if value is None else int(value)
