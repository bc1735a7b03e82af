"""Warranty batch jobs at manufacturers: started, remembered, and collected when they are done.

Between two polls no worker waits and no lease is held; a job is stored as its reference and its
units. The next refresh replaces a lost job.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from connectors import BulkWarranty
from hub.after_sales import warranty_answers
from hub.clock import micros, moment
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import channels
from hub.vocabulary import WarrantyQuestion
from jobs.recovery import Decision, apply_to_channel, decide
from jobs.runtime import Runtime
from jobs.warranty import unreadable_answers

logger = logging.getLogger(__name__)

STREAM = "warranty_job"
JOB_MAX = timedelta(hours=24)  # after which a job is presumed lost

UnitQuestions = Sequence[tuple[str, WarrantyQuestion]]


@dataclass(frozen=True, slots=True)
class _Job:
    """A job at a manufacturer."""

    reference: str
    units: list[str]
    began: datetime


async def begin(
    runtime: Runtime, channel: ChannelRow, connector: BulkWarranty, asked: UnitQuestions
) -> bool:
    """Start a job for some units; return False if one is running or the channel refuses it."""
    now = runtime.clock()
    if channel["state"] != channels.ACTIVE or channel["waits_until"] > micros(now):
        return False
    if await runtime.database.read(lambda tx: _under_way(tx, channel["id"])) is not None:
        return False
    some = asked[: connector.job_questions_max]
    try:
        reference = await connector.begin_warranty_job([question for _, question in some])
    except Exception as error:
        await _failed(runtime, channel, decide(error, 0, now), error)
        return False
    kept = {"job": reference, "units": [unit for unit, _ in some], "began": micros(now)}
    await runtime.database.write(lambda tx: _keep(tx, channel, orjson.dumps(kept).decode(), now))
    return True


async def collect(runtime: Runtime) -> str:
    """Poll every running job; return a summary."""
    able = await runtime.database.read(lambda tx: channels.with_capability(tx, "bulk_warranty"))
    done = sum([await _collect(runtime, channel) for channel in able])
    return f"{done} answers of jobs stored"


async def _collect(runtime: Runtime, channel: ChannelRow) -> int:
    now = runtime.clock()
    job = await runtime.database.read(lambda tx: _under_way(tx, channel["id"]))
    if job is None or channel["waits_until"] > micros(now):
        return 0
    if now - job.began > JOB_MAX:
        logger.warning("%s never finished its job %s", channel["code"], job.reference)
        await runtime.database.write(lambda tx: _keep(tx, channel, "", now))
        return 0
    connector = runtime.connections.of(channel)
    if not isinstance(connector, BulkWarranty):
        return 0
    found = await runtime.database.read(lambda tx: _questions(tx, job.units))
    try:
        answers = await connector.read_warranty_job(
            job.reference, [question for _, question in found]
        )
    except Exception as error:
        decision = decide(error, 0, now)
        await _failed(runtime, channel, decision, error)
        if decision.due_at is None:  # the job is lost; the next refresh asks again
            await runtime.database.write(lambda tx: _keep(tx, channel, "", now))
        return 0
    if answers is None:
        return 0
    answered = list(zip([unit for unit, _ in found], answers, strict=True))

    def remember(tx: Transaction) -> None:
        unreadable_answers.remember(tx, runtime, channel, answered)
        _keep(tx, channel, "", runtime.clock())

    await runtime.database.write(remember)
    return len(answered)


def _questions(tx: Transaction, units: Sequence[str]) -> list[tuple[str, WarrantyQuestion]]:
    """Return the questions about the units that still have a warranty channel."""
    found = [(unit, warranty_answers.question(tx, unit)) for unit in units]
    return [(unit, asked[1]) for unit, asked in found if asked is not None]


def _under_way(tx: Transaction, channel_id: str) -> _Job | None:
    value = channels.cursor(tx, channel_id, STREAM)
    if not value:
        return None
    kept = orjson.loads(value)
    return _Job(kept["job"], kept["units"], moment(kept["began"]))


def _keep(tx: Transaction, channel: ChannelRow, value: str, now: datetime) -> None:
    channels.move_cursor(tx, channel["id"], STREAM, value, now)


async def _failed(
    runtime: Runtime, channel: ChannelRow, decision: Decision, error: BaseException
) -> None:
    logger.info("a warranty job of %s failed: %s", channel["code"], error)
    if decision.pauses or decision.slow_down_until is not None:
        await runtime.database.write(
            lambda tx: apply_to_channel(tx, channel, decision, runtime.clock())
        )
