"""Schedules of reconciliation: when each scope of a channel is compared."""

from datetime import datetime, timedelta
from typing import Annotated

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.reconciliation import schedules
from hub.reconciliation.kinds import Scope as Comparison
from hub.reconciliation.schedules import Planned, Schedule
from hub.sync import channels
from hub_api.common.commands import Call, command
from hub_api.common.context import Info
from hub_api.common.problems import answer


@strawberry.input(description="A time of the week in which no run starts.")
class BlackoutInput:
    begin: str = strawberry.field(description="Time of day, HH:MM.")
    end: str = strawberry.field(
        description="Time of day, HH:MM; one before the begin is that of the next day."
    )
    zone: str = strawberry.field(description="Time zone, as Europe/Berlin.", default="UTC")
    days: list[int] = strawberry.field(
        description="Weekdays on which it begins: 1 is Monday, 7 is Sunday.",
        default_factory=lambda: list(schedules.WEEK),
    )

    def plain(self) -> schedules.Blackout:
        """Return the black-out."""
        return schedules.Blackout(
            begin=self.begin, end=self.end, zone=self.zone, days=tuple(self.days)
        )


@strawberry.type(description="A time of the week in which no run starts.")
class Blackout:
    begin: str = strawberry.field(description="Time of day, HH:MM.")
    end: str = strawberry.field(
        description="Time of day, HH:MM; one before the begin is that of the next day."
    )
    zone: str = strawberry.field(description="Time zone of both times.")
    days: list[int] = strawberry.field(
        metadata={"size": 7},
        description="Weekdays on which it begins: 1 is Monday, 7 is Sunday.",
    )


@strawberry.type(description="When one scope of a channel is compared.")
class ReconciliationSchedule:
    channel: str
    scope: Comparison
    every_seconds: int = strawberry.field(description="Interval between the begins of two runs.")
    jitter_seconds: int = strawberry.field(
        description="Most by which a run is later, so that channels are not compared all at once."
    )
    blackouts: list[Blackout] = strawberry.field(
        metadata={"size": schedules.BLACKOUTS_MAX}, description="Times in which no run starts."
    )
    next_at: datetime = strawberry.field(
        description="When the next run is due; a black-out makes it later."
    )
    changed_by: str | None = strawberry.field(
        description="Who set it; null: the interval of the hub."
    )

    @classmethod
    def of(cls, channel: str, planned: Planned) -> "ReconciliationSchedule":
        """Show a schedule."""
        schedule = planned.schedule
        return cls(
            channel=channel,
            scope=planned.scope,
            every_seconds=int(schedule.every.total_seconds()),
            jitter_seconds=int(schedule.jitter.total_seconds()),
            blackouts=[
                Blackout(begin=each.begin, end=each.end, zone=each.zone, days=list(each.days))
                for each in schedule.blackouts
            ],
            next_at=planned.next_at,
            changed_by=schedule.changed_by,
        )


@strawberry.type(description="The schedules of a channel, one for each scope that it supports.")
class ReconciliationSchedules:
    schedules: list[ReconciliationSchedule] = strawberry.field(
        metadata={"size": len(Comparison)}, description="In the order in which they are compared."
    )


@strawberry.type
class ScheduleQuery:
    """Reading schedules."""

    @strawberry.field(
        description="When each scope of a channel is compared.",
        metadata={"size": len(Comparison)},
    )
    async def reconciliation_schedules(
        self, info: Info, channel: str
    ) -> list[ReconciliationSchedule]:
        info.context.require(Scope.OPS)
        return await _shown(info, channel)


@strawberry.type
class ScheduleMutation:
    """Changing schedules."""

    @command(
        Scope.ADMIN,
        description="Set when one scope of a channel is compared; it applies at once.",
        result=answer("ScheduleReconciliationResult", ReconciliationSchedules),
    )
    async def schedule_reconciliation(
        self,
        call: Call,
        channel: str,
        scope: Comparison,
        every_seconds: Annotated[
            int | None,
            strawberry.argument(description="Interval; without one that of the hub applies."),
        ] = None,
        jitter_seconds: Annotated[
            int, strawberry.argument(description="Most by which a run is later.")
        ] = 0,
        blackouts: Annotated[
            list[BlackoutInput] | None,
            strawberry.argument(description="Times in which no run starts."),
        ] = None,
    ) -> ReconciliationSchedules:
        """Set a schedule; without an interval that of the hub applies again."""
        context = call.context.command_context()

        def do(work: Work) -> None:
            row = channels.get(work.tx, channel)
            channels.require_remote(row)
            if every_seconds is None:
                schedules.remove(work.tx, row, scope)
                return
            schedule = Schedule(
                every=timedelta(seconds=every_seconds),
                jitter=timedelta(seconds=jitter_seconds),
                blackouts=tuple(each.plain() for each in blackouts or ()),
            )
            schedules.put(work.tx, context, row, scope, schedule)

        await call.once(context, do)
        return ReconciliationSchedules(schedules=await _shown(call.info, channel))


async def _shown(info: Info, channel: str) -> list[ReconciliationSchedule]:
    row = await info.context.read(lambda tx: channels.get(tx, channel))
    if not channels.has_remote(row):
        return []
    found = await info.context.services.schedules(row)
    return [ReconciliationSchedule.of(row["code"], each) for each in found]
