"""Mutations for advance ship notices."""

from datetime import date
from typing import Any

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.inbound import receiving, ship_notices
from hub.inbound.ship_notices import DeliveryCard, LineCard
from hub.ledger.arrivals import RecordOrigin
from hub.ledger.event_writer import Verdict
from hub_api.common.command_inputs import (
    ArrivalInput,
    CommandContextInput,
    arrivals_of,
    command_context_of,
    place_of,
)
from hub_api.common.commands import Call, command
from hub_api.common.long_work import MANY, in_thread_if
from hub_api.common.problems import answer
from hub_api.inbound.ship_notice_types import (
    AdvanceShipNoticeLineInput,
    AnnouncedAdvanceShipNotice,
    ClosedAdvanceShipNotice,
)
from hub_api.units.results import CommandOutcome, CommandResult, UnitResult, record_units

OWNER_CHARS_MAX = 100


@strawberry.type
class ShipNoticeMutation:
    """Announcing and closing deliveries; giving units their records before they arrive."""

    @command(
        Scope.OPS,
        description="Store an advance ship notice (CBV desadv). Its serials are expected from "
        "then on; a known serial is refused by itself.",
        result=answer("AnnounceShipmentResult", AnnouncedAdvanceShipNotice),
    )
    async def announce_shipment(
        self,
        call: Call,
        supplier: str,
        ref: str,
        lines: list[AdvanceShipNoticeLineInput],
        purchase_order: str | None = None,
        expected_on: date | None = None,
    ) -> AnnouncedAdvanceShipNotice:
        context = call.context.command_context()
        card = DeliveryCard(
            supplier=supplier,
            ref=ref,
            purchase_order=purchase_order,
            expected_on=expected_on,
            lines=tuple(
                LineCard(**(vars(line) | {"serials": tuple(line.serials)})) for line in lines
            ),
        )

        def do(work: Work) -> Any:
            notice_id, results = ship_notices.announce(work, card)
            return [notice_id, [each.as_json() for each in results]]

        done = await call.once(context, do)
        notice_id, told = done.value
        results = [UnitResult.of(each) for each in told]
        accepted = sum(verdict.accepted for verdict in results)
        return AnnouncedAdvanceShipNotice(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            accepted=accepted,
            refused=len(results) - accepted,
            results=results,
            notice_id=notice_id,
        )

    @command(
        Scope.OPS,
        description="Close an advance ship notice; deviations become a case. Later arrivals "
        "still count.",
        result=answer("CloseAdvanceShipNoticeResult", ClosedAdvanceShipNotice),
    )
    async def close_advance_ship_notice(
        self,
        call: Call,
        id: strawberry.ID,
        give_up: bool = False,
        owner: str | None = None,
        reason: str | None = None,
    ) -> ClosedAdvanceShipNotice:
        """Close; with `giveUp` named units that did not come are missing, else still expected."""
        if owner is not None and not 0 < len(owner.strip()) <= OWNER_CHARS_MAX:
            raise InvalidInput(f"an owner has 1 to {OWNER_CHARS_MAX} characters", field="owner")
        context = command_context_of(call.context, CommandContextInput(reason=reason))

        def do(work: Work) -> Any:
            ship_notices.close(work, id, give_up=give_up, owner=owner)
            return id

        done = await call.once(context, do)
        return ClosedAdvanceShipNotice(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            notice_id=done.value,
        )

    @command(
        Scope.SCANNER,
        description="Give units their records before any receipt (CBV commissioning): at the "
        "manufacturer, where they are expected from, or at a place of ours.",
        result=CommandOutcome,
    )
    async def commission_units(
        self,
        call: Call,
        units: list[ArrivalInput],
        point: RecordOrigin,
        location: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Commission; without a location they are still with the supplier."""
        _check_point(point, location)
        arrivals = await in_thread_if(len(units) > MANY, lambda: arrivals_of(units))

        def do(work: Work) -> list[Verdict]:
            place = place_of(work.tx, location)
            return receiving.commission(work, arrivals, place, point=point)

        return await record_units(call, context, do)

    @command(
        Scope.SCANNER,
        description="Give units that bear no serial one of ours, and their records; ask for the "
        "`label` of each in the same answer.",
        result=CommandOutcome,
    )
    async def label_units(
        self,
        call: Call,
        product: str,
        count: int,
        location: str,
        lot: str | None = None,
        supplier: str | None = None,
        purchase_order: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Label; the serials are in the results."""
        pattern = ArrivalInput(
            serial="", product=product, lot=lot, supplier=supplier, purchase_order=purchase_order
        )

        def do(work: Work) -> list[Verdict]:
            arrivals = receiving.unlabelled(arrivals_of([pattern])[0], count)
            place = catalogue.location(work.tx, location)
            return receiving.commission(work, arrivals, place, point=RecordOrigin.LABELLING)

        return await record_units(call, context, do)


def _check_point(point: RecordOrigin, location: str | None) -> None:
    if point not in {RecordOrigin.MANUFACTURING, RecordOrigin.LABELLING}:
        raise InvalidInput("units are commissioned at manufacturing or labelling", field="point")
    if point is RecordOrigin.LABELLING and location is None:
        raise InvalidInput("say where the units are labelled", field="location")
