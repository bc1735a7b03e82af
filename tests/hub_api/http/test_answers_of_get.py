"""GET: validators, compressed answers, what is left to spend, and the schema's own addresses."""

from typing import Any

import httpx
import orjson
import pytest
from graphql import build_schema

from api_client import Caller, Hub, play
from hub.access.keys import Scope
from hub.catalogue import ProductCard, register_product
from hub_api.http.limiter import Limiter
from world import World

STOCK = '{ availability(skus: ["CAM"]) { sku band available } }'
PRODUCTS = "{ products(first: 100) { sku name gtin } }"


async def get(caller: Caller, document: str, **headers: str) -> httpx.Response:
    return await caller.http.get("/graphql", params={"query": document}, headers=headers)


def test_an_answer_that_the_client_has_is_not_sent_again(world: World) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.QUANTITIES)
        first = await get(shop, STOCK)
        tag = first.headers["etag"]
        assert first.status_code == 200
        assert first.headers["cache-control"] == "private, no-cache"
        assert "authorization" in first.headers["vary"]
        for given in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
            same = await get(shop, STOCK, **{"if-none-match": given})
            assert (same.status_code, same.content) == (304, b"")
            assert same.headers["etag"] == tag
        world.receive("SN-2")
        changed = await get(shop, STOCK, **{"if-none-match": tag})
        assert changed.status_code == 200
        assert changed.json()["data"]["availability"][0]["available"] == 2
        posted = await shop.post(STOCK)
        assert "etag" not in posted.headers
        assert posted.headers["cache-control"] == "no-store"

    play(world, story)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_long_answers_are_compressed_as_the_client_asks(world: World, coding: str) -> None:
    async def story(hub: Hub) -> None:
        for number in range(60):
            card = ProductCard(sku=f"P-{number:03}", name=f"Camera {number}", manufacturer="ACME")
            world.write(lambda tx, card=card: register_product(tx, world.context(), card))
        shop = await hub.caller(Scope.STOREFRONT)
        plain = await get(shop, PRODUCTS, **{"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        packed = await get(shop, PRODUCTS, **{"accept-encoding": coding})
        assert packed.headers["content-encoding"] == coding
        assert int(packed.headers["content-length"]) < len(plain.content) / 2
        assert packed.json() == plain.json()
        assert packed.headers["etag"] == plain.headers["etag"]
        short = await get(shop, STOCK, **{"accept-encoding": coding})
        assert "content-encoding" not in short.headers

    play(world, story)


def test_each_answer_states_what_is_left_to_spend(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "hub_api.app.Limiter",
        lambda: Limiter(cost_max=5_000, cost_per_second=10, clock=lambda: 0.0),
    )

    async def story(hub: Hub) -> None:
        shop = await hub.caller(Scope.STOREFRONT)
        await shop.post(STOCK)  # the first reading of a document costs more
        before = _left(await shop.post(STOCK))
        body: dict[str, Any] = {"query": STOCK, "extensions": {"cost": True}}
        answer = await shop.http.post("/graphql", json=body)
        said = answer.json()["extensions"]["cost"]
        assert said["asked"] == before - said["left"]
        assert said["left"] == _left(answer)
        assert answer.headers["ratelimit-policy"] == '"cost";q=5000;w=500'
        assert "extensions" not in (await shop.post(STOCK)).json()

    play(world, story)


def _left(answer: httpx.Response) -> int:
    return int(answer.headers["ratelimit"].split(";")[1].removeprefix("r="))


def test_the_schema_has_addresses_of_its_own(world: World) -> None:
    async def story(hub: Hub) -> None:
        staff, nobody = await hub.caller(Scope.OPS), await hub.with_secret(None)
        shop = await hub.caller(Scope.STOREFRONT)
        whole = await staff.http.get("/graphql/schema.graphql")
        assert "type Unit " in whole.text
        again = await staff.http.get(
            "/graphql/schema.graphql", headers={"if-none-match": whole.headers["etag"]}
        )
        assert again.status_code == 304
        types = (await staff.http.get("/graphql/possibleTypes.json")).json()
        assert "InvalidInput" in types["Problem"]
        for path in ("/graphql/schema.graphql", "/graphql/possibleTypes.json"):
            refused = await shop.http.get(path)
            assert refused.status_code == 403
            assert orjson.loads(refused.content)["errors"]
            assert (await nobody.http.get(path)).status_code == 401
        public = await nobody.http.get("/graphql/public/schema.graphql")
        assert public.headers["access-control-allow-origin"] == "*"
        assert public.headers["cache-control"] == "public, max-age=300"
        assert "Unit" not in build_schema(public.text).type_map
        types = (await nobody.http.get("/graphql/public/possibleTypes.json")).json()
        assert "ReserveOutcome" in types["ReserveResult"]
        assert "UnitBlocked" not in types["Problem"]

    play(world, story)
