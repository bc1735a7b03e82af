"""Mutations for recalls."""

from collections.abc import Callable
from typing import Any

import strawberry

from hub import recalls
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.recalls import RecallCard, Resolution, notices
from hub.recalls.containment import shown
from hub.sync import channels
from hub_api.common.command_inputs import CommandContextInput, UnitInput, scans_of
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.recalls.types import Recall, RecallPredicateInput
from hub_api.units.results import CommandOutcome, CommandResult, record_units


@strawberry.type(description="A recall that a command changed.")
class RecallChange:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    recall: Recall


RecallChangeResult = answer("RecallChangeResult", RecallChange)


async def _changed(call: Call, ref: str, do: Callable[[Work], None]) -> RecallChange:
    """Run one idempotent command on a recall; `do` takes its work."""

    def change(work: Work) -> str:
        do(work)
        return ref

    done = await call.once(call.context.command_context(), change)
    row = await call.context.read(lambda tx: shown(tx, done.value))
    assert row is not None  # it was changed, and recalls are never deleted
    return RecallChange(
        command_id=strawberry.ID(done.command_id), replayed=done.replayed, recall=Recall.of(row)
    )


@strawberry.type
class RecallMutation:
    """Commands to recalls."""

    @command(
        Scope.OPS,
        description="Open a recall: every unit that it describes is caught and blocked at once, "
        "and those that come later are too. Promises are released and served from other units.",
        result=RecallChangeResult,
    )
    async def open_recall(
        self,
        call: Call,
        ref: str,
        title: str,
        predicate: RecallPredicateInput,
        instructions: str = "",
    ) -> RecallChange:
        card = RecallCard(
            ref=ref, title=title, predicate=predicate.plain(), instructions=instructions
        )

        def do(work: Work) -> None:
            recalls.open_recall(work, card)

        return await _changed(call, ref, do)

    @command(
        Scope.OPS,
        description="Say what was done about units of a recall. Only REPAIRED and CLEARED release "
        "their block, where no other recall and no part still needs it.",
        result=CommandOutcome,
    )
    async def resolve_recall_units(
        self,
        call: Call,
        ref: str,
        units: list[UnitInput],
        resolution: Resolution,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        def do(work: Work) -> Any:
            return recalls.resolve(work, ref, resolution, scans_of(units))

        return await record_units(call, context, do)

    @command(
        Scope.OPS,
        description="Close a recall: it catches no more. With units open only by `force` and with "
        "a reason; they stay blocked and can be resolved later.",
        result=RecallChangeResult,
    )
    async def close_recall(
        self,
        call: Call,
        ref: str,
        force: bool = False,
        reason: str | None = None,
    ) -> RecallChange:
        def do(work: Work) -> None:
            recalls.close(work.tx, work.context, ref, force=force, reason=reason)

        return await _changed(call, ref, do)

    @command(
        Scope.OPS,
        description="Notify every customer of a recall through a channel that carries messages, "
        "also those who are found later. Buyers whose contact is not kept are reached through the "
        "channel that sold, where it shows a contact or carries messages itself. Customers "
        "already notified are skipped; failed notices are retried.",
        result=RecallChangeResult,
    )
    async def notify_recall(self, call: Call, ref: str, channel: str) -> RecallChange:
        """Tell the customers of a recall."""

        def do(work: Work) -> None:
            recall = recalls.by_ref(work.tx, ref, lock=True)
            notices.tell_customers(work.tx, work.context, recall, channels.get(work.tx, channel))

        return await _changed(call, ref, do)
