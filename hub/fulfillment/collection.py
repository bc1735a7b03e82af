"""Click and collect: hand an order's units to its customer at a shop, by serial."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from hub import ledger, orders
from hub.commands.work import Work
from hub.errors import Refused, StepNotAllowed, WrongUnit
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, bounded, refused
from hub.ledger.rules.order import CheckedLineRow, require_free
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import WITH_CUSTOMER, Action
from hub.orders import Shipment, order_lookup
from hub.orders.order_lookup import ChannelOrderRow
from hub.storage.rows import LocationRow
from hub.storage.sql import Transaction


class _Serial(TypedDict):
    serial: str


def collect(
    work: Work,
    order_id: str,
    scans: Sequence[Scan],
    place: LocationRow,
    *,
    customer_ref: str | None = None,
    code: str | None = None,
) -> list[Verdict]:
    """Hand an order's units to its customer at a shop, and push the fulfillment to the channel.

    `code` is the order's number or the channel's reference, as the customer shows it. Returns one
    verdict for each scan. Raises UnknownReference for an unknown order, OrderOnHold for one
    on hold, StepNotAllowed for a cancelled order, another customer's, or one that does not match
    the code.
    """
    bounded(scans)
    order = order_lookup.order_of(work.tx, order_id)
    require_free(order["state"], order["number"], order["hold"], order["hold_override"])
    if customer_ref is not None and customer_ref != order["customer_ref"]:
        raise StepNotAllowed(f"the order {order['number']} is not this customer's", allowed=[])
    if code is not None and _plain(code) not in {_plain(order["number"]), _plain(order["ref"])}:
        raise StepNotAllowed(f"the code is not that of the order {order['number']}", allowed=[])
    lines = order_lookup.lines_of(work.tx, order_id)
    command = UnitCommand(action=Action.COLLECT, details={"channel": order["channel_code"]})
    found = locate(work.tx, scans)
    verdicts: dict[int, Verdict] = {}
    for index, (scan, unit) in enumerate(zip(scans, found, strict=True)):
        if not isinstance(unit, UnitState):
            continue
        try:
            _waits_here(work.tx, unit, order, lines, place)
        except Refused as refusal:
            verdicts[index] = refused(index, scan.identifier, refusal, unit)
    context = order_lookup.documented(work.context, order["number"])
    done = ledger.record(work.within(context), command, scans, found=found, decided=verdicts)
    left = sorted({each.unit_id for each in done if each.accepted and each.unit_id})
    if left:
        orders.push_fulfillment(work.tx, context, left, Shipment(), reference=work.command_id)
    return done


def _waits_here(
    tx: Transaction,
    unit: UnitState,
    order: ChannelOrderRow,
    lines: Mapping[str, CheckedLineRow],
    place: LocationRow,
) -> None:
    if unit.order_line_id not in lines or (unit.promised_to is None and not _left(unit)):
        rows = tx.rows_as(
            _Serial,
            "SELECT serial FROM unit WHERE order_line_id IN (:lines...) "
            "AND promised_to IS NOT NULL ORDER BY id",
            lines=sorted(lines),
        )
        raise WrongUnit(
            f"{unit.serial} is not promised to the order {order['number']}",
            directed=[row["serial"] for row in rows],
        )
    if unit.site_id != place["site_id"] and not _left(unit):
        raise StepNotAllowed(
            f"{unit.serial} waits at another site, not at {place['code']}", allowed=["transfer_out"]
        )


def _left(unit: UnitState) -> bool:
    """Return whether the unit is with a customer already, which the ledger then refuses."""
    return unit.status in WITH_CUSTOMER


def _plain(code: str) -> str:
    return code.strip().removeprefix("#").casefold()
