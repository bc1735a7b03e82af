"""Mutations for capture."""

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.ledger import unit_views
from hub.unit_records import custom_fields
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.units.types import Unit, UnitFieldInput


@strawberry.type
class CaptureMutation:
    """Describing units."""

    @command(
        Scope.SCANNER,
        description="Set custom fields of a unit; a value of null takes its field away.",
        result=answer("SetUnitFieldsResult", Unit),
    )
    async def set_unit_fields(
        self, call: Call, identifier: str, fields: list[UnitFieldInput], sku: str | None = None
    ) -> Unit:
        """Set fields. Repeating it changes nothing."""
        context = call.context.command_context()
        wanted = {each.name: each.value for each in fields}

        def do(work: Work) -> str:
            unit = custom_fields.set_fields(work.tx, context, identifier, wanted, sku=sku)
            return str(unit["id"])

        unit_id = (await call.once(context, do)).value
        rows = await call.context.read(lambda tx: unit_views.units_by_id(tx, [unit_id]))
        return Unit.of(rows[unit_id])
