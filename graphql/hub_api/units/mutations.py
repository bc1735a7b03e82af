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
from hub.ledger.arrivals import Condition
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.holds import HoldKind
from hub.lifecycle import Action
from hub.orders import Shipment, order_holds
from hub.returns.receive import Disposal, accept_plainly
from hub_api.common.command_inputs import (
    REFERENCE_CHARS_MAX,
    AdvanceShipNoticeReference,
    ArrivalInput,
    CommandContextInput,
    UnitInput,
    arrivals_of,
    order_line_of,
    place_of,
    scans_of,
)
from hub_api.common.commands import Call, command
from hub_api.common.long_work import MANY, in_thread_if
from hub_api.units.results import CommandOutcome, CommandResult, move, record_units

PROMISE_MAX = timedelta(days=366)


@strawberry.enum(description="Outcome of an inspection.")
class Outcome(Enum):
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

    @command(
        Scope.SCANNER,
        description="Record units that arrive: new ones get their records, expected ones go on.",
        result=CommandOutcome,
        confined=True,
    )
    async def receive_units(
        self,
        call: Call,
        units: list[ArrivalInput],
        location: str,
        put_away: bool = False,
        advance_ship_notice: AdvanceShipNoticeReference | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Receive; with `putAway` they are sellable at once."""
        arrivals = await in_thread_if(len(units) > MANY, lambda: arrivals_of(units))

        def do(work: Work) -> list[Verdict]:
            notice = advance_ship_notice
            announced = ship_notices.find(work.tx, notice.supplier, notice.ref) if notice else None
            return receiving.receive(
                work,
                arrivals,
                catalogue.location(work.tx, location),
                put_away=put_away,
                delivery=announced,
            )

        return await record_units(call, context, do)

    @command(
        Scope.SCANNER,
        description="Put received units into stock, at a bin of the same site.",
        result=CommandOutcome,
        confined=True,
    )
    async def put_away_units(
        self,
        call: Call,
        units: list[UnitInput],
        location: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        return await move(call, Action.PUT_AWAY, units, context, location)

    @command(
        Scope.SCANNER,
        description="Move units to another bin of the same site.",
        result=CommandOutcome,
        confined=True,
    )
    async def move_units(
        self,
        call: Call,
        units: list[UnitInput],
        location: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        return await move(call, Action.MOVE, units, context, location)

    @command(
        Scope.SCANNER,
        description="Send units to another of our sites.",
        result=CommandOutcome,
        confined=True,
    )
    async def transfer_out_units(
        self,
        call: Call,
        units: list[UnitInput],
        destination: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Transfer out: they are between two sites, and nobody can sell them."""
        return await move(call, Action.TRANSFER_OUT, units, context, destination)

    @command(
        Scope.SCANNER,
        description="Take units that were sent from another site into stock.",
        result=CommandOutcome,
        confined=True,
    )
    async def transfer_in_units(
        self,
        call: Call,
        units: list[UnitInput],
        location: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Transfer in; what was sent to another site is taken too, and a case tells of it."""

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return transfers.arrive(work, scans_of(units), place)

        return await record_units(call, context, do)

    @command(
        Scope.SCANNER,
        Scope.POS,
        description="Hold units: SALE promises them to one buyer, the other kinds block them. A "
        "promise without an order line is the key's own: another key needs the scope `override` "
        "to release, pick or sell it.",
        result=CommandOutcome,
        confined=True,
    )
    async def hold_units(
        self,
        call: Call,
        units: list[UnitInput],
        kind: HoldKind,
        reference: str | None = None,
        order_line_id: strawberry.ID | None = None,
        expires_at: datetime | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Hold. A promise may end by itself at `expiresAt`."""
        sale = kind is HoldKind.SALE
        if len(reference or "") > REFERENCE_CHARS_MAX:
            raise InvalidInput(f"at most {REFERENCE_CHARS_MAX} characters", field="reference")
        if expires_at is not None:
            _check_expiry(expires_at, call.context.clock(), sale=sale)

        def do(work: Work) -> list[Verdict]:
            unit_command = UnitCommand(
                action=Action.ALLOCATE if sale else Action.HOLD,
                hold_kind=str(kind),
                hold_reference=reference,
                line=order_line_of(work.tx, order_line_id),
                expires_at=micros(expires_at) if expires_at else None,
                # A promise to a buyer is of the key that made it; one for an order is the order's.
                owner=call.context.caller.key_id if sale and order_line_id is None else None,
            )
            return ledger.record(work, unit_command, scans_of(units))

        return await record_units(call, context, do)

    @command(
        Scope.SCANNER,
        Scope.POS,
        description="Take a promise (SALE) or a block back.",
        result=CommandOutcome,
        confined=True,
    )
    async def release_units(
        self,
        call: Call,
        units: list[UnitInput],
        kind: HoldKind,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Release; a picked or packed unit goes back into stock, and nothing takes its place."""
        if kind is HoldKind.SALE:
            return await record_units(
                call, context, lambda work: order_holds.release(work, scans_of(units))
            )
        # A block was placed by somebody who saw a danger: ops decide that it is over.
        call.context.require(Scope.OPS)
        return await move(call, Action.UNBLOCK, units, context, hold_kind=str(kind))

    @command(
        Scope.SCANNER,
        description="Take promised units off the shelf.",
        result=CommandOutcome,
        confined=True,
    )
    async def pick_units(
        self,
        call: Call,
        units: list[UnitInput],
        order_line_id: strawberry.ID | None = None,
        substitute: bool = False,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Pick; with `orderLineId` only units that are promised to that line.

        With `substitute` and a reason another unit takes the place of one that was not scanned.
        """

        def do(work: Work) -> list[Verdict]:
            scans = scans_of(units)
            unit_command = UnitCommand(action=Action.PICK, line=order_line_id)
            why = serialization.at_movement(work, unit_command, scans)
            results = picking.pick(work, scans, line_id=order_line_id, substitute=substitute)
            return serialization.explained(results, why)

        return await record_units(call, context, do)

    @command(
        Scope.SCANNER,
        description="Pack picked units: each serial is checked once more.",
        result=CommandOutcome,
        confined=True,
    )
    async def pack_units(
        self,
        call: Call,
        units: list[UnitInput],
        order_line_id: strawberry.ID | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Pack; with `orderLineId` only units that are promised to that line."""

        def do(work: Work) -> list[Verdict]:
            unit_command = UnitCommand(action=Action.PACK, line=order_line_id)
            return ledger.record(work, unit_command, scans_of(units))

        return await record_units(call, context, do)

    @command(
        Scope.SCANNER,
        description="Hand units to the carrier; the serials are pushed to the channel of their "
        "order.",
        result=CommandOutcome,
        confined=True,
    )
    async def ship_units(
        self,
        call: Call,
        units: list[UnitInput],
        order_line_id: strawberry.ID | None = None,
        carrier: str | None = None,
        tracking: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        shipment = Shipment(carrier=carrier, tracking=tracking)

        def do(work: Work) -> list[Verdict]:
            return serialization.ship(work, scans_of(units), shipment, line=order_line_id)

        return await record_units(call, context, do)

    @command(
        Scope.POS,
        description="Sell units over the counter.",
        result=CommandOutcome,
        confined=True,
    )
    async def sell_units(
        self,
        call: Call,
        units: list[UnitInput],
        receipt: str,
        hold_reference: str | None = None,
        location: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Sell; with `holdReference` also units that are promised under that reference.

        A unit's `sku` may be the GTIN that the till read; at `location` only what stands there.
        """
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
            results = counter_sales.sell(work, unit_command, scans, place)
            return serialization.explained(results, why)

        return await record_units(call, sale, do)

    @command(
        Scope.POS,
        Scope.SCANNER,
        description="Take sold units back; their disposition is decided later.",
        result=CommandOutcome,
        confined=True,
    )
    async def accept_returns(
        self,
        call: Call,
        units: list[UnitInput],
        location: str,
        reason: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Accept returns, with the reason that the customer gave."""
        if not reason.strip():
            raise InvalidInput("a return needs its reason", field="reason")
        returned = context or CommandContextInput()
        returned.reason = reason

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            unit_command = UnitCommand(action=Action.ACCEPT_RETURN, location=place)
            return accept_plainly(work, unit_command, scans_of(units))

        return await record_units(call, returned, do)

    @command(
        Scope.SCANNER,
        description="Inspect returned or repaired units and decide about them.",
        result=CommandOutcome,
        confined=True,
    )
    async def inspect_units(
        self,
        call: Call,
        units: list[UnitInput],
        outcome: Outcome,
        grade: str | None = None,
        location: str | None = None,
        condition: Condition | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Inspect: grade them, and restock, repair, quarantine or condemn."""
        if grade is not None and not 0 < len(grade) <= 20:
            raise InvalidInput("a grade has 1 to 20 characters", field="grade")
        action = Action(outcome.value)
        resold = {"disposal": str(Disposal.RESELL)} if action is Action.RESTOCK else None
        return await move(
            call,
            action,
            units,
            context,
            location,
            grade=grade,
            condition=str(condition) if condition else None,
            details=resold,
        )

    @command(
        Scope.OPS,
        description="Return units to their supplier; a unit that is delivered again continues "
        "its record.",
        result=CommandOutcome,
    )
    async def return_to_supplier(
        self,
        call: Call,
        units: list[UnitInput],
        reason: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Return, with the reason and, as the document, the supplier's permission (rma)."""
        if not reason.strip():
            raise InvalidInput("a return to the supplier needs its reason", field="reason")
        given = context or CommandContextInput()
        given.reason = reason
        return await move(call, Action.RETURN_TO_SUPPLIER, units, given)

    @command(
        Scope.OPS,
        description="Write units off: they are destroyed, lost or recycled.",
        result=CommandOutcome,
    )
    async def write_off_units(
        self,
        call: Call,
        units: list[UnitInput],
        reason: str,
        disposal: Disposal = Disposal.SCRAP,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Write off, with the reason: no variance is unexplained."""
        if not reason.strip():
            raise InvalidInput("a write-off needs its reason", field="reason")
        if disposal is Disposal.RESELL:
            raise InvalidInput("what is written off is not sold again", field="disposal")
        written = context or CommandContextInput()
        written.reason = reason
        details = {"disposal": str(disposal)}
        return await move(call, Action.WRITE_OFF, units, written, details=details)
