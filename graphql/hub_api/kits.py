"""Kits: units that are made of units, put together, taken apart, and checked when they return."""

from typing import Annotated, Any, Union

import strawberry

from hub import catalogue, kits
from hub.access.keys import Scope
from hub.commands import idempotency
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.kits import Part, kit_reports, kit_returns
from hub.kits.kit_reports import Level
from hub.kits.kit_returns import Check
from hub.ledger import unit_views, units
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.storage.sql import Row, Transaction
from hub_api.command import (
    CommandContextInput,
    CommandOutcome,
    CommandResult,
    UnitInput,
    UnitResult,
    command,
    command_context_of,
    given_by,
    scans_of,
)
from hub_api.context import Context
from hub_api.paging import Connection, page, position
from hub_api.problems import AnyProblem, UnitBlocked, UnitPromised
from hub_api.units import STAFF, Unit

Info = strawberry.Info[Context, None]

strawberry.enum(
    Level,
    name="KitLevel",
    description="What a report counts: whole kits (SET), or what they are made of (COMPONENT).",
)


@strawberry.input(description="What is to become part of a kit.")
class PartInput:
    """What is to become part of a kit."""

    unit: UnitInput
    role: str = strawberry.field(description="As what, in your words: lens, battery.", default="")


@strawberry.type(description="What was scanned, compared with the parts that a kit should have.")
class KitCheck:
    """What was scanned, compared with a kit."""

    complete: bool = strawberry.field(description="Every part is there and nothing else.")
    foreign: list[str] = strawberry.field(description="What was read that is no part of it.")
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
        """Load the kit."""
        return (await _units(info, [self.kit_id]))[0]

    @strawberry.field(description="The parts that were scanned.", metadata={"size": 20})
    async def present(self, info: Info) -> list[Unit]:
        """Load them."""
        return await _units(info, self.present_ids)

    @strawberry.field(description="The parts that were not scanned.", metadata={"size": 20})
    async def missing(self, info: Info) -> list[Unit]:
        """Load them."""
        return await _units(info, self.missing_ids)


