"""The unit that a reading means, of those that bear its names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from hub.errors import AmbiguousUnit, InvalidBarcode, UnknownUnit
from hub.identifiers.names import Name, unit_of
from hub.lifecycle import Status
from hub.storage.sql import Row

# Look-ups choose among rows of any shape that has the columns of a unit.
UnitLike = TypeVar("UnitLike", bound=Row)
# For each name of a scan: the units that bear it.
Bearing = Sequence[tuple[Sequence[UnitLike], Name]]


def choose(
    identifier: str,
    sku: str | None,
    bearing: Bearing[UnitLike],
    known: Mapping[str, UnitLike | None],
    *,
    itself: bool = False,
) -> UnitLike:
    """Return the unit that bears the first name that any unit bears; of a label, all its names.

    `known` are the units by id, `itself` finds a merged record by its own name. Raises UnknownUnit,
    AmbiguousUnit, or InvalidBarcode for a label whose parts are of several units.
    """

    def bearers(units: Sequence[UnitLike], name: Name) -> list[UnitLike]:
        rows = written_so(_fitting(units, sku, name.gtin), name)
        if itself:
            rows = [row for row in rows if row["merged_into"] is not None] or rows
        else:
            rows = absorbers(rows, known)
        return _preferred(rows, name, sku) if len(rows) > 1 else rows

    found = [(bearers(units, name), name) for units, name in bearing]
    labelled = [each for each in found if each[1].is_part]
    chosen = next((rows for rows, _ in found if rows), [])
    if labelled:
        chosen = agreed(labelled)
    if len(chosen) > 1:
        raise _ambiguous(identifier, chosen)
    if chosen:
        return chosen[0]
    unit_of(identifier)  # names better what is wrong with a code that names no unit
    raise UnknownUnit(f"no unit bears the identifier {identifier!r}", identifier=identifier)


def _ambiguous(identifier: str, rows: Sequence[UnitLike]) -> AmbiguousUnit:
    skus = sorted({row["sku"] for row in rows})
    serials = ", ".join(sorted(row["serial"] for row in rows))
    more = "name the product" if len(skus) > 1 else f"write its serial as it is, {serials}"
    return AmbiguousUnit(
        f"{len(rows)} units bear {identifier!r}: {more} ({', '.join(skus)})",
        identifier=identifier,
        skus=skus,
    )


def agreed(found: Bearing[UnitLike]) -> list[UnitLike]:
    """Return the units that bear every name of a label that any unit bears.

    Raises InvalidBarcode where the names are of several units, or the serial is of none and the
    unit of the others has another one.
    """
    borne = [rows for rows, _ in found if rows]
    if not borne:
        return []
    common = {row["id"] for row in borne[0]}.intersection(
        *({row["id"] for row in rows} for rows in borne[1:])
    )
    units = list({row["id"]: row for row in borne[0] if row["id"] in common}.values())
    if not units:
        bearers = {row["id"]: f"{row['serial']} ({row['sku']})" for rows in borne for row in rows}
        raise InvalidBarcode(
            f"the parts of this label are of several units, {', '.join(sorted(bearers.values()))}: "
            "scan the labels of one unit"
        )
    keys = {key for _, name in found for key in name.keys}
    read, serial = found[0]
    others = [row["serial"] for row in units if row["serial_canonical"] not in keys]
    if serial.is_serial and not read and others:
        raise InvalidBarcode(
            f"the serial on this label is {serial.keys[0]}, and the unit with its other numbers is "
            f"{others[0]}: scan the labels of one unit"
        )
    return units


def written_so(rows: list[UnitLike], name: Name) -> list[UnitLike]:
    """Return the units of a name without those that only another writing of it names.

    Products with exact serials have units whose serials differ by case or dashes alone. Where no
    unit is written as was read, all of them stay.
    """
    exact = [
        row
        for row in rows
        if row["serial_exact"] in {"", name.exact} or row["serial_canonical"] not in name.keys
    ]
    return exact or rows


def absorbers(rows: Iterable[UnitLike], known: Mapping[str, UnitLike | None]) -> list[UnitLike]:
    """Return the units of records, each once: for a merged record, the one that absorbed it."""
    roots = [known.get(row["merged_into"] or row["id"]) for row in rows]
    return list({root["id"]: root for root in roots if root is not None}.values())


def _preferred(rows: list[UnitLike], name: Name, sku: str | None) -> list[UnitLike]:
    """Return the units that are meant rather than the others, of several that bear a name.

    A living unit is, before one that was written off; with its product, the unit whose serial it
    is, before one of which it is a further identifier.
    """
    living = [row for row in rows if row["status"] != Status.WRITTEN_OFF] or rows
    if sku is None and name.gtin is None:
        return living
    return [row for row in living if row["serial_canonical"] in name.keys] or living


def _fitting(rows: Iterable[UnitLike], sku: str | None, gtin: str | None) -> list[UnitLike]:
    return [
        row
        for row in rows
        if (sku is None or row["sku"] == sku) and (gtin is None or row["gtin"] == gtin)
    ]
