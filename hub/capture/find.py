"""Capture of a known unit: identification, and comparison with the expected one."""

from collections.abc import Mapping

from hub.capture.answers import CaptureCode, Signal, Suggestion
from hub.capture.hints import is_cut, near_expected, near_known, other_layouts
from hub.capture.workspace import Workspace, is_other, key_of
from hub.identifiers.device_numbers import keys_of, normalized
from hub.identifiers.serials import violates
from hub.storage.sql import Row

SLIP_MESSAGES = {
    CaptureCode.TRANSPOSED: "two neighbours are exchanged: {others} is",
    CaptureCode.LOOK_ALIKE: "letters and digits that look alike: {others} is",
    CaptureCode.TRUNCATED: "this is a piece of a serial: {others} is",
}


def find(workspace: Workspace) -> Row | None:
    """Return the unit that was read, with findings for contradictions; None if refused."""
    units = _of_product(workspace, _named(workspace))
    if not units and workspace.content.splits:
        return _found_by_split(workspace)
    if not units:
        _not_found(workspace)
        return None
    unit = _the_one(workspace, units)
    if unit is not None:
        _compare(workspace, unit)
        _expect(workspace, unit["serial_canonical"])
    return unit


def _named(workspace: Workspace) -> dict[str, Row]:
    """Return the units identified by serials, texts, identifiers and internal labels."""
    content = workspace.content
    keys = {*content.serials, *content.texts}
    keys |= {each for text in content.texts.values() for each in keys_of(text)}
    keys |= {key for _, value in content.identifiers if (key := key_of(value))}
    keys |= {key for digits in content.presumed.values() if (key := key_of(digits))}
    found = workspace.units_named(keys)
    labelled = {key: unit for key, unit in workspace.met.items() if key in content.ids}
    found |= {unit["id"]: unit for unit in labelled.values()}
    return found


def _of_product(workspace: Workspace, units: dict[str, Row]) -> dict[str, Row]:
    if workspace.product is None:
        return units
    fitting = {
        key: unit for key, unit in units.items() if unit["product_id"] == workspace.product["id"]
    }
    if units and not fitting:
        skus = ", ".join(sorted({unit["sku"] for unit in units.values()}))
        workspace.refuse(
            CaptureCode.PRODUCT_MISMATCH,
            f"the serial is known as one of {skus}, "
            f"and {workspace.product['sku']} was read or expected",
        )
    return fitting


def _the_one(workspace: Workspace, units: Mapping[str, Row]) -> Row | None:
    read = workspace.content.serials | workspace.content.texts
    fitting = {
        key: unit
        for key, unit in units.items()
        if not is_other(unit, read.get(unit["serial_canonical"]))
    }
    units = fitting or units
    expected = {each.unit_id for each in workspace.expected.values()}
    if len(units) > 1 and len({unit["serial_canonical"] for unit in units.values()}) == 1:
        # One serial, several units: the expected serials may determine the unit.
        units = {key: unit for key, unit in units.items() if key in expected} or units
    if len(units) == 1:
        return next(iter(units.values()))
    bearers = ", ".join(sorted(f"{unit['serial']} ({unit['sku']})" for unit in units.values()))
    workspace.refuse(CaptureCode.SEVERAL_SERIALS, f"more than one unit was read: {bearers}")
    return None


def _found_by_split(workspace: Workspace) -> Row | None:
    """Return the unit whose serial is a possible part of a barcode without separators."""
    units = _of_product(workspace, workspace.units_named(workspace.content.splits))
    if len(units) == 1:
        (unit,) = units.values()
        workspace.warn(
            CaptureCode.AMBIGUOUS_SEPARATORS,
            f"the scanner sent no separators: taken for {unit['serial']}, which is known",
        )
        _compare(workspace, unit, blurred=True)
        _expect(workspace, unit["serial_canonical"])
        return unit
    for doubt in sorted(workspace.content.doubts):
        workspace.refuse(CaptureCode.AMBIGUOUS_SEPARATORS, doubt)
    _not_found(workspace)
    return None


def _compare(workspace: Workspace, unit: Row, *, blurred: bool = False) -> None:
    """Add findings where a label contradicts the record of the unit."""
    content, names = workspace.content, workspace.names.get(unit["id"], {})
    shelves = [] if blurred else [(content.lots, unit["lot"], "lot")]
    shelves += [
        (content.expiries, unit["expires_on"], "expiry"),
        (content.productions, unit["produced_on"], "production date"),
    ]
    for read, known, what in shelves:
        if read and known and known not in read:
            message = f"the {what} {min(read)} was read, and {known} is known of this unit"
            workspace.warn(CaptureCode.CONTRADICTION, message)
    for scheme, value in sorted(content.identifiers):
        key = key_of(value)
        if scheme in names and key not in names[scheme] and key != unit["serial_canonical"]:
            message = f"the {scheme} {value} is not the one that is known of this unit"
            workspace.warn(CaptureCode.CONTRADICTION, message)
    _compare_serial(workspace, unit)
    rivals = workspace.units_named(content.splits)
    if not blurred and any(each["product_id"] == unit["product_id"] for each in rivals.values()):
        workspace.warn(CaptureCode.AMBIGUOUS_SEPARATORS, min(content.doubts))


