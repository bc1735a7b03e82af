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
from hub.lifecycle import Action
from hub.storage.sql import Transaction
from hub_api.common.command_inputs import (
    REFERENCE_CHARS_MAX,
    CommandContextInput,
    UnitInput,
    command_context_of,
    given_by,
    scans_of,
)
from hub_api.common.context import Info
from hub_api.common.once import once
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
from hub_api.units.results import CommandOutcome, CommandResult, command

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

    @strawberry.mutation(
        description="Pick another unit than the directed one, which is free again. Its history "
        "and that of the other say why.",
        graphql_type=SubstitutionResult,
    )
    async def substitute_unit(
        self,
        info: Info,
        idempotency_key: str,
        order_line_id: strawberry.ID,
        directed: UnitInput,
        picked: UnitInput,
        reason: str,
        context: CommandContextInput | None = None,
    ) -> Substitution:
        """Substitute: the same product, available and not expired."""
        info.context.require(Scope.SCANNER)
        given_occasion = context or CommandContextInput()
        given_occasion.reason = reason
        command_context = command_context_of(info.context, given_occasion)

        def do(tx: Transaction, command_id: str) -> list[str | None]:
            old, new = _scan(directed), _scan(picked)
            done = picking.substitute(
                Work(tx, command_context, command_id), order_line_id, old, new
            )
            return [done.picked_id, done.directed_id, str(done.broken) if done.broken else None]

        given = [order_line_id, given_by([directed, picked], given_occasion)]
        done = await once(
            info.context, command_context, idempotency_key, "substitute_unit", given, do
        )
        picked_id, released_id, broken = done.value
        return Substitution(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            broken_rule=Picking(broken) if broken else None,
            picked_id=picked_id,
            released_id=released_id,
        )

    @strawberry.mutation(
        description="Pack an order after each of its serials was scanned once more. What is "
        "missing, foreign or wrong is named, and then nothing is packed unless `partial`.",
        graphql_type=OrderPackingResult,
    )
    async def pack_order(
        self,
        info: Info,
        idempotency_key: str,
        order_id: strawberry.ID,
        scanned: list[UnitInput],
        partial: bool = False,
        context: CommandContextInput | None = None,
    ) -> OrderPacking:
        """Pack; an answer that packed nothing is not kept for its key."""
        info.context.require(Scope.SCANNER)
        command_context = command_context_of(info.context, context)

        def do(tx: Transaction, command_id: str) -> dict[str, Any]:
            check, verdicts = dispatch.pack(
                Work(tx, command_context, command_id), order_id, scans_of(scanned), partial=partial
            )
            packed = [each.unit_id for each in verdicts if each.accepted]
            return {"check": check.as_json(), "packed": packed}

        given = given_by(scanned, context, order=order_id, partial=partial)
        try:
            done = await once(
                info.context, command_context, idempotency_key, "pack_order", given, do
            )
        except NotWhole as amiss:
            check = DispatchCheck.of(amiss.check.as_json())
            return OrderPacking(replayed=False, check=check, packed_ids=[])
        check = DispatchCheck.of(done.value["check"])
        return OrderPacking(replayed=done.replayed, check=check, packed_ids=done.value["packed"])

    @strawberry.mutation(
        description="Hand an order to its customer at a shop: its line is closed with the serial, "
        "and the channel is told.",
        graphql_type=CommandOutcome,
    )
    async def collect_units(
        self,
        info: Info,
        idempotency_key: str,
        order_id: strawberry.ID,
        units: list[UnitInput],
        location: str,
        customer_ref: str | None = None,
        code: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Collect; `code` is the order's number or reference, as the customer shows it."""
        info.context.require(Scope.POS, Scope.SCANNER)
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

        more = {"order": order_id, "customer": customer_ref, "code": code}
        given = given_by(units, context, location=location, **more)
        return await command(info, idempotency_key, Action.COLLECT, given, context, do)

    @strawberry.mutation(
        description="Take a unit back and give another one for it, in one piece: if either can "
        "not be done, neither is.",
        graphql_type=ExchangeResult,
    )
    async def exchange_unit(
        self,
        info: Info,
        idempotency_key: str,
        returned: UnitInput,
        replacement: UnitInput,
        location: str,
        reason: str,
        return_id: strawberry.ID | None = None,
        receipt: str | None = None,
        context: CommandContextInput | None = None,
    ) -> Exchange:
        """Exchange; `returnId` names the check by which the return was decided."""
        info.context.require(Scope.POS)
        given_occasion = context or CommandContextInput()
        given_occasion.reason = reason
        command_context = command_context_of(info.context, given_occasion)

        def do(tx: Transaction, command_id: str) -> list[str]:
            place = catalogue.location(tx, location)
            return list(
                exchanges.exchange(
                    Work(tx, command_context, command_id),
                    _scan(returned),
                    _scan(replacement),
                    place,
                    return_id=return_id,
                    receipt=receipt,
                )
            )

        more = {"location": location, "return": return_id, "receipt": receipt}
        given = given_by([returned, replacement], given_occasion, **more)
        done = await once(
            info.context, command_context, idempotency_key, "exchange_unit", given, do
        )
        returned_id, given_id = done.value
        return Exchange(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            returned_id=returned_id,
            given_id=given_id,
        )
