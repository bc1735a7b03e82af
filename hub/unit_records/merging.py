"""Two records of one unit are merged, and what was merged by mistake is split again.

The absorbed record ends in the one that is kept; it stays with its history, and its names lead to
the kept one. Blocks, further identifiers and open recalls go over, and of its costs the kinds that
the kept record has none of. Whatever else depends on a record has no place in another one: the
merge is refused with the reasons. A split declares that the merge did not occur (EPCIS error
declaration), so that both records stand as they would without it, at every past instant too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypedDict

from hub import ledger
from hub.commands.work import Work
from hub.errors import (
    CannotMerge,
    DuplicateSerial,
    InvalidBarcode,
    InvalidInput,
    Refused,
    StepNotAllowed,
    UnknownReference,
)
from hub.history import corrections
from hub.identifiers.device_numbers import normalized
from hub.inbound import receiving
from hub.inbound.receiving import Arrival
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, accepted
from hub.ledger.recording import unchanged
from hub.ledger.units import Scan, UnitState, identify, locate
from hub.lifecycle import FREE, GONE, MERGEABLE, WITH_CUSTOMER, Action, Status
from hub.recalls import recall_catch
from hub.storage.documents import document
from hub.storage.rows import HoldRow, IdentifierRow, LocationRow
from hub.storage.sql import Transaction
from hub.unit_records import further_identifiers

REASON_CHARS_MAX = 200
RAISED_AS_THEY_ARE = {
    each.code: each for each in (DuplicateSerial, InvalidBarcode, InvalidInput, UnknownReference)
}


class MergeObstacle(StrEnum):
    """Why two records cannot be those of one unit, or one may not end."""

    PRODUCT = "product"
    OWNER = "owner"
    STATUS = "status"
    PROMISE = "promise"
    SALE = "sale"
    KIT = "kit"
    LISTING = "listing"
    CLAIM = "claim"
    RETURN = "return"
    ENTITLEMENT = "entitlement"
    MERGED = "merged"


M = MergeObstacle
MESSAGES = {
    M.PRODUCT: "they are of two products: correct the wrong one first",
    M.OWNER: "they have two owners: transfer the title first",
    M.STATUS: "{absorbed} is {status}, and {kept} is {kept_status}",
    M.PROMISE: "{absorbed} is promised",
    M.SALE: "{absorbed} was sold",
    M.KIT: "{absorbed} is a kit or part of one",
    M.LISTING: "a listing sells {absorbed} itself",
    M.CLAIM: "{absorbed} has an open warranty claim",
    M.RETURN: "a return of {absorbed} is not finished",
    M.ENTITLEMENT: "{absorbed} has a license or cover of its own",
    M.MERGED: "{absorbed} absorbed a record itself: split that one first",
}


class _Ties(TypedDict):
    listing: int
    claim: int
    returned: int
    entitlement: int
    merged: int


class _HoldEvent(TypedDict):
    details: str | None
    recorded_at: int


class _MergeEvent(TypedDict):
    id: str
    version: int
    details: str | None
    recorded_at: int


class _Kind(TypedDict):
    kind: str


class _Described(TypedDict):
    lot: str | None
    client: str | None
    condition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherUnit:
    """The unit that a wrong further identifier belongs to; `place` is where it stands."""

    scheme: str
    value: str
    serial: str
    place: LocationRow
    put_away: bool = False
    lot: str | None = None


def merge(work: Work, keep: Scan, absorb: Scan) -> list[Verdict]:
    """Merge a record into the one that is kept; return the verdicts of the kept and the absorbed.

    Raises CannotMerge with its reasons (`MergeObstacle`), InvalidInput for one record or without
    the context's reason, VersionConflict, and UnknownUnit or another Refused for the scans.
    """
    _check_reason(work)
    kept, absorbed = _both(work.tx, [keep, absorb])
    for scan, unit in ((keep, kept), (absorb, absorbed)):
        unchanged(scan, unit)
    if kept.id == absorbed.id:
        raise InvalidInput("both names are of one record already", field="absorb")
    _check(work.tx, kept, absorbed)
    holds = _holds(work.tx, absorbed.id)
    names = _names(work.tx, absorbed.id)
    stated = {"identifiers": names, "holds": sorted(holds)}
    end = UnitCommand(
        action=Action.MERGE, into=kept.id, details={"into_serial": kept.serial, **stated}
    )
    ledger.record_one(work, end, Scan(absorbed.id))
    taken = {"absorbed": absorbed.id, "serial": absorbed.serial, **stated}
    ledger.record_one(work, UnitCommand(action=Action.ABSORB, details=taken), Scan(kept.id))
    work.tx.run(
        "UPDATE identifier SET unit_id = :kept WHERE unit_id = :absorbed",
        kept=kept.id,
        absorbed=absorbed.id,
    )
    recall_catch.follow_merge(work, kept.id, absorbed.id)
    _carry_holds(work, kept.id, absorbed.id, holds)
    return _verdicts(work.tx, (keep.identifier, kept.id), (absorb.identifier, absorbed.id))


def split(work: Work, scan: Scan) -> list[Verdict]:
    """Split a record off that was merged by mistake; return the verdicts of the kept and the other.

    `scan` names the merged record, by its id or its own serial. What happened to the kept record
    since the merge stays there. Raises StepNotAllowed for a record that is not merged.
    """
    _check_reason(work)
    (named,) = identify(work.tx, [Scan(scan.identifier, scan.sku, itself=True)])
    if isinstance(named, Refused):
        raise named
    if named["merged_into"] is None:
        raise StepNotAllowed("the record is merged into none: name the one to split off")
    kept, merged = _both(work.tx, [Scan(named["merged_into"]), Scan(named["id"], itself=True)])
    unchanged(Scan(merged.id, expected_version=scan.expected_version), merged)
    end = _newest(work.tx, merged.id, Action.MERGE, "into", kept.id)
    taken = _newest(work.tx, kept.id, Action.ABSORB, "absorbed", merged.id)
    corrections.withdraw(work, end["id"])
    corrections.withdraw(work, taken["id"])
    _give_back_names(work.tx, kept.id, merged.id, document(end["details"]).get("identifiers", []))
    recall_catch.follow_split(work, kept.id, merged.id, since=end["recorded_at"])
    _release_carried(work, kept.id, merged.id, taken["version"])
    return _verdicts(work.tx, (kept.serial, kept.id), (scan.identifier, merged.id))


def split_name(work: Work, scan: Scan, other: OtherUnit) -> list[Verdict]:
    """Give a wrong further identifier of a unit to the other unit that it belongs to.

    The other unit is received at its place. Returns the verdicts of the unit and the other one;
    raises UnknownReference if the unit does not have the identifier, and the refusal of a serial
    that cannot be received.
    """
    _check_reason(work)
    (unit,) = locate(work.tx, [scan])
    if isinstance(unit, Refused):
        raise unit
    unchanged(scan, unit)
    known = work.tx.row_as(
        _Described,
        "SELECT lot, condition, (SELECT code FROM client WHERE client.id = unit.client_id) "
        "AS client FROM unit WHERE id = :id",
        id=unit.id,
    )
    assert known is not None  # it was just located
    further_identifiers.retire(work, Scan(unit.id), other.scheme, other.value)
    arrival = Arrival(
        serial=other.serial,
        product=unit.sku,
        identifiers=((other.scheme, other.value),),
        lot=other.lot or known["lot"],
        client=known["client"],
    )
    (new,) = receiving.receive(work, [arrival], other.place, put_away=other.put_away)
    if new.code is not None:
        raised = RAISED_AS_THEY_ARE.get(new.code, StepNotAllowed)
        raise raised(new.message or "", **(new.details or {}))
    for unit_id, details in (
        (unit.id, {"split_off": new.unit_id, "serial": other.serial}),
        (str(new.unit_id), {"split_from": unit.id, "serial": unit.serial}),
    ):
        noted = UnitCommand(action=Action.ANNOTATE, details=details)
        ledger.record_one(work, noted, Scan(unit_id))
    return _verdicts(work.tx, (scan.identifier, unit.id), (other.serial, str(new.unit_id)))


def absorbed_by(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the ids of the records that were merged into units, by unit, oldest record first."""
    found: dict[str, list[str]] = {unit_id: [] for unit_id in unit_ids}
    for row in tx.rows(
        "SELECT id, merged_into FROM unit WHERE merged_into IN (:ids...) ORDER BY id",
        ids=list(unit_ids),
    ):
        found[row["merged_into"]].append(row["id"])
    return found


