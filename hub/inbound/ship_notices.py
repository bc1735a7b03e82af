"""Ship notices: announced deliveries, their receipt, and their differences on closing.

A delivery is identified by its supplier and reference (CBV desadv). Its named serials become units
at once: expected, at the supplier.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypedDict

from hub import cases, ledger
from hub.cases import CaseKind, Finding
from hub.catalogue import SUPPLIER, products_by_code, reference
from hub.clock import micros, new_id
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.errors import InvalidInput, Refused, StepNotAllowed, UnknownReference
from hub.inbound.ship_notice_check import DeliveryCheck, compare
from hub.ledger import commissioning
from hub.ledger.arrivals import Arrival, Origin, RecordOrigin
from hub.ledger.command import UnitCommand
from hub.ledger.commissioning import Admitted
from hub.ledger.event_writer import SCANS_MAX, EventWriter, Verdict, accepted, refused
from hub.ledger.units import Scan
from hub.lifecycle import Action, Status
from hub.recalls import recall_catch
from hub.storage.paging import Filter, page_size
from hub.storage.rows import DeliveryRow
from hub.storage.sql import Transaction
from hub.sync import listings
from hub.vocabulary import BizStep

LINES_MAX = 1_000  # of one delivery
QUANTITY_MAX = 1_000_000  # of one line
CASE_SERIALS_MAX = 1_000  # named in a case, of each sort

ANNOUNCED = Origin(
    point=RecordOrigin.MANUFACTURING,
    action=Action.COMMISSION,
    step=BizStep.COMMISSIONING,
    status=Status.EXPECTED,
)


class _Id(TypedDict):
    id: str


class _ProductId(TypedDict):
    product_id: str


class DeliveryState(StrEnum):
    """State of a delivery."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCard:
    """Line of an announcement: product (SKU or GTIN), quantity and named serials."""

    ref: str
    product: str
    quantity: int
    lot: str | None = None
    serials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryCard:
    """Announcement of a supplier."""

    supplier: str
    ref: str
    lines: tuple[LineCard, ...]
    purchase_order: str | None = None
    expected_on: date | None = None


def announce(work: Work, card: DeliveryCard) -> tuple[str, list[Verdict]]:
    """Record an announced delivery; return its id and a verdict on each named serial.

    A known serial is refused and does not count as named. Raises InvalidInput for invalid data or a
    known delivery, UnknownReference for an unknown product.
    """
    _check_card(card)
    products = products_by_code(work.tx, sorted({line.product for line in card.lines}))
    for line in card.lines:
        if line.product not in products:
            raise UnknownReference(f"there is no product {line.product!r}", field="product")
    known = work.tx.row_as(
        _Id,
        "SELECT id FROM delivery WHERE supplier = :supplier AND ref = :ref",
        supplier=card.supplier,
        ref=card.ref,
    )
    if known is not None:
        raise InvalidInput("the delivery is announced already", field="ref")
    delivery_id = new_id()
    work.tx.run(
        "INSERT INTO delivery(id, ref, purchase_order, supplier, state, expected_on, created_at) "
        "VALUES(:id, :ref, :purchase_order, :supplier, 'open', :expected_on, :now)",
        id=delivery_id,
        ref=card.ref,
        purchase_order=card.purchase_order,
        supplier=card.supplier,
        expected_on=commissioning.day(card.expected_on),
        now=micros(work.context.now),
    )
    line_ids = [new_id() for _ in card.lines]
    work.tx.insert(
        "delivery_line",
        ("id", "delivery_id", "ref", "product_id", "quantity", "lot"),
        [
            (line_id, delivery_id, line.ref, products[line.product]["id"], line.quantity, line.lot)
            for line_id, line in zip(line_ids, card.lines, strict=True)
        ],
    )
    listings.touch_early(work.tx, {each["id"] for each in products.values()}, work.context.now)
    desadv = replace(work.context, document=Document("desadv", card.ref))
    return delivery_id, _expect(work.within(desadv), card, delivery_id, line_ids)


