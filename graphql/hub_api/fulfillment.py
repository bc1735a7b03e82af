"""Fulfillment: what to pick where, orders checked before they are packed or leave, collection."""

from enum import Enum
from typing import Annotated, Any

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.catalogue import Picking
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.fulfillment import collection, dispatch, exchanges, picking
from hub.fulfillment.dispatch import DispatchFinding, NotWhole
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Row, Transaction
from hub_api.command import (
    REFERENCE_CHARS_MAX,
    CommandContextInput,
    CommandOutcome,
    CommandResult,
    UnitInput,
    command,
    command_context_of,
    given_by,
    scans_of,
)
from hub_api.context import Context
from hub_api.once import once
from hub_api.problems import (
    AnyProblem,
    CaptureRequired,
    UnitBlocked,
    UnitExpired,
    UnitPromised,
    VersionConflict,
    WrongUnit,
    answer,
)
from hub_api.units import Unit

Info = strawberry.Info[Context, None]
USUAL_SIZE = 10

strawberry.enum(DispatchFinding, description="What the check of one serial found.")


@strawberry.enum(description="The step that an order is checked for.")
class DispatchStep(Enum):
    """The step that an order is checked for."""

    PACK = Action.PACK.value
    SHIP = Action.SHIP.value
    COLLECT = Action.COLLECT.value


async def _units(info: Info, unit_ids: list[str]) -> list[Unit]:
    rows: list[Row | None] = [await info.context.units(each) for each in unit_ids]
    return [Unit.of(row) for row in rows if row is not None]


async def _unit(info: Info, unit_id: str) -> Unit:
    (unit,) = await _units(info, [unit_id])
    return unit


@strawberry.type(description="What the check says of one serial that was scanned.")
class ScannedUnit:
    """What the check says of one serial."""

    identifier: str = strawberry.field(description="As it was read.")
    finding: DispatchFinding
    message: str
    line_id: strawberry.ID | None = strawberry.field(description="The order's line that it is for.")
    unit_id: strawberry.ID | None

    @strawberry.field(description="The unit as it is now; null if nobody knows it.")
    async def unit(self, info: Info) -> Unit | None:
        """Load the unit."""
        return await _unit(info, self.unit_id) if self.unit_id else None


@strawberry.type(description="An order beside what was scanned of it.")
class DispatchCheck:
    """An order beside what was scanned of it."""

    order_id: strawberry.ID
    is_whole: bool = strawberry.field(
        description="What was scanned is the order, the whole order and nothing else."
    )
    is_cancelled: bool
    lacking: int = strawberry.field(description="Units that it needs and nobody promised to it.")
    scanned: list[ScannedUnit] = strawberry.field(metadata={"size": USUAL_SIZE})
    missing_ids: strawberry.Private[list[str]]

    @classmethod
    def of(cls, told: dict[str, Any]) -> "DispatchCheck":
        """Show a check in plain values."""
        return cls(
            order_id=strawberry.ID(told["order_id"]),
            is_whole=told["whole"],
            is_cancelled=told["cancelled"],
            lacking=told["lacking"],
            scanned=[
                ScannedUnit(
                    identifier=identifier,
                    finding=DispatchFinding(finding),
                    message=message,
                    unit_id=unit_id,
                    line_id=line_id,
                )
                for identifier, finding, message, unit_id, line_id in told["scanned"]
            ],
            missing_ids=told["missing"],
        )

    @strawberry.field(
        description="Units that are promised to it and were not scanned.",
        metadata={"size": USUAL_SIZE},
    )
    async def missing(self, info: Info) -> list[Unit]:
        """Load what is missing."""
        return await _units(info, self.missing_ids)


@strawberry.type(description="What became of packing an order.")
class OrderPacking:
    """What became of packing an order."""

    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    check: DispatchCheck
    packed_ids: strawberry.Private[list[str]]

    @strawberry.field(
        description="The units that were packed; none where the order is not whole.",
        metadata={"size": USUAL_SIZE},
    )
    async def packed(self, info: Info) -> list[Unit]:
        """Load what was packed."""
        return await _units(info, self.packed_ids)


@strawberry.type(description="A unit that took the place of the one that was directed.")
class Substitution:
    """A unit that took the place of another."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    broken_rule: Picking | None = strawberry.field(
        description="The rule of the product by which the other unit should have left first."
    )
    picked_id: strawberry.Private[str]
    released_id: strawberry.Private[str]

    @strawberry.field(description="The unit that was picked.")
    async def picked(self, info: Info) -> Unit:
        """Load the unit."""
        return await _unit(info, self.picked_id)

    @strawberry.field(description="The unit that was directed, and is free again.")
    async def released(self, info: Info) -> Unit:
        """Load the unit."""
        return await _unit(info, self.released_id)


@strawberry.type(description="A unit that came back, and the one that was given for it.")
class Exchange:
    """A unit that came back, and the one that was given for it."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    returned_id: strawberry.Private[str]
    given_id: strawberry.Private[str]

    @strawberry.field(description="The unit that came back.")
    async def returned(self, info: Info) -> Unit:
        """Load the unit."""
        return await _unit(info, self.returned_id)

    @strawberry.field(description="The unit that was given for it.")
    async def given(self, info: Info) -> Unit:
        """Load the unit."""
        return await _unit(info, self.given_id)


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
class FulfillmentQuery:
    """Checking orders."""

    @strawberry.field(
        description="Check serials against an order before they are packed, shipped or collected: "
        "each exists, has the right status and product, and is promised to it. Nothing is changed.",
        metadata={"cost": 20},
    )
    async def check_dispatch(
        self,
        info: Info,
        order_id: strawberry.ID,
        scanned: list[UnitInput],
        step: DispatchStep = DispatchStep.SHIP,
    ) -> DispatchCheck:
        """Check."""
        info.context.require(Scope.SCANNER, Scope.POS)
        action = Action(step.value)
        context = info.context.command_context()
        found = await info.context.read(
            lambda tx: dispatch.verify(tx, context, order_id, scans_of(scanned), action)
        )
        return DispatchCheck.of(found.as_json())


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
