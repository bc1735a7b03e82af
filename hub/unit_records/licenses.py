"""Licenses: software and digital rights, bound to one unit at a time."""

from dataclasses import dataclass
from datetime import date

from hub import ledger
from hub.clock import micros, new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.rows import EntitlementRow
from hub.storage.sql import Row, Transaction

KIND = "license"
CHARS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """A license: the provider's reference of it, and its first and last day."""

    reference: str
    provider: str
    starts_on: date | None = None
    ends_on: date | None = None


class BoundLicense(EntitlementRow):
    """A license with the serial and the SKU of its unit."""

    serial: str
    sku: str


def link(work: Work, scan: Scan, given: License) -> list[Verdict]:
    """Bind a license to a unit; raises StepNotAllowed while it is bound to another one."""
    _sensible(given)
    holder = holder_of(work.tx, given.reference, given.provider)
    if holder is not None:
        raise StepNotAllowed(
            f"the license runs on {holder['serial']} ({holder['sku']}): take it from there first",
            allowed=[],
        )
    (verdict,) = _note(work, scan, given.reference, linked=True)
    if verdict.accepted:
        work.tx.run(
            "INSERT INTO entitlement(id, unit_id, kind, reference, provider, starts_on, ends_on, "
            "granted_at) VALUES(:id, :unit, :kind, :reference, :provider, :starts, :ends, :now) "
            "ON CONFLICT(kind, reference, unit_id) DO UPDATE SET provider = excluded.provider, "
            "starts_on = excluded.starts_on, ends_on = excluded.ends_on, "
            "granted_at = excluded.granted_at, revoked_at = NULL",
            id=new_id(),
            unit=verdict.unit_id,
            kind=KIND,
            reference=given.reference,
            provider=given.provider,
            starts=given.starts_on.isoformat() if given.starts_on else None,
            ends=given.ends_on.isoformat() if given.ends_on else None,
            now=micros(work.context.now),
        )
    return [verdict]


def unlink(work: Work, reference: str, provider: str) -> list[Verdict]:
    """Unbind a license from its unit; raises UnknownReference if it is not bound."""
    holder = holder_of(work.tx, reference, provider)
    if holder is None:
        raise UnknownReference(f"no unit has the license {reference!r}", field="reference")
    verdicts = _note(work, Scan(holder["unit_id"]), reference, linked=False)
    work.tx.run(
        "UPDATE entitlement SET revoked_at = :now WHERE id = :id",
        now=micros(work.context.now),
        id=holder["id"],
    )
    return verdicts


def holder_of(tx: Transaction, reference: str, provider: str) -> BoundLicense | None:
    """Return the binding of a license with its unit's serial and SKU; None if it is not bound."""
    return tx.row_as(
        BoundLicense,
        "SELECT entitlement.*, unit.serial, product.sku FROM entitlement "
        "JOIN unit ON unit.id = entitlement.unit_id JOIN product ON product.id = unit.product_id "
        "WHERE entitlement.kind = :kind AND entitlement.reference = :reference "
        "AND entitlement.provider = :provider AND entitlement.revoked_at IS NULL",
        kind=KIND,
        reference=reference,
        provider=provider,
    )


def of_unit(tx: Transaction, unit_id: str) -> list[Row]:
    """Return every license that a unit has or had, the newest first."""
    return tx.rows(
        "SELECT * FROM entitlement WHERE unit_id = :unit AND kind = :kind "
        "ORDER BY granted_at DESC, id DESC",
        unit=unit_id,
        kind=KIND,
    )


def _sensible(given: License) -> None:
    for name in ("reference", "provider"):
        if not 0 < len(getattr(given, name).strip()) <= CHARS_MAX:
            raise InvalidInput(f"the {name} has 1 to {CHARS_MAX} characters", field=name)
    if given.starts_on and given.ends_on and given.starts_on > given.ends_on:
        raise InvalidInput("it ends before it starts", field="endsOn")


def _note(
    work: Work,
    scan: Scan,
    reference: str,
    *,
    linked: bool,
) -> list[Verdict]:
    command = UnitCommand(action=Action.ANNOTATE, details={"license": reference, "linked": linked})
    return ledger.record(work, command, [scan])
