"""Which orders the looks of a scope saw, page by page, and the period whose orders a run lists.

A row for each order and scope takes the place of a set of all references, so that the memory of a
run does not grow with its orders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

import orjson

from hub.clock import micros, moment
from hub.reconciliation.kinds import Scope
from hub.reconciliation.runs import Run
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import channels

FIRST_WINDOW = timedelta(days=30)  # of the first run of a channel
WINDOW_MAX = timedelta(days=90)  # open orders that are older are read one by one
OVERLAP = timedelta(hours=1)  # with the last clean run: clocks differ, and lists lag behind
OPEN = ("open", "pending", "draft")  # states of orders that still take units, or may soon


@dataclass(frozen=True, slots=True)
class Window:
    """Period whose orders a run lists, by the time they were placed; both ends are included."""

    since: datetime
    until: datetime


class GoneOrder(TypedDict):
    """An order that was not found: at which look first, and at which one last."""

    ref: str
    gone_since: int
    seen_at: int


class _Ref(TypedDict):
    ref: str


class _Unseen(TypedDict):
    ref: str
    seen_at: int


class _Shown(TypedDict):
    ref: str
    serials: str


class _About(TypedDict):
    about: str


def window(
    tx: Transaction,
    channel: ChannelRow,
    scope: Scope,
    now: datetime,
    given: timedelta | None = None,
) -> Window:
    """Return the period that a run lists: from the last clean run, or the length that is given.

    It reaches back to the oldest open order, at most WINDOW_MAX from now.
    """
    if given is not None:
        return Window(now - given, now)
    clean = channels.cursor(tx, channel["id"], _mark(scope))
    since = datetime.fromisoformat(clean) - OVERLAP if clean else now - FIRST_WINDOW
    oldest = tx.value(
        "SELECT MIN(placed_at) FROM sales_order WHERE channel_id = :channel "
        "AND state IN (:states...)",
        channel=channel["id"],
        states=list(OPEN),
    )
    if oldest is not None:
        since = min(since, max(moment(oldest), now - WINDOW_MAX))
    return Window(since, now)


def clean(tx: Transaction, run: Run, period: Window) -> None:
    """Record that the orders of a period were listed completely: the next run begins there.

    A shorter period that does not reach the last clean run moves nothing.
    """
    last = channels.cursor(tx, run.channel["id"], _mark(run.scope))
    if last and datetime.fromisoformat(last) < period.since:
        return
    if not last and period.until - period.since < FIRST_WINDOW:
        return
    until = period.until
    channels.move_cursor(tx, run.channel["id"], _mark(run.scope), until.isoformat(), period.until)


def _mark(scope: Scope) -> str:
    return f"reconciled {scope}"


def forget_uncounted(tx: Transaction, run: Run) -> None:
    """Forget the looks of a resumed run whose outcomes were not counted: they are done again.

    An order that was not found keeps the time of that look.
    """
    tx.run(
        "DELETE FROM observed_order WHERE channel_id = :channel AND scope = :scope "
        "AND run_id = :run AND gone_since IS NULL AND NOT EXISTS (SELECT 1 "
        "FROM reconciliation_mark AS mark WHERE mark.run_id = :run "
        "AND mark.about = observed_order.ref)",
        channel=run.channel["id"],
        scope=str(run.scope),
        run=run.id,
    )


def see(
    tx: Transaction,
    run: Run,
    refs: Sequence[str],
    now: datetime,
    *,
    serials: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    suspects: frozenset[str] = frozenset(),
) -> None:
    """Record that the channel has these orders, with the serials that it shows by line."""
    shown = serials or {}
    tx.run_many(
        "INSERT INTO observed_order(channel_id, scope, ref, run_id, seen_at, serials, suspect) "
        "VALUES(:channel, :scope, :ref, :run, :now, :serials, :suspect) "
        "ON CONFLICT(channel_id, scope, ref) DO UPDATE SET run_id = excluded.run_id, "
        "seen_at = excluded.seen_at, serials = excluded.serials, suspect = excluded.suspect, "
        "gone_since = NULL",
        [
            {
                "channel": run.channel["id"],
                "scope": str(run.scope),
                "ref": ref,
                "run": run.id,
                "now": micros(now),
                "serials": orjson.dumps(shown[ref]).decode() if ref in shown else None,
                "suspect": ref in suspects,
            }
            for ref in refs
        ],
    )


def miss(tx: Transaction, run: Run, refs: Sequence[str], now: datetime) -> None:
    """Record that orders were not found; the time of the first such look stays."""
    tx.run_many(
        "INSERT INTO observed_order(channel_id, scope, ref, run_id, seen_at, gone_since) "
        "VALUES(:channel, :scope, :ref, :run, :now, :now) "
        "ON CONFLICT(channel_id, scope, ref) DO UPDATE SET run_id = excluded.run_id, "
        "seen_at = excluded.seen_at, "
        "gone_since = COALESCE(observed_order.gone_since, excluded.gone_since)",
        [
            {
                "channel": run.channel["id"],
                "scope": str(run.scope),
                "ref": ref,
                "run": run.id,
                "now": micros(now),
            }
            for ref in refs
        ],
    )


def unseen(tx: Transaction, run: Run, until: datetime, *, limit: int) -> list[str]:
    """Return orders that the run has not seen, the longest unread first.

    These are the orders that are open here, and those of the live differences of the scope.
    """
    rows = tx.rows_as(
        _Unseen,
        "SELECT wanted.ref, COALESCE(observed_order.seen_at, 0) AS seen_at FROM ("
        "SELECT ref FROM sales_order WHERE channel_id = :channel AND state IN (:states...) "
        "AND placed_at <= :until UNION SELECT about AS ref FROM reconciliation_difference "
        "WHERE channel_id = :channel AND scope = :scope AND live) AS wanted "
        "LEFT JOIN observed_order ON observed_order.channel_id = :channel "
        "AND observed_order.scope = :scope AND observed_order.ref = wanted.ref "
        "WHERE observed_order.run_id IS NULL OR observed_order.run_id <> :run "
        "ORDER BY 2, 1 LIMIT :limit",
        channel=run.channel["id"],
        scope=str(run.scope),
        states=list(OPEN),
        until=micros(until),
        run=run.id,
        limit=limit,
    )
    return [row["ref"] for row in rows]


def unseen_differences(tx: Transaction, run: Run, *, limit: int) -> list[str]:
    """Return the orders of live differences of the scope that the run has not seen."""
    rows = tx.rows_as(
        _About,
        "SELECT difference.about FROM reconciliation_difference AS difference "
        "LEFT JOIN observed_order ON observed_order.channel_id = difference.channel_id "
        "AND observed_order.scope = difference.scope AND observed_order.ref = difference.about "
        "WHERE difference.channel_id = :channel AND difference.scope = :scope AND difference.live "
        "AND (observed_order.run_id IS NULL OR observed_order.run_id <> :run) "
        "ORDER BY COALESCE(observed_order.seen_at, 0), difference.about LIMIT :limit",
        channel=run.channel["id"],
        scope=str(run.scope),
        run=run.id,
        limit=limit,
    )
    return [row["about"] for row in rows]


def skip(tx: Transaction, run: Run, refs: Sequence[str]) -> None:
    """Record that the run leaves out these orders: the next run begins with them."""
    tx.run_many(
        "INSERT INTO observed_order(channel_id, scope, ref, run_id, seen_at) "
        "VALUES(:channel, :scope, :ref, :run, 0) ON CONFLICT(channel_id, scope, ref) "
        "DO UPDATE SET run_id = excluded.run_id",
        [
            {"channel": run.channel["id"], "scope": str(run.scope), "ref": ref, "run": run.id}
            for ref in refs
        ],
    )


def gone(tx: Transaction, run: Run, after: str, *, limit: int) -> list[GoneOrder]:
    """Return orders that the looks of the run did not find, in order of references."""
    return tx.rows_as(
        GoneOrder,
        "SELECT ref, gone_since, seen_at FROM observed_order WHERE channel_id = :channel "
        "AND scope = :scope AND run_id = :run AND gone_since IS NOT NULL AND ref > :after "
        "ORDER BY ref LIMIT :limit",
        channel=run.channel["id"],
        scope=str(run.scope),
        run=run.id,
        after=after,
        limit=limit,
    )


def gone_of(tx: Transaction, run: Run, refs: Sequence[str]) -> list[GoneOrder]:
    """Return those of some orders that the newest look did not find."""
    return tx.rows_as(
        GoneOrder,
        "SELECT ref, gone_since, seen_at FROM observed_order WHERE channel_id = :channel "
        "AND scope = :scope AND gone_since IS NOT NULL AND ref IN (:refs...) ORDER BY ref",
        channel=run.channel["id"],
        scope=str(run.scope),
        refs=list(refs),
    )


def count_gone(tx: Transaction, run: Run) -> int:
    """Count the orders that are open here and that the looks of the run did not find."""
    found = tx.value(
        "SELECT COUNT(*) FROM observed_order JOIN sales_order "
        "ON sales_order.channel_id = observed_order.channel_id "
        "AND sales_order.ref = observed_order.ref WHERE observed_order.channel_id = :channel "
        "AND observed_order.scope = :scope AND observed_order.run_id = :run "
        "AND observed_order.gone_since IS NOT NULL AND sales_order.state IN (:states...)",
        channel=run.channel["id"],
        scope=str(run.scope),
        run=run.id,
        states=list(OPEN),
    )
    return int(found)


def suspects(
    tx: Transaction, run: Run, after: str, *, limit: int
) -> dict[str, dict[str, list[str]]]:
    """Return orders whose serials did not match at the first look, with what they show by line.

    They are in order of their references.
    """
    rows = tx.rows_as(
        _Shown,
        "SELECT ref, serials FROM observed_order WHERE channel_id = :channel AND scope = :scope "
        "AND run_id = :run AND suspect AND serials IS NOT NULL AND ref > :after "
        "ORDER BY ref LIMIT :limit",
        channel=run.channel["id"],
        scope=str(run.scope),
        run=run.id,
        after=after,
        limit=limit,
    )
    return {row["ref"]: orjson.loads(row["serials"]) for row in rows}
