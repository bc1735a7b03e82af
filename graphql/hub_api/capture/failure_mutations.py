"""Mutations for failed captures."""

from typing import Any

import orjson
import strawberry

from hub.access.keys import Scope
from hub.capture import failures
from hub.capture.failures import Failure, Remedy, Uncaptured
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub_api.capture.failure_types import (
    FailedCaptureInput,
    ReportedCase,
    ResolvedCapture,
    UncapturedInput,
)
from hub_api.common.command_inputs import CommandContextInput, command_context_of
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.units.results import UnitResult

TEXTS_MAX = {"note": 300, "owner": 100, "product": 100, "lot": 50, "location": 64}


def _short(given: Any) -> None:
    for name, chars_max in TEXTS_MAX.items():
        if len(getattr(given, name, None) or "") > chars_max:
            raise InvalidInput(f"at most {chars_max} characters", field=name)


@strawberry.type
class FailureMutation:
    """Reporting and ending what could not be captured."""

    @command(
        Scope.SCANNER,
        Scope.POS,
        description="Report a label that could not be captured: a case, and the batch goes on.",
        result=answer("ReportFailedCaptureResult", ReportedCase),
    )
    async def report_failed_capture(
        self,
        call: Call,
        failure: FailedCaptureInput,
        context: CommandContextInput | None = None,
    ) -> ReportedCase:
        _short(failure)
        command_context = command_context_of(call.context, context)
        readings = failures.as_readings(failure.readings)
        told = Failure(**(vars(failure) | {"readings": readings}))

        def do(work: Work) -> Any:
            return failures.report(work.tx, command_context, told)

        done = await call.once(command_context, do)
        return ReportedCase(
            command_id=strawberry.ID(done.command_id), replayed=done.replayed, case_id=done.value
        )

    @command(
        Scope.SCANNER,
        Scope.POS,
        description="Report units that moved without their serials being read.",
        result=answer("ReportUncapturedResult", ReportedCase),
    )
    async def report_uncaptured_units(
        self,
        call: Call,
        moved: UncapturedInput,
        context: CommandContextInput | None = None,
    ) -> ReportedCase:
        """Report units that moved unread; no unit is changed by it."""
        _short(moved)
        command_context = command_context_of(call.context, context)

        def do(work: Work) -> Any:
            return failures.report_uncaptured(work.tx, command_context, Uncaptured(**vars(moved)))

        done = await call.once(command_context, do)
        return ReportedCase(
            command_id=strawberry.ID(done.command_id), replayed=done.replayed, case_id=done.value
        )

    @command(
        Scope.SCANNER,
        Scope.POS,
        description="End a failed capture: RETRY with what was read now, RELABEL a unit that is "
        "known otherwise, or MANUAL: approve what was typed, by somebody other than the reporter.",
        result=answer("ResolveFailedCaptureResult", ResolvedCapture),
    )
    async def resolve_failed_capture(
        self,
        call: Call,
        case_id: strawberry.ID,
        how: Remedy,
        identifier: str,
        sku: str | None = None,
        context: CommandContextInput | None = None,
    ) -> ResolvedCapture:
        """Resolve; RETRY and MANUAL do the step that the case was reported for."""
        if how is Remedy.MANUAL:
            call.context.require(Scope.OPS)

        command_context = command_context_of(call.context, context)

        def do(work: Work) -> Any:
            done = failures.resolve(work, case_id, how, identifier, sku=sku)
            return [done.verdict.as_json(), done.label]

        done = await call.once(command_context, do)
        verdict, label = orjson.loads(orjson.dumps(done.value))
        return ResolvedCapture(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            case_id=case_id,
            label=label,
            result=UnitResult.of(verdict),
        )