def _check_card(card: DeliveryCard) -> None:
    for name, value, chars_max in (
        ("supplier", card.supplier, 100),
        ("ref", card.ref, 200),
        ("purchaseOrder", card.purchase_order or "-", 200),
        *(("ref", line.ref, 60) for line in card.lines),
        *(("lot", line.lot or "-", 50) for line in card.lines),
    ):
        if not value.strip() or len(value) > chars_max:
            raise InvalidInput(f"it needs 1 to {chars_max} characters", field=name)
    if not 0 < len(card.lines) <= LINES_MAX:
        raise InvalidInput(f"a delivery has 1 to {LINES_MAX} lines", field="lines")
    if len({line.ref for line in card.lines}) < len(card.lines):
        raise InvalidInput("two lines bear the same reference", field="lines")
    for line in card.lines:
        if not 0 < line.quantity <= QUANTITY_MAX:
            raise InvalidInput(f"a line has 1 to {QUANTITY_MAX} units", field="quantity")
        if len(line.serials) > line.quantity:
            raise InvalidInput("a line names more serials than units", field="serials")
    if sum(len(line.serials) for line in card.lines) > SCANS_MAX:
        raise InvalidInput(f"a delivery names at most {SCANS_MAX} serials", field="serials")


def _expect(
    work: Work,
    card: DeliveryCard,
    delivery_id: str,
    line_ids: Sequence[str],
) -> list[Verdict]:
    """Create the records of the named serials."""
    arrivals, lines = [], []
    for line_id, line in zip(line_ids, card.lines, strict=True):
        for serial in line.serials:
            lines.append(line_id)
            arrivals.append(
                Arrival(
                    serial=serial,
                    product=line.product,
                    lot=line.lot,
                    supplier=card.supplier,
                    purchase_order=card.purchase_order,
                )
            )
    # No point of capture: a serial that is announced was read at the supplier's.
    admitted = commissioning.admit(work.tx, work.context, arrivals)
    good = {index: each for index, each in enumerate(admitted) if isinstance(each, Admitted)}
    writer = EventWriter(work.context, work.command_id)
    units = commissioning.write_records(
        work.tx,
        work.context,
        writer,
        list(good.values()),
        reference(work.tx, "location", "id", SUPPLIER),
        ANNOUNCED,
        delivery_id=delivery_id,
        lines=[lines[index] for index in good],
    )
    writer.write(work.tx)
    commission = {
        index: accepted(index, arrivals[index].serial, unit)
        for index, unit in zip(good, units, strict=True)
    }
    commission = recall_catch.catch_recorded(work, commission)
    return [
        refused(index, arrivals[index].serial, each, None)
        if isinstance(each, Refused)
        else commission[index]
        for index, each in enumerate(admitted)
    ]


def find(tx: Transaction, supplier: str, ref: str) -> DeliveryRow:
    """Return a delivery by supplier and reference; raise UnknownReference if there is none."""
    row = tx.row_as(
        DeliveryRow,
        "SELECT * FROM delivery WHERE supplier = :supplier AND ref = :ref",
        supplier=supplier,
        ref=ref,
    )
    if row is None:
        raise UnknownReference(f"{supplier} announced no delivery {ref!r}", field="delivery")
    return row


