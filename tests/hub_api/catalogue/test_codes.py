"""Codes of products: a GTIN is one product's, and no SKU is written as another's GTIN."""

from typing import Any

import pytest

from api_client import Hub, play
from hub.access.keys import Scope
from world import World

REGISTER = """mutation($products: [ProductInput!]!) {
  done: registerCatalogue(idempotencyKey: "NEW", products: $products) { __typename
    ... on Problem { code message } ... on InvalidInput { field } } }"""


def product(sku: str, gtin: str | None = None) -> dict[str, Any]:
    return {"sku": sku, "name": sku, "manufacturer": "ACME", "gtin": gtin}


@pytest.mark.parametrize(
    ("products", "field"),
    [
        ([product("G1", "5012345678900"), product("G2", "5012345678900")], "gtin"),
        ([product("G1", "05012345678900"), product("G2", "5012345678900")], "gtin"),
        ([product("G1", "4006381333931")], "gtin"),  # that of CAM
        ([product("4006381333931")], "sku"),
        ([product("04006381333931")], "sku"),
        ([product("5012345678900"), product("G1", "5012345678900")], "gtin"),
        ([product("00012345000065"), product("G1", "012345000065")], "gtin"),
    ],
)
def test_two_products_never_share_a_code(
    world: World, products: list[dict[str, Any]], field: str
) -> None:
    before = world.value("SELECT COUNT(*) FROM product")

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        done = (await admin.ask(REGISTER, products=products))["done"]
        assert (done["code"], done["field"]) == ("INVALID_INPUT", field)
        assert any(each["sku"] in done["message"] for each in products) or "CAM" in done["message"]

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM product") == before


def test_a_product_may_have_its_gtin_as_sku_and_take_a_free_one(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        for products in (
            [product("5012345678900", "5012345678900")],
            [product("5012345678900", "5012345678900")],  # again
            [product("CAM"), product("LENS", "4006381333931")],  # given up, and taken
        ):
            done = (await admin.ask(REGISTER, products=products))["done"]
            assert done["__typename"] == "CatalogueChanged", done

    play(world, story)
