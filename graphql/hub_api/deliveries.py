"""Deliveries and births: what is announced, what came of it; units that get their records."""

from datetime import date, datetime
from typing import Any

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.clock import moment
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.inbound import receiving
from hub.inbound import ship_notices as deliveries
from hub.inbound.ship_notice_check import DeliveryCheck as Compared
from hub.inbound.ship_notice_check import LineCheck, compare
from hub.inbound.ship_notices import DeliveryCard, DeliveryState, LineCard
from hub.ledger.commissioning import RecordOrigin
from hub.ledger.event_writer import SCANS_MAX, Verdict
from hub.storage.sql import Row, Transaction
from hub_api.command import (
    ArrivalInput,
    CommandContextInput,
    CommandOutcome,
    CommandResult,
    UnitResult,
    arrivals_of,
    command,
    command_context_of,
    place_of,
    plain_arrivals,
)
from hub_api.context import Context
from hub_api.once import once
from hub_api.paging import Connection, page, position
from hub_api.problems import answer

Info = strawberry.Info[Context, None]

strawberry.enum(DeliveryState, description="Whether more is to come.")
OWNER_CHARS_MAX = 100


@strawberry.input(description="One line of a delivery.")
class DeliveryLineInput:
    """One line."""

    ref: str
    product: str = strawberry.field(description="SKU or GTIN.")
    quantity: int
    lot: str | None = None
    serials: list[str] = strawberry.field(
        description="As many as are named; the others are only counted.", default_factory=list
    )


@strawberry.type(description="Serials of one sort.")
class DeliverySerials:
    """Serials of one sort."""

    count: int
    listed: strawberry.Private[list[str]]

    @strawberry.field(description="The serials themselves.")
    def serials(self, first: int = 1_000, skip: int = 0) -> list[str]:
        """List the serials."""
        if not 0 < first <= SCANS_MAX or skip < 0:
            raise InvalidInput(f"first is 1 to {SCANS_MAX}, skip not negative", field="first")
        return self.listed[skip : skip + first]

    @classmethod
    def of(cls, listed: list[str]) -> "DeliverySerials":
        """Show serials."""
        return cls(count=len(listed), listed=listed)


@strawberry.type(description="What came of one line.")
class DeliveryLine:
    """What came of one line."""

    ref: str
    sku: str
    quantity: int
    lot: str | None
    matched: DeliverySerials
    short: DeliverySerials = strawberry.field(description="Named, and not here.")
    over: DeliverySerials = strawberry.field(description="More than announced.")
    unexpected: DeliverySerials = strawberry.field(
        description="Another serial than announced, or one announced as another product."
    )
    missing: int = strawberry.field(description="All that is short, named or not.")

    @classmethod
    def of(cls, line: LineCheck) -> "DeliveryLine":
        """Show a line."""
        return cls(
            ref=line.ref,
            sku=line.sku,
            quantity=line.quantity,
            lot=line.lot,
            matched=DeliverySerials.of(line.matched),
            short=DeliverySerials.of(line.short),
            over=DeliverySerials.of(line.over),
            unexpected=DeliverySerials.of(line.unexpected),
            missing=line.missing,
        )


@strawberry.type(description="What came of a delivery against what was announced.")
class DeliveryCheck:
    """What came of a delivery."""

    agrees: bool
    matched: DeliverySerials
    short: DeliverySerials
    over: DeliverySerials
    unexpected: DeliverySerials
    missing: int = strawberry.field(description="All that is short, named or not.")
    lines: list[DeliveryLine]

    @classmethod
    def of(cls, check: Compared) -> "DeliveryCheck":
        """Show a comparison."""
        return cls(
            agrees=check.agrees,
            matched=DeliverySerials.of(check.matched),
            short=DeliverySerials.of(check.short),
            over=DeliverySerials.of(check.over),
            unexpected=DeliverySerials.of(check.unexpected),
            missing=check.missing,
            lines=[DeliveryLine.of(line) for line in check.lines],
        )