@strawberry.type(description="A kit that was taken back, and how its parts were found.")
class KitReturn:
    """A kit that was taken back."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    check: KitCheck
    verdict: UnitResult = strawberry.field(description="What became of the kit itself.")


KitReturnResult = Annotated[
    Union[KitReturn, AnyProblem],  # noqa: UP007 # of a computed union
    strawberry.union("KitReturnResult"),
]
ReplaceKitMemberResult = Annotated[
    Union[CommandResult, AnyProblem, UnitPromised, UnitBlocked],  # noqa: UP007 # of a computed union
    strawberry.union("ReplaceKitMemberResult"),
]


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
    return [Unit.of(row) for row in await loader.load_many(unit_ids)]


def _scan(unit: UnitInput) -> Scan:
    return scans_of([unit])[0]


def _plain(check: Check) -> dict[str, Any]:
    return {
        "kit": check.kit_id,
        "present": list(check.present),
        "missing": list(check.missing),
        "foreign": list(check.foreign),
    }


def _bounded(scanned: list[str]) -> list[Scan]:
    if len(scanned) > kit_returns.SCANNED_MAX:
        raise InvalidInput(f"at most {kit_returns.SCANNED_MAX} serials", field="scanned")
    return [Scan(identifier) for identifier in scanned]


@strawberry.type
class KitQuery:
    """Reading kits."""

    @strawberry.field(
        description="Compares what was scanned with the parts of a kit, however deep they stand."
    )
    async def check_kit(self, info: Info, kit: UnitInput, scanned: list[str]) -> KitCheck:
        """Check a kit."""
        info.context.require(*STAFF)
        scans = _bounded(scanned)

        def read(tx: Transaction) -> Check:
            found = units.find(tx, kit.identifier, kit.sku)
            return kit_returns.check(tx, found["id"], scans)

        return KitCheck.of(_plain(await info.context.read(read)))

    @strawberry.field(description="Kits, or their components, counted by product.")
    async def kit_report(
        self,
        info: Info,
        level: Level,
        first: int = 50,
        after: str | None = None,
        location: str | None = None,
        sku: str | None = None,
    ) -> Connection[KitStock]:
        """Count kits or components; `location` is a site or a bin."""
        info.context.require(*STAFF)
        rows = await info.context.read(
            lambda tx: kit_reports.report(
                tx, level, first=first, after=position(after), location=location, sku=sku
            )
        )
        return page(rows, first, after, KitStock.of)


@strawberry.type
class KitMutation:
    """Commands to kits."""

    @strawberry.mutation(
        description="Make units part of another unit, at its place; with a customer's kit they "
        "may come from any site. Each part gets its verdict.",
        graphql_type=CommandOutcome,
    )
    async def assemble_kit(
        self,
        info: Info,
        idempotency_key: str,
        kit: UnitInput,
        parts: list[PartInput],
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Assemble."""
        info.context.require(Scope.SCANNER)
        given_parts = [Part(_scan(part.unit), part.role) for part in parts]

        def do(work: Work) -> list[Verdict]:
            return kits.assemble(work, _scan(kit), given_parts)

        given = given_by(
            [kit, *(part.unit for part in parts)], context, roles=[part.role for part in parts]
        )
        return await command(info, idempotency_key, "assemble_kit", given, context, do)

    @strawberry.mutation(
        description="Take one part out of a kit and put another in: both, or neither. The first "
        "verdict is that of the old part, which waits for inspection at `location`.",
        graphql_type=ReplaceKitMemberResult,
    )
    async def replace_kit_member(
        self,
        info: Info,
        idempotency_key: str,
        kit: UnitInput,
        old: UnitInput,
        new: UnitInput,
        location: str,
        role: str | None = None,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Replace; without `role` the new part has that of the old one."""
        info.context.require(Scope.SCANNER)

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return kits.replace_part(work, _scan(kit), _scan(old), _scan(new), place, role)

        given = given_by([kit, old, new], context, location=location, role=role)
        return await command(info, idempotency_key, "replace_kit_member", given, context, do)

    @strawberry.mutation(
        description="Take parts out of a kit, or all of them: they wait for inspection at "
        "`location`. `restock` makes those that are not blocked sellable at once.",
        graphql_type=CommandOutcome,
    )
    async def disassemble_kit(
        self,
        info: Info,
        idempotency_key: str,
        kit: UnitInput,
        location: str,
        parts: list[UnitInput] | None = None,
        restock: bool = False,
        context: CommandContextInput | None = None,
    ) -> CommandResult:
        """Take apart."""
        info.context.require(Scope.SCANNER)
        named = None if parts is None else scans_of(parts)

        def do(work: Work) -> list[Verdict]:
            place = catalogue.location(work.tx, location)
            return kits.disassemble(work, _scan(kit), place, named, restock=restock)

        given = given_by(
            [kit, *(parts or [])],
            context,
            location=location,
            restock=restock,
            all=parts is None,
        )
        return await command(info, idempotency_key, "disassemble_kit", given, context, do)

    @strawberry.mutation(
        description="Take a kit back after every part was scanned. One that does not agree is "
        "refused; with `acceptIncomplete` the parts that did not come are recorded as missing "
        "and a case names them.",
        graphql_type=KitReturnResult,
    )
    async def return_kit(
        self,
        info: Info,
        idempotency_key: str,
        kit: UnitInput,
        scanned: list[str],
        location: str,
        accept_incomplete: bool = False,
        context: CommandContextInput | None = None,
    ) -> KitReturn:
        """Take back."""
        info.context.require(Scope.SCANNER, Scope.POS)
        command_context = command_context_of(info.context, context)
        scans = _bounded(scanned)

        def do(tx: Transaction, command_id: str) -> Any:
            found, verdicts = kit_returns.give_back(
                Work(tx, command_context, command_id),
                _scan(kit),
                scans,
                catalogue.location(tx, location),
                accept_incomplete=accept_incomplete,
            )
            return [_plain(found), verdicts[0].as_json()]

        done = await info.context.write(
            lambda tx: idempotency.once(
                tx,
                command_context,
                key=idempotency_key,
                name="return_kit",
                given=given_by(
                    [kit],
                    context,
                    scanned=scanned,
                    location=location,
                    accept_incomplete=accept_incomplete,
                ),
                work=lambda command_id: do(tx, command_id),
            )
        )
        check, verdict = done.value
        return KitReturn(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            check=KitCheck.of(check),
            verdict=UnitResult.of(verdict),
        )
