"""Levels on their way to a channel: pushed at once, or as a job that is read later.

A level that the channel processes as a job keeps its version and its figure until the job is
settled: a change in between is pushed after it, so that no late job overwrites a newer figure.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from connectors import Conflict, PushedLevel, PushStock, RateLimited, Transient
from hub.clock import moment
from hub.storage.sql import Transaction
from hub.sync import bindings, listings
from hub.sync.listings import LeasedLevel
from hub.vocabulary import StockLevel
from jobs import leases

JOB_WAIT = timedelta(seconds=5)  # between two looks at a job
JOB_PATIENCE = timedelta(minutes=30)  # after which a job is given up, and its level pushed again
Outcomes = dict[str, PushedLevel | BaseException]


async def pushed(connector: PushStock, leased: Sequence[LeasedLevel]) -> Outcomes:
    """Push levels, or read the jobs that they wait for; return each outcome by its listing."""
    by_job: dict[str | None, list[LeasedLevel]] = defaultdict(list)
    for level in leased:
        by_job[level.job].append(level)
    found: Outcomes = {}
    for job, levels in by_job.items():
        found |= await _asked(connector, job, levels)
    return found


async def _asked(connector: PushStock, job: str | None, levels: Sequence[LeasedLevel]) -> Outcomes:
    wanted = [
        StockLevel(
            listing=level.listing_id,
            sku=level.sku,
            available=level.desired,
            remote=level.remote,
            expected=level.observed,
            key=level.key,
        )
        for level in levels
    ]
    try:
        async with leases.one_call():
            if job is None:
                answers = await connector.push_stock(wanted)
            else:
                answers = await connector.read_stock_push(job, wanted)
    except Exception as error:
        return {level.listing_id: error for level in levels}
    return {answer.listing: answer for answer in answers}


def waits(
    tx: Transaction, level: LeasedLevel, outcome: PushedLevel | BaseException | None, now: datetime
) -> bool:
    """Record that a level waits for its job; return False where it waits for none.

    A job that does not end within `JOB_PATIENCE` is no longer waited for.
    """
    job = outcome.job if isinstance(outcome, PushedLevel) and outcome.error is None else None
    began = moment(level.job_at) if level.job and level.job_at else now
    if not job or now - began > JOB_PATIENCE:
        return False
    listings.wait_for(tx, level, job, began, now + JOB_WAIT)
    return True


def keeps_job(level: LeasedLevel, outcome: PushedLevel | BaseException | None) -> bool:
    """Say whether a job that could not be read is still to be read."""
    return level.job is not None and isinstance(outcome, Transient | RateLimited)


def learn(tx: Transaction, leased: Sequence[LeasedLevel], outcomes: Mapping[str, object]) -> None:
    """Keep what a push learned of its listings, such as their new versions."""
    for level in leased:
        outcome = outcomes.get(level.listing_id)
        if isinstance(outcome, PushedLevel) and outcome.remote:
            bindings.learn(tx, level.listing_id, outcome.remote)


def failure(outcome: PushedLevel | BaseException | None) -> tuple[BaseException, int | None]:
    """Return the error of an outcome that is no success, and the quantity that was seen."""
    if outcome is None:
        return RuntimeError("the connector did not answer for this listing"), None
    if isinstance(outcome, BaseException):
        return outcome, None
    if outcome.error is not None:
        observed = outcome.error.observed if isinstance(outcome.error, Conflict) else None
        return outcome.error, observed
    if outcome.job:
        return Transient(f"the job {outcome.job} of the channel does not end"), None
    return Conflict("the channel shows another quantity", outcome.quantity), outcome.quantity
