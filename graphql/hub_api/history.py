"""Corrections, and the state of things at a past instant."""

from datetime import datetime
from typing import Annotated, Any, Union

import strawberry

from hub.access.keys import Scope
from hub.clock import micros, moment
from hub.commands import idempotency
from hub.commands.context import Document
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.history import as_of, corrections
from hub.history.as_of import Stood
from hub.history.corrections import Changes
from hub.history.replay import Declaration
from hub.ledger import units
from hub.lifecycle import Status
from hub.proof import conservation
from hub.proof.conservation import Balance, Law
from hub.storage.sql import Row, Transaction
from hub.vocabulary import Disposition
from hub_api.catalogue import Location
from hub_api.context import Context
from hub_api.paging import Connection, page, position
from hub_api.problems import AnyProblem, ContradictsHistory, VersionConflict
from hub_api.units import STAFF, Unit

Info = strawberry.Info[Context, None]
DOCUMENT_CHARS_MAX = {"document_type": 40, "document_ref": 200}

strawberry.enum(
    Declaration,
    name="ErrorReason",
    description="What was wrong with an event, in the words of EPCIS 2.0.",
)
strawberry.enum(Law, name="ConservationLaw", description="What always holds.")


@strawberry.input(description="What was right instead; what is left out is as it was recorded.")
class EventChanges:
    """What was right instead."""

    occurred_at: datetime | None = None
    document_type: str | None = strawberry.field(
        description="With `documentRef`; other, if it is left out.", default=None
    )
    document_ref: str | None = None
    reason: str | None = None
    location: str | None = strawberry.field(
        description="The code of the place, for an event that puts the unit somewhere.",
        default=None,
    )


@strawberry.type(description="A correction that was recorded.")
class Correction:
    """A correction that was recorded."""

    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    event_id: strawberry.ID = strawberry.field(description="The correction's own event.")
    version: int = strawberry.field(description="The unit's version with it.")
    status: Status = strawberry.field(description="Where it left the unit.")
    unit_id: strawberry.Private[str]

    @strawberry.field(description="The unit as it is now.")
    async def unit(self, info: Info) -> Unit:
        """Load the unit."""
        row = await info.context.units(self.unit_id)
        assert row is not None  # it was corrected, and units are never deleted
        return Unit.of(row)


CorrectEventResult = Annotated[
    Union[Correction, AnyProblem, VersionConflict, ContradictsHistory],  # noqa: UP007 # of a computed union
    strawberry.union("CorrectEventResult"),
]


@strawberry.type(description="Where a unit stood at an instant.")
class UnitStanding:
    """Where a unit stood at an instant."""

    version: int = strawberry.field(description="Of the newest event that had occurred by then.")
    status: Status
    disposition: Disposition
    location: Location
    is_promised: bool
    is_blocked: bool
    grade: str | None
    unit_id: strawberry.Private[str]

    @classmethod
    def of(cls, unit_id: str, stood: Stood) -> "UnitStanding":
        """Show where a unit stood."""
        standing, place = stood.standing, stood.place
        return cls(
            version=stood.version,
            status=standing.status,
            disposition=Disposition(standing.disposition),
            location=Location(
                id=strawberry.ID(place["id"]),
                code=place["code"],
                name=place["name"],
                kind=place["kind"],
            ),
            is_promised=standing.promised,
            is_blocked=bool(standing.blocks),
            grade=standing.grade,
            unit_id=unit_id,
        )

    @strawberry.field(description="The unit as it is now.")
    async def unit(self, info: Info) -> Unit:
        """Load the unit."""
        row = await info.context.units(self.unit_id)
        assert row is not None  # it was found, and units are never deleted
        return Unit.of(row)


@strawberry.type(description="A unit that was at a place at an instant.")
class StockedUnit:
    """A unit that was at a place."""

    id: strawberry.ID = strawberry.field(description="The unit's.")
    serial: str
    sku: str
    status: Status
    version: int
    since: datetime = strawberry.field(description="When the event occurred that left it so.")

    @classmethod
    def of(cls, row: Row) -> "StockedUnit":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            serial=row["serial"],
            sku=row["sku"],
            status=Status(row["status"]),
            version=row["version"],
            since=moment(row["since"]),
        )


@strawberry.type(description="How many units of a product stood at a place in a status.")
class TrialLine:
    """One line of a trial balance."""

    sku: str
    location: str
    location_name: str
    status: Status
    units: int


@strawberry.type(description="How many units stood where at an instant.")
class TrialBalance:
    """How many units stood where."""

    existed: int = strawberry.field(description="Units that existed, counted by themselves.")
    adds_up: bool = strawberry.field(description="Whether the lines add up to them.")
    lines: list[TrialLine]


@strawberry.type(description="A figure or a unit for which a law does not hold.")
class ConservationBreach:
    """A figure or a unit for which a law does not hold."""

    law: Law
    subject: str = strawberry.field(description="A unit's id, or a product and a place.")
    message: str


@strawberry.type(description="Whether every unit counts once, in one place, right now.")
class Conservation:
    """Whether every unit counts once."""

    holds: bool
    units: int
    available: int
    promised: int
    blocked: int
    elsewhere: int = strawberry.field(description="Sold, on its way, returned, written off, …")
    breaches: list[ConservationBreach]

    @classmethod
    def of(cls, balance: Balance) -> "Conservation":
        """Show a balance."""
        return cls(
            holds=balance.holds,
            units=balance.units,
            available=balance.available,
            promised=balance.promised,
            blocked=balance.blocked,
            elsewhere=balance.elsewhere,
            breaches=[
                ConservationBreach(law=each.law, subject=each.subject, message=each.message)
                for each in balance.breaches
            ],
        )


