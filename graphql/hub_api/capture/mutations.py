"""Mutations for capture."""

import strawberry

from hub.access.keys import Scope
from hub.ledger import unit_views
from hub.storage.sql import Row, Transaction
from hub.unit_records import custom_fields
from hub_api.common.context import Info
from hub_api.common.problems import answer
from hub_api.units.types import Unit, UnitFieldInput


@strawberry.type
class CaptureMutation:
    """Describing units."""

    @strawberry.mutation(
        description="Set custom fields of a unit; a value of null takes its field away.",
        graphql_type=answer("SetUnitFieldsResult", Unit),
    )
    async def set_unit_fields(
        self, info: Info, identifier: str, fields: list[UnitFieldInput], sku: str | None = None
    ) -> Unit:
        """Set fields. Repeating it changes nothing."""
        info.context.require(Scope.SCANNER)
        context = info.context.command_context()
        wanted = {each.name: each.value for each in fields}

        def work(tx: Transaction) -> Row:
            unit = custom_fields.set_fields(tx, context, identifier, wanted, sku=sku)
            return unit_views.units_by_id(tx, [unit["id"]])[unit["id"]]

        return Unit.of(await info.context.write(work))
