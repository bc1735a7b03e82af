"""Comparison of the serials that a channel shows with the units that left on its orders.

One order is one subject. Serials are compared by line where the channel shows them so, and by order
otherwise. Units that came back may be shown or not: both match.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import orjson

from hub.cases import Severity
from hub.catalogue import SERIAL_TRACKED
from hub.errors import InvalidBarcode
from hub.identifiers.numbers import FOLDED, serial_key
from hub.reconciliation.comparison import order_causes
from hub.reconciliation.comparison.order_causes import (
    PROOFS_MAX,
    Known,
    Look,
    proof_of_fact,
    serials_sent,
)
from hub.reconciliation.kinds import (
    Cause,
    Compared,
    Difference,
    Fix,
    Kind,
    different,
    in_flight,
    matched,
)
from hub.storage.rows import OrderRow, OutboxRow
from hub.storage.sql import Transaction
from hub.vocabulary import Order

WHOLE_ORDER = ""  # in the place of a line, where the channel does not show serials by line
Shown = Mapping[str, Sequence[str]]  # serials by reference of the line
_LINES = (
    "SELECT order_line.order_id, order_line.ref AS line_ref, unit.serial, product.serial_case, "
)
_OF_ORDERS = "JOIN product ON product.id = unit.product_id WHERE order_line.order_id IN (:ids...) "


class _Unit(TypedDict):
    order_id: str
    line_ref: str
    serial: str
    serial_case: str
    is_left: bool


class _CountedLine(TypedDict):
    order_id: str
    ref: str


class _Elsewhere(TypedDict):
    serial_canonical: str
    status: str
    channel_id: str | None
    ref: str | None
    number: str | None


class _ShownElsewhere(TypedDict):
    ref: str
    serials: str


@dataclass(slots=True)
class _Sides:
    """What left on one order and what its channel shows, as serials by their keys."""

    left: dict[tuple[str, str], str] = field(default_factory=dict)  # (line, key)
    back: set[tuple[str, str]] = field(default_factory=set)
    shown: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def missing(self) -> dict[tuple[str, str], str]:
        """Return what left and is not shown."""
        return {each: name for each, name in self.left.items() if each not in self.shown}

    @property
    def foreign(self) -> dict[tuple[str, str], str]:
        """Return what is shown and did not leave on the line."""
        known = self.left.keys() | self.back
        return {each: name for each, name in self.shown.items() if each not in known}


def shown_by(order: Order) -> Shown | None:
    """Return the serials that an order shows by line; None where it shows none at all."""
    lines = {
        line.ref: (*line.serials, *(line.shown_serials or ()))
        for line in order.lines
        if line.serials or line.shown_serials is not None
    }
    if lines:
        return lines
    return None if order.shown_serials is None else {WHOLE_ORDER: order.shown_serials}


def compare(tx: Transaction, look: Look, orders: Mapping[str, Shown]) -> list[Compared]:
    """Compare the serials that orders show, by reference of the order.

    Orders that the ledger does not know, and those without a serial on either side, are left out.
    """
    known = _known(tx, look, list(orders))
    sides = _sides(tx, known, orders)
    wrong = {ref for ref, each in sides.items() if each.missing or each.foreign}
    causes = _Causes(tx, look, [known[ref] for ref in sorted(wrong)], sides)
    outcomes = []
    for ref, each in sides.items():
        if not (each.left or each.shown):
            continue
        if ref not in wrong:
            outcomes.append(matched(ref))
        elif not each.foreign and known[ref]["id"] in causes.sending:
            outcomes.append(in_flight(ref))
        else:
            outcomes.append(different(causes.difference(known[ref], each)))
    return outcomes


def _known(tx: Transaction, look: Look, refs: Sequence[str]) -> dict[str, OrderRow]:
    rows = tx.rows_as(
        OrderRow,
        "SELECT * FROM sales_order WHERE channel_id = :channel AND ref IN (:refs...) "
        "AND state <> 'cancelled'",
        channel=look.channel["id"],
        refs=list(refs),
    )
    return {row["ref"]: row for row in rows}


def _sides(
    tx: Transaction, known: Mapping[str, OrderRow], orders: Mapping[str, Shown]
) -> dict[str, _Sides]:
    """Return both sides of orders, with a fixed number of statements."""
    refs = {row["id"]: ref for ref, row in known.items()}
    sides = {ref: _Sides() for ref in known}
    cases: dict[tuple[str, str], str] = {}
    for row in tx.rows_as(
        _Unit,
        f"{_LINES}TRUE AS is_left FROM order_line "
        f"JOIN unit ON unit.order_line_id = order_line.id {_OF_ORDERS}"
        "AND unit.status IN ('shipped', 'sold') UNION ALL "
        f"{_LINES}FALSE AS is_left FROM order_line "
        "JOIN line_return ON line_return.order_line_id = order_line.id "
        f"JOIN unit ON unit.id = line_return.unit_id {_OF_ORDERS}",
        ids=list(refs),
    ):
        ref = refs[row["order_id"]]
        line = row["line_ref"] if WHOLE_ORDER not in orders[ref] else WHOLE_ORDER
        if line not in orders[ref]:
            continue  # the channel shows no serials on this line
        cases[ref, line] = row["serial_case"]
        at = (line, key_of(row["serial"], row["serial_case"]))
        if row["is_left"]:
            sides[ref].left[at] = row["serial"]
        else:
            sides[ref].back.add(at)
    counted = _counted(tx, refs)
    for ref, each in sides.items():
        for line, serials in orders[ref].items():
            if (known[ref]["id"], line) in counted:
                continue
            for serial in serials:
                each.shown[line, key_of(serial, cases.get((ref, line), FOLDED))] = serial
    return sides


def _counted(tx: Transaction, refs: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return the lines of products of which the hub keeps no units."""
    rows = tx.rows_as(
        _CountedLine,
        "SELECT order_line.order_id, order_line.ref FROM order_line "
        "JOIN product ON product.id = order_line.product_id "
        "WHERE order_line.order_id IN (:ids...) AND NOT product.tracking IN (:kept...)",
        ids=list(refs),
        kept=[str(each) for each in SERIAL_TRACKED],
    )
    return {(row["order_id"], row["ref"]) for row in rows}


