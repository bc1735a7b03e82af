"""Rules for manufacturers' serials, and values that are certainly no serial."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol, cast

import re2

from hub.errors import InvalidBarcode, InvalidInput
from hub.identifiers.barcodes import luhn
from hub.identifiers.medical import HIBC_LETTERS, hibc_check
from hub.identifiers.numbers import canonical, check_digit, upc_a, verbatim
from hub.storage.sql import Row

PATTERN_CHARS_MAX = 200

_CHECK = re.compile(r"\(\?#(\w*)\)")
# A rule names the check of its last character in a comment of the expression: (?#luhn).
_COMMENT = re.compile(r"\(\?#[^)]*\)")
RULE_BYTES_MAX = 1024 * 1024  # of one compiled rule, with what its matching remembers
CHECKS: dict[str, Callable[[str], bool]] = {
    "luhn": lambda text: text.isascii() and text.isdigit() and luhn(text),
    "gs1": lambda text: text.isascii() and text.isdigit() and check_digit(text[:-1]) == text[-1],
    "mod43": lambda text: (
        all(letter in HIBC_LETTERS for letter in text) and hibc_check(text[:-1]) == text[-1]
    ),
}


def check_pattern(pattern: str) -> None:
    r"""Validate a manufacturer's rule; raises InvalidInput if RE2 takes it for no expression.

    RE2 matches in time linear in the text. It therefore has no back-references and no look-around,
    and repeats a part at most 1,000 times; its classes, such as ``\d``, are of ASCII.
    """
    if len(pattern) > PATTERN_CHARS_MAX:
        raise InvalidInput(f"at most {PATTERN_CHARS_MAX} characters", field="serialPattern")
    try:
        _compile(pattern)
    except re2.error as error:
        raise InvalidInput(
            f"not a regular expression that the hub matches: {_words(error)}",
            field="serialPattern",
        ) from error
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
    compiled = _compiled(rule)
    return compiled is not None and compiled.fullmatch(text) is not None


def is_usable(rule: str) -> bool:
    """Return whether a stored rule can be matched; `check_pattern` lets no other one in."""
    return _compiled(rule) is not None


def violates(text: str, rule: str) -> bool:
    """Return whether a text breaks a rule; nothing breaks a rule that cannot be matched."""
    return is_usable(rule) and not obeys(text, rule)


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
    if pattern and violates(text, pattern):
        raise InvalidBarcode(
            f"{text!r} does not follow {product['manufacturer_code']}'s rule for serials",
            read=text,
            pattern=pattern,
        )


class _Compiled(Protocol):
    def fullmatch(self, text: str) -> object | None: ...


@lru_cache(1_000)
def _checks(rule: str) -> list[Callable[[str], bool]]:
    return [CHECKS[name] for name in _CHECK.findall(rule)]


@lru_cache(1_000)
def _compiled(pattern: str) -> _Compiled | None:
    try:
        return _compile(pattern)
    except re2.error:
        return None


def _compile(pattern: str) -> _Compiled:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = RULE_BYTES_MAX
    return cast("_Compiled", re2.compile(_COMMENT.sub("", pattern), options))


def _words(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