def _check_reason(work: Work) -> None:
    if not 0 < len((work.context.reason or "").strip()) <= REASON_CHARS_MAX:
        raise InvalidInput(f"say why, in 1 to {REASON_CHARS_MAX} characters", field="reason")


def _both(tx: Transaction, scans: Sequence[Scan]) -> tuple[UnitState, UnitState]:
    found: list[UnitState] = []
    for each in locate(tx, scans):
        if isinstance(each, Refused):
            raise each
        found.append(each)
    return found[0], found[1]


def _check(tx: Transaction, kept: UnitState, absorbed: UnitState) -> None:
    reasons = _obstacles(tx, kept, absorbed)
    if not reasons:
        return
    other_way = not _obstacles(tx, absorbed, kept)
    told = "; ".join(
        MESSAGES[each].format(
            absorbed=absorbed.serial,
            kept=kept.serial,
            status=absorbed.status.replace("_", " "),
            kept_status=kept.status.replace("_", " "),
        )
        for each in reasons
    )
    hint = "; keep that one and absorb the other" if other_way else ""
    raise CannotMerge(f"{told}{hint}", reasons=[str(each) for each in reasons], other_way=other_way)


def _obstacles(tx: Transaction, kept: UnitState, absorbed: UnitState) -> list[MergeObstacle]:
    """Return what prevents that a record ends in another one."""
    ties = tx.row_as(
        _Ties,
        "SELECT (SELECT COUNT(*) FROM listing WHERE unit_id = :id) AS listing, "
        "(SELECT COUNT(*) FROM warranty_claim WHERE unit_id = :id "
        "AND state IN ('open', 'approved', 'disputed')) AS claim, "
        "(SELECT COUNT(*) FROM return_case WHERE unit_id = :id AND state = 'received') "
        "AS returned, "
        "(SELECT COUNT(*) FROM entitlement WHERE unit_id = :id AND revoked_at IS NULL) "
        "AS entitlement, "
        "(SELECT COUNT(*) FROM unit WHERE merged_into = :id) AS merged",
        id=absorbed.id,
    )
    assert ties is not None  # sub-queries without a table always have their row
    sold = absorbed.status in WITH_CUSTOMER
    promised = absorbed.promised_to is not None
    in_kit = absorbed.kit_id is not None or absorbed.members > 0
    named = {Status.PICKED, Status.PACKED, Status.IN_KIT} | WITH_CUSTOMER  # by other reasons
    away = kept.status in (GONE | {Status.AT_SUPPLIER}) - {Status.IN_KIT}
    status = absorbed.status not in MERGEABLE | named or kept.status is Status.WRITTEN_OFF
    found = {
        M.PRODUCT: kept.product_id != absorbed.product_id,
        M.OWNER: kept.client_id != absorbed.client_id,
        M.STATUS: status or (away and absorbed.status in FREE),
        M.PROMISE: promised,
        M.SALE: sold or (absorbed.order_line_id is not None and not promised),
        M.KIT: in_kit,
        M.LISTING: ties["listing"],
        M.CLAIM: ties["claim"],
        M.RETURN: ties["returned"],
        M.ENTITLEMENT: ties["entitlement"],
        M.MERGED: ties["merged"],
    }
    return [each for each, prevents in found.items() if prevents]


