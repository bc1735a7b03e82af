"""Workspace of one capture: the parsed readings and the related rows of the ledger.

All look-ups are here, a constant number of indexed queries per capture; `find` and `receive` decide
on the result.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from hub.capture.answers import CaptureCode, Finding, Signal, Suggestion
from hub.capture.hints import expected_serials
from hub.capture.reading import ScanContent
from hub.catalogue import products_by_code
from hub.errors import InvalidBarcode
from hub.identifiers.device_numbers import keys_of, normalized
from hub.identifiers.numbers import canonical
from hub.identifiers.serials import own_code
from hub.ledger.unit_views import by_their_names
from hub.ledger.units import UNITS
from hub.storage.sql import Row, Transaction


class _CanonicalName(TypedDict):
    unit_id: str
    scheme: str
    space: str
    canonical: str


@dataclass(slots=True)
class Workspace:
    """The state of one capture."""

    tx: Transaction
    content: ScanContent
    product: Row | None = None
    expected: dict[str, Suggestion] = field(default_factory=dict)
    met: dict[str, Row] = field(default_factory=dict)  # units that the readings may identify, by id
    names: dict[str, dict[str, set[str]]] = field(default_factory=dict)  # unit, scheme: values
    own_codes: dict[str, str] = field(
        default_factory=dict
    )  # readings that are codes of the product, with their kind
    findings: list[Finding] = field(default_factory=list)
    suggestions: list[Suggestion] = field(default_factory=list)

    def refuse(self, code: CaptureCode, message: str) -> None:
        """Add a finding that refuses the capture."""
        self.findings.append(Finding(signal=Signal.REFUSE, code=code, message=message))

    def warn(self, code: CaptureCode, message: str) -> None:
        """Add a finding that warns."""
        self.findings.append(Finding(signal=Signal.WARN, code=code, message=message))

    def units_named(self, keys: Iterable[str]) -> dict[str, Row]:
        """Return the units with any of these canonical identifiers, by id."""
        wanted = set(keys)
        return {
            unit["id"]: unit
            for unit_id, unit in self.met.items()
            if unit["serial_canonical"] in wanted
            or any(values & wanted for values in self.names.get(unit_id, {}).values())
        }


def look_up(
    tx: Transaction, content: ScanContent, hint: str | None, expected: Sequence[str]
) -> Workspace:
    """Load the rows of the readings and choose the product."""
    workspace = Workspace(tx, content)
    if expected:
        workspace.expected = expected_serials(tx, expected)
    products = products_by_code(tx, _codes(content, hint))
    _load_units(workspace)
    _choose_product(workspace, products, hint)
    return workspace


def _codes(content: ScanContent, hint: str | None) -> list[str]:
    codes = {*content.gtins, *content.presumed, *content.texts, *content.texts.values()}
    codes |= set(content.upces)
    codes |= {text.upper() for text in content.texts.values()}
    return sorted(codes | ({hint} if hint else set()))


def _load_units(workspace: Workspace) -> None:
    """Load every unit that a reading, or a likely correction of it, identifies."""
    content = workspace.content
    keys = {*content.serials, *content.texts, *content.splits}
    keys |= {normalized(*each) for each in content.identifiers}
    keys |= {each for text in content.texts.values() for each in keys_of(text)}
    keys |= {key for text in (*content.ids.values(), *content.tags) if (key := key_of(text))}
    keys |= {canonical(digits) for digits in content.presumed.values()}
    rows = workspace.tx.rows(
        f"{UNITS}WHERE unit.id IN (SELECT id FROM unit WHERE serial_canonical IN (:keys...) "
        "UNION SELECT unit_id FROM identifier WHERE canonical IN (:keys...) "
        "UNION SELECT id FROM unit WHERE id IN (:ids...)) ORDER BY unit.id",
        keys=sorted(keys),
        ids=sorted(content.ids),
    )
    workspace.met = by_their_names(workspace.tx, rows)
    for unit_id in [each for each in content.ids if each not in workspace.met]:
        # No label of ours: another maker's number of the same form, such as a SMBIOS UUID.
        text = content.ids.pop(unit_id)
        if (key := key_of(text)) is not None:
            content.texts.setdefault(key, text.strip())
    if not rows:
        return
    for row in workspace.tx.rows_as(
        _CanonicalName,
        "SELECT unit_id, scheme, space, canonical FROM identifier WHERE unit_id IN (:ids...)",
        ids=sorted({unit["id"] for unit in workspace.met.values()}),
    ):
        schemes = workspace.names.setdefault(row["unit_id"], {})
        for scheme in {row["scheme"], row["space"]}:
            schemes.setdefault(scheme, set()).add(row["canonical"])


def _choose_product(workspace: Workspace, products: Mapping[str, Row], hint: str | None) -> None:
    content = workspace.content
    hinted = products.get(hint) if hint else None
    if hinted is not None:
        _without_chance_tags(content, products)
    if hint and hinted is None:
        workspace.refuse(CaptureCode.UNKNOWN_PRODUCT, f"there is no product {hint!r}")
    read = {row["id"]: row for code in content.gtins if (row := products.get(code))}
    for gtin in sorted(content.presumed):
        if (row := products.get(gtin)) is not None:
            read[row["id"]] = row
            content.gtins.add(gtin)
            del content.presumed[gtin]
    read |= _products_of_texts(workspace, products)
    if len(read) > 1:
        skus = ", ".join(sorted(row["sku"] for row in read.values()))
        workspace.refuse(
            CaptureCode.SEVERAL_PRODUCTS, f"these barcodes are of several products: {skus}"
        )
    elif hinted is not None and read and hinted["id"] not in read:
        (other,) = read.values()
        workspace.refuse(
            CaptureCode.PRODUCT_MISMATCH, f"this is {other['sku']}, and {hinted['sku']} is expected"
        )
    elif hinted is not None and hinted["gtin"] and content.gtins and not read:
        workspace.refuse(
            CaptureCode.PRODUCT_MISMATCH,
            f"GTIN {min(content.gtins)} is not that of {hinted['sku']}",
        )
    workspace.product = hinted or (next(iter(read.values())) if len(read) == 1 else None)
    _separate_own_codes(workspace, [*read.values(), *([hinted] if hinted else [])])


def _products_of_texts(workspace: Workspace, products: Mapping[str, Row]) -> dict[str, Row]:
    """Return the products whose SKU or short code (UPC-E) was read as a text, by id."""
    content, read = workspace.content, {}
    for gtin, key in sorted(content.upces.items()):
        if (row := products.get(gtin)) is not None and not workspace.units_named([key]):
            read[row["id"]] = row
            content.gtins.add(gtin)
    for key, text in sorted(content.texts.items()):
        row = products.get(text) or products.get(text.upper()) or products.get(key)
        # A number may be both a SKU and a serial: a known serial takes precedence.
        if row is not None and not workspace.units_named([key]):
            read[row["id"]] = row
    return read


def _without_chance_tags(content: ScanContent, products: Mapping[str, Row]) -> None:
    """Take digits that look like a tag of an unknown product for a text, as for a serial."""
    for digits, (gtin, serial) in content.tags.items():
        if gtin not in products and (key := key_of(digits)) is not None:
            content.gtins.discard(gtin)
            content.serials.pop(serial, None)
            content.texts.setdefault(key, digits)


def _separate_own_codes(workspace: Workspace, products: list[Row]) -> None:
    """Remove a product's own codes from the candidates for a serial."""
    content = workspace.content
    for shelf in (content.texts, content.serials):
        for key in sorted(shelf):
            what = next((code for each in products if (code := own_code(key, each))), None)
            if what is not None:
                workspace.own_codes[shelf.pop(key)] = what
    if products:
        known = {each["gtin"] for each in products}
        workspace.own_codes |= {gtin: "GTIN" for gtin in content.gtins if gtin in known}


def is_other(unit: Row, serial: str | None) -> bool:
    """Return whether a unit of a folded serial is another one, as its product has it."""
    return bool(unit["serial_exact"]) and serial is not None and unit["serial_exact"] != serial


def key_of(value: str) -> str | None:
    """Return the canonical form, or None for a text without one."""
    try:
        return canonical(value)
    except InvalidBarcode:
        return None
