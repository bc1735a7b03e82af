"""Adjustment of the ledger to a count, serial by serial, each with a reason and its count."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import orjson

from hub import cases, ledger
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros, moment
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.counts.counting import Kind, live
from hub.counts.rows import FoundResult, PlacedCount
from hub.errors import DuplicateSerial, InvalidInput, StepNotAllowed, UnknownReference
from hub.inbound import serialization
from hub.inbound.serialization import Sighting
from hub.ledger.arrivals import Arrival
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action, Status
from hub.orders.shortfall import promise_anew
from hub.storage.rows import LocationRow
from hub.storage.sql import Transaction

DOCUMENT_TYPE = "stock_count"  # CBV has no transaction type of its own for a count
REASON_CHARS_MAX = 200
SUBJECTS_MAX = 20_000
FOUND_AGAIN = (Status.MISSING, Status.STOLEN)


class _OrderLineId(TypedDict):
    order_line_id: str


class _ProductSku(TypedDict):
    id: str
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """Result of one difference: an action of the ledger, a case, or a refusal."""

    index: int
    subject: str
    identifier: str
    kind: str
    action: str | None = None
    case: str | None = None  # the kind of the case that was opened
    code: str | None = None
    message: str | None = None
    details: dict[str, Any] | None = None


def adjust(
    work: Work,
    ref: str,
    *,
    subjects: Sequence[str] | None = None,
    kind: Kind | None = None,
    restock: bool = False,
) -> list[Adjusted]:
    """Adjust the differences of some subjects, or all open ones of a kind.

    Missing units are recorded as lost, misplaced ones as moved, lost ones that were seen as found
    (`restock` makes them sellable); every other difference becomes a case. Raises InvalidInput
    without a reason in the context, StepNotAllowed before the comparison.
    """
    count = live(work.tx, ref)
    if count["state"] != "compared":
        raise StepNotAllowed("compare the count first", allowed=["compare"])
    rows = _chosen(work.tx, count, subjects, kind)
    adjustment = _Adjustment(work.within(documented(work.context, ref)), ref)
    for index, row in enumerate(rows):
        adjustment.sort_out(index, row)
    adjustment.carry_out(restock=restock)
    return [adjustment.done[index] for index in range(len(rows))]


def documented(context: CommandContext, ref: str) -> CommandContext:
    """Return the context with the count as its document; raises InvalidInput without a reason."""
    if not (context.reason or "").strip() or len(context.reason or "") > REASON_CHARS_MAX:
        raise InvalidInput(
            f"say why, in 1 to {REASON_CHARS_MAX} characters: no variance stays unexplained",
            field="reason",
        )
    return replace(context, document=Document(DOCUMENT_TYPE, ref))


def _chosen(
    tx: Transaction, count: PlacedCount, subjects: Sequence[str] | None, kind: Kind | None
) -> list[FoundResult]:
    if (subjects is None) == (kind is None):
        raise InvalidInput("name the subjects, or one kind", field="subjects")
    if kind is Kind.CONFIRMED:
        raise InvalidInput("what is confirmed needs no adjustment", field="kind")
    if subjects is not None and not 0 < len(subjects) <= SUBJECTS_MAX:
        raise InvalidInput(f"name 1 to {SUBJECTS_MAX} subjects", field="subjects")
    rows = tx.rows_as(
        FoundResult,
        "SELECT count_result.*, location.site_id AS found_site FROM count_result "
        "LEFT JOIN location ON location.id = count_result.found_at "
        "WHERE count_id = :count AND count_result.kind <> 'confirmed' ORDER BY count_result.id",
        count=count["id"],
    )
    if subjects is None:
        # A serial read at two places is adjusted only by its subject.
        rows = [row for row in rows if row["kind"] == kind and row["state"] == "open"]
        return [row for row in rows if not orjson.loads(row["evidence"]).get("conflict")]
    by_subject = {row["subject"]: row for row in rows}
    unknown = next((each for each in subjects if each not in by_subject), None)
    if unknown is not None:
        raise UnknownReference(f"the count has no difference {unknown!r}", field="subjects")
    return [by_subject[each] for each in dict.fromkeys(subjects)]


class _Adjustment:
    """One adjustment, grouped by action and place, so that each group is one command."""

    def __init__(self, work: Work, ref: str) -> None:
        self.tx = work.tx
        self.context = work.context
        self.command_id = work.command_id
        self.ref = ref
        self.done: dict[int, Adjusted] = {}
        self._groups: dict[tuple[Action, str | None], list[tuple[int, FoundResult]]] = {}
        self._cases: list[tuple[int, FoundResult, CaseKind]] = []
        self._unknown: list[tuple[int, FoundResult]] = []  # unknown serials
        self._places: dict[str, LocationRow] = {}
        self._settled: dict[str, list[str]] = {}  # ids of results, by their new state

    def sort_out(self, index: int, row: FoundResult) -> None:
        """Choose the action for one difference."""
        if row["state"] != "open":
            refusal = StepNotAllowed(f"it is {row['state']} already", allowed=[])
            self._refuse(index, row, refusal.code, str(refusal), None)
            return
        action = self._action(row)
        if action is not None:
            place = None if action is Action.LOSE else row["found_at"]
            self._groups.setdefault((action, place), []).append((index, row))
        elif row["unit_id"] is None:
            self._unknown.append((index, row))
        else:
            self._cases.append((index, row, CaseKind.WRONG_STATUS))

    def _action(self, row: FoundResult) -> Action | None:
        status = orjson.loads(row["evidence"]).get("status")
        if row["kind"] == Kind.MISSING:
            return Action.LOSE
        if row["kind"] == Kind.MISPLACED:
            here = self._place(row["expected_at"] or "")["site_id"] == row["found_site"]
            return Action.MOVE if here else Action.RELOCATE
        return Action.FIND if status in FOUND_AGAIN else None

    def _place(self, location_id: str) -> LocationRow:
        if location_id not in self._places:
            for row in self.tx.rows_as(LocationRow, "SELECT * FROM location"):
                self._places[row["id"]] = row
        return self._places[location_id]

    def carry_out(self, *, restock: bool) -> None:
        """Record the actions and open the cases."""
        for (action, place_id), rows in sorted(
            self._groups.items(), key=lambda group: (group[0][0], group[0][1] or "")
        ):
            self._record(action, place_id, rows, restock=restock)
        self._capture()
        for index, row, kind in self._cases:
            self._report(index, row, kind)
        for state, ids in sorted(self._settled.items()):
            self.tx.run(
                "UPDATE count_result SET state = :state, reason = :reason, resolved_by = :actor, "
                "resolved_at = :now WHERE id IN (:ids...)",
                state=state,
                reason=self.context.reason,
                actor=self.context.actor,
                now=micros(self.context.now),
                ids=ids,
            )

    def _capture(self) -> None:
        """Commission unserialized stock whose serial was read; other serials become cases."""
        products = _old_products(self.tx, self._unknown)
        old = [(index, row) for index, row in self._unknown if row["id"] in products]
        self._cases += [
            (index, row, CaseKind.UNKNOWN_SERIAL)
            for index, row in self._unknown
            if row["id"] not in products
        ]
        sightings = [
            Sighting(
                arrival=Arrival(serial=row["identifier"], product=products[row["id"]]),
                place=self._place(_found_at(row)),
            )
            for _, row in old
        ]
        found = serialization.capture(
            Work(self.tx, self.context, self.command_id), sightings, Action.COMMISSION
        )
        for (index, row), answer in zip(old, found, strict=True):
            if isinstance(answer, Verdict):
                self._settle(index, row, "adjusted", action=str(Action.COMMISSION))
            elif isinstance(answer, DuplicateSerial):  # read elsewhere since: compare again
                self._refuse(index, row, answer.code, str(answer), dict(answer.details))
            else:
                self._cases.append((index, row, CaseKind.UNKNOWN_SERIAL))

    def _record(
        self,
        action: Action,
        place_id: str | None,
        rows: list[tuple[int, FoundResult]],
        *,
        restock: bool,
    ) -> None:
        lines = self._promised_lines(rows) if action is Action.LOSE else []
        command = UnitCommand(
            action=action,
            location=self._place(place_id) if place_id else None,
            details={"count": self.ref},
        )
        # A unit that changed since the comparison is refused: compare again.
        scans = [
            Scan(_unit_id(row), None, orjson.loads(row["evidence"])["version"]) for _, row in rows
        ]
        verdicts = ledger.record(Work(self.tx, self.context, self.command_id), command, scans)
        accepted = []
        for (index, row), verdict in zip(rows, verdicts, strict=True):
            if verdict.accepted:
                accepted.append((index, row, verdict))
                self._settle(index, row, "adjusted", action=str(action))
            else:
                self._refuse(index, row, verdict.code, verdict.message, verdict.details)
        self._afterwards(action, accepted, restock=restock)
        promise_anew(self.tx, self.context, lines)

    def _afterwards(
        self, action: Action, accepted: list[tuple[int, FoundResult, Verdict]], *, restock: bool
    ) -> None:
        if action is Action.LOSE:
            for _, row, _ in accepted:
                self._missing(row)
        if action is Action.FIND and accepted:
            names = [orjson.loads(row["evidence"])["serial"] for _, row, _ in accepted]
            cases.settle_many(self.tx, CaseKind.MISSING_UNIT, names, None, self.context.now)
            if restock:
                # Stolen units are inspected first.
                missing = str(Status.MISSING)
                scans = [
                    Scan(_unit_id(row))
                    for _, row, _ in accepted
                    if orjson.loads(row["evidence"])["status"] == missing
                ]
                again = UnitCommand(action=Action.RESTOCK, details={"count": self.ref})
                if scans:
                    ledger.record(Work(self.tx, self.context, self.command_id), again, scans)

    def _promised_lines(self, rows: list[tuple[int, FoundResult]]) -> list[str]:
        found = self.tx.rows_as(
            _OrderLineId,
            "SELECT DISTINCT order_line_id FROM unit WHERE id IN (:ids...) "
            "AND promised_to IS NOT NULL AND order_line_id IS NOT NULL ORDER BY order_line_id",
            ids=[row["unit_id"] for _, row in rows],
        )
        return [row["order_line_id"] for row in found]

    def _missing(self, row: FoundResult) -> None:
        evidence = orjson.loads(row["evidence"])
        seen = evidence["last_seen"]
        when = moment(seen["at"]).isoformat()
        promised = f" It was promised to {evidence['promised_to']}." if _owed(evidence) else ""
        finding = Finding(
            kind=CaseKind.MISSING_UNIT,
            subject=evidence["serial"],
            severity=Severity.HIGH if promised else Severity.MEDIUM,
            summary=f"{evidence['serial']} was not found at the count {self.ref}; last seen "
            f"{when} at {seen['location']} by {seen['by']}.{promised}",
            details={"count": self.ref, "unit": row["unit_id"], **evidence},
        )
        cases.report(self.tx, finding, self.context.now)

    def _report(self, index: int, row: FoundResult, kind: CaseKind) -> None:
        evidence = orjson.loads(row["evidence"])
        name = evidence.get("serial") or row["identifier"]
        scan = evidence["scans"][-1]
        known = "the ledger has it as " + str(evidence.get("status", "")).replace("_", " ")
        what = "no unit bears it" if kind is CaseKind.UNKNOWN_SERIAL else known
        finding = Finding(
            kind=kind,
            subject=name,
            summary=f"{name} was read at the count {self.ref} in {scan['location']} by "
            f"{scan['counter']}, but {what}.",
            details={"count": self.ref, "unit": row["unit_id"], **evidence},
        )
        cases.report(self.tx, finding, self.context.now)
        self._settle(index, row, "left", case=str(kind))

    def _settle(
        self,
        index: int,
        row: FoundResult,
        state: str,
        *,
        action: str | None = None,
        case: str | None = None,
    ) -> None:
        self._settled.setdefault(state, []).append(row["id"])
        self.done[index] = _adjusted(index, row, action=action, case=case)

    def _refuse(
        self,
        index: int,
        row: FoundResult,
        code: str | None,
        message: str | None,
        details: dict[str, Any] | None,
    ) -> None:
        self.done[index] = _adjusted(index, row, code=code, message=message, details=details)


def _old_products(tx: Transaction, unknown: Sequence[tuple[int, FoundResult]]) -> dict[str, str]:
    """Return the SKUs of results that may be unserialized stock, by the results' ids."""
    read = {row["id"]: orjson.loads(row["evidence"]).get("product") for _, row in unknown}
    tracked = tx.rows_as(
        _ProductSku,
        "SELECT id, sku FROM product WHERE id IN (:ids...) AND tracked_since IS NOT NULL",
        ids=sorted({product_id for product_id in read.values() if product_id}),
    )
    skus = {row["id"]: row["sku"] for row in tracked}
    return {row_id: skus[each] for row_id, each in read.items() if each in skus}


def _unit_id(row: FoundResult) -> str:
    assert row["unit_id"] is not None  # results of unknown serials become cases
    return row["unit_id"]


def _found_at(row: FoundResult) -> str:
    assert row["found_at"] is not None  # an unexpected serial was read somewhere
    return row["found_at"]


def _owed(evidence: dict[str, Any]) -> bool:
    return evidence["promised_to"] is not None


def _adjusted(index: int, row: FoundResult, **more: Any) -> Adjusted:
    return Adjusted(
        index=index,
        subject=row["subject"],
        identifier=row["identifier"],
        kind=row["kind"],
        **more,
    )