def key_of(serial: str, serial_case: str) -> str:
    """Return the key by which a serial is compared; odd text is its own key."""
    try:
        return serial_key(serial, serial_case)
    except InvalidBarcode:
        return serial


class _Causes:
    """What records say about orders whose serials differ."""

    def __init__(
        self,
        tx: Transaction,
        look: Look,
        orders: Sequence[OrderRow],
        sides: Mapping[str, _Sides],
    ) -> None:
        ids = [row["id"] for row in orders]
        self.look = look
        self.facts = order_causes.shipments_sent(tx, look.channel, ids) if ids else {}
        self.sending = order_causes.sending(tx, look, ids) if ids else set()
        foreign = {
            key_of(name, FOLDED) for row in orders for name in sides[row["ref"]].foreign.values()
        }
        self.elsewhere = _elsewhere(tx, foreign) if foreign else {}
        others = {row["ref"] for row in self.elsewhere.values() if self._is_here(row)}
        self.shown = _shown_elsewhere(tx, look, sorted(filter(None, others)))

    def _is_here(self, row: _Elsewhere) -> bool:
        return row["ref"] is not None and row["channel_id"] == self.look.channel["id"]

    def difference(self, known: OrderRow, sides: _Sides) -> Difference:
        """Return the difference of one order."""
        kind, place = self._kind(known, sides)
        cause = self._cause(known, sides)
        missing, foreign = list(sides.missing.values()), list(sides.foreign.values())
        lacking = f" It does not show {', '.join(missing)}." if missing else ""
        strange = f" It shows {', '.join(foreign)}." if foreign else ""
        return Difference(
            kind=kind,
            about=known["ref"],
            subject=known["number"],
            ledger={"serials": sorted(sides.left.values())},
            remote={"ref": known["ref"], "serials": sorted(sides.shown.values())},
            cause=cause.cause,
            evidence=f"The serials of order {known['number']} differ.{lacking}{strange}"
            f"{place} {cause.text}",
            proofs=cause.proofs,
            fix=Fix.PUSH_FULFILLMENT if kind is Kind.MISSING_SERIALS else Fix.ASK,
            severity=Severity.MEDIUM if kind is Kind.MISSING_SERIALS else Severity.HIGH,
            order_id=known["id"],
        )

    def _kind(self, known: OrderRow, sides: _Sides) -> tuple[Kind, str]:
        if not sides.foreign:
            return Kind.MISSING_SERIALS, ""
        own = {key for _, key in sides.left}
        if own & {key for _, key in sides.foreign}:
            return Kind.SWAPPED_SERIALS, " They stand on other lines of the order."
        lacking = {key_of(name, FOLDED) for name in sides.missing.values()}
        places = list(self._places(sides))
        for row in places:
            shown = self.shown.get(row["ref"] or "", set())
            if self._is_here(row) and row["ref"] != known["ref"]:
                if row["serial_canonical"] in shown:
                    text = f" {row['serial_canonical']} is shown on order {row['number']} too."
                    return Kind.SERIAL_ON_TWO_ORDERS, text
                if lacking & shown:
                    text = f" Order {row['number']} shows what left on this one."
                    return Kind.SWAPPED_SERIALS, text
        words = [
            f" {row['serial_canonical']} left on order {row['number']}."
            if row["number"]
            else f" {row['serial_canonical']} is {row['status']} here."
            for row in places[:PROOFS_MAX]
        ]
        return Kind.FOREIGN_SERIALS, "".join(words) or " No unit here has such a serial."

    def _places(self, sides: _Sides) -> Iterator[_Elsewhere]:
        for name in sides.foreign.values():
            if (row := self.elsewhere.get(key_of(name, FOLDED))) is not None:
                yield row

    def _cause(self, known: OrderRow, sides: _Sides) -> Known:
        facts = self.facts.get(known["id"], [])
        sent = serials_sent(facts)
        proofs = tuple(proof_of_fact(each) for each in _first(facts))
        if set(sides.foreign.values()) & sent:
            text = "The channel was sent this serial, and the shipment was corrected here."
            return Known(Cause.CORRECTED_HERE, text, proofs)
        if sides.foreign:
            if not proofs:
                return Known(Cause.UNEXPLAINED, "The hub sent nothing about this order.")
            return Known(Cause.FOREIGN_EDIT, "The hub sent the right serials.", proofs)
        if set(sides.missing.values()) <= sent:
            return Known(Cause.REMOVED_THERE, "The channel took them: they are removed.", proofs)
        if any(each["state"] == "dead" for each in facts):
            return Known(Cause.FAILED_PUSH, "The channel refused the shipment.", proofs)
        return Known(Cause.UNPUSHED_CHANGE, "They were never sent to the channel.", proofs)


