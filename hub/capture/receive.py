"""Reading a unit that arrives for the first time: is this a serial that may be recorded?"""

from hub.capture.answers import CaptureCode, Signal, Suggestion
from hub.capture.find import against_rule, no_serial, note_expected, note_near
from hub.capture.hints import near_known
from hub.capture.workspace import Desk, key_of
from hub.catalogue import LOT_TRACKED, SERIAL_TRACKED
from hub.identifiers.serials import obeys
from hub.storage.sql import Row


def receive(desk: Desk) -> str | None:
    """Return the serial that is to be recorded, with what speaks against it noted."""
    product = desk.product
    if product is None:
        _unknown_product(desk)
        return _only(desk.told.serials or desk.told.texts)
    if product["tracking"] in LOT_TRACKED and not desk.told.lots:
        desk.refuse(CaptureCode.LOT_MISSING, f"{product['sku']} is tracked by lot: scan the lot")
    serial = _choose(desk, product)
    if serial is None:
        return None
    _check(desk, product, serial)
    return serial


def _unknown_product(desk: Desk) -> None:
    if any(each.signal is Signal.REFUSE for each in desk.findings):
        return
    gtins = ", ".join(sorted(desk.told.gtins | set(desk.told.presumed)))
    read = f"no product bears the GTIN {gtins}" if gtins else "no product was read"
    desk.refuse(CaptureCode.UNKNOWN_PRODUCT, f"{read}: scan its GTIN, or say which it is")


def _choose(desk: Desk, product: Row) -> str | None:
    """Choose the serial among what may be one, or refuse."""
    told = desk.told
    if told.ids:
        _known_already(desk, [desk.met[each] for each in sorted(told.ids) if each in desk.met])
    candidates = told.serials or told.texts or _numbers(desk, product)
    if len(candidates) > 1:
        candidates = _narrowed(desk, product, candidates)
    if len(candidates) > 1:
        read = ", ".join(sorted(candidates.values()))
        desk.refuse(CaptureCode.SEVERAL_SERIALS, f"which of these is the serial? {read}")
        return None
    if not candidates:
        if product["tracking"] in SERIAL_TRACKED and not told.ids:
            no_serial(desk)
        return None
    ((key, serial),) = candidates.items()
    strangers = desk.units_named(set(told.serials) | set(told.texts) - {key})
    others = [unit for unit in strangers.values() if unit["serial_canonical"] != key]
    if told.serials and any(unit["product_id"] == product["id"] for unit in others):
        desk.refuse(
            CaptureCode.SEVERAL_SERIALS, "the label of another unit was read too: scan one unit"
        )
    return serial


def _numbers(desk: Desk, product: Row) -> dict[str, str]:
    """Return digits that look like a GTIN or an IMEI, and are a serial by the maker's rule.

    One in ten numbers has the check digit of a GTIN by chance. A VIN is a vehicle's serial.
    """
    told, rule = desk.told, product["serial_pattern"]
    vins = {value for scheme, value in told.identifiers if scheme == "vin"}
    read = [*told.presumed.values(), *(value for _, value in told.identifiers)]
    found = {
        key: value
        for value in sorted(read)
        if (key := key_of(value)) and (obeys(value, rule) if rule else value in vins)
    }
    told.identifiers = {each for each in told.identifiers if key_of(each[1]) not in found}
    told.presumed = {
        gtin: digits for gtin, digits in told.presumed.items() if key_of(digits) not in found
    }
    return found


def _narrowed(desk: Desk, product: Row, candidates: dict[str, str]) -> dict[str, str]:
    """Leave the candidates that the rule, and then those that are expected, let stand."""
    rule = product["serial_pattern"]
    lawful = {key: text for key, text in candidates.items() if rule and obeys(text, rule)}
    expected = {key: text for key, text in candidates.items() if key in desk.expected}
    for fewer in (lawful, expected):
        if len(fewer) == 1:
            return fewer
    return candidates


def _check(desk: Desk, product: Row, serial: str) -> None:
    key = key_of(serial)
    assert key is not None  # what is no serial was refused when it was sorted
    against_rule(desk, serial, product)
    known = [
        unit
        for unit in desk.met.values()
        if unit["product_id"] == product["id"] and unit["serial_canonical"] == key
    ]
    known += [
        unit
        for unit_id, unit in desk.met.items()
        for scheme, value in desk.told.identifiers
        if key_of(value) in desk.names.get(unit_id, {}).get(scheme, set())
    ]
    _known_already(desk, known)
    if desk.expected and key not in desk.expected:
        note_expected(desk, key, Signal.WARN)
    _look_alikes(desk, product, key)
    for doubt in sorted(desk.told.doubts):
        desk.warn(CaptureCode.AMBIGUOUS_SEPARATORS, doubt)
    desk.suggestions += [
        Suggestion(serial=text, why=CaptureCode.AMBIGUOUS_SEPARATORS)
        for _, text in sorted(desk.told.splits.items())
    ]


def _look_alikes(desk: Desk, product: Row, key: str) -> None:
    """Compare with what is known. Exchanged neighbours are only shown: SN-12 and SN-21 are two."""
    near = near_known(desk.tx, [key], product, pieces=False)
    seen = {each.unit_id for each in desk.suggestions if each.unit_id}
    desk.suggestions += [each for each in near if each.unit_id not in seen]
    if key not in desk.expected:
        like = [each for each in near if each.why is CaptureCode.LOOK_ALIKE]
        note_near(desk, like, Signal.WARN, "known")


def _known_already(desk: Desk, units: list[Row]) -> None:
    for unit in units:
        desk.refuse(
            CaptureCode.DUPLICATE,
            f"a unit of {unit['sku']} with {unit['serial']} is known already ({unit['status']})",
        )


def _only(read: dict[str, str]) -> str | None:
    return next(iter(read.values())) if len(read) == 1 else None
