"""Service levels of reconciliation: what is measured, what is promised, and what is kept."""

import datetime as dt
from datetime import datetime
from typing import Annotated

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.reconciliation import promises, service_levels
from hub.reconciliation.promises import Measure, Promise
from hub.reconciliation.service_levels import DAYS_DEFAULT, DAYS_MAX, Day, ServiceLevels, Times
from hub.storage.sql import Transaction
from hub.sync import channels
from hub_api.common.commands import Call, command
from hub_api.common.context import Info
from hub_api.common.problems import answer
from hub_api.engine.stored import each

Found = tuple[ServiceLevels, list[Promise]]


@strawberry.type(description="How long something took, by nearest rank.")
class ReconciliationTimes:
    number: int = strawberry.field(description="Number of differences that were measured.")
    p50_seconds: float | None = strawberry.field(description="Half of them took no longer.")
    p95_seconds: float | None = strawberry.field(description="95 % of them took no longer.")

    @classmethod
    def of(cls, times: Times) -> "ReconciliationTimes":
        """Show times."""
        return cls(
            number=times.number,
            p50_seconds=None if times.p50 is None else times.p50.total_seconds(),
            p95_seconds=None if times.p95 is None else times.p95.total_seconds(),
        )


@strawberry.type(description="Sums of the finished runs of one day.")
class ReconciliationDay:
    on: dt.date = strawberry.field(description="Day in UTC on which the runs began.")
    runs: int = strawberry.field(description="Number of finished runs.")
    compared: int = strawberry.field(description="Number of subjects that were compared.")
    differences_found: int = strawberry.field(
        description="Differences that the runs found; one that lasts counts in each run."
    )
    begun: int = strawberry.field(description="Differences that were found for the first time.")
    healed: int = strawberry.field(description="Differences that were seen to be healed.")
    closed: int = strawberry.field(description="Differences that ended without a fix of the hub.")

    @classmethod
    def of(cls, day: Day) -> "ReconciliationDay":
        """Show a day."""
        return cls(
            on=day.on,
            runs=day.runs,
            compared=day.compared,
            differences_found=day.differences,
            begun=day.begun,
            healed=day.healed,
            closed=day.closed,
        )


@strawberry.type(description="A promised service level, with what is measured now.")
class ReconciliationPromise:
    measure: Measure = strawberry.field(description="Subject of the promise.")
    promised: int = strawberry.field(description="Seconds at most, or percent at least.")
    measured: float | None = strawberry.field(
        description="Seconds or percent: of the last 30 days, or of what still waits, whichever is "
        "worse; null: there is nothing to measure."
    )
    kept: bool = strawberry.field(description="Whether the promise is kept now.")
    broken_since: datetime | None = strawberry.field(
        description="Instant since which the check finds it broken; null: it found it kept."
    )
    changed_by: str = strawberry.field(description="Name of the API key that set it.")

    @classmethod
    def of(cls, promise: Promise) -> "ReconciliationPromise":
        """Show a promise."""
        return cls(
            measure=promise.measure,
            promised=promise.promised,
            measured=promise.measured,
            kept=promise.kept,
            broken_since=promise.broken_since,
            changed_by=promise.changed_by,
        )


