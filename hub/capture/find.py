"""Reading a unit that should be known: which one it is, and whether it is the right one."""

from collections.abc import Mapping

from hub.capture.answers import CaptureCode, Signal, Suggestion
from hub.capture.hints import is_cut, near_expected, near_known
from hub.capture.workspace import Desk, key_of
from hub.identifiers.serials import obeys
from hub.storage.sql import Row

WORDS = {
    CaptureCode.TRANSPOSED: "two neighbours are exchanged: {others} is",
    CaptureCode.LOOK_ALIKE: "letters and digits that look alike: {others} is",
    CaptureCode.TRUNCATED: "this is a piece of a serial: {others} is",
}


def find(desk: Desk) -> Row | None:
    """Return the one unit that was read, with what is odd about it noted; None if refused."""
    units = _of_product(desk, _named(desk))
    if not units and desk.told.splits:
        return _found_by_split(desk)
    if not units:
        _not_found(desk)
        return None
    unit = _the_one(desk, units)
    if unit is not None:
        _compare(desk, unit)
        _expect(desk, unit["serial_canonical"])
    return unit


def _named(desk: Desk) -> dict[str, Row]:
    """Return the units that serials, texts, further names and internal labels name."""
    told = desk.told
    keys = {*told.serials, *told.texts}
    keys |= {key for _, value in told.identifiers if (key := key_of(value))}
    keys |= {key for digits in told.presumed.values() if (key := key_of(digits))}
    found = desk.units_named(keys)
    found |= {unit_id: unit for unit_id, unit in desk.met.items() if unit_id in told.ids}
    return found


def _of_product(desk: Desk, units: dict[str, Row]) -> dict[str, Row]:
    if desk.product is None:
        return units
    fitting = {key: unit for key, unit in units.items() if unit["product_id"] == desk.product["id"]}
    if units and not fitting:
        skus = ", ".join(sorted({unit["sku"] for unit in units.values()}))
        desk.refuse(
            CaptureCode.PRODUCT_MISMATCH,
            f"the serial is known as one of {skus}, and {desk.product['sku']} was read or expected",
        )
    return fitting


def _the_one(desk: Desk, units: Mapping[str, Row]) -> Row | None:
    expected = {each.unit_id for each in desk.expected.values()}
    if len(units) > 1 and len({unit["serial_canonical"] for unit in units.values()}) == 1:
        # One name, several bearers: what is expected may tell which of them it is.
        units = {key: unit for key, unit in units.items() if key in expected} or units
    if len(units) == 1:
        return next(iter(units.values()))
    bearers = ", ".join(sorted(f"{unit['serial']} ({unit['sku']})" for unit in units.values()))
    desk.refuse(CaptureCode.SEVERAL_SERIALS, f"more than one unit was read: {bearers}")
    return None


def _found_by_split(desk: Desk) -> Row | None:
    """Find the unit whose serial is the beginning of what was read without separators."""
    units = _of_product(desk, desk.units_named(desk.told.splits))
    if len(units) == 1:
        (unit,) = units.values()
        desk.warn(
            CaptureCode.AMBIGUOUS_SEPARATORS,
            f"the scanner sent no separators: taken for {unit['serial']}, which is known",
        )
        _compare(desk, unit, blurred=True)
        _expect(desk, unit["serial_canonical"])
        return unit
    for doubt in sorted(desk.told.doubts):
        desk.refuse(CaptureCode.AMBIGUOUS_SEPARATORS, doubt)
    _not_found(desk)
    return None


def _compare(desk: Desk, unit: Row, *, blurred: bool = False) -> None:
    """Note where a label contradicts what is known of the unit."""
    told, names = desk.told, desk.names.get(unit["id"], {})
    shelves = [] if blurred else [(told.lots, unit["lot"], "lot")]
    shelves += [
        (told.expiries, unit["expires_on"], "expiry"),
        (told.productions, unit["produced_on"], "production date"),
    ]
    for read, known, what in shelves:
        if read and known and known not in read:
            message = f"the {what} {min(read)} was read, and {known} is known of this unit"
            desk.warn(CaptureCode.CONTRADICTION, message)
    for scheme, value in sorted(told.identifiers):
        key = key_of(value)
        if scheme in names and key not in names[scheme] and key != unit["serial_canonical"]:
            message = f"the {scheme} {value} is not the one that is known of this unit"
            desk.warn(CaptureCode.CONTRADICTION, message)
    rivals = desk.units_named(told.splits)
    if not blurred and any(each["product_id"] == unit["product_id"] for each in rivals.values()):
        desk.warn(CaptureCode.AMBIGUOUS_SEPARATORS, min(told.doubts))


