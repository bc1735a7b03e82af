"""Mutations for history, trial balance and corrections."""

from typing import Annotated, Any, Union

import strawberry

from hub.access.keys import Scope
from hub.commands.context import Document
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.history import corrections
from hub.history.corrections import Changes
from hub.history.replay import Declaration
from hub.lifecycle import Status
from hub_api.common.commands import Call, command
from hub_api.common.problems import AnyProblem, ContradictsHistory, VersionConflict
from hub_api.history.types import Correction, EventChanges

DOCUMENT_CHARS_MAX = {"document_type": 40, "document_ref": 200}


CorrectEventResult = Annotated[
    Union[Correction, AnyProblem, VersionConflict, ContradictsHistory],  # noqa: UP007 # of a computed union
    strawberry.union("CorrectEventResult"),
]


def _changes(given: EventChanges | None) -> Changes:
    if given is None:
        return Changes()
    for field, chars_max in DOCUMENT_CHARS_MAX.items():
        if len(getattr(given, field) or "") > chars_max:
            raise InvalidInput(f"at most {chars_max} characters", field=field)
    if given.document_type is not None and given.document_ref is None:
        raise InvalidInput("a document has its reference", field="documentRef")
    document = None
    if given.document_ref is not None:
        document = Document(given.document_type or "other", given.document_ref)
    return Changes(
        occurred_at=given.occurred_at,
        document=document,
        reason=given.reason,
        location=given.location,
    )


@strawberry.type
class HistoryMutation:
    """Correcting what was recorded."""

    @command(
        Scope.OPS,
        description="Correct an event by a further event: it did not occur, or its data were "
        "wrong. The newest correction of an event counts and replaces those before.",
        result=CorrectEventResult,
    )
    async def correct_event(
        self,
        call: Call,
        event_id: strawberry.ID,
        error: Declaration,
        reason: str,
        changes: EventChanges | None = None,
        expected_version: int | None = None,
    ) -> Correction:
        """Correct an event; `reason` says why it is corrected."""
        right = _changes(changes)
        context = call.context.command_context(reason=reason)

        def do(work: Work) -> Any:
            done = corrections.correct(
                work,
                event_id,
                reason=error,
                changes=right,
                expected_version=expected_version,
            )
            return [done.event_id, done.unit_id, done.version, done.status]

        done = await call.once(context, do)
        event, unit_id, version, status = done.value
        return Correction(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            event_id=strawberry.ID(event),
            version=version,
            status=Status(status),
            unit_id=unit_id,
        )
