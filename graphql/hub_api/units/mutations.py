"""Mutations for units."""

from datetime import datetime, timedelta
from enum import Enum

import strawberry

from hub import catalogue, ledger
from hub.access.keys import Scope
from hub.clock import micros
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.fulfillment import counter_sales, picking, transfers
from hub.inbound import receiving, serialization, ship_notices
from hub.ledger.command import UnitCommand
from hub.ledger.commissioning import Condition
from hub.ledger.event_writer import Verdict
from hub.ledger.holds import HoldKind
from hub.lifecycle import Action
from hub.orders import Shipment, order_checks
from hub.returns.receive import Disposal, accept_plainly
from hub_api.common.command_inputs import (
    REFERENCE_CHARS_MAX,
    ArrivalInput,
    CommandContextInput,
    DeliveryReference,
    UnitInput,
    arrivals_of,
    given_by,
    order_line_of,
    place_of,
    plain_arrivals,
    scans_of,
)
from hub_api.common.context import Info
from hub_api.units.results import CommandOutcome, CommandResult, command, move

PROMISE_MAX = timedelta(days=366)


@strawberry.enum(description="What an inspection decides.")
class Outcome(Enum):
    """What an inspection decides."""

    RESTOCK = Action.RESTOCK.value
    REPAIR = Action.REPAIR.value
    QUARANTINE = Action.QUARANTINE.value
    CONDEMN = Action.CONDEMN.value


def _check_expiry(expires_at: datetime, now: datetime, *, sale: bool) -> None:
    if expires_at.tzinfo is None or not sale:
        raise InvalidInput(
            "only a promise (SALE) expires, at a time with its zone", field="expiresAt"
        )
    if not now < expires_at < now + PROMISE_MAX:
        raise InvalidInput("a promise expires within a year from now", field="expiresAt")


