"""Mutations for failed captures."""

from typing import Any

import orjson
import strawberry

from hub.access.keys import Scope
from hub.capture import failures
from hub.capture.failures import Failure, Remedy, Uncaptured
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.storage.sql import Transaction
from hub_api.capture.failure_types import (
    FailedCaptureInput,
    ReportedCase,
    ResolvedCapture,
    UncapturedInput,
)
from hub_api.common.command_inputs import CommandContextInput, command_context_of
from hub_api.common.context import Info
from hub_api.common.once import once
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

    @strawberry.mutation(
        description="Report a label that could not be captured: a case, and the batch goes on.",
        graphql_type=answer("ReportFailedCaptureResult", ReportedCase),
    )
    async def report_failed_capture(
        self,
        info: Info,
        idempotency_key: str,
        failure: FailedCaptureInput,
        context: CommandContextInput | None = None,
    ) -> ReportedCase:
        """Report a failed capture."""
        info.context.require(Scope.SCANNER, Scope.POS)
        _short(failure)
        command_context = command_context_of(info.context, context)
        readings = failures.as_readings(failure.readings)
        told = Failure(**(vars(failure) | {"readings": readings}))

        def do(tx: Transaction, _: str) -> Any:
            return failures.report(tx, command_context, told)

        given = [vars(failure), vars(context) if context else None]
        done = await once(
            info.context, command_context, idempotency_key, "report_failed", given, do
        )
        return ReportedCase(
            command_id=strawberry.ID(done.command_id), replayed=done.replayed, case_id=done.value
        )

    @strawberry.mutation(
        description="Report units that moved without their serials being read.",
        graphql_type=answer("ReportUncapturedResult", ReportedCase),
    )
    async def report_uncaptured_units(
        self,
        info: Info,
        idempotency_key: str,
        moved: UncapturedInput,
        context: CommandContextInput | None = None,
    ) -> ReportedCase:
        """Report units that moved unread; no unit is changed by it."""
        info.context.require(Scope.SCANNER, Scope.POS)
        _short(moved)
        command_context = command_context_of(info.context, context)

        def do(tx: Transaction, _: str) -> Any:
            return failures.report_uncaptured(tx, command_context, Uncaptured(**vars(moved)))

        given = [vars(moved), vars(context) if context else None]
        done = await once(
            info.context, command_context, idempotency_key, "report_uncaptured", given, do
        )
        return ReportedCase(
            command_id=strawberry.ID(done.command_id), replayed=done.replayed, case_id=done.value
        )

    @strawberry.mutation(
        description="End a failed capture: RETRY with what was read now, RELABEL a unit that is "
        "known otherwise, or MANUAL: approve what was typed, by somebody other than the reporter.",
        graphql_type=answer("ResolveFailedCaptureResult", ResolvedCapture),
    )
    async def resolve_failed_capture(
        self,
        info: Info,
        idempotency_key: str,
        case_id: strawberry.ID,
        how: Remedy,
        identifier: str,
        sku: str | None = None,
        context: CommandContextInput | None = None,
    ) -> ResolvedCapture:
        """Resolve; RETRY and MANUAL do the step that the case was reported for."""
        if how is Remedy.MANUAL:
            info.context.require(Scope.OPS)
        info.context.require(Scope.SCANNER, Scope.POS)
        command_context = command_context_of(info.context, context)

        def do(tx: Transaction, command_id: str) -> Any:
            done = failures.resolve(
                Work(tx, command_context, command_id), case_id, how, identifier, sku=sku
            )
            return [done.verdict.as_json(), done.label]

        given = [case_id, how, identifier, sku, vars(context) if context else None]
        done = await once(
            info.context, command_context, idempotency_key, "resolve_failed", given, do
        )
        verdict, label = orjson.loads(orjson.dumps(done.value))
        return ResolvedCapture(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            case_id=case_id,
            label=label,
            verdict=UnitResult.of(verdict),
        )
