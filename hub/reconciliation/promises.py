"""Promised service levels: data for each channel, checked by a job, and a case while one is broken.

A promise is broken by what was measured in the last 30 days, and by what waits: a scope that is not
compared breaks the time to detect, a difference that stays open breaks the time to heal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros, moment
from hub.commands.context import CommandContext
from hub.errors import InvalidInput
from hub.reconciliation.service_levels import ServiceLevels
from hub.storage.rows import ChannelRow, ReconciliationPromiseRow
from hub.storage.sql import Transaction
from hub.webhooks import announcements
from hub.webhooks.payload import ServiceTopic


class Measure(StrEnum):
    """What a promise is about."""

    DETECT = "detect"  # seconds in which 95 % of the differences are detected
    HEAL = "heal"  # seconds in which 95 % of the differences end
    UNATTENDED = "unattended"  # percent of the differences that no person works on


BOUNDS = {
    Measure.DETECT: (60, int(timedelta(days=31).total_seconds())),
    Measure.HEAL: (60, int(timedelta(days=366).total_seconds())),
    Measure.UNATTENDED: (1, 100),
}
FIELDS = {
    Measure.DETECT: "detectWithinSeconds",
    Measure.HEAL: "healWithinSeconds",
    Measure.UNATTENDED: "unattendedPercent",
}
SUBJECTS = {
    Measure.DETECT: "time to detect",
    Measure.HEAL: "time to heal",
    Measure.UNATTENDED: "healed without a person",
}


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise with what is measured now; None: there is nothing to measure, and it is kept."""

    measure: Measure
    promised: int
    measured: float | None
    broken_since: datetime | None  # as the last check found it
    changed_by: str

    @property
    def kept(self) -> bool:
        """Return whether it is kept now."""
        if self.measured is None:
            return True
        if self.measure is Measure.UNATTENDED:
            return self.measured >= self.promised
        return self.measured <= self.promised


def put(
    tx: Transaction,
    context: CommandContext,
    channel: ChannelRow,
    promised: Mapping[Measure, int | None],
) -> None:
    """Set the promises of a channel; None withdraws one and closes its case.

    Raises InvalidInput for a value out of its bounds.
    """
    for measure, value in promised.items():
        low, high = BOUNDS[measure]
        if value is not None and not low <= value <= high:
            raise InvalidInput(f"it is {low:,} to {high:,}", field=FIELDS[measure])
    for measure, value in promised.items():
        if value is None:
            _withdraw(tx, context, channel, measure)
        else:
            _put(tx, context, channel, measure, value)


def _put(
    tx: Transaction, context: CommandContext, channel: ChannelRow, measure: Measure, value: int
) -> None:
    tx.run(
        "INSERT INTO reconciliation_promise(channel_id, measure, promised, changed_by, changed_at) "
        "VALUES(:channel, :measure, :promised, :actor, :now) "
        "ON CONFLICT(channel_id, measure) DO UPDATE SET promised = excluded.promised, "
        "changed_by = excluded.changed_by, changed_at = excluded.changed_at",
        channel=channel["id"],
        measure=str(measure),
        promised=value,
        actor=context.actor,
        now=micros(context.now),
    )


def _withdraw(
    tx: Transaction, context: CommandContext, channel: ChannelRow, measure: Measure
) -> None:
    removed = tx.run(
        "DELETE FROM reconciliation_promise WHERE channel_id = :channel AND measure = :measure",
        channel=channel["id"],
        measure=str(measure),
    )
    case = _case(tx, channel, measure) if removed else None
    if case is not None:
        cases.close(tx, context, {"id": case}, "The promise was withdrawn.")


def _case(tx: Transaction, channel: ChannelRow, measure: Measure) -> str | None:
    return cases.open_id(tx, CaseKind.SERVICE_LEVEL, SUBJECTS[measure], channel["id"])


