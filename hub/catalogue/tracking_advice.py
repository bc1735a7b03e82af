"""Tracking advice: products worth tracking by serial, with the criteria that apply."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hub.catalogue import SERIAL_TRACKED, CatalogueProductRow, Trait, products_by_code
from hub.errors import InvalidInput, UnknownReference
from hub.storage.documents import values
from hub.storage.sql import Transaction

SKUS_MAX = 200
VALUE_ABOVE = 10_000  # in the smallest part of a currency: 100 pounds


class Criterion(StrEnum):
    """Reason to track a product by serial."""

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
    """Advice for one product."""

    product: CatalogueProductRow
    criteria: tuple[Criterion, ...]

    @property
    def recommended(self) -> bool:
        """Return whether to track its units by serial."""
        return bool(self.criteria)

    @property
    def followed(self) -> bool:
        """Return whether its tracking follows the advice."""
        return not self.recommended or self.product["tracking"] in SERIAL_TRACKED


def advise(
    tx: Transaction,
    skus: Sequence[str],
    *,
    value_above: int = VALUE_ABOVE,
    currency: str | None = None,
) -> list[Advice]:
    """Return the advice for products by SKU or GTIN, in the given order.

    `value_above` is in minor units of `currency`, or of each product's own currency without one; a
    value in another currency is ignored. Raise InvalidInput for no or too many SKUs or a negative
    threshold, UnknownReference for an unknown product.
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


def _criteria(
    product: CatalogueProductRow, value_above: int, currency: str | None
) -> tuple[Criterion, ...]:
    found = {BY_TRAIT[Trait(each)] for each in values(product["traits"]) if each in BY_TRAIT}
    comparable = currency is None or product["currency"] == currency
    if comparable and (product["value"] or 0) > value_above:
        found.add(Criterion.VALUE)
    if product["warranty_months"] > 0:
        found.add(Criterion.WARRANTY)
    return tuple(each for each in Criterion if each in found)
