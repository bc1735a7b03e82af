"""What a manufacturer's serial must look like, and what is surely not one."""

import re
from functools import lru_cache

from hub.errors import InvalidBarcode, InvalidInput
from hub.identifiers import canonical, verbatim
from hub.sql import Row

PATTERN_CHARS_MAX = 200


def check_pattern(pattern: str) -> None:
    """Raise InvalidInput when a manufacturer's rule is not a regular expression."""
    if len(pattern) > PATTERN_CHARS_MAX:
        raise InvalidInput(f"at most {PATTERN_CHARS_MAX} characters", field="serialPattern")
    try:
        re.compile(pattern)
    except re.error as error:
        raise InvalidInput(f"not a regular expression: {error}", field="serialPattern") from error


def follows_rule(serial: str, product: Row) -> None:
    """Raise InvalidBarcode when a serial can not be one of this product's.

    The product's own GTIN, SKU or model number read in place of the serial is the commonest slip
    at the dock; the manufacturer's rule, where there is one, catches the rest.
    """
    text = verbatim(serial)
    key = canonical(serial)
    gtin = product["gtin"]
    if gtin and key.isdigit() and key.zfill(14) == gtin:
        raise InvalidBarcode("this is the product's GTIN: scan the serial label", read=text)
    for name, what in (("sku", "SKU"), ("model_number", "model number")):
        if product[name] and canonical(product[name]) == key:
            raise InvalidBarcode(f"this is the product's {what}: scan the serial label", read=text)
    pattern = product["serial_pattern"]
    if pattern and not _compiled(pattern).fullmatch(text):
        raise InvalidBarcode(
            f"{text!r} does not follow {product['manufacturer_code']}'s rule for serials",
            read=text,
            pattern=pattern,
        )


@lru_cache(1_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
