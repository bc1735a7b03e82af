"""Capture of a new unit: choice and validation of its serial."""

from hub.capture.answers import CaptureCode, Signal, Suggestion
from hub.capture.find import against_rule, no_serial, note_expected, note_near
from hub.capture.hints import near_known
from hub.capture.reading import ScanContent
from hub.capture.workspace import Workspace, is_other, key_of
from hub.catalogue import LOT_TRACKED, SERIAL_TRACKED
from hub.identifiers.device_numbers import keys_of
from hub.identifiers.numbers import verbatim
from hub.identifiers.serials import obeys
from hub.lifecycle import RECEIVABLE, Status
from hub.storage.sql import Row


def receive(workspace: Workspace) -> str | None:
    """Return the serial to record, with findings against it; None without a serial."""
    product = workspace.product
    if product is None:
        _unknown_product(workspace)
        return _only(workspace.content.serials or workspace.content.texts)
    if product["tracking"] in LOT_TRACKED and not workspace.content.lots:
        workspace.refuse(
            CaptureCode.LOT_MISSING, f"{product['sku']} is tracked by lot: scan the lot"
        )
    serial = _choose(workspace, product)
    if serial is None:
        return None
    _check(workspace, product, serial)
    return serial


def _unknown_product(workspace: Workspace) -> None:
    if any(each.signal is Signal.REFUSE for each in workspace.findings):
        return
    gtins = ", ".join(sorted(workspace.content.gtins | set(workspace.content.presumed)))
    read = f"no product bears the GTIN {gtins}" if gtins else "no product was read"
    workspace.refuse(CaptureCode.UNKNOWN_PRODUCT, f"{read}: scan its GTIN, or say which it is")


def _choose(workspace: Workspace, product: Row) -> str | None:
    """Choose the serial among the candidates, or refuse."""
    content = workspace.content
    if content.ids:
        _known_already(
            workspace,
            [workspace.met[each] for each in sorted(content.ids) if each in workspace.met],
        )
    announced = {} if content.serials else _announced(workspace, product)
    candidates = content.serials or content.texts | announced or _numbers(workspace, product)
    if len(candidates) > 1:
        candidates = _narrowed(workspace, product, candidates)
    if len(candidates) > 1:
        read = ", ".join(sorted(candidates.values()))
        workspace.refuse(CaptureCode.SEVERAL_SERIALS, f"which of these is the serial? {read}")
        return None
    if not candidates:
        if product["tracking"] in SERIAL_TRACKED and not content.ids:
            no_serial(workspace)
        return None
    ((key, serial),) = candidates.items()
    strangers = workspace.units_named(set(content.serials) | set(content.texts) - {key})
    others = [unit for unit in strangers.values() if unit["serial_canonical"] != key]
    if content.serials and any(unit["product_id"] == product["id"] for unit in others):
        workspace.refuse(
            CaptureCode.SEVERAL_SERIALS, "the label of another unit was read too: scan one unit"
        )
    return serial


def _announced(workspace: Workspace, product: Row) -> dict[str, str]:
    """Return digits that look like a GTIN or an IMEI, and are a serial all the same.

    They are if they were announced, or are known as a serial of the product.
    """
    content = workspace.content
    known = {
        unit["serial_canonical"]
        for unit in workspace.met.values()
        if unit["product_id"] == product["id"]
    }
    read = [*content.presumed.values(), *(value for _, value in content.identifiers)]
    found = {
        key: value
        for value in sorted(read)
        if (key := key_of(value)) and (key in workspace.expected or key in known)
    }
    _take(content, found)
    return found


def _take(content: ScanContent, found: dict[str, str]) -> None:
    """Remove what is a serial from the numbers that it looks like."""
    content.identifiers = {each for each in content.identifiers if key_of(each[1]) not in found}
    content.presumed = {
        gtin: digits for gtin, digits in content.presumed.items() if key_of(digits) not in found
    }


def _numbers(workspace: Workspace, product: Row) -> dict[str, str]:
    """Return digits that look like a GTIN or an IMEI, and match the manufacturer's rule.

    One in ten numbers has the check digit of a GTIN by chance. A VIN is a vehicle's serial.
    """
    content, rule = workspace.content, product["serial_pattern"]
    vins = {value for scheme, value in content.identifiers if scheme == "vin"}
    read = [*content.presumed.values(), *(value for _, value in content.identifiers)]
    found = {
        key: value
        for value in sorted(read)
        if (key := key_of(value)) and (obeys(value, rule) if rule else value in vins)
    }
    _take(content, found)
    return found


def _narrowed(workspace: Workspace, product: Row, candidates: dict[str, str]) -> dict[str, str]:
    """Return the candidate that matches the rule or is expected; all of them if ambiguous."""
    rule = product["serial_pattern"]
    lawful = {key: text for key, text in candidates.items() if rule and obeys(text, rule)}
    expected = {key: text for key, text in candidates.items() if key in workspace.expected}
    for fewer in (lawful, expected):
        if len(fewer) == 1:
            return fewer
    return candidates


def _check(workspace: Workspace, product: Row, serial: str) -> None:
    key = key_of(serial)
    assert key is not None  # what is no serial was refused when it was sorted
    against_rule(workspace, serial, product)
    keys = {key, *keys_of(serial)}
    known = [
        unit
        for unit in workspace.met.values()
        if unit["product_id"] == product["id"]
        and unit["serial_canonical"] in keys
        and not is_other(unit, verbatim(serial))
    ]
    known += [
        unit
        for unit_id, unit in workspace.met.items()
        for scheme, value in workspace.content.identifiers
        if key_of(value) in workspace.names.get(unit_id, {}).get(scheme, set())
    ]
    _known_already(workspace, known)
    if workspace.expected and key not in workspace.expected:
        note_expected(workspace, key, Signal.WARN)
    _look_alikes(workspace, product, key)
    for doubt in sorted(workspace.content.doubts):
        workspace.warn(CaptureCode.AMBIGUOUS_SEPARATORS, doubt)
    workspace.suggestions += [
        Suggestion(serial=text, why=CaptureCode.AMBIGUOUS_SEPARATORS)
        for _, text in sorted(workspace.content.splits.items())
    ]


def _look_alikes(workspace: Workspace, product: Row, key: str) -> None:
    """Compare with known serials. Transpositions are suggested only: SN-12 and SN-21 may differ."""
    near = near_known(workspace.tx, [key], product, pieces=False)
    seen = {each.unit_id for each in workspace.suggestions if each.unit_id}
    workspace.suggestions += [each for each in near if each.unit_id not in seen]
    if key not in workspace.expected:
        like = [each for each in near if each.why is CaptureCode.LOOK_ALIKE]
        note_near(workspace, like, Signal.WARN, "known")


def _known_already(workspace: Workspace, units: list[Row]) -> None:
    for unit in units:
        if unit["status"] == Status.EXPECTED:
            continue  # it has its record already, and arrives now
        if unit["status"] in RECEIVABLE:
            message = f"{unit['serial']} is known ({unit['status']}): its record goes on"
            workspace.warn(CaptureCode.DUPLICATE, message)
            continue
        workspace.refuse(
            CaptureCode.DUPLICATE,
            f"a unit of {unit['sku']} with {unit['serial']} is known already ({unit['status']})",
        )


def _only(read: dict[str, str]) -> str | None:
    return next(iter(read.values())) if len(read) == 1 else None