@strawberry.type
class UnitCommandMutation:
    """Commands to the ledger."""

    @strawberry.mutation(
        description="Record units that arrive: new ones get their records, expected ones go on.",
        graphql_type=CommandOutcome,
    )
    async def receive_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[ArrivalInput],
        location: str,
        put_away: bool = False,
        delivery: DeliveryReference | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Receive; with `putAway` they are sellable at once."""
        info.context.require(Scope.SCANNER)
        arrivals = arrivals_of(units)

        def do(work: Work) -> list[Verdict]:
            announced = (
                ship_notices.find(work.tx, delivery.supplier, delivery.ref) if delivery else None
            )
            return receiving.receive(
                work,
                arrivals,
                catalogue.location(work.tx, location),
                put_away=put_away,
                delivery=announced,
            )

        given = [
            plain_arrivals(arrivals),
            location,
            put_away,
            vars(context) if context else None,
            vars(delivery) if delivery else None,
        ]
        return await command(info, idempotency_key, "receive", given, context, do)

    @strawberry.mutation(
        description="Put received units into stock, at a bin of the same site.",
        graphql_type=CommandOutcome,
    )
    async def put_away_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        location: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Put away."""
        info.context.require(Scope.SCANNER)
        return await move(info, idempotency_key, Action.PUT_AWAY, units, context, location)

    @strawberry.mutation(
        description="Move units to another bin of the same site.", graphql_type=CommandOutcome
    )
    async def move_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        location: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Move."""
        info.context.require(Scope.SCANNER)
        return await move(info, idempotency_key, Action.MOVE, units, context, location)

    @strawberry.mutation(
        description="Send units to another of our sites.", graphql_type=CommandOutcome
    )
    async def transfer_out_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        destination: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Transfer out: they are between two sites, and nobody can sell them."""
        info.context.require(Scope.SCANNER)
        return await move(info, idempotency_key, Action.TRANSFER_OUT, units, context, destination)

    @strawberry.mutation(
        description="Take units that were sent from another site into stock.",
        graphql_type=CommandOutcome,
    )
    async def transfer_in_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        location: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Transfer in; what was sent to another site is taken too, and a case tells of it."""
        info.context.require(Scope.SCANNER)

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return transfers.arrive(work, scans_of(units), place)

        given = given_by(units, context, location=location)
        return await command(info, idempotency_key, Action.TRANSFER_IN, given, context, do)

    @strawberry.mutation(
        description="Hold units: SALE promises them to one buyer, the other kinds block them.",
        graphql_type=CommandOutcome,
    )
    async def hold_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        kind: HoldKind,
        reference: str | None = None,
        order_line_id: strawberry.ID | None = None,
        expires_at: datetime | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Hold. A promise may end by itself at `expiresAt`."""
        info.context.require(Scope.SCANNER, Scope.POS)
        sale = kind is HoldKind.SALE
        if len(reference or "") > REFERENCE_CHARS_MAX:
            raise InvalidInput(f"at most {REFERENCE_CHARS_MAX} characters", field="reference")
        if expires_at is not None:
            _check_expiry(expires_at, info.context.clock(), sale=sale)

        def do(work: Work) -> list[Verdict]:
            unit_command = UnitCommand(
                action=Action.ALLOCATE if sale else Action.HOLD,
                hold_kind=str(kind),
                hold_reference=reference,
                line=order_line_of(work.tx, order_line_id),
                expires_at=micros(expires_at) if expires_at else None,
            )
            return ledger.record(work, unit_command, scans_of(units))

        given = given_by(
            units,
            context,
            kind=kind,
            reference=reference,
            line=order_line_id,
            expires_at=expires_at,
        )
        return await command(info, idempotency_key, "hold", given, context, do)

    @strawberry.mutation(
        description="Take a promise (SALE) or a block back.", graphql_type=CommandOutcome
    )
    async def release_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        kind: HoldKind,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Release; a picked or packed unit goes back into stock."""
        info.context.require(Scope.SCANNER, Scope.POS)
        if kind is HoldKind.SALE:
            return await move(info, idempotency_key, Action.RELEASE, units, context)
        # A block was placed by somebody who saw a danger: ops decide that it is over.
        info.context.require(Scope.OPS)
        return await move(
            info, idempotency_key, Action.UNBLOCK, units, context, hold_kind=str(kind)
        )

    @strawberry.mutation(
        description="Take promised units off the shelf.", graphql_type=CommandOutcome
    )
    async def pick_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        order_line_id: strawberry.ID | None = None,
        substitute: bool = False,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Pick; with `orderLineId` only units that are promised to that line.

        With `substitute` and a reason another unit takes the place of one that was not scanned.
        """
        info.context.require(Scope.SCANNER)

        def do(work: Work) -> list[Verdict]:
            scans = scans_of(units)
            unit_command = UnitCommand(action=Action.PICK, line=order_line_id)
            why = serialization.at_movement(work, unit_command, scans)
            verdicts = picking.pick(work, scans, line_id=order_line_id, substitute=substitute)
            return serialization.explained(verdicts, why)

        more = {"substitute": True} if substitute else {}
        given = given_by(units, context, location=None, line=order_line_id, **more)
        return await command(info, idempotency_key, Action.PICK, given, context, do)

    @strawberry.mutation(
        description="Pack picked units: each serial is checked once more.",
        graphql_type=CommandOutcome,
    )
    async def pack_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        order_line_id: strawberry.ID | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Pack; with `orderLineId` only units that are promised to that line."""
        info.context.require(Scope.SCANNER)

        def do(work: Work) -> list[Verdict]:
            unit_command = UnitCommand(action=Action.PACK, line=order_line_id)
            return order_checks.record(work, unit_command, scans_of(units))

        given = given_by(units, context, location=None, line=order_line_id)
        return await command(info, idempotency_key, Action.PACK, given, context, do)

    @strawberry.mutation(
        description="Hand units to the carrier; the channel of their order is told their serials.",
        graphql_type=CommandOutcome,
    )
    async def ship_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        order_line_id: strawberry.ID | None = None,
        carrier: str | None = None,
        tracking: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Ship."""
        info.context.require(Scope.SCANNER)
        shipment = Shipment(carrier=carrier, tracking=tracking)

        def do(work: Work) -> list[Verdict]:
            return serialization.ship(work, scans_of(units), shipment, line=order_line_id)

        given = given_by(units, context, carrier=carrier, tracking=tracking, line=order_line_id)
        return await command(info, idempotency_key, "ship", given, context, do)

    @strawberry.mutation(description="Sell units over the counter.", graphql_type=CommandOutcome)
    async def sell_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        receipt: str,
        hold_reference: str | None = None,
        location: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Sell; with `holdReference` also units that are promised under that reference.

        A unit's `sku` may be the GTIN that the till read; at `location` only what stands there.
        """
        info.context.require(Scope.POS)
        if not 0 < len(receipt) <= REFERENCE_CHARS_MAX:
            raise InvalidInput(
                f"a receipt has 1 to {REFERENCE_CHARS_MAX} characters", field="receipt"
            )
        sale = context or CommandContextInput()
        sale.document_type, sale.document_ref = "inv", receipt

        def do(work: Work) -> list[Verdict]:
            unit_command = UnitCommand(action=Action.SELL, hold_reference=hold_reference)
            place, scans = place_of(work.tx, location), scans_of(units)
            why = serialization.at_movement(work, unit_command, scans)
            verdicts = counter_sales.sell(work, unit_command, scans, place)
            return serialization.explained(verdicts, why)

        given = given_by(units, sale, location=location, hold_reference=hold_reference)
        return await command(info, idempotency_key, Action.SELL, given, sale, do)

    @strawberry.mutation(
        description="Take sold units back; their disposition is decided later.",
        graphql_type=CommandOutcome,
    )
    async def accept_returns(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        location: str,
        reason: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Accept returns, with the reason that the customer gave."""
        info.context.require(Scope.POS, Scope.SCANNER)
        if not reason.strip():
            raise InvalidInput("a return needs its reason", field="reason")
        returned = context or CommandContextInput()
        returned.reason = reason

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            unit_command = UnitCommand(action=Action.ACCEPT_RETURN, location=place)
            return accept_plainly(work, unit_command, scans_of(units))

        given = given_by(units, returned, location=location)
        return await command(info, idempotency_key, Action.ACCEPT_RETURN, given, returned, do)

    @strawberry.mutation(
        description="Inspect returned or repaired units and decide about them.",
        graphql_type=CommandOutcome,
    )
    async def inspect_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        outcome: Outcome,
        grade: str | None = None,
        location: str | None = None,
        condition: Condition | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Inspect: grade them, and restock, repair, quarantine or condemn."""
        info.context.require(Scope.SCANNER)
        if grade is not None and not 0 < len(grade) <= 20:
            raise InvalidInput("a grade has 1 to 20 characters", field="grade")
        action = Action(outcome.value)
        resold = {"disposal": str(Disposal.RESELL)} if action is Action.RESTOCK else None
        return await move(
            info,
            idempotency_key,
            action,
            units,
            context,
            location,
            grade=grade,
            condition=str(condition) if condition else None,
            details=resold,
        )

    @strawberry.mutation(
        description="Write units off: they are destroyed, lost or recycled.",
        graphql_type=CommandOutcome,
    )
    async def write_off_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        reason: str,
        disposal: Disposal = Disposal.SCRAP,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Write off, with the reason: no variance is unexplained."""
        info.context.require(Scope.OPS)
        if not reason.strip():
            raise InvalidInput("a write-off needs its reason", field="reason")
        if disposal is Disposal.RESELL:
            raise InvalidInput("what is written off is not sold again", field="disposal")
        written = context or CommandContextInput()
        written.reason = reason
        details = {"disposal": str(disposal)}
        return await move(info, idempotency_key, Action.WRITE_OFF, units, written, details=details)
