"""Rules for manufacturers' serials, and values that are certainly no serial."""

import re
from collections.abc import Callable
from functools import lru_cache

from hub.errors import InvalidBarcode, InvalidInput
from hub.identifiers.barcodes import luhn
from hub.identifiers.medical import HIBC_LETTERS, hibc_check
from hub.identifiers.numbers import canonical, check_digit, upc_a, verbatim
from hub.storage.sql import Row

PATTERN_CHARS_MAX = 200

_CHECK = re.compile(r"\(\?#(\w*)\)")
# A rule names the check of its last character in a comment of the expression: (?#luhn).
CHECKS: dict[str, Callable[[str], bool]] = {
    "luhn": lambda text: text.isascii() and text.isdigit() and luhn(text),
    "gs1": lambda text: text.isascii() and text.isdigit() and check_digit(text[:-1]) == text[-1],
    "mod43": lambda text: (
        all(letter in HIBC_LETTERS for letter in text) and hibc_check(text[:-1]) == text[-1]
    ),
}


def check_pattern(pattern: str) -> None:
    """Validate a manufacturer's rule; raises InvalidInput if it is no regular expression."""
    if len(pattern) > PATTERN_CHARS_MAX:
        raise InvalidInput(f"at most {PATTERN_CHARS_MAX} characters", field="serialPattern")
    try:
        re.compile(pattern)
    except re.error as error:
        raise InvalidInput(f"not a regular expression: {error}", field="serialPattern") from error
    for name in _CHECK.findall(pattern):
        if name not in CHECKS:
            known = ", ".join(CHECKS)
            raise InvalidInput(f"no check {name!r}: it is one of {known}", field="serialPattern")


def own_code(key: str, product: Row) -> str | None:
    """Return which of the product's own codes a canonical text is, if any."""
    gtin = product["gtin"]
    if gtin and key.isdigit() and gtin in {key.zfill(14), upc_a(key)}:
        return "GTIN"
    for name, what in (("sku", "SKU"), ("model_number", "model number")):
        if product[name] and canonical(product[name]) == key:
            return what
    return None


def matches(text: str, rule: str) -> bool:
    """Return whether a text matches the form of a rule, without its check digit."""
    return _compiled(rule).fullmatch(text) is not None


def obeys(text: str, rule: str) -> bool:
    """Return whether a text matches a rule: its form, and its check digit if it has one."""
    return matches(text, rule) and all(check(text) for check in _checks(rule))


def follows_rule(serial: str, product: Row) -> None:
    """Raise InvalidBarcode when a serial can not be one of this product's.

    The product's own GTIN, SKU or model number read in place of the serial is the commonest slip
    at the dock; the manufacturer's rule, where there is one, catches the rest.
    """
    text = verbatim(serial)
    if (what := own_code(canonical(serial), product)) is not None:
        raise InvalidBarcode(f"this is the product's {what}: scan the serial label", read=text)
    pattern = product["serial_pattern"]
    if pattern and not obeys(text, pattern):
        raise InvalidBarcode(
            f"{text!r} does not follow {product['manufacturer_code']}'s rule for serials",
            read=text,
            pattern=pattern,
        )


@lru_cache(1_000)
def _checks(rule: str) -> list[Callable[[str], bool]]:
    return [CHECKS[name] for name in _CHECK.findall(rule)]


@lru_cache(1_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
