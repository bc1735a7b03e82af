"""Service levels of reconciliation: how soon differences are detected and healed, and by what.

Percentiles are by nearest rank: the smallest time that at least this share of the times does not
exceed. A difference whose claims changed is measured once, from the first run that found it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypedDict

from hub.clock import micros, moment
from hub.errors import InvalidInput
from hub.storage.sql import Transaction

DAYS_DEFAULT = 30
DAYS_MAX = 366
DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took: the number of times, and two percentiles of them."""

    number: int
    p50: timedelta | None
    p95: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Sums of one day (UTC), by the begin of its runs."""

    on: date
    runs: int = 0
    compared: int = 0
    differences: int = 0  # found by the runs; one that lasts counts in each of them
    begun: int = 0  # disagreements that were found for the first time
    healed: int = 0
    closed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevels:
    """Service levels of one channel over a period.

    `unattended` were healed by a rule, `attended` healed or dismissed by a person; `agreed` ended
    without a fix of the hub and count for neither.
    """

    since: datetime
    until: datetime
    detect: Times  # at most: from the begin of the last finished run that did not find it
    heal: Times  # from the run that found it first to the look that found that both sides agree
    unattended: int
    attended: int
    agreed: int
    oldest_open_at: datetime | None
    oldest_unexplained_at: datetime | None
    compared_at: datetime | None  # begin of the last finished run, of the scope that waits longest
    days: tuple[Day, ...]  # those with runs or differences, the oldest first

    @property
    def unattended_percent(self) -> float | None:
        """Return the share of the healed and dismissed that no person worked on, in percent."""
        decided = self.unattended + self.attended
        return 100 * self.unattended / decided if decided else None


class _Percentiles(TypedDict):
    number: int
    p50: int | None
    p95: int | None


class _Ends(TypedDict):
    unattended: int
    attended: int
    agreed: int


class _Oldest(TypedDict):
    oldest: int | None
    unexplained: int | None


class _RunDay(TypedDict):
    day: int
    runs: int
    compared: int
    differences: int
    healed: int
    closed: int


class _BegunDay(TypedDict):
    day: int
    begun: int


# `times` holds what took so long, and for how many differences.
_RANKED = (
    ", ranked AS (SELECT took, weight, SUM(weight) OVER (ORDER BY took "
    "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place, SUM(weight) OVER () AS number "
    "FROM times WHERE took IS NOT NULL) "
    "SELECT CAST(COALESCE(SUM(weight), 0) AS BIGINT) AS number, "
    "MIN(CASE WHEN place * 100 >= number * 50 THEN took END) AS p50, "
    "MIN(CASE WHEN place * 100 >= number * 95 THEN took END) AS p95 FROM ranked"
)
# The run before is looked for once for each batch of a run, not for each of its differences.
_DETECT = (
    "WITH begun AS (SELECT run_id, found_at, COUNT(*) AS weight FROM reconciliation_difference "
    "WHERE channel_id = :channel AND found_at >= :since AND found_at = first_seen_at "
    "GROUP BY run_id, found_at), "
    "times AS MATERIALIZED (SELECT begun.weight, begun.found_at - (SELECT earlier.started_at "
    "FROM reconciliation_run AS earlier WHERE earlier.channel_id = run.channel_id "
    "AND earlier.scope = run.scope AND earlier.state = 'finished' "
    "AND earlier.started_at >= 0 AND earlier.started_at < run.started_at "
    "ORDER BY earlier.started_at DESC LIMIT 1) AS took "
    "FROM begun JOIN reconciliation_run AS run ON run.id = begun.run_id)"
)
_HEAL = (
    "WITH times AS (SELECT 1 AS weight, closed_at - first_seen_at AS took "
    "FROM reconciliation_difference WHERE channel_id = :channel AND closed_at >= :since "
    "AND state IN ('healed', 'closed') AND first_seen_at BETWEEN 0 AND closed_at)"
)


def measure(
    tx: Transaction, channel_id: str, now: datetime, *, days: int = DAYS_DEFAULT
) -> ServiceLevels:
    """Return the service levels of a channel over the last days.

    Raises InvalidInput for a number of days out of its bounds.
    """
    if not 1 <= days <= DAYS_MAX:
        raise InvalidInput(f"a period has 1 to {DAYS_MAX} days", field="days")
    since = now - timedelta(days=days)
    ends = _ends(tx, channel_id, since)
    oldest = _oldest(tx, channel_id)
    return ServiceLevels(
        since=since,
        until=now,
        detect=_times(tx, _DETECT, channel_id, since),
        heal=_times(tx, _HEAL, channel_id, since),
        unattended=ends["unattended"],
        attended=ends["attended"],
        agreed=ends["agreed"],
        oldest_open_at=_at(oldest["oldest"]),
        oldest_unexplained_at=_at(oldest["unexplained"]),
        compared_at=_compared_at(tx, channel_id, since),
        days=_days(tx, channel_id, since),
    )


def _at(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


def _times(tx: Transaction, times: str, channel_id: str, since: datetime) -> Times:
    row = tx.row_as(_Percentiles, times + _RANKED, channel=channel_id, since=micros(since))
    assert row is not None  # an aggregate has one row
    p50, p95 = (
        None if each is None else timedelta(microseconds=each) for each in (row["p50"], row["p95"])
    )
    return Times(row["number"], p50, p95)


def _ends(tx: Transaction, channel_id: str, since: datetime) -> _Ends:
    row = tx.row_as(
        _Ends,
        "SELECT COUNT(CASE WHEN state = 'healed' AND fix_rule IS NOT NULL THEN 1 END) "
        "AS unattended, COUNT(CASE WHEN state = 'dismissed' OR (state = 'healed' "
        "AND fix_rule IS NULL) THEN 1 END) AS attended, "
        "COUNT(CASE WHEN state = 'closed' THEN 1 END) AS agreed "
        "FROM reconciliation_difference WHERE channel_id = :channel AND closed_at >= :since",
        channel=channel_id,
        since=micros(since),
    )
    assert row is not None  # an aggregate has one row
    return row


def _oldest(tx: Transaction, channel_id: str) -> _Oldest:
    row = tx.row_as(
        _Oldest,
        "SELECT MIN(first_seen_at) AS oldest, "
        "MIN(CASE WHEN cause = 'unexplained' THEN first_seen_at END) AS unexplained "
        "FROM reconciliation_difference WHERE channel_id = :channel AND live "
        "AND state IN ('open', 'healing')",
        channel=channel_id,
    )
    assert row is not None  # an aggregate has one row
    return row


def _compared_at(tx: Transaction, channel_id: str, since: datetime) -> datetime | None:
    """Return when the scope that waits longest was compared; `since` if its runs all failed."""
    return _at(
        tx.value(
            "SELECT MIN(newest) FROM (SELECT COALESCE(MAX(CASE WHEN state = 'finished' "
            "THEN started_at END), :since) AS newest FROM reconciliation_run "
            "WHERE channel_id = :channel AND started_at >= :since GROUP BY scope) AS scopes",
            channel=channel_id,
            since=micros(since),
        )
    )


def _days(tx: Transaction, channel_id: str, since: datetime) -> tuple[Day, ...]:
    runs = {
        row["day"]: row
        for row in tx.rows_as(
            _RunDay,
            f"SELECT started_at / {DAY} AS day, COUNT(*) AS runs, "
            "CAST(SUM(compared) AS BIGINT) AS compared, "
            "CAST(SUM(differences) AS BIGINT) AS differences, "
            "CAST(SUM(healed) AS BIGINT) AS healed, CAST(SUM(closed) AS BIGINT) AS closed "
            "FROM reconciliation_run WHERE channel_id = :channel AND started_at >= :since "
            f"AND state = 'finished' GROUP BY started_at / {DAY}",
            channel=channel_id,
            since=micros(since),
        )
    }
    begun = {
        row["day"]: row["begun"]
        for row in tx.rows_as(
            _BegunDay,
            f"SELECT found_at / {DAY} AS day, COUNT(*) AS begun FROM reconciliation_difference "
            "WHERE channel_id = :channel AND found_at >= :since AND found_at = first_seen_at "
            f"GROUP BY found_at / {DAY}",
            channel=channel_id,
            since=micros(since),
        )
    }
    return tuple(
        _day(day, runs.get(day), begun.get(day, 0)) for day in sorted(runs.keys() | begun.keys())
    )


def _day(day: int, runs: _RunDay | None, begun: int) -> Day:
    on = moment(day * DAY).date()
    if runs is None:
        return Day(on=on, begun=begun)
    return Day(
        on=on,
        runs=runs["runs"],
        compared=runs["compared"],
        differences=runs["differences"],
        begun=begun,
        healed=runs["healed"],
        closed=runs["closed"],
    )
