"""Advice: which products are worth following by serial, and by which criterion."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from hub.catalogue import SERIAL_TRACKED, Trait, products_by_code
from hub.errors import InvalidInput, UnknownReference
from hub.storage.sql import Row, Transaction

SKUS_MAX = 200
VALUE_ABOVE = 10_000  # in the smallest part of a currency: 100 pounds


class Criterion(StrEnum):
    """Why a product should be followed by serial."""

    VALUE = "value"
    WARRANTY = "warranty"
    REGULATED = "regulated"
    THEFT = "theft"
    COUNTERFEIT = "counterfeit"
    SERVICED = "serviced"
    RECALL = "recall"


BY_TRAIT = {
    Trait.REGULATED: Criterion.REGULATED,
    Trait.THEFT_RISK: Criterion.THEFT,
    Trait.COUNTERFEIT_RISK: Criterion.COUNTERFEIT,
    Trait.SERVICED: Criterion.SERVICED,
    Trait.RECALL_RISK: Criterion.RECALL,
}


@dataclass(frozen=True, slots=True)
class Advice:
    """What is advised for one product, a row joined with its manufacturer."""

    product: Row
    criteria: tuple[Criterion, ...]

    @property
    def recommended(self) -> bool:
        """Say whether its units should be followed by serial."""
        return bool(self.criteria)

    @property
    def followed(self) -> bool:
        """Say whether its tracking does what is advised."""
        return not self.recommended or self.product["tracking"] in SERIAL_TRACKED


def advise(
    tx: Transaction,
    skus: Sequence[str],
    *,
    value_above: int = VALUE_ABOVE,
    currency: str | None = None,
) -> list[Advice]:
    """Advise about products, by SKU or GTIN, in the order in which they are asked for.

    `value_above` is in the smallest part of `currency`, else of each product's own: a value in
    another currency than the one that is named does not count.
    """
    if not 0 < len(skus) <= SKUS_MAX:
        raise InvalidInput(f"1 to {SKUS_MAX} SKUs at once", field="skus")
    if value_above < 0:
        raise InvalidInput("a threshold is not negative", field="valueAbove")
    products = products_by_code(tx, sorted(set(skus)))
    for sku in skus:
        if sku not in products:
            raise UnknownReference(f"there is no product {sku!r}", field="skus")
    return [Advice(products[sku], _criteria(products[sku], value_above, currency)) for sku in skus]


def _criteria(product: Row, value_above: int, currency: str | None) -> tuple[Criterion, ...]:
    found = {BY_TRAIT[Trait(each)] for each in orjson.loads(product["traits"])}
    comparable = currency is None or product["currency"] == currency
    if comparable and (product["value"] or 0) > value_above:
        found.add(Criterion.VALUE)
    if product["warranty_months"] > 0:
        found.add(Criterion.WARRANTY)
    return tuple(each for each in Criterion if each in found)
