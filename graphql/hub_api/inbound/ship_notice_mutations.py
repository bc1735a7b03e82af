"""Mutations for advance ship notices."""

from datetime import date
from typing import Any

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.inbound import receiving
from hub.inbound import ship_notices as deliveries
from hub.inbound.ship_notices import DeliveryCard, LineCard
from hub.ledger.commissioning import RecordOrigin
from hub.ledger.event_writer import Verdict
from hub.storage.sql import Transaction
from hub_api.common.command_inputs import (
    ArrivalInput,
    CommandContextInput,
    arrivals_of,
    command_context_of,
    place_of,
    plain_arrivals,
)
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer
from hub_api.inbound.ship_notice_types import AnnouncedShipNotice, ClosedDelivery, DeliveryLineInput
from hub_api.units.results import CommandOutcome, CommandResult, UnitResult, command

OWNER_CHARS_MAX = 100


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
