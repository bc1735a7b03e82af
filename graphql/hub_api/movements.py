"""Movements: everything that is done to units, one at a time or ten thousand at once.

Every command takes an idempotency key and answers for each unit by itself: one bad row never
loses the good ones.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any

import strawberry

from hub import catalogue, commands, ledger, orders, views
from hub.clock import micros
from hub.errors import InvalidInput
from hub.holds import HoldKind
from hub.instruction import Instruction
from hub.keys import Scope
from hub.ledger import Arrival, Verdict
from hub.lifecycle import Action
from hub.occasion import Document, Occasion
from hub.orders import Shipment
from hub.sql import Row, Transaction
from hub.units import Scan
from hub.vocabulary import CaptureMethod
from hub_api.context import Context
from hub_api.problems import Problem, answer, problem
from hub_api.units import Unit

Info = strawberry.Info[Context, None]
TEXT_CHARS_MAX = {"reason": 200, "document_type": 40, "document_ref": 200}
REFERENCE_CHARS_MAX = 200


@strawberry.enum(description="What an inspection decides.")
class Outcome(Enum):
    """What an inspection decides."""

    RESTOCK = Action.RESTOCK.value
    REPAIR = Action.REPAIR.value
    QUARANTINE = Action.QUARANTINE.value
    CONDEMN = Action.CONDEMN.value


@strawberry.input(description="What was read of a unit.")
class UnitInput:
    """What was read of a unit."""

    identifier: str = strawberry.field(description="Its id, serial, or another identifier.")
    sku: str | None = strawberry.field(
        description="Its product, where two makers use the same serial.", default=None
    )
    expected_version: int | None = strawberry.field(
        description="Refuse if the unit has changed since it was at this version.", default=None
    )


@strawberry.input(description="A further name of a unit that arrives.")
class IdentifierInput:
    """A further name."""

    scheme: str
    value: str


@strawberry.input(description="A unit that arrives for the first time.")
class ArrivalInput:
    """A unit that arrives."""

    serial: str
    product: str = strawberry.field(description="SKU or GTIN.")
    identifiers: list[IdentifierInput] = strawberry.field(default_factory=list)
    lot: str | None = None
    produced_on: date | None = None
    expires_on: date | None = None


@strawberry.input(description="Who, when, how and why, as far as it is not now and by this key.")
class OccasionInput:
    """The circumstances of a command."""

    captured_by: CaptureMethod = CaptureMethod.API
    occurred_at: datetime | None = strawberry.field(
        description="When it happened, if that was before now.", default=None
    )
    reason: str | None = None
    document_type: str | None = strawberry.field(
        description="CBV transaction type: po, desadv, recadv, inv, rma.", default=None
    )
    document_ref: str | None = None


@strawberry.type(description="What became of one unit of a command.")
class UnitVerdict:
    """What became of one unit."""

    index: int = strawberry.field(description="Its place in the input, from 0.")
    identifier: str
    accepted: bool
    status: str | None
    version: int | None
    problem: Problem | None
    unit_id: strawberry.ID | None

    @classmethod
    def of(cls, verdict: dict[str, Any]) -> "UnitVerdict":
        """Show a verdict."""
        code = verdict["code"]
        return cls(
            index=verdict["index"],
            identifier=verdict["identifier"],
            accepted=code is None,
            status=verdict["status"],
            version=verdict["version"],
            problem=problem(code, verdict["message"], verdict["details"]) if code else None,
            unit_id=strawberry.ID(verdict["unit_id"]) if verdict["unit_id"] else None,
        )

    @strawberry.field(description="The unit as it is now.")
    async def unit(self, info: Info) -> Unit | None:
        """Load the unit."""
        if self.unit_id is None:
            return None
        row = await info.context.loaders.of(views.units_by_id).load(self.unit_id)
        return Unit.of(row) if row else None


@strawberry.type(description="What became of a command.")
class Movement:
    """What became of a command."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    accepted: int
    refused: int
    verdicts: list[UnitVerdict]


MovementResult = answer("MovementResult", Movement)
Do = Callable[[Transaction, Occasion, str], list[Verdict]]


