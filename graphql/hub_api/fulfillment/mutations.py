"""Mutations for fulfillment."""

from typing import Annotated, Any

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.catalogue import Picking
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.fulfillment import collection, dispatch, exchanges, picking
from hub.fulfillment.dispatch import NotWhole
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub_api.common.command_inputs import (
    REFERENCE_CHARS_MAX,
    CommandContextInput,
    UnitInput,
    command_context_of,
    scans_of,
)
from hub_api.common.commands import Call, command
from hub_api.common.problems import (
    AnyProblem,
    CaptureRequired,
    UnitBlocked,
    UnitExpired,
    UnitPromised,
    VersionConflict,
    WrongUnit,
    answer,
)
from hub_api.fulfillment.types import DispatchCheck, Exchange, OrderPacking, Substitution
from hub_api.units.results import CommandOutcome, CommandResult, record_units

OrderPackingResult = answer("OrderPackingResult", OrderPacking)


OfOneUnit = (
    AnyProblem
    | CaptureRequired
    | UnitPromised
    | UnitBlocked
    | UnitExpired
    | VersionConflict
    | WrongUnit
)


SubstitutionResult = Annotated[Substitution | OfOneUnit, strawberry.union("SubstitutionResult")]


ExchangeResult = Annotated[Exchange | OfOneUnit, strawberry.union("ExchangeResult")]


def _scan(unit: UnitInput) -> Scan:
    return scans_of([unit])[0]


@strawberry.type
class FulfillmentMutation:
    """Fulfilling orders."""

    @command(
        Scope.SCANNER,
        description="Pick another unit than the directed one, which is free again. Its history "
        "and that of the other say why.",
        result=SubstitutionResult,
    )
    async def substitute_unit(
        self,
        call: Call,
        order_line_id: strawberry.ID,
        directed: UnitInput,
        picked: UnitInput,
        reason: str,
        context: CommandContextInput | None = None,
    ) -> Substitution:
        """Substitute: the same product, available and not expired."""
        stated = context or CommandContextInput()
        stated.reason = reason
        command_context = command_context_of(call.context, stated)

        def do(work: Work) -> list[str | None]:
            old, new = _scan(directed), _scan(picked)
            done = picking.substitute(work, order_line_id, old, new)
            return [done.picked_id, done.directed_id, str(done.broken) if done.broken else None]

        done = await call.once(command_context, do)
        picked_id, released_id, broken = done.value
        return Substitution(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            broken_rule=Picking(broken) if broken else None,
            picked_id=picked_id,
            released_id=released_id,
        )

    @command(
        Scope.SCANNER,
        description="Pack an order after each of its serials was scanned once more. What is "
        "missing, foreign or wrong is named, and then nothing is packed unless `partial`.",
        result=OrderPackingResult,
    )
    async def pack_order(
        self,
        call: Call,
        order_id: strawberry.ID,
        scanned: list[UnitInput],
        partial: bool = False,
        context: CommandContextInput | None = None,
    ) -> OrderPacking:
        """Pack; an answer that packed nothing is not kept for its key."""
        command_context = command_context_of(call.context, context)

        def do(work: Work) -> dict[str, Any]:
            check, results = dispatch.pack(work, order_id, scans_of(scanned), partial=partial)
            packed = [each.unit_id for each in results if each.accepted]
            return {"check": check.as_json(), "packed": packed}

        try:
            done = await call.once(command_context, do)
        except NotWhole as amiss:
            check = DispatchCheck.of(amiss.check.as_json())
            return OrderPacking(replayed=False, check=check, packed_ids=[])
        check = DispatchCheck.of(done.value["check"])
        return OrderPacking(replayed=done.replayed, check=check, packed_ids=done.value["packed"])

    @command(
        Scope.POS,
        Scope.SCANNER,
        description="Hand an order to its customer at a shop: the serial closes its line and is "
        "pushed to the channel.",
        result=CommandOutcome,
    )
    async def collect_units(
        self,
        call: Call,
        order_id: strawberry.ID,
        units: list[UnitInput],
        location: str,
        customer_ref: str | None = None,
        code: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Collect; `code` is the order's number or reference, as the customer shows it."""
        for name, text in (("customerRef", customer_ref), ("code", code)):
            if len(text or "") > REFERENCE_CHARS_MAX:
                raise InvalidInput(f"at most {REFERENCE_CHARS_MAX} characters", field=name)

        def do(work: Work) -> list[Verdict]:
            return collection.collect(
                work,
                order_id,
                scans_of(units),
                catalogue.location(work.tx, location),
                customer_ref=customer_ref,
                code=code,
            )

        return await record_units(call, context, do)

    @command(
        Scope.POS,
        description="Take a unit back and give another one for it, in one piece: if either can "
        "not be done, neither is.",
        result=ExchangeResult,
    )
    async def exchange_unit(
        self,
        call: Call,
        returned: UnitInput,
        replacement: UnitInput,
        location: str,
        reason: str,
        return_id: strawberry.ID | None = None,
        receipt: str | None = None,
        context: CommandContextInput | None = None,
    ) -> Exchange:
        """Exchange; `returnId` names the check by which the return was decided."""
        stated = context or CommandContextInput()
        stated.reason = reason
        command_context = command_context_of(call.context, stated)

        def do(work: Work) -> list[str]:
            place = catalogue.location(work.tx, location)
            return list(
                exchanges.exchange(
                    work,
                    _scan(returned),
                    _scan(replacement),
                    place,
                    return_id=return_id,
                    receipt=receipt,
                )
            )

        done = await call.once(command_context, do)
        returned_id, given_id = done.value
        return Exchange(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            returned_id=returned_id,
            given_id=given_id,
        )