def listed(
    tx: Transaction,
    *,
    first: int,
    after: str | None,
    state: str | None = None,
    supplier: str | None = None,
    purchase_order: str | None = None,
) -> list[DeliveryRow]:
    """Return deliveries by id, up to `first` plus one."""
    wanted = Filter()
    wanted.add("id > :after", after=after)
    wanted.add("state = :state", state=state)
    wanted.add("supplier = :supplier", supplier=supplier)
    wanted.add("purchase_order = :purchase_order", purchase_order=purchase_order)
    return tx.rows_as(
        DeliveryRow,
        f"SELECT * FROM delivery {wanted.where()}ORDER BY id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def lock(tx: Transaction, delivery_ids: Sequence[str]) -> None:
    """Lock deliveries before their units, so that a concurrent close waits."""
    if delivery_ids:
        tx.rows(
            "SELECT id FROM delivery WHERE id IN (:ids...) ORDER BY id FOR UPDATE",
            ids=sorted(set(delivery_ids)),
        )


def close(
    work: Work,
    delivery_id: str,
    *,
    give_up: bool,
    owner: str | None = None,
) -> DeliveryCheck:
    """Close a delivery and open a case for differences; return the check.

    With `give_up`, named units that were not received become missing, otherwise they stay expected;
    they may still arrive. Raises UnknownReference for an unknown delivery, StepNotAllowed for a
    closed one.
    """
    delivery = reference(work.tx, "delivery", "id", delivery_id)
    lock(work.tx, [delivery_id])
    closed = work.tx.run(
        "UPDATE delivery SET state = 'closed', closed_at = :now WHERE id = :id AND state = 'open'",
        id=delivery_id,
        now=micros(work.context.now),
    )
    if not closed:
        raise StepNotAllowed("the delivery is closed already", allowed=[])
    if give_up:
        _give_up(work, delivery)
    lines = work.tx.rows_as(
        _ProductId, "SELECT product_id FROM delivery_line WHERE delivery_id = :id", id=delivery_id
    )
    listings.touch_early(work.tx, {row["product_id"] for row in lines}, work.context.now)
    check = compare(work.tx, delivery_id)
    case_id = _judge(work.tx, delivery, check, work.context.now)
    if case_id is not None and owner is not None:
        cases.assign(
            work.tx, work.context, reference(work.tx, "exception_case", "id", case_id), owner
        )
    return check


def _give_up(work: Work, delivery: DeliveryRow) -> None:
    rows = work.tx.rows_as(
        _Id,
        "SELECT id FROM unit WHERE delivery_id = :id AND status = :status ORDER BY id",
        id=delivery["id"],
        status=str(Status.EXPECTED),
    )
    if not rows:
        return
    lost = replace(
        work.context,
        document=Document("desadv", delivery["ref"]),
        reason=work.context.reason or "not in the delivery",
    )
    command = UnitCommand(action=Action.LOSE)
    ledger.record(work.within(lost), command, [Scan(row["id"]) for row in rows])


def look_again(tx: Transaction, context: CommandContext, delivery_ids: Sequence[str]) -> None:
    """Update the cases of closed deliveries after a late receipt."""
    rows = tx.rows_as(
        DeliveryRow,
        "SELECT * FROM delivery WHERE id IN (:ids...) AND state = 'closed' ORDER BY id",
        ids=sorted(set(delivery_ids)),
    )
    for row in rows:
        _judge(tx, row, compare(tx, row["id"]), context.now)


def _judge(
    tx: Transaction, delivery: DeliveryRow, check: DeliveryCheck, now: datetime
) -> str | None:
    """Open a case for differences, or close it; return the id of the open case, or None."""
    subject = f"{delivery['supplier']}/{delivery['ref']}"
    if check.agrees:
        cases.settle(tx, CaseKind.DELIVERY_VARIANCE, subject, None, now)
        return None
    details: dict[str, Any] = {
        "delivery": delivery["id"],
        "supplier": delivery["supplier"],
        "ref": delivery["ref"],
        "purchase_order": delivery["purchase_order"],
        **check.as_json(CASE_SERIALS_MAX),
    }
    finding = Finding(
        kind=CaseKind.DELIVERY_VARIANCE,
        subject=subject,
        summary=f"{check.missing} short, {len(check.over)} over, {len(check.unexpected)} "
        f"unexpected in delivery {delivery['ref']} of {delivery['supplier']}.",
        details=details,
    )
    return cases.report(tx, finding, now)