def promised_channels(tx: Transaction) -> list[ChannelRow]:
    """Return the channels for which something is promised."""
    return tx.rows_as(
        ChannelRow,
        "SELECT * FROM channel WHERE id IN (SELECT channel_id FROM reconciliation_promise) "
        "ORDER BY code",
    )


def promises(tx: Transaction, channel_id: str, levels: ServiceLevels) -> list[Promise]:
    """Return the promises of a channel with what is measured."""
    rows = tx.rows_as(
        ReconciliationPromiseRow,
        "SELECT * FROM reconciliation_promise WHERE channel_id = :channel ORDER BY measure",
        channel=channel_id,
    )
    return [
        Promise(
            Measure(row["measure"]),
            row["promised"],
            _measured(Measure(row["measure"]), levels, moment(row["changed_at"])),
            None if row["broken_since"] is None else moment(row["broken_since"]),
            row["changed_by"],
        )
        for row in rows
    ]


def _measured(measure: Measure, levels: ServiceLevels, promised_at: datetime) -> float | None:
    if measure is Measure.UNATTENDED:
        return levels.unattended_percent
    if measure is Measure.DETECT:
        # A channel that was never compared counts from its promise.
        times, waits_since = levels.detect, levels.compared_at or promised_at
    else:
        times, waits_since = levels.heal, levels.oldest_open_at or levels.until
    waits = levels.until - waits_since
    return max(times.p95 or timedelta(), waits).total_seconds()


def check(tx: Transaction, channel: ChannelRow, levels: ServiceLevels, now: datetime) -> int:
    """Note which promises of a channel are broken, and kept again; return how many are broken.

    A promise that breaks opens a case and notifies the endpoints. A person may close the case: it
    is opened again only after the promise was kept in between.
    """
    found = promises(tx, channel["id"], levels)
    for each in found:
        if each.kept == (each.broken_since is None):
            continue
        tx.run(
            "UPDATE reconciliation_promise SET broken_since = :since "
            "WHERE channel_id = :channel AND measure = :measure",
            since=None if each.kept else micros(now),
            channel=channel["id"],
            measure=str(each.measure),
        )
        (_keep if each.kept else _break)(tx, channel, each, now)
    return sum(not each.kept for each in found)


def _break(tx: Transaction, channel: ChannelRow, promise: Promise, now: datetime) -> None:
    cases.report(
        tx,
        Finding(
            kind=CaseKind.SERVICE_LEVEL,
            subject=SUBJECTS[promise.measure],
            channel_id=channel["id"],
            severity=Severity.MEDIUM,
            summary=f"{channel['name']}: {_words(promise)}",
            details={"promised": promise.promised, "measured": promise.measured},
        ),
        now,
    )
    _announce(tx, ServiceTopic.BROKEN, channel, promise, now)


def _keep(tx: Transaction, channel: ChannelRow, promise: Promise, now: datetime) -> None:
    case = _case(tx, channel, promise.measure)
    if case is not None:
        cases.settle_one(tx, case, f"The promise is kept again: {_words(promise)}", now)
    _announce(tx, ServiceTopic.KEPT, channel, promise, now)


def _announce(
    tx: Transaction, topic: ServiceTopic, channel: ChannelRow, promise: Promise, now: datetime
) -> None:
    data: dict[str, str | float | None] = {
        "channel": channel["code"],
        "measure": str(promise.measure),
        "promised": promise.promised,
        "measured": promise.measured,
        "text": _words(promise),
    }
    announcements.announce(tx, topic, channel["id"], data, now)


def _words(promise: Promise) -> str:
    if promise.measured is None:
        return "there is nothing to measure."
    if promise.measure is Measure.UNATTENDED:
        return (
            f"{promise.measured:.1f} % of the differences ended without a person; "
            f"{promise.promised} % are promised."
        )
    measured = timedelta(seconds=round(promise.measured))
    return (
        f"the {SUBJECTS[promise.measure]} is {measured} (95 % of the last 30 days, or what still "
        f"waits); {timedelta(seconds=promise.promised)} is promised."
    )
