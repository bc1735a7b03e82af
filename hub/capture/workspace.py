"""Where the firewall lays out one capture: what was read, and all that the ledger knows of it.

Everything is looked up here, in a handful of indexed questions however much was read; what
follows from it is decided by `find` and `receive`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hub.capture.answers import CaptureCode, Finding, Signal, Suggestion
from hub.capture.hints import expected_serials
from hub.capture.reading import Sorted
from hub.catalogue import products_by_code
from hub.errors import InvalidBarcode
from hub.identifiers.numbers import canonical
from hub.identifiers.serials import own_code
from hub.ledger.units import UNITS
from hub.storage.sql import Row, Transaction


@dataclass(slots=True)
class Desk:
    """One capture under way."""

    tx: Transaction
    told: Sorted
    product: Row | None = None
    expected: dict[str, Suggestion] = field(default_factory=dict)
    met: dict[str, Row] = field(default_factory=dict)  # units by id that anything read may name
    names: dict[str, dict[str, set[str]]] = field(default_factory=dict)  # unit, scheme: values
    own_codes: dict[str, str] = field(default_factory=dict)  # texts that are the product's: which
    findings: list[Finding] = field(default_factory=list)
    suggestions: list[Suggestion] = field(default_factory=list)

    def refuse(self, code: CaptureCode, message: str) -> None:
        """Note why this must stop."""
        self.findings.append(Finding(signal=Signal.REFUSE, code=code, message=message))

    def warn(self, code: CaptureCode, message: str) -> None:
        """Note why somebody must look twice."""
        self.findings.append(Finding(signal=Signal.WARN, code=code, message=message))

    def units_named(self, keys: Iterable[str]) -> dict[str, Row]:
        """Return the units that bear any of these canonical names, by id."""
        wanted = set(keys)
        return {
            unit_id: unit
            for unit_id, unit in self.met.items()
            if unit["serial_canonical"] in wanted
            or any(values & wanted for values in self.names.get(unit_id, {}).values())
        }


def lay_out(tx: Transaction, told: Sorted, hint: str | None, expected: Sequence[str]) -> Desk:
    """Look up what was read, and settle which product it is of."""
    desk = Desk(tx, told)
    if expected:
        desk.expected = expected_serials(tx, expected)
    products = products_by_code(tx, _codes(told, hint))
    _meet(desk)
    _settle_product(desk, products, hint)
    return desk


def _codes(told: Sorted, hint: str | None) -> list[str]:
    codes = {*told.gtins, *told.presumed, *told.texts, *told.texts.values()}
    codes |= {text.upper() for text in told.texts.values()}
    return sorted(codes | ({hint} if hint else set()))


def _meet(desk: Desk) -> None:
    """Find every unit that anything read, or anything it may have meant, is a name of."""
    told = desk.told
    keys = {*told.serials, *told.texts, *told.splits}
    keys |= {canonical(value) for _, value in told.identifiers}
    keys |= {canonical(digits) for digits in told.presumed.values()}
    rows = desk.tx.rows(
        f"{UNITS}WHERE unit.id IN (SELECT id FROM unit WHERE serial_canonical IN (:keys...) "
        "UNION SELECT unit_id FROM identifier WHERE canonical IN (:keys...) "
        "UNION SELECT id FROM unit WHERE id IN (:ids...)) ORDER BY unit.id",
        keys=sorted(keys),
        ids=sorted(told.ids),
    )
    desk.met = {row["id"]: row for row in rows}
    if not rows:
        return
    for row in desk.tx.rows(
        "SELECT unit_id, scheme, canonical FROM identifier WHERE unit_id IN (:ids...)",
        ids=list(desk.met),
    ):
        schemes = desk.names.setdefault(row["unit_id"], {})
        schemes.setdefault(row["scheme"], set()).add(row["canonical"])


def _settle_product(desk: Desk, products: Mapping[str, Row], hint: str | None) -> None:
    told = desk.told
    hinted = products.get(hint) if hint else None
    if hint and hinted is None:
        desk.refuse(CaptureCode.UNKNOWN_PRODUCT, f"there is no product {hint!r}")
    read = {row["id"]: row for code in told.gtins if (row := products.get(code))}
    for gtin in sorted(told.presumed):
        if (row := products.get(gtin)) is not None:
            read[row["id"]] = row
            told.gtins.add(gtin)
            del told.presumed[gtin]
    for key, text in sorted(told.texts.items()):
        row = products.get(text) or products.get(text.upper()) or products.get(key)
        # A number may be the SKU of one thing and the serial of another: a known unit is a unit.
        if row is not None and not desk.units_named([key]):
            read[row["id"]] = row
    if len(read) > 1:
        skus = ", ".join(sorted(row["sku"] for row in read.values()))
        desk.refuse(CaptureCode.SEVERAL_PRODUCTS, f"these barcodes are of several products: {skus}")
    elif hinted is not None and read and hinted["id"] not in read:
        (other,) = read.values()
        desk.refuse(
            CaptureCode.PRODUCT_MISMATCH, f"this is {other['sku']}, and {hinted['sku']} is expected"
        )
    elif hinted is not None and hinted["gtin"] and told.gtins and not read:
        desk.refuse(
            CaptureCode.PRODUCT_MISMATCH,
            f"GTIN {min(told.gtins)} is not that of {hinted['sku']}",
        )
    desk.product = hinted or (next(iter(read.values())) if len(read) == 1 else None)
    _set_own_codes_apart(desk, [*read.values(), *([hinted] if hinted else [])])


def _set_own_codes_apart(desk: Desk, products: list[Row]) -> None:
    """Take what is a product's own code out of what may be a serial."""
    told = desk.told
    for shelf in (told.texts, told.serials):
        for key in sorted(shelf):
            what = next((code for each in products if (code := own_code(key, each))), None)
            if what is not None:
                desk.own_codes[shelf.pop(key)] = what
    if products:
        known = {each["gtin"] for each in products}
        desk.own_codes |= {gtin: "GTIN" for gtin in told.gtins if gtin in known}


def key_of(value: str) -> str | None:
    """Return the canonical form, or None for what can not have one."""
    try:
        return canonical(value)
    except InvalidBarcode:
        return None