def _compare_serial(workspace: Workspace, unit: Row) -> None:
    """Refuse a label whose serial is not the unit's, which was found by another of its numbers."""
    content = workspace.content
    borne = {key for names in workspace.names.get(unit["id"], {}).values() for key in names}
    borne |= {unit["serial_canonical"], unit["id"]}
    numbers = {normalized(*each) for each in content.identifiers}
    known = not content.serials or not borne.isdisjoint(content.serials)
    if known or content.splits or unit["serial_canonical"] in numbers:
        return
    read = ", ".join(sorted(content.serials.values()))
    workspace.refuse(
        CaptureCode.CONTRADICTION,
        f"the serial {read} was read, and the unit of the other numbers is {unit['serial']}",
    )


def _expect(workspace: Workspace, key: str) -> None:
    if not workspace.expected or key in workspace.expected:
        return
    note_expected(workspace, key, Signal.WARN)


def note_expected(workspace: Workspace, key: str, signal: Signal) -> None:
    """Add findings for a serial that is not expected, with similar expected ones."""
    near = near_expected(key, workspace.expected)
    workspace.suggestions += near
    if not near:
        workspace.warn(CaptureCode.NOT_EXPECTED, "this serial is none of those that are expected")
    note_near(workspace, near, signal, "expected")


def note_near(workspace: Workspace, near: list[Suggestion], signal: Signal, what: str) -> None:
    """Add a finding for each kind of reading error that leads to a similar serial."""
    for code, template in SLIP_MESSAGES.items():
        others = sorted(each.serial for each in near if each.why is code)
        if others:
            message = f"{template.format(others=', '.join(others))} {what}"
            (workspace.refuse if signal is Signal.REFUSE else workspace.warn)(code, message)


def _not_found(workspace: Workspace) -> None:
    content = workspace.content
    read = content.serials | content.texts
    if not read and not content.identifiers and not content.ids and not content.presumed:
        no_serial(workspace)
        return
    keys = {*read, *(key for digits in content.presumed.values() if (key := key_of(digits)))}
    for key in sorted(keys):
        nearly_expected = near_expected(key, workspace.expected)
        workspace.suggestions += nearly_expected
        note_near(workspace, nearly_expected, Signal.REFUSE, "expected")
    near = near_known(workspace.tx, keys, workspace.product, pieces=True) if keys else []
    near += other_layouts(workspace.tx, read.values(), workspace.product)
    suggested = {each.unit_id for each in workspace.suggestions if each.unit_id}
    workspace.suggestions += [each for each in near if each.unit_id not in suggested]
    note_near(workspace, near, Signal.REFUSE, "known")
    if workspace.product is not None and workspace.product["serial_pattern"]:
        for serial in sorted(read.values()):
            against_rule(workspace, serial, workspace.product)
    wanted = sorted(read.values()) or sorted(value for _, value in content.identifiers)
    wanted = wanted or sorted(content.presumed.values()) or sorted(content.ids)
    workspace.refuse(CaptureCode.UNKNOWN_UNIT, f"no unit is known by {', '.join(wanted)}")


def against_rule(workspace: Workspace, serial: str, product: Row) -> None:
    """Add a finding for a serial that violates the manufacturer's rule or is truncated."""
    rule, maker = product["serial_pattern"], product["manufacturer_code"]
    if not rule or not violates(serial, rule):
        return
    if is_cut(serial, rule):
        workspace.refuse(
            CaptureCode.TRUNCATED, f"{serial!r} is only a piece of a serial of {maker}: scan again"
        )
    else:
        workspace.refuse(
            CaptureCode.RULE_BROKEN, f"{serial!r} does not follow {maker}'s rule for serials"
        )


def no_serial(workspace: Workspace) -> None:
    """Add a finding for readings without a serial, with their actual meaning."""
    if workspace.own_codes:
        what = " and ".join(sorted(set(workspace.own_codes.values())))
        workspace.refuse(
            CaptureCode.WRONG_BARCODE, f"this is the product's {what}: scan the serial label"
        )
    elif workspace.content.doubts:
        workspace.refuse(CaptureCode.AMBIGUOUS_SEPARATORS, min(workspace.content.doubts))
    elif workspace.content.gtins or workspace.content.presumed:
        workspace.refuse(CaptureCode.WRONG_BARCODE, "this is a trade number: scan the serial label")
    elif workspace.content.ssccs:
        workspace.refuse(
            CaptureCode.NO_SERIAL, "this is the label of a pallet or parcel: scan the unit"
        )
    else:
        workspace.refuse(CaptureCode.NO_SERIAL, "no serial was read: scan the serial label")