def _first(facts: Sequence[OutboxRow]) -> Sequence[OutboxRow]:
    return [each for each in facts if each["state"] in ("sent", "dead")][:PROOFS_MAX]


def _elsewhere(tx: Transaction, keys: set[str]) -> dict[str, _Elsewhere]:
    """Return the units of serials, with the orders on which they left or are promised."""
    rows = tx.rows_as(
        _Elsewhere,
        "SELECT unit.serial_canonical, unit.status, sales_order.channel_id, sales_order.ref, "
        "sales_order.number FROM unit "
        "LEFT JOIN order_line ON order_line.id = unit.order_line_id "
        "LEFT JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE unit.serial_canonical IN (:keys...)",
        keys=sorted(keys),
    )
    return {row["serial_canonical"]: row for row in rows}


def _shown_elsewhere(tx: Transaction, look: Look, refs: Sequence[str]) -> dict[str, set[str]]:
    """Return by order the keys of the serials that its channel was last seen to show."""
    if not refs:
        return {}
    rows = tx.rows_as(
        _ShownElsewhere,
        "SELECT ref, serials FROM observed_order WHERE channel_id = :channel "
        "AND scope = 'shipments' AND ref IN (:refs...) AND serials IS NOT NULL",
        channel=look.channel["id"],
        refs=list(refs),
    )
    return {
        row["ref"]: {
            key_of(serial, FOLDED)
            for serials in orjson.loads(row["serials"]).values()
            for serial in serials
        }
        for row in rows
    }
