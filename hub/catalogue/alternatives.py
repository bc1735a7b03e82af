"""Product alternatives: products that may be sent in place of another."""

from collections.abc import Sequence
from typing import TypedDict

from hub.catalogue import reference
from hub.errors import InvalidInput
from hub.storage.sql import Transaction

ALTERNATIVES_MAX = 20


class _Sku(TypedDict):
    sku: str


def put(tx: Transaction, sku: str, alternatives: Sequence[str]) -> None:
    """Replace the alternatives of a product by `alternatives`, best first.

    Raise UnknownReference for an unknown SKU, InvalidInput for too many alternatives, duplicates
    or the product itself.
    """
    product = reference(tx, "product", "sku", sku)
    if sku in alternatives or len(set(alternatives)) != len(alternatives):
        raise InvalidInput("each other product at most once", field="alternatives")
    if len(alternatives) > ALTERNATIVES_MAX:
        raise InvalidInput(f"at most {ALTERNATIVES_MAX} products", field="alternatives")
    others = [reference(tx, "product", "sku", each)["id"] for each in alternatives]
    tx.run("DELETE FROM product_alternative WHERE product_id = :id", id=product["id"])
    for rank, other_id in enumerate(others):
        tx.run(
            "INSERT INTO product_alternative(product_id, alternative_id, rank) "
            "VALUES(:id, :other, :rank)",
            id=product["id"],
            other=other_id,
            rank=rank,
        )


def of(tx: Transaction, sku: str) -> list[str]:
    """Return the SKUs of a product's alternatives, best first; raise UnknownReference."""
    product = reference(tx, "product", "sku", sku)
    rows = tx.rows_as(
        _Sku,
        "SELECT product.sku FROM product_alternative "
        "JOIN product ON product.id = product_alternative.alternative_id "
        "WHERE product_alternative.product_id = :id "
        "ORDER BY product_alternative.rank, product.sku",
        id=product["id"],
    )
    return [row["sku"] for row in rows]
