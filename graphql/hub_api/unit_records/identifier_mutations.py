"""Mutations for further identifiers."""

from collections.abc import Callable
from typing import Annotated, Any, Union

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.storage.rows import LocationRow
from hub.unit_records import further_identifiers, identity, merging
from hub.unit_records.merging import OtherUnit
from hub_api.common.command_inputs import (
    CommandContextInput,
    UnitInput,
    command_context_of,
    scans_of,
)
from hub_api.common.commands import Call, command
from hub_api.common.problems import AnyProblem, CannotMerge, DuplicateSerial, VersionConflict
from hub_api.unit_records.identifier_types import NameChanged
from hub_api.units.results import CommandOutcome, CommandResult, record_units

NameResult = Annotated[
    Union[NameChanged, AnyProblem, DuplicateSerial],  # noqa: UP007 # of a computed union
    strawberry.union("NameResult"),
]


MergeOutcome = Annotated[
    Union[CommandResult, AnyProblem, CannotMerge, DuplicateSerial, VersionConflict],  # noqa: UP007 # of a computed union
    strawberry.union("MergeOutcome"),
]


@strawberry.input(description="A unit of its own that bears a name that another one had.")
class OtherUnitInput:
    scheme: str = strawberry.field(description="Scheme of the wrong name: `imei`, `asset` …")
    value: str = strawberry.field(description="The wrong name.")
    serial: str = strawberry.field(description="As it stands on the other unit's label.")
    location: str = strawberry.field(description="Code of the place where the other unit is.")
    put_away: bool = strawberry.field(
        description="It is for sale at once, as after `putAwayUnits`.", default=False
    )
    lot: str | None = strawberry.field(description="Null: the unit's.", default=None)

    def unit(self, place: LocationRow) -> OtherUnit:
        """Return it as the hub takes it."""
        return OtherUnit(
            scheme=self.scheme,
            value=self.value,
            serial=self.serial,
            place=place,
            put_away=self.put_away,
            lot=self.lot,
        )


Change = Callable[[Work, Scan, str, str], Verdict]


async def _change(
    call: Call,
    change: Change,
    scan: Scan,
    scheme: str,
    value: str,
    context: CommandContextInput | None,
) -> NameChanged:
    def do(work: Work) -> Any:
        verdict = change(work, scan, scheme, value)
        return [verdict.unit_id, verdict.version]

    done = await call.once(command_context_of(call.context, context), do)
    unit_id, version = done.value
    return NameChanged(
        command_id=strawberry.ID(done.command_id),
        replayed=done.replayed,
        version=version,
        unit_id=unit_id,
    )


@strawberry.type
class NamingMutation:
    """Linking and retiring names, and putting a unit's own right."""

    @command(
        Scope.OPS,
        description="Give a unit its right serial or product, where it was recorded under a wrong "
        "one; the record goes on, and its history states what it was called before.",
        result=CommandOutcome,
    )
    async def correct_identity(
        self,
        call: Call,
        unit: UnitInput,
        reason: str,
        serial: Annotated[
            str | None, strawberry.argument(description="As it stands on the unit's label.")
        ] = None,
        product: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Correct; the unit must not be promised to anybody."""
        given = context or CommandContextInput()
        given.reason = reason
        (scan,) = scans_of([unit])
        return await record_units(
            call,
            given,
            lambda work: identity.correct(work, scan, serial=serial, product=product),
        )

    @command(
        Scope.OPS,
        description="Merge two records of one unit: `absorb` ends in `keep`, and all of its names "
        "lead there. Blocks, further names and recalls go over; of its costs count the kinds of "
        "which the kept record has none. Undone by `splitUnit`.",
        result=MergeOutcome,
    )
    async def merge_units(
        self,
        call: Call,
        keep: Annotated[
            UnitInput, strawberry.argument(description="The record that goes on as the unit.")
        ],
        absorb: Annotated[
            UnitInput, strawberry.argument(description="The second record of the same unit.")
        ],
        reason: str,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Merge; the results are those of the kept record and of the absorbed one."""
        given = context or CommandContextInput()
        given.reason = reason
        kept, absorbed = scans_of([keep, absorb])
        return await record_units(call, given, lambda work: merging.merge(work, kept, absorbed))

    @command(
        Scope.OPS,
        description="Split two units that have one record: a record that was merged by mistake, "
        "or a unit that a wrong further name belongs to.",
        result=MergeOutcome,
    )
    async def split_unit(
        self,
        call: Call,
        unit: Annotated[
            UnitInput,
            strawberry.argument(
                description="The merged record, by its id or own serial; with `other`, the unit "
                "that has the wrong name."
            ),
        ],
        reason: str,
        other: Annotated[
            OtherUnitInput | None,
            strawberry.argument(description="The other unit, which gets a record of its own."),
        ] = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Split; the results are those of the unit and of the other one."""
        given = context or CommandContextInput()
        given.reason = reason
        (scan,) = scans_of([unit])

        def do(work: Work) -> list[Verdict]:
            if other is None:
                return merging.split(work, scan)
            return merging.split_name(
                work, scan, other.unit(catalogue.location(work.tx, other.location))
            )

        return await record_units(call, given, do)

    @command(
        Scope.SCANNER,
        description="Give a unit a further name: its number in another system, an asset tag.",
        result=NameResult,
    )
    async def link_identifier(
        self,
        call: Call,
        identifier: str,
        scheme: str,
        value: str,
        sku: str | None = None,
        context: CommandContextInput | None = None,
    ) -> NameChanged:
        """Link a name; the unit's history tells of it."""
        scan = Scan(identifier, sku)
        return await _change(call, further_identifiers.link, scan, scheme, value, context)

    @command(
        Scope.SCANNER,
        description="Take a further name from a unit; its history keeps it.",
        result=NameResult,
    )
    async def retire_identifier(
        self,
        call: Call,
        identifier: str,
        scheme: str,
        value: str,
        sku: str | None = None,
        context: CommandContextInput | None = None,
    ) -> NameChanged:
        scan = Scan(identifier, sku)
        return await _change(call, further_identifiers.retire, scan, scheme, value, context)