async def _command(
    info: Info, key: str, name: str, given: Any, occasion: OccasionInput | None, do: Do
) -> Movement:
    """Run one idempotent command and show what became of it."""
    circumstances = _occasion(info.context, occasion)

    def work(tx: Transaction) -> commands.Answer:
        return commands.once(
            tx,
            circumstances,
            key=key,
            name=name,
            given=given,
            work=lambda command_id: [each.as_json() for each in do(tx, circumstances, command_id)],
        )

    done = await info.context.write(work)
    verdicts = [UnitVerdict.of(each) for each in done.value]
    accepted = sum(verdict.accepted for verdict in verdicts)
    return Movement(
        command_id=strawberry.ID(done.command_id),
        replayed=done.replayed,
        accepted=accepted,
        refused=len(verdicts) - accepted,
        verdicts=verdicts,
    )


def _occasion(context: Context, given: OccasionInput | None) -> Occasion:
    if given is None:
        return context.occasion()
    for field, chars_max in TEXT_CHARS_MAX.items():
        if len(getattr(given, field) or "") > chars_max:
            raise InvalidInput(f"at most {chars_max} characters", field=field)
    if given.occurred_at is not None and given.occurred_at.tzinfo is None:
        raise InvalidInput("say the time zone of occurredAt", field="occurredAt")
    if given.occurred_at is not None and given.occurred_at > context.clock():
        raise InvalidInput("occurredAt is in the future", field="occurredAt")
    document = None
    if given.document_ref is not None:
        document = Document(given.document_type or "other", given.document_ref)
    return context.occasion(
        captured_by=given.captured_by,
        occurred_at=given.occurred_at,
        reason=given.reason,
        document=document,
    )


def _scans(units: Sequence[UnitInput]) -> list[Scan]:
    return [Scan(unit.identifier, unit.sku, unit.expected_version) for unit in units]


def _given(units: Sequence[UnitInput], occasion: OccasionInput | None, **more: Any) -> Any:
    rows = [[unit.identifier, unit.sku, unit.expected_version] for unit in units]
    return [rows, vars(occasion) if occasion else None, more]


def _place(tx: Transaction, code: str | None) -> Row | None:
    return catalogue.location(tx, code) if code is not None else None


async def _move(
    info: Info,
    key: str,
    action: Action,
    units: Sequence[UnitInput],
    occasion: OccasionInput | None,
    location: str | None = None,
    **more: Any,
) -> Movement:
    """Do one action to units, at a location where one is named."""

    def do(tx: Transaction, circumstances: Occasion, command_id: str) -> list[Verdict]:
        instruction = Instruction(action=action, location=_place(tx, location), **more)
        return ledger.record(tx, circumstances, command_id, instruction, _scans(units))

    given = _given(units, occasion, location=location, **more)
    return await _command(info, key, action, given, occasion, do)


def _order_line(tx: Transaction, line_id: str | None) -> str | None:
    return catalogue.reference(tx, "order_line", "id", line_id)["id"] if line_id else None