@strawberry.type(description="Service levels of reconciliation with one channel over a period.")
class ReconciliationLevels:
    channel: str = strawberry.field(description="Code of the channel.")
    since: datetime = strawberry.field(description="Begin of the period.")
    until: datetime = strawberry.field(description="End of the period.")
    time_to_detect: ReconciliationTimes = strawberry.field(
        description="Upper bound, of differences found in the period: from the begin of the last "
        "finished run of the scope that did not find it, to the run that did."
    )
    time_to_heal: ReconciliationTimes = strawberry.field(
        description="Of differences that ended in the period, healed or by themselves: from the "
        "run that found it first to the look that found that both sides agree."
    )
    unattended: int = strawberry.field(description="Differences that a rule healed.")
    attended: int = strawberry.field(description="Differences that a person healed or dismissed.")
    agreed: int = strawberry.field(
        description="Differences that ended without a fix of the hub; no share counts them."
    )
    unattended_percent: float | None = strawberry.field(
        description="Share that a rule healed of those that were healed or dismissed; null: none."
    )
    oldest_open_at: datetime | None = strawberry.field(
        description="Instant at which the oldest open difference was first found."
    )
    oldest_unexplained_at: datetime | None = strawberry.field(
        description="Instant at which the oldest open difference without a proved cause was first "
        "found."
    )
    compared_at: datetime | None = strawberry.field(
        description="Begin of the last finished run, of the scope that waits longest."
    )
    days: list[ReconciliationDay] = strawberry.field(
        metadata={"size": DAYS_MAX + 1},
        description="Days with runs or differences, the oldest first.",
    )
    promises: list[ReconciliationPromise] = strawberry.field(
        metadata={"size": len(Measure)},
        description="Promises for the channel; they are always measured over 30 days.",
    )

    @classmethod
    def of(cls, channel: str, found: Found) -> "ReconciliationLevels":
        """Show service levels."""
        levels, promised = found
        return cls(
            channel=channel,
            since=levels.since,
            until=levels.until,
            time_to_detect=ReconciliationTimes.of(levels.detect),
            time_to_heal=ReconciliationTimes.of(levels.heal),
            unattended=levels.unattended,
            attended=levels.attended,
            agreed=levels.agreed,
            unattended_percent=levels.unattended_percent,
            oldest_open_at=levels.oldest_open_at,
            oldest_unexplained_at=levels.oldest_unexplained_at,
            compared_at=levels.compared_at,
            days=each(ReconciliationDay.of, levels.days),
            promises=each(ReconciliationPromise.of, promised),
        )


async def _shown(info: Info, channel: str, days: int) -> ReconciliationLevels:
    now = info.context.clock()

    def read(tx: Transaction) -> Found:
        channel_id = channels.get(tx, channel)["id"]
        found = service_levels.measure(tx, channel_id, now, days=days)
        usual = found
        if days != DAYS_DEFAULT:
            usual = service_levels.measure(tx, channel_id, now)
        return found, promises.promises(tx, channel_id, usual)

    return ReconciliationLevels.of(channel, await info.context.database.report(read))


@strawberry.type
class ServiceLevelQuery:
    """Reading service levels."""

    @strawberry.field(
        description="How soon differences of a channel are detected and healed, and with or "
        "without a person."
    )
    async def reconciliation_levels(
        self,
        info: Info,
        channel: str,
        days: Annotated[
            int, strawberry.argument(description="Length of the period, 1 to 366 days.")
        ] = DAYS_DEFAULT,
    ) -> ReconciliationLevels:
        info.context.require(Scope.OPS)
        return await _shown(info, channel, days)


@strawberry.type
class ServiceLevelMutation:
    """Promising service levels."""

    @command(
        Scope.ADMIN,
        description="Set what is promised for a channel; what is left out is promised no longer. "
        "A broken promise opens a case and notifies endpoints.",
        result=answer("PromiseReconciliationResult", ReconciliationLevels),
    )
    async def promise_reconciliation(
        self,
        call: Call,
        channel: str,
        detect_within_seconds: Annotated[
            int | None,
            strawberry.argument(description="In which 95 % are detected: 60 to 2,678,400."),
        ] = None,
        heal_within_seconds: Annotated[
            int | None,
            strawberry.argument(description="In which 95 % end: 60 to 31,622,400."),
        ] = None,
        unattended_percent: Annotated[
            int | None,
            strawberry.argument(description="Share that no person works on: 1 to 100."),
        ] = None,
    ) -> ReconciliationLevels:
        """Set the promises of a channel; the next check applies them."""
        context = call.context.command_context()
        promised = {
            Measure.DETECT: detect_within_seconds,
            Measure.HEAL: heal_within_seconds,
            Measure.UNATTENDED: unattended_percent,
        }

        def do(work: Work) -> None:
            promises.put(work.tx, context, channels.get(work.tx, channel), promised)

        await call.once(context, do)
        return await _shown(call.info, channel, DAYS_DEFAULT)
