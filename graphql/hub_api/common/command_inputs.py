"""Inputs and results that commands share: units, the command context, results by unit."""

from collections.abc import Sequence
from datetime import date, datetime

import strawberry

from hub import catalogue
from hub.commands.context import CommandContext, Document
from hub.errors import InvalidInput
from hub.ledger.arrivals import Arrival, Condition, Fact
from hub.ledger.units import Scan
from hub.storage.rows import LocationRow
from hub.storage.sql import Transaction
from hub.vocabulary import CaptureMethod
from hub_api.common.context import Context
from hub_api.common.inputs import many

TEXT_CHARS_MAX = {"reason": 200, "document_type": 40, "document_ref": 200}


REFERENCE_CHARS_MAX = 200


@many
@strawberry.input(description="Identifier of a unit, as it was read.")
class UnitInput:
    identifier: str = strawberry.field(description="Its id, serial, or another identifier.")
    sku: str | None = strawberry.field(
        description="Its product, where two makers use the same serial.", default=None
    )
    expected_version: int | None = strawberry.field(
        description="Refuse if the unit has changed since it was at this version.", default=None
    )
    at: str | None = strawberry.field(
        description="Code of the location of the reading, which selects the unserialized stock "
        "that a serial belongs to.",
        default=None,
    )


@many
@strawberry.input(description="A further name of a unit that arrives.")
class IdentifierInput:
    scheme: str
    value: str


@many
@strawberry.input(description="Something that happened to a unit before it had its record here.")
class FactInput:
    what: str
    on: date | None = None
    reference: str | None = None


@many
@strawberry.input(description="A unit that gets its record, or that is expected and arrives.")
class ArrivalInput:
    serial: str = strawberry.field(
        description="As it stands on the label; or an EPC, as a URI or a tag's hexadecimal digits, "
        "or a GS1 Digital Link."
    )
    product: str = strawberry.field(
        description="SKU or GTIN; may be left out with an EPC or a Digital Link.", default=""
    )
    identifiers: list[IdentifierInput] = strawberry.field(default_factory=list)
    lot: str | None = None
    produced_on: date | None = None
    expires_on: date | None = None
    supplier: str | None = None
    purchase_order: str | None = None
    client: str | None = strawberry.field(
        description="The code of the client whose goods these are; null: our own.", default=None
    )
    condition: Condition = Condition.NEW
    batch: str | None = strawberry.field(description="Of its production.", default=None)
    designed_on: date | None = None
    tested_on: date | None = None
    history: list[FactInput] = strawberry.field(
        description="Earlier events, sealed in the first event.", default_factory=list
    )


@strawberry.input(description="Supplier and reference of an advance ship notice.")
class AdvanceShipNoticeReference:
    supplier: str
    ref: str


@strawberry.input(description="Who, when, how and why, as far as it is not now and by this key.")
class CommandContextInput:
    captured_by: CaptureMethod = CaptureMethod.API
    occurred_at: datetime | None = strawberry.field(
        description="When it happened, if that was before now.", default=None
    )
    reason: str | None = None
    document_type: str | None = strawberry.field(
        description="CBV transaction type: po, desadv, recadv, inv, rma.", default=None
    )
    document_ref: str | None = None


def command_context_of(context: Context, given: CommandContextInput | None) -> CommandContext:
    """Read who, when, how and why; refuse what is too long or in the future."""
    if given is None:
        return context.command_context()
    for field, chars_max in TEXT_CHARS_MAX.items():
        if len(getattr(given, field) or "") > chars_max:
            raise InvalidInput(f"at most {chars_max} characters", field=field)
    if given.occurred_at is not None and given.occurred_at > context.clock():
        raise InvalidInput("occurredAt is in the future", field="occurredAt")
    document = None
    if given.document_ref is not None:
        document = Document(given.document_type or "other", given.document_ref)
    return context.command_context(
        captured_by=given.captured_by,
        occurred_at=given.occurred_at,
        reason=given.reason,
        document=document,
    )


def arrivals_of(units: Sequence[ArrivalInput]) -> list[Arrival]:
    """Turn what was read of units that arrive into arrivals."""
    return [_arrival(unit) for unit in units]


def _arrival(unit: ArrivalInput) -> Arrival:
    given = dict(vars(unit))
    given["identifiers"] = tuple([(each.scheme, each.value) for each in unit.identifiers])
    given["history"] = tuple([Fact(**vars(each)) for each in unit.history])
    return Arrival(**given)


def scans_of(units: Sequence[UnitInput]) -> list[Scan]:
    """Turn what was read into scans."""
    return [Scan(unit.identifier, unit.sku, unit.expected_version, at=unit.at) for unit in units]


def place_of(tx: Transaction, code: str | None) -> LocationRow | None:
    """Find the place that a code names; None where none is named."""
    return catalogue.location(tx, code) if code is not None else None


def order_line_of(tx: Transaction, line_id: str | None) -> str | None:
    """Check that an order line exists; None where none is named."""
    return catalogue.reference(tx, "order_line", "id", line_id)["id"] if line_id else None