def _zoned(field: str, value: datetime) -> datetime:
    if value.tzinfo is None:
        raise InvalidInput(f"say the time zone of {field}", field=field)
    return value


def _instants(at: datetime, recorded_by: datetime | None) -> tuple[datetime, datetime | None]:
    return _zoned("at", at), None if recorded_by is None else _zoned("recordedBy", recorded_by)


def _changes(given: EventChanges | None) -> Changes:
    if given is None:
        return Changes()
    for field, chars_max in DOCUMENT_CHARS_MAX.items():
        if len(getattr(given, field) or "") > chars_max:
            raise InvalidInput(f"at most {chars_max} characters", field=field)
    if given.document_type is not None and given.document_ref is None:
        raise InvalidInput("a document has its reference", field="documentRef")
    document = None
    if given.document_ref is not None:
        document = Document(given.document_type or "other", given.document_ref)
    return Changes(
        occurred_at=_zoned("occurredAt", given.occurred_at) if given.occurred_at else None,
        document=document,
        reason=given.reason,
        location=given.location,
    )


@strawberry.type
class HistoryQuery:
    """Reading what was."""

    @strawberry.field(
        description="Where a unit stood at an instant, by what had occurred by then: as it is "
        "known now, or as it was known at `recordedBy`. Null if it did not exist yet."
    )
    async def unit_as_of(
        self,
        info: Info,
        identifier: str,
        at: datetime,
        recorded_by: datetime | None = None,
        sku: str | None = None,
    ) -> UnitStanding | None:
        """Find where a unit stood."""
        info.context.require(*STAFF)
        then, known = _instants(at, recorded_by)

        def read(tx: Transaction) -> UnitStanding | None:
            unit_id = units.find(tx, identifier, sku)["id"]
            stood = as_of.unit_as_of(tx, unit_id, then, recorded_by=known)
            return UnitStanding.of(unit_id, stood) if stood else None

        return await info.context.read(read)

    @strawberry.field(
        description="The units that were at a place at an instant; see `unitAsOf`.",
        metadata={"cost": 100},
    )
    async def stock_as_of(
        self,
        info: Info,
        location: str,
        at: datetime,
        recorded_by: datetime | None = None,
        first: int = 50,
        after: str | None = None,
    ) -> Connection[StockedUnit]:
        """List the units that were at a place."""
        info.context.require(*STAFF)
        then, known = _instants(at, recorded_by)
        rows = await info.context.database.report(
            lambda tx: as_of.stock_as_of(
                tx, location, then, first=first, after=position(after), recorded_by=known
            )
        )
        return page(rows, first, after, StockedUnit.of)

    @strawberry.field(
        description="How many units of each product stood at each place in each status at an "
        "instant; see `unitAsOf`.",
        metadata={"cost": 100},
    )
    async def trial_balance(
        self,
        info: Info,
        at: datetime,
        sku: str | None = None,
        recorded_by: datetime | None = None,
    ) -> TrialBalance:
        """Draw up a trial balance."""
        info.context.require(Scope.OPS)
        then, known = _instants(at, recorded_by)
        found = await info.context.database.report(
            lambda tx: as_of.trial_balance(tx, then, sku=sku, recorded_by=known)
        )
        return TrialBalance(
            existed=found.existed,
            adds_up=found.adds_up,
            lines=[TrialLine(**{**line, "status": Status(line["status"])}) for line in found.lines],
        )

    @strawberry.field(
        description="Proves that every unit counts once, in one place, right now.",
        metadata={"cost": 100},
    )
    async def conservation(self, info: Info) -> Conservation:
        """Prove conservation."""
        info.context.require(Scope.OPS)
        return Conservation.of(await info.context.database.report(conservation.check))


@strawberry.type
class HistoryMutation:
    """Correcting what was recorded."""

    @strawberry.mutation(
        description="Correct an event by a further event: it did not occur, or its data were "
        "wrong. The newest correction of an event counts and replaces those before.",
        graphql_type=CorrectEventResult,
    )
    async def correct_event(
        self,
        info: Info,
        idempotency_key: str,
        event_id: strawberry.ID,
        error: Declaration,
        reason: str,
        changes: EventChanges | None = None,
        expected_version: int | None = None,
    ) -> Correction:
        """Correct an event; `reason` says why it is corrected."""
        info.context.require(Scope.OPS)
        right = _changes(changes)
        context = info.context.command_context(reason=reason)

        def do(tx: Transaction, command_id: str) -> Any:
            done = corrections.correct(
                Work(tx, context, command_id),
                event_id,
                reason=error,
                changes=right,
                expected_version=expected_version,
            )
            return [done.event_id, done.unit_id, done.version, done.status]

        given = [event_id, error, reason, _plain(right), expected_version]
        done = await info.context.write(
            lambda tx: idempotency.once(
                tx,
                context,
                key=idempotency_key,
                name="correct",
                given=given,
                work=lambda command_id: do(tx, command_id),
            )
        )
        event, unit_id, version, status = done.value
        return Correction(
            command_id=strawberry.ID(done.command_id),
            replayed=done.replayed,
            event_id=strawberry.ID(event),
            version=version,
            status=Status(status),
            unit_id=unit_id,
        )


def _plain(right: Changes) -> list[Any]:
    document = [right.document.type, right.document.ref] if right.document else None
    at = micros(right.occurred_at) if right.occurred_at else None
    return [at, document, right.reason, right.location]