@strawberry.type(description="What a supplier announced.")
class Delivery:
    """What a supplier announced."""

    id: strawberry.ID
    supplier: str
    ref: str
    purchase_order: str | None
    state: DeliveryState
    expected_on: date | None
    created_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> "Delivery":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            supplier=row["supplier"],
            ref=row["ref"],
            purchase_order=row["purchase_order"],
            state=DeliveryState(row["state"]),
            expected_on=date.fromisoformat(row["expected_on"]) if row["expected_on"] else None,
            created_at=moment(row["created_at"]),
            closed_at=moment(row["closed_at"]) if row["closed_at"] else None,
        )

    @strawberry.field(
        description="What came of it until now, serial by serial.", metadata={"cost": 50}
    )
    async def check(self, info: Info) -> DeliveryCheck:
        """Compare what came with what was announced."""
        return DeliveryCheck.of(await info.context.read(lambda tx: compare(tx, self.id)))


@strawberry.type(description="A delivery that was announced, and what became of its serials.")
class AnnouncedShipNotice:
    """A delivery that was announced."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    accepted: int
    refused: int
    verdicts: list[UnitResult]
    delivery_id: strawberry.Private[str]

    @strawberry.field(description="The delivery as it is now.")
    async def delivery(self, info: Info) -> Delivery:
        """Load the delivery."""
        return await _load(info, self.delivery_id)


@strawberry.type(description="A delivery that was closed.")
class ClosedDelivery:
    """A delivery that was closed."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    delivery_id: strawberry.Private[str]

    @strawberry.field(description="The delivery as it is now.")
    async def delivery(self, info: Info) -> Delivery:
        """Load the delivery."""
        return await _load(info, self.delivery_id)


async def _load(info: Info, delivery_id: str) -> Delivery:
    return Delivery.of(
        await info.context.read(lambda tx: catalogue.reference(tx, "delivery", "id", delivery_id))
    )


@strawberry.type
class DeliveryQuery:
    """Reading deliveries."""

    @strawberry.field(description="One delivery, by its id, or by its supplier and reference.")
    async def delivery(
        self,
        info: Info,
        id: strawberry.ID | None = None,
        supplier: str | None = None,
        ref: str | None = None,
    ) -> Delivery:
        """Find one delivery."""
        info.context.require(Scope.SCANNER, Scope.OPS)

        def read(tx: Transaction) -> Row:
            if id is not None:
                return catalogue.reference(tx, "delivery", "id", id)
            if supplier is None or ref is None:
                raise InvalidInput("name the delivery by id, or by supplier and ref", field="ref")
            return deliveries.find(tx, supplier, ref)

        return Delivery.of(await info.context.read(read))

    @strawberry.field(description="Deliveries, in the order in which they were announced.")
    async def deliveries(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        state: DeliveryState | None = None,
        supplier: str | None = None,
        purchase_order: str | None = None,
    ) -> Connection[Delivery]:
        """List deliveries."""
        info.context.require(Scope.SCANNER, Scope.OPS)
        rows = await info.context.read(
            lambda tx: deliveries.listed(
                tx,
                first=first,
                after=position(after),
                state=str(state) if state else None,
                supplier=supplier,
                purchase_order=purchase_order,
            )
        )
        return page(rows, first, after, Delivery.of)