@strawberry.type
class MovementMutation:
    """Commands to the ledger."""

    @strawberry.mutation(
        description="Give units their records when they arrive.", graphql_type=MovementResult
    )
    async def receive_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[ArrivalInput],
        location: str,
        put_away: bool = False,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Receive; with `putAway` they are sellable at once."""
        info.context.require(Scope.SCANNER)
        arrivals = [
            Arrival(
                serial=unit.serial,
                product=unit.product,
                identifiers=tuple((each.scheme, each.value) for each in unit.identifiers),
                lot=unit.lot,
                produced_on=unit.produced_on,
                expires_on=unit.expires_on,
            )
            for unit in units
        ]

        def do(tx: Transaction, circumstances: Occasion, command_id: str) -> list[Verdict]:
            place = catalogue.location(tx, location)
            return ledger.receive(tx, circumstances, command_id, arrivals, place, put_away=put_away)

        rows = [
            [
                unit.serial,
                unit.product,
                unit.identifiers,
                unit.lot,
                unit.produced_on,
                unit.expires_on,
            ]
            for unit in arrivals
        ]
        given = [rows, location, put_away, vars(occasion) if occasion else None]
        return await _command(info, idempotency_key, "receive", given, occasion, do)

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
        return await _move(info, idempotency_key, Action.PUT_AWAY, units, occasion, location)

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
        return await _move(info, idempotency_key, Action.MOVE, units, occasion, location)

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
        return await _move(info, idempotency_key, Action.TRANSFER_OUT, units, occasion, destination)

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
        """Transfer in."""
        info.context.require(Scope.SCANNER)
        return await _move(info, idempotency_key, Action.TRANSFER_IN, units, occasion, location)

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
        if expires_at is not None and (expires_at.tzinfo is None or not sale):
            raise InvalidInput(
                "only a promise (SALE) expires, at a time with its zone", field="expiresAt"
            )

        def do(tx: Transaction, circumstances: Occasion, command_id: str) -> list[Verdict]:
            instruction = Instruction(
                action=Action.ALLOCATE if sale else Action.HOLD,
                hold_kind=str(kind),
                hold_reference=reference,
                line=_order_line(tx, order_line_id),
                expires_at=micros(expires_at) if expires_at else None,
            )
            return ledger.record(tx, circumstances, command_id, instruction, _scans(units))

        given = _given(
            units,
            occasion,
            kind=kind,
            reference=reference,
            line=order_line_id,
            expires_at=expires_at,
        )
        return await _command(info, idempotency_key, "hold", given, occasion, do)

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
            return await _move(info, idempotency_key, Action.RELEASE, units, occasion)
        # A block was placed by somebody who saw a danger: ops decide that it is over.
        info.context.require(Scope.OPS)
        return await _move(
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
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Pick; with `orderLineId` only units that are promised to that line."""
        info.context.require(Scope.SCANNER)
        return await _move(info, idempotency_key, Action.PICK, units, occasion, line=order_line_id)

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
        """Pack."""
        info.context.require(Scope.SCANNER)
        return await _move(info, idempotency_key, Action.PACK, units, occasion, line=order_line_id)

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

        def do(tx: Transaction, circumstances: Occasion, command_id: str) -> list[Verdict]:
            return orders.ship(
                tx, circumstances, command_id, _scans(units), shipment, line=order_line_id
            )

        given = _given(units, occasion, carrier=carrier, tracking=tracking, line=order_line_id)
        return await _command(info, idempotency_key, "ship", given, occasion, do)

    @strawberry.mutation(description="Sell units over the counter.", graphql_type=MovementResult)
    async def sell_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[UnitInput],
        receipt: str,
        hold_reference: str | None = None,
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Sell; with `holdReference` also units that are promised under that reference."""
        info.context.require(Scope.POS)
        if not 0 < len(receipt) <= REFERENCE_CHARS_MAX:
            raise InvalidInput(
                f"a receipt has 1 to {REFERENCE_CHARS_MAX} characters", field="receipt"
            )
        sale = occasion or OccasionInput()
        sale.document_type, sale.document_ref = "inv", receipt
        return await _move(
            info, idempotency_key, Action.SELL, units, sale, hold_reference=hold_reference
        )

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
        return await _move(info, idempotency_key, Action.ACCEPT_RETURN, units, returned, location)

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
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Inspect: grade them, and restock, repair, quarantine or condemn."""
        info.context.require(Scope.SCANNER)
        if grade is not None and not 0 < len(grade) <= 20:
            raise InvalidInput("a grade has 1 to 20 characters", field="grade")
        action = Action(outcome.value)
        return await _move(info, idempotency_key, action, units, occasion, location, grade=grade)

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
        occasion: OccasionInput | None = None,
    ) -> Movement:
        """Write off, with the reason: no variance is unexplained."""
        info.context.require(Scope.OPS)
        if not reason.strip():
            raise InvalidInput("a write-off needs its reason", field="reason")
        written = occasion or OccasionInput()
        written.reason = reason
        return await _move(info, idempotency_key, Action.WRITE_OFF, units, written)