def _expect(desk: Desk, key: str) -> None:
    if not desk.expected or key in desk.expected:
        return
    note_expected(desk, key, Signal.WARN)


def note_expected(desk: Desk, key: str, signal: Signal) -> None:
    """Note that a serial is none of the expected ones, and which of them it is nearly."""
    near = near_expected(key, desk.expected)
    desk.suggestions += near
    if not near:
        desk.warn(CaptureCode.NOT_EXPECTED, "this serial is none of those that are expected")
    note_near(desk, near, signal, "expected")


def note_near(desk: Desk, near: list[Suggestion], signal: Signal, what: str) -> None:
    """Note the slips by which other serials were found, each kind of slip once."""
    for code, words in WORDS.items():
        others = sorted(each.serial for each in near if each.why is code)
        if others:
            message = f"{words.format(others=', '.join(others))} {what}"
            (desk.refuse if signal is Signal.REFUSE else desk.warn)(code, message)


def _not_found(desk: Desk) -> None:
    told = desk.told
    read = told.serials | told.texts
    if not read and not told.identifiers and not told.ids and not told.presumed:
        no_serial(desk)
        return
    keys = {*read, *(key for digits in told.presumed.values() if (key := key_of(digits)))}
    for key in sorted(keys):
        note_near_expected = near_expected(key, desk.expected)
        desk.suggestions += note_near_expected
        note_near(desk, note_near_expected, Signal.REFUSE, "expected")
    near = near_known(desk.tx, keys, desk.product, pieces=True) if keys else []
    suggested = {each.unit_id for each in desk.suggestions if each.unit_id}
    desk.suggestions += [each for each in near if each.unit_id not in suggested]
    note_near(desk, near, Signal.REFUSE, "known")
    if desk.product is not None and desk.product["serial_pattern"]:
        for serial in sorted(read.values()):
            against_rule(desk, serial, desk.product)
    wanted = sorted(read.values()) or sorted(value for _, value in told.identifiers)
    wanted = wanted or sorted(told.presumed.values()) or sorted(told.ids)
    desk.refuse(CaptureCode.UNKNOWN_UNIT, f"no unit is known by {', '.join(wanted)}")


def against_rule(desk: Desk, serial: str, product: Row) -> None:
    """Note whether a serial breaks the manufacturer's rule, or is a piece of one that follows."""
    rule, maker = product["serial_pattern"], product["manufacturer_code"]
    if not rule or obeys(serial, rule):
        return
    if is_cut(serial, rule):
        desk.refuse(
            CaptureCode.TRUNCATED, f"{serial!r} is only a piece of a serial of {maker}: scan again"
        )
    else:
        desk.refuse(
            CaptureCode.RULE_BROKEN, f"{serial!r} does not follow {maker}'s rule for serials"
        )


def no_serial(desk: Desk) -> None:
    """Note that nothing read is a serial, and what it is instead."""
    if desk.own_codes:
        what = " and ".join(sorted(set(desk.own_codes.values())))
        desk.refuse(
            CaptureCode.WRONG_BARCODE, f"this is the product's {what}: scan the serial label"
        )
    elif desk.told.doubts:
        desk.refuse(CaptureCode.AMBIGUOUS_SEPARATORS, min(desk.told.doubts))
    elif desk.told.gtins or desk.told.presumed:
        desk.refuse(CaptureCode.WRONG_BARCODE, "this is a trade number: scan the serial label")
    elif desk.told.ssccs:
        desk.refuse(CaptureCode.NO_SERIAL, "this is the label of a pallet or parcel: scan the unit")
    else:
        desk.refuse(CaptureCode.NO_SERIAL, "no serial was read: scan the serial label")