@strawberry.type
class DeliveryMutation:
    """Announcing and closing deliveries; giving units their records before they arrive."""

    @strawberry.mutation(
        description="Announce a delivery (CBV desadv). Serials that it names are expected from "
        "then on; one that is known already is refused by itself.",
        graphql_type=answer("AnnounceDeliveryResult", AnnouncedShipNotice),
    )
    async def announce_shipment(
        self,
        info: Info,
        idempotency_key: str,
        supplier: str,
        ref: str,
        lines: list[DeliveryLineInput],
        purchase_order: str | None = None,
        expected_on: date | None = None,
    ) -> AnnouncedShipNotice:
        """Announce a delivery."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()
        card = DeliveryCard(
            supplier=supplier,
            ref=ref,
            purchase_order=purchase_order,
            expected_on=expected_on,
            lines=tuple(
                LineCard(**(vars(line) | {"serials": tuple(line.serials)})) for line in lines
            ),
        )

        def do(tx: Transaction, command_id: str) -> Any:
            delivery_id, verdicts = deliveries.announce(Work(tx, context, command_id), card)
            return [delivery_id, [each.as_json() for each in verdicts]]

        rows = [[each.ref, each.product, each.quantity, each.lot, each.serials] for each in lines]
        given = [supplier, ref, purchase_order, expected_on, rows]
        done = await once(info.context, context, idempotency_key, "announce_shipment", given, do)
        delivery_id, told = done.value
        verdicts = [UnitResult.of(each) for each in told]
        accepted = sum(verdict.accepted for verdict in verdicts)
        return AnnouncedShipNotice(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            accepted=accepted,
            refused=len(verdicts) - accepted,
            verdicts=verdicts,
            delivery_id=delivery_id,
        )

    @strawberry.mutation(
        description="Close a delivery; what differs becomes a case. What comes later still counts.",
        graphql_type=answer("CloseDeliveryResult", ClosedDelivery),
    )
    async def close_delivery(
        self,
        info: Info,
        idempotency_key: str,
        id: strawberry.ID,
        give_up: bool = False,
        owner: str | None = None,
        reason: str | None = None,
    ) -> ClosedDelivery:
        """Close; with `giveUp` named units that did not come are missing, else still expected."""
        info.context.require(Scope.OPS)
        if owner is not None and not 0 < len(owner.strip()) <= OWNER_CHARS_MAX:
            raise InvalidInput(f"an owner has 1 to {OWNER_CHARS_MAX} characters", field="owner")
        context = command_context_of(info.context, CommandContextInput(reason=reason))

        def do(tx: Transaction, command_id: str) -> Any:
            deliveries.close(Work(tx, context, command_id), id, give_up=give_up, owner=owner)
            return id

        given = [id, give_up, owner, reason]
        done = await once(info.context, context, idempotency_key, "close_delivery", given, do)
        return ClosedDelivery(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            delivery_id=done.value,
        )

    @strawberry.mutation(
        description="Give units their records before any receipt (CBV commissioning): at the "
        "manufacturer, where they are expected from, or at a place of ours.",
        graphql_type=CommandOutcome,
    )
    async def commission_units(
        self,
        info: Info,
        idempotency_key: str,
        units: list[ArrivalInput],
        point: RecordOrigin,
        location: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Commission; without a location they are still with the supplier."""
        info.context.require(Scope.SCANNER)
        _check_point(point, location)
        arrivals = arrivals_of(units)

        def do(work: Work) -> list[Verdict]:
            place = place_of(work.tx, location)
            return receiving.commission(work, arrivals, place, point=point)

        given = [plain_arrivals(arrivals), point, location, vars(context) if context else None]
        return await command(info, idempotency_key, "commission", given, context, do)

    @strawberry.mutation(
        description="Give units that bear no serial one of ours, and their records; ask for the "
        "`label` of each in the same answer.",
        graphql_type=CommandOutcome,
    )
    async def label_units(
        self,
        info: Info,
        idempotency_key: str,
        product: str,
        count: int,
        location: str,
        lot: str | None = None,
        supplier: str | None = None,
        purchase_order: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Label; the serials are in the verdicts."""
        info.context.require(Scope.SCANNER)
        pattern = ArrivalInput(
            serial="", product=product, lot=lot, supplier=supplier, purchase_order=purchase_order
        )

        def do(work: Work) -> list[Verdict]:
            arrivals = receiving.unlabelled(arrivals_of([pattern])[0], count)
            place = catalogue.location(work.tx, location)
            return receiving.commission(work, arrivals, place, point=RecordOrigin.LABELLING)

        given = [product, count, location, lot, supplier, purchase_order]
        told = [given, vars(context) if context else None]
        return await command(info, idempotency_key, "label", told, context, do)


def _check_point(point: RecordOrigin, location: str | None) -> None:
    if point not in {RecordOrigin.MANUFACTURING, RecordOrigin.LABELLING}:
        raise InvalidInput("units are commissioned at manufacturing or labelling", field="point")
    if point is RecordOrigin.LABELLING and location is None:
        raise InvalidInput("say where the units are labelled", field="location")
