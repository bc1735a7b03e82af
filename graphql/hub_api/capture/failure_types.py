"""Failed captures and units that moved unread: cases with an owner, and how they end."""

import strawberry

from hub.lifecycle import Action
from hub_api.cases.types import Case, case_by_id
from hub_api.common.context import Info
from hub_api.units.results import UnitResult


@strawberry.input(description="A label that could not be read or believed.")
class FailedCaptureInput:
    action: Action = strawberry.field(description="Movement that the unit was read for.")
    readings: list[str] = strawberry.field(
        description="Readings of the device, or the text that a person saw."
    )
    location: str | None = strawberry.field(
        description="Where the unit was to go, for a step that puts it somewhere.", default=None
    )
    product: str | None = strawberry.field(description="SKU or GTIN, if known.", default=None)
    lot: str | None = None
    note: str | None = None
    owner: str | None = strawberry.field(
        description="Person in charge; null means the reporter.", default=None
    )


@strawberry.input(description="Units that moved without being read.")
class UncapturedInput:
    action: Action
    product: str = strawberry.field(description="SKU or GTIN.")
    quantity: int
    location: str
    owner: str | None = strawberry.field(
        description="Person in charge; null means the reporter.", default=None
    )
    note: str | None = None


@strawberry.type(description="A case that was reported.")
class ReportedCase:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    case_id: strawberry.Private[str]

    @strawberry.field(description="The case as it is now.")
    async def case(self, info: Info) -> Case:
        now = info.context.clock()
        return await info.context.read(lambda tx: case_by_id(tx, self.case_id, now))


@strawberry.type(description="Result of resolving a failed capture.")
class ResolvedCapture(ReportedCase):
    """What became of a failed capture."""

    label: str | None = strawberry.field(description="The new label of a unit that was relabelled.")
    result: UnitResult = strawberry.field(
        description="Result of the ledger; while it refuses, the case stays open."
    )
