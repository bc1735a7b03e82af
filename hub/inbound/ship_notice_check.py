"""Ship notice check: compare a received delivery with its announcement, serial by serial."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypedDict

from hub.storage.rows import DeliveryLineRow
from hub.storage.sql import Transaction


class _SkuLineRow(DeliveryLineRow):
    sku: str


class DeliveredUnit(TypedDict):
    """A unit of a delivery; `received_at` None: not received yet."""

    id: str
    serial: str
    serial_canonical: str
    serial_exact: str
    product_id: str
    lot: str | None
    delivery_line_id: str | None
    received_at: int | None


@dataclass(slots=True)
class LineCheck:
    """Check of one line: serials in order of receipt; `missing` includes unnamed units."""

    ref: str
    product_id: str
    sku: str
    quantity: int
    lot: str | None
    matched: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)  # named, and not here
    over: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    unnamed: int = 0  # announced without a serial, and not here

    @property
    def missing(self) -> int:
        """Return the number of missing units, named or not."""
        return len(self.short) + self.unnamed

    def fits(self, unit: DeliveredUnit) -> bool:
        """Return whether a unit fits the lot of the line."""
        return self.lot is None or unit["lot"] in {None, self.lot}


@dataclass(slots=True)
class DeliveryCheck:
    """Check of a delivery; `strangers` are serials of unannounced products."""

    lines: list[LineCheck]
    strangers: list[str] = field(default_factory=list)

    @property
    def matched(self) -> list[str]:
        """Return the serials received as announced."""
        return [serial for line in self.lines for serial in line.matched]

    @property
    def short(self) -> list[str]:
        """Return the named serials that were not received."""
        return [serial for line in self.lines for serial in line.short]

    @property
    def over(self) -> list[str]:
        """Return the serials beyond the announced quantities."""
        return [serial for line in self.lines for serial in line.over]

    @property
    def unexpected(self) -> list[str]:
        """Return the received serials that were not announced."""
        return [*(serial for line in self.lines for serial in line.unexpected), *self.strangers]

    @property
    def missing(self) -> int:
        """Return the number of missing units, named or not."""
        return sum(line.missing for line in self.lines)

    @property
    def agrees(self) -> bool:
        """Return whether the delivery matches its announcement."""
        return not (self.missing or self.over or self.unexpected)

    def as_json(self, serials_max: int) -> dict[str, Any]:
        """Return the differences for a case, with at most `serials_max` serials of each kind."""
        return {
            "matched": len(self.matched),
            "missing": self.missing,
            "short": self.short[:serials_max],
            "over": self.over[:serials_max],
            "unexpected": self.unexpected[:serials_max],
            "lines": [
                {"ref": line.ref, "sku": line.sku, "missing": line.missing, "over": len(line.over)}
                for line in self.lines
                if line.missing or line.over
            ][:serials_max],
        }


def compare(tx: Transaction, delivery_id: str) -> DeliveryCheck:
    """Compare the received units of a delivery with its announcement; return the check.

    Named serials match first; other units fill the unnamed quantities. Remaining units of an
    announced product are over if the quantity is exceeded, otherwise unexpected.
    """
    lines = {
        row["id"]: LineCheck(
            ref=row["ref"],
            product_id=row["product_id"],
            sku=row["sku"],
            quantity=row["quantity"],
            lot=row["lot"],
            unnamed=row["quantity"],
        )
        for row in tx.rows_as(
            _SkuLineRow,
            "SELECT delivery_line.*, product.sku FROM delivery_line "
            "JOIN product ON product.id = delivery_line.product_id "
            "WHERE delivery_id = :id ORDER BY delivery_line.id",
            id=delivery_id,
        )
    }
    units = tx.rows_as(
        DeliveredUnit,
        # What arrived under another name is the unit that absorbed the announced record.
        "SELECT unit.id, unit.serial, unit.serial_canonical, unit.serial_exact, unit.product_id, "
        "unit.lot, unit.delivery_line_id, COALESCE(unit.received_at, root.received_at) "
        "AS received_at FROM unit LEFT JOIN unit AS root ON root.id = unit.merged_into "
        "WHERE unit.delivery_id = :id AND NOT (unit.delivery_line_id IS NULL AND EXISTS ("
        "SELECT 1 FROM unit AS announced WHERE announced.merged_into = unit.id "
        "AND announced.delivery_id = :id)) ORDER BY received_at, unit.id",
        id=delivery_id,
    )
    check = DeliveryCheck(list(lines.values()))
    named = {_name(unit) for unit in units if unit["delivery_line_id"]}
    others = []
    for unit in units:
        line = lines.get(unit["delivery_line_id"] or "")
        if line is None:
            others.append(unit)
            continue
        line.unnamed -= 1
        (line.short if unit["received_at"] is None else line.matched).append(unit["serial"])
    left = [unit for unit in others if not _fill(check, unit, named)]
    _leave(check, left, named)
    return check


def _name(unit: DeliveredUnit) -> str:
    return unit["serial_exact"] or unit["serial_canonical"]


def _fill(check: DeliveryCheck, unit: DeliveredUnit, named: set[str]) -> bool:
    """Count a unit for a quantity that names no serial, its own lot first."""
    if _name(unit) in named:
        return False  # announced as another product
    open_lines = [
        line
        for line in _of_product(check, unit["product_id"])
        if line.unnamed > 0 and line.fits(unit)
    ]
    if not open_lines:
        return False
    line = min(open_lines, key=lambda each: each.lot != unit["lot"])
    line.unnamed -= 1
    line.matched.append(unit["serial"])
    return True


def _of_product(check: DeliveryCheck, product_id: str) -> list[LineCheck]:
    return [line for line in check.lines if line.product_id == product_id]


def _leave(check: DeliveryCheck, left: Iterable[DeliveredUnit], named: set[str]) -> None:
    by_product: dict[str, list[DeliveredUnit]] = {}
    for unit in left:
        lines = _of_product(check, unit["product_id"])
        if not lines:
            check.strangers.append(unit["serial"])
        elif _name(unit) in named:
            lines[0].unexpected.append(unit["serial"])
        else:
            by_product.setdefault(unit["product_id"], []).append(unit)
    for product_id, extras in by_product.items():
        lines = _of_product(check, product_id)
        announced = sum(line.quantity for line in lines)
        came = len(extras) + sum(len(line.matched) + len(line.unexpected) for line in lines)
        expected = len(extras) - min(len(extras), max(0, came - announced))
        lines[0].unexpected += [unit["serial"] for unit in extras[:expected]]
        lines[0].over += [unit["serial"] for unit in extras[expected:]]
