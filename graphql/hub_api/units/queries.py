"""Queries for units."""

import strawberry

from hub.access.keys import Scope
from hub.errors import InvalidInput, UnknownUnit
from hub.history.unit_history import VIEWS, View
from hub.identifiers.numbers import canonical
from hub.ledger import unit_views, units
from hub.lifecycle import Status
from hub.storage.sql import Row, Transaction
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.engine.stored import each
from hub_api.units.columns import UNIT_SOURCE, UNITS_SOURCE
from hub_api.units.types import STAFF, Unit, UnitEvent, UnitFieldInput

IDENTIFIERS_MAX = 200


@strawberry.type
class UnitQuery:
    """Reading units."""

    @strawberry.field(
        description="One unit by its id, its serial in any writing, or another identifier.",
        metadata={"direct": UNIT_SOURCE},
    )
    async def unit(self, info: Info, identifier: str, sku: str | None = None) -> Unit | None:
        """Find one unit; null if there is none."""
        info.context.require(Scope.STOREFRONT, Scope.CLIENT)
        client = info.context.caller.client_id
        row = await info.context.read(lambda tx: _find(tx, identifier, sku, client))
        found = info.context.own(row)
        return Unit.of(found) if found else None

    @strawberry.field(
        description="Units that fit all of the filters.", metadata={"direct": UNITS_SOURCE}
    )
    async def units(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        sku: str | None = None,
        status: Status | None = None,
        location: str | None = None,
        order_id: strawberry.ID | None = None,
        serial_prefix: str | None = None,
        field: UnitFieldInput | None = None,
        identifiers: list[str] | None = None,
    ) -> Connection[Unit]:
        info.context.require(*STAFF, Scope.CLIENT)
        client = info.context.caller.client_id
        if field is not None and field.value is None:
            raise InvalidInput("say the value to search by", field="field")
        if len(identifiers or ()) > IDENTIFIERS_MAX:
            raise InvalidInput(f"at most {IDENTIFIERS_MAX} at once", field="identifiers")
        rows = await info.context.read(
            lambda tx: unit_views.units(
                tx,
                first=first,
                after=position(after),
                sku=sku,
                status=str(status) if status else None,
                location=location,
                order=order_id,
                serial_prefix=canonical(serial_prefix) if serial_prefix else None,
                custom=(field.name, field.value) if field and field.value is not None else None,
                client=client,
                identifiers=identifiers,
            )
        )
        shown = [row for each in rows if (row := info.context.own(each))]
        return page(shown, first, after, Unit.of)

    @strawberry.field(description="The history of one unit, oldest first.")
    async def history(
        self, info: Info, identifier: str, sku: str | None = None, view: View = View.BOTH
    ) -> list[UnitEvent]:
        """List the events of one unit."""
        info.context.require(*STAFF, Scope.CLIENT)
        client = info.context.caller.client_id
        unit = await info.context.read(lambda tx: units.find(tx, identifier, sku, client=client))
        rows = await info.context.loaders.of(VIEWS[view]).load(unit["id"])
        return each(UnitEvent.of, info.context.own_history(rows))


def _find(tx: Transaction, identifier: str, sku: str | None, client: str | None) -> Row | None:
    try:
        return units.find(tx, identifier, sku, client=client)
    except UnknownUnit:
        return None