def _holds(tx: Transaction, unit_id: str) -> dict[str, HoldRow]:
    rows = tx.rows_as(
        HoldRow,
        "SELECT * FROM hold WHERE unit_id = :id AND released_at IS NULL ORDER BY kind",
        id=unit_id,
    )
    return {row["kind"]: row for row in rows}


def _names(tx: Transaction, unit_id: str) -> list[list[str]]:
    rows = tx.rows_as(
        IdentifierRow, "SELECT * FROM identifier WHERE unit_id = :id ORDER BY id", id=unit_id
    )
    return [[row["scheme"], row["value"]] for row in rows]


def _carry_holds(work: Work, kept: str, absorbed: str, holds: dict[str, HoldRow]) -> None:
    """Block the kept record by the kinds of block that only the absorbed one had."""
    for kind in sorted(holds.keys() - _holds(work.tx, kept).keys()):
        command = UnitCommand(
            action=Action.HOLD,
            hold_kind=kind,
            hold_reference=holds[kind]["reference"],
            details={"carried_from": absorbed, "because": holds[kind]["reason"]},
        )
        ledger.record_one(work, command, Scan(kept))


def _release_carried(work: Work, kept: str, split_off: str, after_version: int) -> None:
    """Release those blocks of the kept record that came with the merge and are still in force."""
    active = _holds(work.tx, kept)
    for event in work.tx.rows_as(
        _HoldEvent,
        "SELECT details, recorded_at FROM event WHERE unit_id = :id AND action = 'hold' "
        "AND version > :after ORDER BY version",
        id=kept,
        after=after_version,
    ):
        details = document(event["details"])
        hold = active.get(str(details.get("hold_kind")))
        if details.get("carried_from") != split_off or hold is None:
            continue
        if hold["placed_at"] == event["recorded_at"]:
            command = UnitCommand(
                action=Action.UNBLOCK, hold_kind=hold["kind"], details={"split_off": split_off}
            )
            # One that a recall or a part needs meanwhile stays.
            ledger.record(work, command, [Scan(kept)])


def _newest(tx: Transaction, unit_id: str, action: Action, name: str, other: str) -> _MergeEvent:
    """Return the newest event of an action whose details name the other record."""
    rows = tx.rows_as(
        _MergeEvent,
        "SELECT id, version, details, recorded_at FROM event WHERE unit_id = :id "
        "AND action = :action ORDER BY version DESC",
        id=unit_id,
        action=str(action),
    )
    return next(row for row in rows if document(row["details"]).get(name) == other)


def _give_back_names(tx: Transaction, kept: str, split_off: str, names: list[Any]) -> None:
    """Give identifiers back that the kept record still has."""
    tx.run_many(
        "UPDATE identifier SET unit_id = :split_off WHERE unit_id = :kept AND scheme = :scheme "
        "AND canonical = :key",
        [
            {
                "split_off": split_off,
                "kept": kept,
                "scheme": scheme,
                "key": normalized(scheme, text),
            }
            for scheme, text in names
        ],
    )


def _verdicts(tx: Transaction, *named: tuple[str, str]) -> list[Verdict]:
    states = _both(tx, [Scan(unit_id, itself=True) for _, unit_id in named])
    return [
        accepted(index, identifier, state)
        for index, ((identifier, _), state) in enumerate(zip(named, states, strict=True))
    ]
