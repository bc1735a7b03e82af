"""Kits: units that are made of units, put together, taken apart, and checked when they return."""

from typing import Any

import strawberry

from hub.errors import InvalidInput
from hub.kits import kit_returns
from hub.kits.kit_returns import Check
from hub.ledger import unit_views
from hub.ledger.units import Scan
from hub.storage.sql import Row
from hub_api.common.command_inputs import UnitInput
from hub_api.common.context import Info
from hub_api.engine.stored import each
from hub_api.units.results import UnitResult
from hub_api.units.types import Unit


@strawberry.input(description="Unit that becomes part of a kit.")
class PartInput:
    """What is to become part of a kit."""

    unit: UnitInput
    role: str = strawberry.field(description="As what, in your words: lens, battery.", default="")


@strawberry.type(
    description="Comparison of the scanned parts with the parts that the kit should have."
)
class KitCheck:
    """What was scanned, compared with a kit."""

    complete: bool = strawberry.field(description="Every part is there and nothing else.")
    foreign: list[str] = strawberry.field(description="Readings that are no part of the kit.")
    kit_id: strawberry.Private[str]
    present_ids: strawberry.Private[list[str]]
    missing_ids: strawberry.Private[list[str]]

    @classmethod
    def of(cls, check: dict[str, Any]) -> "KitCheck":
        """Show a check."""
        return cls(
            complete=not check["missing"] and not check["foreign"],
            foreign=check["foreign"],
            kit_id=check["kit"],
            present_ids=check["present"],
            missing_ids=check["missing"],
        )

    @strawberry.field(description="The kit as it is now.")
    async def kit(self, info: Info) -> Unit:
        return (await _units(info, [self.kit_id]))[0]

    @strawberry.field(description="The parts that were scanned.", metadata={"size": 20})
    async def present(self, info: Info) -> list[Unit]:
        return await _units(info, self.present_ids)

    @strawberry.field(description="The parts that were not scanned.", metadata={"size": 20})
    async def missing(self, info: Info) -> list[Unit]:
        return await _units(info, self.missing_ids)


@strawberry.type(description="A kit that was taken back, and how its parts were found.")
class KitReturn:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    check: KitCheck
    result: UnitResult = strawberry.field(description="Result for the kit itself.")


@strawberry.type(description="How many kits, or components, of a product there are.")
class KitStock:
    """One product of a kit report."""

    sku: str
    name: str
    units: int = strawberry.field(description="Kits; of components: those that are in kits.")
    loose: int = strawberry.field(description="Of components: those in stock outside of kits.")
    parts: int = strawberry.field(description="Parts that stand in these units directly.")
    available: int
    with_customers: int
    blocked: int

    @classmethod
    def of(cls, row: Row) -> "KitStock":
        """Show a row."""
        return cls(**{name: value for name, value in row.items() if name != "id"})


async def _units(info: Info, unit_ids: list[str]) -> list[Unit]:
    loader = info.context.loaders.of(unit_views.units_by_id)
    return each(Unit.of, await loader.load_many(unit_ids))


def plain(check: Check) -> dict[str, Any]:
    """Return the check of a kit as plain values, to be stored for its idempotency key."""
    return {
        "kit": check.kit_id,
        "present": list(check.present),
        "missing": list(check.missing),
        "foreign": list(check.foreign),
    }


def bounded(scanned: list[str]) -> list[Scan]:
    """Return scans of serials; raise InvalidInput for more than `SCANNED_MAX`."""
    if len(scanned) > kit_returns.SCANNED_MAX:
        raise InvalidInput(f"at most {kit_returns.SCANNED_MAX} serials", field="scanned")
    return [Scan(identifier) for identifier in scanned]
