"""Results of commands about units, and how such a command runs."""

from collections.abc import Callable, Sequence
from typing import Any

import strawberry

from hub.commands.work import Work
from hub.inbound import serialization
from hub.ledger import unit_views
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.lifecycle import Action, Status
from hub_api.common.command_inputs import (
    CommandContextInput,
    UnitInput,
    command_context_of,
    place_of,
    scans_of,
)
from hub_api.common.commands import Call
from hub_api.common.context import Info
from hub_api.common.long_work import in_pieces
from hub_api.common.problems import Problem, answer, problem
from hub_api.units.types import Unit


@strawberry.type(description="Result of a command for one unit.")
class UnitResult:
    index: int = strawberry.field(description="Its place in the input, from 0.")
    identifier: str
    accepted: bool
    status: Status | None
    version: int | None
    problem: Problem | None
    warning: str | None = strawberry.field(
        description="Of an accepted one: its serial looks like a known one of the product (0/O, "
        "1/I/L, 5/S, 8/B): compare the labels."
    )
    unit_id: strawberry.ID | None

    @classmethod
    def of(cls, verdict: dict[str, Any]) -> "UnitResult":
        """Show a verdict."""
        code = verdict["code"]
        return cls(
            index=verdict["index"],
            identifier=verdict["identifier"],
            accepted=code is None,
            status=Status(verdict["status"]) if verdict["status"] else None,
            version=verdict["version"],
            problem=problem(code, verdict["message"], verdict["details"]) if code else None,
            warning=verdict.get("warning"),
            unit_id=strawberry.ID(verdict["unit_id"]) if verdict["unit_id"] else None,
        )

    @strawberry.field(description="The unit as it is now.")
    async def unit(self, info: Info) -> Unit | None:
        if self.unit_id is None:
            return None
        row = await info.context.loaders.of(unit_views.units_by_id).load(self.unit_id)
        own = info.context.own(row)
        return Unit.of(own) if own else None


@strawberry.type(description="Result of a command about units.")
class CommandResult:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    accepted: int
    refused: int
    results: list[UnitResult]


CommandOutcome = answer("CommandOutcome", CommandResult)


Do = Callable[[Work], list[Verdict]]


async def record_units(call: Call, context: CommandContextInput | None, do: Do) -> CommandResult:
    """Run one command about units and show its results."""
    done = await call.once(
        command_context_of(call.context, context),
        lambda work: [each.as_json() for each in do(work)],
    )
    results = await in_pieces(UnitResult.of, done.value)
    accepted = sum(verdict.accepted for verdict in results)
    return CommandResult(
        command_id=strawberry.ID(done.command_id),
        replayed=done.replayed,
        accepted=accepted,
        refused=len(results) - accepted,
        results=results,
    )


async def move(
    call: Call,
    action: Action,
    units: Sequence[UnitInput],
    context: CommandContextInput | None,
    location: str | None = None,
    **more: Any,
) -> CommandResult:
    """Do one action to units, at a location where one is named."""

    def do(work: Work) -> list[Verdict]:
        unit_command = UnitCommand(action=action, location=place_of(work.tx, location), **more)
        return serialization.record(work, unit_command, scans_of(units))

    return await record_units(call, context, do)
