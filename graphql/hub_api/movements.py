"""Movements: everything that is done to units, one at a time or ten thousand at once.

Every command takes an idempotency key and answers for each unit by itself: one bad row never
loses the good ones.
"""

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
from hub.ledger.command import Instruction
from hub.ledger.commissioning import Condition
from hub.ledger.event_writer import Verdict
from hub.ledger.holds import HoldKind
from hub.lifecycle import Action
from hub.orders import Shipment, order_checks
from hub.returns.receive import Disposal, accept_plainly
from hub_api.command import (
    REFERENCE_CHARS_MAX,
    ArrivalInput,
    DeliveryReference,
    Movement,
    MovementResult,
    OccasionInput,
    UnitInput,
    arrivals_of,
    command,
    given_by,
    move,
    order_line_of,
    place_of,
    plain_arrivals,
    scans_of,
)
from hub_api.context import Context

Info = strawberry.Info[Context, None]
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
class MovementMutation:
    """Commands to the ledger."""

    @strawberry.mutation(
        description="Record units that arrive: new ones get their records, expected ones go on.",
        graphql_type=MovementResult,
    )
    async def receive_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[ArrivalInput],
        location: str,
        put_away: bool = False,
        delivery: DeliveryReference | None = None,
        occasion: OccasionInput | None = None,
    ) -> Movement:
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
            vars(occasion) if occasion else None,
            vars(delivery) if delivery else None,
        ]
        return await command(info, idempotency_key, "receive", given, occasion, do)

    @strawberry.mutation(
        description="Put received units into stock, at a bin of the same site.",
        graphql_type=MovementResult,
    )
    async def put_away_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        location: str,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Put away."""
        info.context.require(Scope.SCANNER)
        return await move(info, idempotency_key, Action.PUT_AWAY, units, occasion, location)

    @strawberry.mutation(
        description="Move units to another bin of the same site.", graphql_type=MovementResult
    )
    async def move_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        location: str,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Move."""
        info.context.require(Scope.SCANNER)
        return await move(info, idempotency_key, Action.MOVE, units, occasion, location)

    @strawberry.mutation(
        description="Send units to another of our sites.", graphql_type=MovementResult
    )
    async def transfer_out_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        destination: str,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Transfer out: they are between two sites, and nobody can sell them."""
        info.context.require(Scope.SCANNER)
        return await move(info, idempotency_key, Action.TRANSFER_OUT, units, occasion, destination)

    @strawberry.mutation(
        description="Take units that were sent from another site into stock.",
        graphql_type=MovementResult,
    )
    async def transfer_in_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        location: str,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Transfer in; what was sent to another site is taken too, and a case tells of it."""
        info.context.require(Scope.SCANNER)

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return transfers.arrive(work, scans_of(units), place)

        given = given_by(units, occasion, location=location)
        return await command(info, idempotency_key, Action.TRANSFER_IN, given, occasion, do)

    @strawberry.mutation(
        description="Hold units: SALE promises them to one buyer, the other kinds block them.",
        graphql_type=MovementResult,
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
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Hold. A promise may end by itself at `expiresAt`."""
        info.context.require(Scope.SCANNER, Scope.POS)
        sale = kind is HoldKind.SALE
        if len(reference or "") > REFERENCE_CHARS_MAX:
            raise InvalidInput(f"at most {REFERENCE_CHARS_MAX} characters", field="reference")
        if expires_at is not None:
            _check_expiry(expires_at, info.context.clock(), sale=sale)

        def do(work: Work) -> list[Verdict]:
            instruction = Instruction(
                action=Action.ALLOCATE if sale else Action.HOLD,
                hold_kind=str(kind),
                hold_reference=reference,
                line=order_line_of(work.tx, order_line_id),
                expires_at=micros(expires_at) if expires_at else None,
            )
            return ledger.record(work, instruction, scans_of(units))

        given = given_by(
            units,
            occasion,
            kind=kind,
            reference=reference,
            line=order_line_id,
            expires_at=expires_at,
        )
        return await command(info, idempotency_key, "hold", given, occasion, do)

    @strawberry.mutation(
        description="Take a promise (SALE) or a block back.", graphql_type=MovementResult
    )
    async def release_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        kind: HoldKind,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Release; a picked or packed unit goes back into stock."""
        info.context.require(Scope.SCANNER, Scope.POS)
        if kind is HoldKind.SALE:
            return await move(info, idempotency_key, Action.RELEASE, units, occasion)
        # A block was placed by somebody who saw a danger: ops decide that it is over.
        info.context.require(Scope.OPS)
        return await move(
            info, idempotency_key, Action.UNBLOCK, units, occasion, hold_kind=str(kind)
        )

    @strawberry.mutation(
        description="Take promised units off the shelf.", graphql_type=MovementResult
    )
    async def pick_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        order_line_id: strawberry.ID | None = None,
        substitute: bool = False,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Pick; with `orderLineId` only units that are promised to that line.

        With `substitute` and a reason another unit takes the place of one that was not scanned.
        """
        info.context.require(Scope.SCANNER)

        def do(work: Work) -> list[Verdict]:
            scans = scans_of(units)
            instruction = Instruction(action=Action.PICK, line=order_line_id)
            why = serialization.at_movement(work, instruction, scans)
            verdicts = picking.pick(work, scans, line_id=order_line_id, substitute=substitute)
            return serialization.explained(verdicts, why)

        more = {"substitute": True} if substitute else {}
        given = given_by(units, occasion, location=None, line=order_line_id, **more)
        return await command(info, idempotency_key, Action.PICK, given, occasion, do)

    @strawberry.mutation(
        description="Pack picked units: each serial is checked once more.",
        graphql_type=MovementResult,
    )
    async def pack_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        order_line_id: strawberry.ID | None = None,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Pack; with `orderLineId` only units that are promised to that line."""
        info.context.require(Scope.SCANNER)

        def do(work: Work) -> list[Verdict]:
            instruction = Instruction(action=Action.PACK, line=order_line_id)
            return order_checks.record(work, instruction, scans_of(units))

        given = given_by(units, occasion, location=None, line=order_line_id)
        return await command(info, idempotency_key, Action.PACK, given, occasion, do)

    @strawberry.mutation(
        description="Hand units to the carrier; the channel of their order is told their serials.",
        graphql_type=MovementResult,
    )
    async def ship_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        order_line_id: strawberry.ID | None = None,
        carrier: str | None = None,
        tracking: str | None = None,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Ship."""
        info.context.require(Scope.SCANNER)
        shipment = Shipment(carrier=carrier, tracking=tracking)

        def do(work: Work) -> list[Verdict]:
            return serialization.ship(work, scans_of(units), shipment, line=order_line_id)

        given = given_by(units, occasion, carrier=carrier, tracking=tracking, line=order_line_id)
        return await command(info, idempotency_key, "ship", given, occasion, do)

    @strawberry.mutation(description="Sell units over the counter.", graphql_type=MovementResult)
    async def sell_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        receipt: str,
        hold_reference: str | None = None,
        location: str | None = None,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Sell; with `holdReference` also units that are promised under that reference.

        A unit's `sku` may be the GTIN that the till read; at `location` only what stands there.
        """
        info.context.require(Scope.POS)
        if not 0 < len(receipt) <= REFERENCE_CHARS_MAX:
            raise InvalidInput(
                f"a receipt has 1 to {REFERENCE_CHARS_MAX} characters", field="receipt"
            )
        sale = occasion or OccasionInput()
        sale.document_type, sale.document_ref = "inv", receipt

        def do(work: Work) -> list[Verdict]:
            instruction = Instruction(action=Action.SELL, hold_reference=hold_reference)
            place, scans = place_of(work.tx, location), scans_of(units)
            why = serialization.at_movement(work, instruction, scans)
            verdicts = counter_sales.sell(work, instruction, scans, place)
            return serialization.explained(verdicts, why)

        given = given_by(units, sale, location=location, hold_reference=hold_reference)
        return await command(info, idempotency_key, Action.SELL, given, sale, do)

    @strawberry.mutation(
        description="Take sold units back; their disposition is decided later.",
        graphql_type=MovementResult,
    )
    async def accept_returns(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        location: str,
        reason: str,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Accept returns, with the reason that the customer gave."""
        info.context.require(Scope.POS, Scope.SCANNER)
        if not reason.strip():
            raise InvalidInput("a return needs its reason", field="reason")
        returned = occasion or OccasionInput()
        returned.reason = reason

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            instruction = Instruction(action=Action.ACCEPT_RETURN, location=place)
            return accept_plainly(work, instruction, scans_of(units))

        given = given_by(units, returned, location=location)
        return await command(info, idempotency_key, Action.ACCEPT_RETURN, given, returned, do)

    @strawberry.mutation(
        description="Inspect returned or repaired units and decide about them.",
        graphql_type=MovementResult,
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
        occasion: OccasionInput | None = None,
    ) -> Movement:
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
            occasion,
            location,
            grade=grade,
            condition=str(condition) if condition else None,
            details=resold,
        )

    @strawberry.mutation(
        description="Write units off: they are destroyed, lost or recycled.",
        graphql_type=MovementResult,
    )
    async def write_off_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        reason: str,
        disposal: Disposal = Disposal.SCRAP,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Write off, with the reason: no variance is unexplained."""
        info.context.require(Scope.OPS)
        if not reason.strip():
            raise InvalidInput("a write-off needs its reason", field="reason")
        if disposal is Disposal.RESELL:
            raise InvalidInput("what is written off is not sold again", field="disposal")
        written = occasion or OccasionInput()
        written.reason = reason
        details = {"disposal": str(disposal)}
        return await move(info, idempotency_key, Action.WRITE_OFF, units, written, details=details)
