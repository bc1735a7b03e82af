"""Limits of guessing: how often signing in may fail from one address, and for one prefix.

Failures are counted in the database, so that several processes count together. Whoever has used
them up waits until the end of the window, and is not even looked at before.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from hub.clock import micros, moment
from hub.storage.rows import FailedAttemptRow
from hub.storage.sql import Transaction

WINDOW = timedelta(minutes=15)
PER_ADDRESS_MAX = 10
PER_PREFIX_MAX = 20
PREFIX_CHARS = 12  # of a key: shk_ and eight more


def names(address: str, secret: str) -> Mapping[str, int]:
    """Return the names under which an attempt counts, each with its greatest number."""
    return {
        f"address {address[:64]}": PER_ADDRESS_MAX,
        f"prefix {hashlib.sha256(secret[:PREFIX_CHARS].encode()).hexdigest()[:32]}": PER_PREFIX_MAX,
    }


def wait(tx: Transaction, limits: Mapping[str, int], now: datetime) -> int:
    """Return after how many seconds the next attempt is looked at; 0: now."""
    rows = _current(tx, list(limits), now)
    ends = [moment(row["since"]) + WINDOW for row in rows if row["failures"] >= limits[row["name"]]]
    return max((-int(-(end - now).total_seconds() // 1) for end in ends), default=0)


def attempt(tx: Transaction, limits: Mapping[str, int], now: datetime) -> int:
    """Count an attempt before it is looked at; return how long to wait instead, or 0.

    Attempts at the same time count one after the other, so that a burst gets no more looks.
    """
    _count(tx, limits, now)
    seconds = wait(tx, {name: most + 1 for name, most in limits.items()}, now)
    if seconds:
        _uncount(tx, limits)
    return seconds


def succeeded(tx: Transaction, limits: Mapping[str, int]) -> None:
    """Count an attempt no longer: it did not fail."""
    _uncount(tx, limits)


def _count(tx: Transaction, limits: Mapping[str, int], now: datetime) -> None:
    tx.run_many(
        "INSERT INTO failed_attempt(name, failures, since) VALUES(:name, 1, :now) "
        "ON CONFLICT(name) DO UPDATE SET failures = CASE WHEN failed_attempt.since > :past "
        "THEN failed_attempt.failures + 1 ELSE 1 END, since = CASE WHEN failed_attempt.since "
        "> :past THEN failed_attempt.since ELSE :now END",
        [
            {"name": name, "now": micros(now), "past": micros(now - WINDOW)}
            for name in sorted(limits)
        ],
    )


def _uncount(tx: Transaction, limits: Mapping[str, int]) -> None:
    tx.run(
        "UPDATE failed_attempt SET failures = failures - 1 "
        "WHERE name IN (:names...) AND failures > 0",
        names=sorted(limits),
    )


def forget(tx: Transaction, now: datetime) -> int:
    """Delete counts whose window has passed; return how many."""
    return tx.run("DELETE FROM failed_attempt WHERE since < :past", past=micros(now - WINDOW))


def _current(tx: Transaction, wanted: Sequence[str], now: datetime) -> list[FailedAttemptRow]:
    return tx.rows_as(
        FailedAttemptRow,
        "SELECT * FROM failed_attempt WHERE name IN (:names...) AND since > :past",
        names=list(wanted),
        past=micros(now - WINDOW),
    )
