"""Dispatch check: compare an order with the scanned serials before packing, shipping or collection.

Each scanned serial gets a finding, and each missing unit is listed. The check changes nothing;
packing packs the whole order or, with `partial`, the fitting units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub import ledger, lifecycle
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import AmbiguousUnit, InvalidInput, Refused, StepNotAllowed, UnknownUnit
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.rules.order import CheckedLineRow, require_free
from hub.ledger.units import UNITS, Scan, UnitViewRow, identify, locate
from hub.lifecycle import WITH_CUSTOMER, Action, Status
from hub.orders import order_lookup
from hub.orders.order_lookup import lines_of, order_of
from hub.storage.sql import Transaction

SCANNED_MAX = 1_000


class DispatchFinding(StrEnum):
    """Result of the check of one serial against an order."""

    FITS = "fits"
    UNREADABLE = "unreadable"  # no serial at all
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"  # several units bear it: the product must be named
    TWICE = "twice"  # scanned before
    WRONG_PRODUCT = "wrong_product"
    OTHER_ORDER = "other_order"
    NOT_PROMISED = "not_promised"
    GONE = "gone"  # with a customer already
    BLOCKED = "blocked"
    EXPIRED = "expired"
    WRONG_STATUS = "wrong_status"


F = DispatchFinding


@dataclass(frozen=True, slots=True)
class Scanned:
    """Finding of the check for one serial."""

    identifier: str
    finding: DispatchFinding
    message: str
    unit_id: str | None = None
    line_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Comparison of an order with the scanned serials.

    `missing` are the ids of allocated units that were not scanned, `lacking` the number of units
    that are not allocated to the order yet.
    """

    order_id: str
    cancelled: bool
    scanned: tuple[Scanned, ...]
    missing: tuple[str, ...]
    lacking: int

    @property
    def fitting(self) -> list[int]:
        """Return the indexes of the fitting scans."""
        return [at for at, each in enumerate(self.scanned) if each.finding is F.FITS]

    @property
    def whole(self) -> bool:
        """Return whether the scans match the whole order and nothing else."""
        all_fit = len(self.fitting) == len(self.scanned)
        return all_fit and not self.cancelled and not self.missing and not self.lacking

    def as_json(self) -> dict[str, Any]:
        """Return plain values, as stored under the idempotency key."""
        return {
            "order_id": self.order_id,
            "cancelled": self.cancelled,
            "whole": self.whole,
            "scanned": [
                [each.identifier, str(each.finding), each.message, each.unit_id, each.line_id]
                for each in self.scanned
            ],
            "missing": list(self.missing),
            "lacking": self.lacking,
        }


class NotWhole(StepNotAllowed):
    """The scans do not match the whole order; `check` holds the differences."""

    def __init__(self, check: Check) -> None:
        super().__init__("what was scanned is not the order as a whole", allowed=["partial"])
        self.check = check


def verify(
    tx: Transaction, context: CommandContext, order_id: str, scans: Sequence[Scan], action: Action
) -> Check:
    """Check scans against an order for an action, without changes or locks; return the comparison.

    Raises UnknownReference for an unknown order, InvalidInput for too many scans.
    """
    if len(scans) > SCANNED_MAX:
        raise InvalidInput(f"at most {SCANNED_MAX} serials", field="scanned")
    order = order_of(tx, order_id)
    lines = lines_of(tx, order_id)
    today = (context.occurred_at or context.now).date().isoformat()
    seen: set[str] = set()
    scanned = []
    for scan, unit in zip(scans, identify(tx, scans) if scans else [], strict=True):
        if isinstance(unit, Refused):
            scanned.append(Scanned(scan.identifier, _unfound(unit), str(unit)))
            continue
        finding, message = _judged(unit, lines, action, today)
        if unit["id"] in seen:
            finding, message = F.TWICE, "it was scanned before"
        seen.add(unit["id"])
        line_id = unit["order_line_id"] if unit["order_line_id"] in lines else None
        scanned.append(Scanned(scan.identifier, finding, message, unit["id"], line_id))
    bound = tx.rows_as(
        UnitViewRow,
        f"{UNITS}WHERE unit.order_line_id IN (:lines...) AND (unit.promised_to IS NOT NULL "
        "OR unit.status IN ('shipped', 'sold')) ORDER BY location.code, unit.id",
        lines=sorted(lines),
    )
    done = WITH_CUSTOMER | ({Status.PACKED} if action is Action.PACK else set())
    to_come = [unit["id"] for unit in bound if unit["status"] not in done]
    return Check(
        order_id=order_id,
        cancelled=order["state"] == "cancelled",
        scanned=tuple(scanned),
        missing=tuple(unit_id for unit_id in to_come if unit_id not in seen),
        lacking=max(0, sum(line["quantity"] for line in lines.values()) - len(bound)),
    )


def _unfound(refusal: Refused) -> DispatchFinding:
    if isinstance(refusal, UnknownUnit):
        return F.UNKNOWN
    return F.AMBIGUOUS if isinstance(refusal, AmbiguousUnit) else F.UNREADABLE


def _judged(
    unit: UnitViewRow, lines: Mapping[str, CheckedLineRow], action: Action, today: str
) -> tuple[DispatchFinding, str]:
    status = Status(unit["status"])
    shown = status.replace("_", " ")
    line = lines.get(unit["order_line_id"] or "")
    if unit["product_id"] not in {each["product_id"] for each in lines.values()}:
        return F.WRONG_PRODUCT, f"the order has no {unit['sku']}"
    if status in WITH_CUSTOMER:
        return F.GONE, f"the unit is {shown} already"
    if line is None or unit["promised_to"] is None:
        if unit["promised_to"] is not None:
            return F.OTHER_ORDER, "the unit is promised to somebody else"
        return F.NOT_PROMISED, "the unit is not promised to the order"
    if line["product_id"] != unit["product_id"]:
        return F.WRONG_PRODUCT, f"its line asks for {line['product_sku']}: it is a {unit['sku']}"
    if unit["blocks"] > 0:
        return F.BLOCKED, "the unit is blocked"
    if unit["expires_on"] is not None and unit["expires_on"] < today:
        return F.EXPIRED, f"the unit expired on {unit['expires_on']}"
    try:
        lifecycle.check(action, status, promised=True, blocked=False)
    except Refused as refusal:
        return F.WRONG_STATUS, str(refusal)
    return F.FITS, f"the unit is {shown}, and promised to the order"


def pack(
    work: Work,
    order_id: str,
    scans: Sequence[Scan],
    *,
    partial: bool = False,
) -> tuple[Check, list[Verdict]]:
    """Check the serials of an order again and pack it; return the check and the verdicts.

    Raises NotWhole for missing or wrong units; with `partial` the fitting units are packed instead.
    Raises StepNotAllowed for a cancelled order, OrderOnHold for one on hold.
    """
    order = order_of(work.tx, order_id)
    require_free(order["state"], order["number"], order["hold"], order["hold_override"])
    locate(work.tx, scans)  # locked from the check to the packing
    check = verify(work.tx, work.context, order_id, scans, Action.PACK)
    if not check.fitting or not (check.whole or partial):
        raise NotWhole(check)
    fitting = [scans[at] for at in check.fitting]
    context = order_lookup.documented(work.context, order["number"])
    command = UnitCommand(action=Action.PACK)
    return check, ledger.record(work.within(context), command, fitting)
