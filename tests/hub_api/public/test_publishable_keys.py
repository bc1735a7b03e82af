"""Publishable keys: pages of their origins ask trusted documents over public fields, no more."""

import hashlib
import re
from typing import Any
from uuid import uuid4

import httpx
import pytest
from graphql import build_schema, get_named_type, is_leaf_type, parse
from graphql.validation import validate
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api_client import Caller, Hub, play
from connectors.testing.serving import serve
from hub.access import trusted_documents
from hub.access.keys import Scope
from hub.errors import InvalidInput
from hub_api.engine.documents import core_schema
from hub_api.public import documents as public_documents
from hub_api.public.fields import COORDINATES, PUBLIC
from hub_api.public.public_schema import public_sdl
from hub_api.schema import schema
from subscribing import socket_to
from world import World

SHOP = "https://shop.example"
STOCK = "query Stock($skus: [String!]!) { availability(skus: $skus) { sku band available } }"
RESERVE = """mutation Reserve($key: String!, $cart: String!, $quantity: Int! = 1,
    $ttl: Int! = 900) {
  done: reserve(idempotencyKey: $key, cart: $cart, ttlSeconds: $ttl,
    lines: [{sku: "CAM", quantity: $quantity}]) { __typename
    ... on ReserveOutcome { lines { reserved problem { code } } }
    ... on InvalidInput { field message } ... on Problem { code } } }"""
CHECKOUT = """mutation Checkout($key: String!, $cart: String!, $order: CheckoutInput! = {}) {
  done: checkout(idempotencyKey: $key, cart: $cart, order: $order) { __typename
    ... on CheckedOut { token order { number } }
    ... on InvalidInput { field message } ... on Problem { code } } }"""
DOCUMENTS = [("stock", STOCK), ("reserve", RESERVE), ("checkout", CHECKOUT)]
PUSH = """mutation($documents: [TrustedDocumentInput!]!) {
  done: pushDocuments(idempotencyKey: "NEW", documents: $documents) { __typename
    ... on DocumentsPushed { documents { name sha256 } }
    ... on InvalidInput { field message } ... on Problem { code } } }"""
MAKE = """mutation($origins: [String!]!, $key: String! = "NEW") {
  done: createPublishableKey(idempotencyKey: $key, name: "shop", origins: $origins) { __typename
    ... on NewApiKey { keyId secret replayed } ... on InvalidInput { field message } } }"""


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def pushed(hub: Hub, documents: list[tuple[str, str]] = DOCUMENTS) -> Any:
    admin = await hub.caller(Scope.ADMIN)
    given = [{"name": name, "text": text} for name, text in documents]
    return (await admin.ask(PUSH, documents=given))["done"]


async def page(hub: Hub, *origins: str, origin: str | None = SHOP) -> Caller:
    """Make a publishable key for pages of some origins, and open a page that carries it."""
    admin = await hub.caller(Scope.ADMIN)
    made = (await admin.ask(MAKE, origins=list(origins or (SHOP,))))["done"]
    assert made["secret"].startswith("shp_")
    caller = await hub.with_secret(made["secret"])
    if origin is not None:
        caller.http.headers["origin"] = origin
    return caller


def name() -> str:
    return str(uuid4())


def test_a_page_reserves_and_checks_out_by_trusted_documents(world: World) -> None:
    world.receive("SN-1", "SN-2")

    async def story(hub: Hub) -> None:
        manifest = await pushed(hub)
        assert manifest["documents"][0] == {"name": "stock", "sha256": sha256(STOCK)}
        shopper, cart = await page(hub), name()
        body = {"documentId": sha256(STOCK), "variables": {"skus": ["CAM"]}}
        answer = await shopper.http.post("/graphql", json=body)
        assert answer.json()["data"]["availability"] == [
            {"sku": "CAM", "band": "LOW", "available": None}
        ]
        done = (await shopper.ask(RESERVE, key=name(), cart=cart))["done"]
        assert done["lines"] == [{"reserved": 1, "problem": None}]
        done = (await shopper.ask(CHECKOUT, key=name(), cart=cart))["done"]
        assert done["__typename"] == "CheckedOut"

    play(world, story)
    # What a page says of a payment proves nothing: the order waits for a server.
    assert world.rows("SELECT state, hold FROM sales_order") == [
        {"state": "pending", "hold": "payment_pending"}
    ]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{ viewer { name } }", "DOCUMENT_NOT_TRUSTED"),
        ("{ availability(skus: []) { sku } }", "DOCUMENT_NOT_TRUSTED"),
        ("{ __schema { queryType { name } } }", "DOCUMENT_NOT_TRUSTED"),
    ],
)
def test_a_page_asks_nothing_but_trusted_documents(world: World, document: str, code: str) -> None:
    async def story(hub: Hub) -> None:
        await pushed(hub)
        shopper = await page(hub)
        assert (await shopper.error(document))["code"] == code
        body = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(document)}}}
        answer = await shopper.http.post("/graphql", json=body)
        assert answer.json()["errors"][0]["extensions"]["code"] == code
        # A document that staff has persisted by its hash is not trusted for it.
        ops = await hub.caller(Scope.OPS)
        await ops.http.post("/graphql", json={**body, "query": document})
        answer = await shopper.http.post("/graphql", json=body)
        assert answer.json()["errors"][0]["extensions"]["code"] == code

    play(world, story)


def test_a_removed_document_is_refused_and_a_field_that_is_public_no_longer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_api.public.gate.SECONDS_KNOWN", 0.0)
    remove = """mutation($sha: String!) { done: removeDocument(idempotencyKey: "NEW", sha256: $sha)
      { __typename } }"""

    async def story(hub: Hub) -> None:
        await pushed(hub)
        shopper, admin = await page(hub), await hub.caller(Scope.ADMIN)
        monkeypatch.setattr(
            "hub_api.public.gate.PublicGate.fields", COORDINATES - {"Availability.band"}
        )
        assert await shopper.error(STOCK, skus=["CAM"]) == {"code": "FIELD_NOT_PUBLIC"}
        monkeypatch.undo()
        monkeypatch.setattr("hub_api.public.gate.SECONDS_KNOWN", 0.0)
        await shopper.ask(STOCK, skus=["CAM"])
        done = (await admin.ask(remove, sha=sha256(STOCK)))["done"]
        assert done["__typename"] == "DocumentRemoved"
        listed = await admin.ask("{ trustedDocuments { name } }")
        assert [each["name"] for each in listed["trustedDocuments"]] == ["checkout", "reserve"]
        again = (await admin.ask(remove, sha=sha256(STOCK)))["done"]
        assert again["__typename"] == "UnknownReference"
        assert (await shopper.error(STOCK, skus=["CAM"]))["code"] == "DOCUMENT_NOT_TRUSTED"

    play(world, story)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ viewer { name } }", "selects what is not public: Query.viewer, Viewer.name"),
        ("{ availability(skus: []) { locations { units } } }", "Availability.locations"),
        ("query A { availability(skus: []) { ...on Availability { ...B } } } "
         "fragment B on Availability { channels { channel } }", "Availability.channels"),
        ("{ __schema { queryType { name } } }", "asks about the schema"),
        ("{ availability(skus: []) { price } }", "price"),
        ("{ availability(", "Syntax Error"),
    ],
)  # fmt: skip
def test_only_valid_documents_over_public_fields_are_trusted(
    world: World, text: str, reason: str
) -> None:
    async def story(hub: Hub) -> None:
        done = await pushed(hub, [("good", STOCK), ("odd", text)])
        assert (done["__typename"], done["field"]) == ("InvalidInput", "documents")
        assert "odd" in done["message"]
        assert reason in done["message"]

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM trusted_document") == 0


def test_a_key_is_taken_from_pages_of_its_origins_only(world: World) -> None:
    async def story(hub: Hub) -> None:
        await pushed(hub)
        shopper = await page(hub)
        await page(hub, "https://other.example")
        for origin in ("https://other.example", "https://evil.example", "null", None):
            if origin is None:
                del shopper.http.headers["origin"]
            else:
                shopper.http.headers["origin"] = origin
            answer = await shopper.post(STOCK, skus=["CAM"])
            assert answer.status_code == 403, origin
            (error,) = answer.json()["errors"]
            assert error["extensions"]["code"] == "ORIGIN_NOT_ALLOWED"

    play(world, story)


def test_a_publishable_key_opens_no_other_door(world: World) -> None:
    async def story(hub: Hub) -> None:
        shopper = await page(hub)
        for origin in (SHOP, "https://evil.example"):
            shopper.http.headers["origin"] = origin
            answer = await shopper.http.post("/imports?location=WH", content=b"serial\nSN-1\n")
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
            for path in ("/graphql/schema.graphql", "/graphql/possibleTypes.json"):
                assert (await shopper.http.get(path)).status_code == 403
        key = shopper.http.headers["authorization"].partition(" ")[2]
        form = await shopper.http.get("/console/login")
        token = re.search('name="csrf" value="([^"]+)"', form.text)
        assert token is not None
        given = {"csrf": token[1], "key": key, "next": "/console/"}
        refused = await shopper.http.post("/console/login", data=given)
        assert refused.status_code == 403

    play(world, story)
    assert world.rows("SELECT id FROM unit") == []


def test_browsers_are_let_through_for_the_origins_of_keys(world: World) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x"}

    async def story(hub: Hub) -> None:
        await pushed(hub)
        shopper = await page(hub)
        answer = await shopper.http.options("/graphql", headers=asked)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert "authorization" in answer.headers["access-control-allow-headers"]
        answer = await shopper.post(STOCK, skus=["CAM"])
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert "origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers
        foreign = {"origin": "https://evil.example", **asked}
        answer = await shopper.http.options("/graphql", headers=foreign)
        assert "access-control-allow-origin" not in answer.headers
        assert answer.status_code == 405

    play(world, story)


@pytest.mark.parametrize(
    "origins",
    [
        [],
        ["*"],
        ["http://shop.example"],
        ["https://shop.example/path"],
        ["https://user@shop.example"],
        ["javascript:alert(1)"],
        ["https://*.example"],
        [f"https://shop-{number}.example" for number in range(21)],
    ],
)
def test_origins_are_named_one_by_one_and_safe(world: World, origins: list[str]) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        done = (await admin.ask(MAKE, origins=origins))["done"]
        assert (done["__typename"], done["field"]) == ("InvalidInput", "origins")

    play(world, story)


def test_a_publishable_key_is_shown_once_and_listed_with_its_origins(world: World) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        origins = ["HTTPS://Shop.Example:443/", "http://localhost:5173"]
        first = (await admin.ask(MAKE, origins=origins, key="k-1"))["done"]
        again = (await admin.ask(MAKE, origins=origins, key="k-1"))["done"]
        assert again == {**first, "secret": None, "replayed": True}
        (row,) = [
            each
            for each in (await admin.ask("{ apiKeys { id scopes origins } }"))["apiKeys"]
            if each["id"] == first["keyId"]
        ]
        assert row["scopes"] == ["CARTS"]
        assert row["origins"] == ["http://localhost:5173", SHOP]
        for scope in set(Scope) - {Scope.ADMIN, Scope.CLIENT}:
            other = await hub.caller(scope)
            answer = (await other.ask(MAKE, origins=origins))["done"]
            assert answer["__typename"] == "Forbidden"

    play(world, story)


@pytest.mark.parametrize(
    ("document", "given", "field"),
    [
        (RESERVE, {"key": "short"}, "idempotencyKey"),
        (RESERVE, {"cart": "cart-1"}, "cart"),
        (RESERVE, {"quantity": 101}, "lines"),
        (RESERVE, {"ttl": 3_601}, "ttlSeconds"),
        (CHECKOUT, {"cart": "cart-1"}, "cart"),
        (CHECKOUT, {"order": {"paid": True}}, "order"),
        (CHECKOUT, {"order": {"customerRef": "c-1"}}, "order"),
        (CHECKOUT, {"order": {"total": "0.00"}}, "order"),
        (CHECKOUT, {"order": {"total": "-1"}}, "order"),
    ],
)
def test_what_shoppers_share_is_not_theirs_to_spoil(
    world: World, document: str, given: dict[str, Any], field: str
) -> None:
    world.receive("SN-1")

    async def story(hub: Hub) -> None:
        await pushed(hub)
        shopper = await page(hub)
        values = {"key": name(), "cart": name(), **given}
        done = (await shopper.ask(document, **values))["done"]
        assert (done["__typename"], done["field"]) == ("InvalidInput", field)
        staff = await hub.caller(Scope.ORDERS)
        if document == RESERVE and "quantity" not in given:
            assert (await staff.ask(document, **values))["done"]["__typename"] == "ReserveOutcome"

    play(world, story)


def test_sockets_are_held_to_the_same_origins_and_documents(world: World) -> None:
    async def story(hub: Hub) -> None:
        await pushed(hub)
        shopper = await page(hub)
        key = shopper.http.headers["authorization"].partition(" ")[2]
        async with serve(hub.app, lifespan="on") as url:
            async with socket_to(url, SHOP) as socket:
                await socket.introduce(key)
                assert (await socket.hear())["type"] == "connection_ack"
                asked = {"query": STOCK, "variables": {"skus": ["CAM"]}}
                await socket.say(type="subscribe", id="1", payload=asked)
                assert (await socket.hear())["payload"]["data"]["availability"]
                assert (await socket.hear())["type"] == "complete"
                await socket.subscribe()
                assert await socket.refusal() == "DOCUMENT_NOT_TRUSTED"
            await page(hub, "https://other.example")
            async with socket_to(url) as socket:  # no page at all
                await socket.introduce(key)
                with pytest.raises(ConnectionClosed):
                    await socket.hear()
            with pytest.raises(InvalidStatus):
                async with socket_to(url, "https://evil.example"):
                    pass

    play(world, story)


def test_the_public_schema_is_whole_and_names_only_what_exists() -> None:
    whole = core_schema(schema)
    for type_name, fields in PUBLIC.items():
        known = getattr(whole.type_map[type_name], "fields", {})
        assert set(fields) <= set(known), type_name
    public = build_schema(public_sdl(whole))
    for _, text in DOCUMENTS:
        assert validate(public, parse(text)) == []
    secrets = {"Unit", "Channel", "Supplier", "ApiKey", "Warranty", "ExceptionCase"}
    assert secrets.isdisjoint(public.type_map)
    shown = {
        f"{type_name}.{field}"
        for type_name, found in public.type_map.items()
        if not type_name.startswith("__")
        for field in getattr(found, "fields", {})
        if type_name in PUBLIC
    }
    assert shown == COORDINATES


def hidden_roots() -> dict[str, str]:
    """Return a valid document for each root field that is not public, by its coordinate."""
    whole, found = core_schema(schema), dict[str, str]()
    for root in (whole.query_type, whole.mutation_type, whole.subscription_type):
        assert root is not None
        for field, each in root.fields.items():
            declared = ", ".join(f"${name}: {given.type}" for name, given in each.args.items())
            given = ", ".join(f"{name}: ${name}" for name in each.args)
            inner = "" if is_leaf_type(get_named_type(each.type)) else " { __typename }"
            found[f"{root.name}.{field}"] = (
                f"{root.name.lower()} Ask{f'({declared})' if declared else ''} "
                f"{{ {field}{f'({given})' if given else ''}{inner} }}"
            )
    return {coordinate: text for coordinate, text in found.items() if coordinate not in COORDINATES}


def test_every_root_field_that_is_not_public_is_refused_even_where_it_is_trusted(
    world: World,
) -> None:
    hidden = hidden_roots()
    assert len(hidden) > 200
    for coordinate, text in hidden.items():
        with pytest.raises(InvalidInput, match=f"not public: {re.escape(coordinate)}"):
            public_documents.check(schema, [("ask", text)])
    # Somebody has put them into the table all the same.
    pages = [list(hidden.items())[at : at + 200] for at in range(0, len(hidden), 200)]
    for documents in pages:
        world.write(lambda tx, of=documents: trusted_documents.push(tx, dict(of), "x", world.now))

    async def story(hub: Hub) -> None:
        shopper = await page(hub)
        for coordinate, text in hidden.items():
            answer = await shopper.post(text)
            (error,) = answer.json()["errors"]
            assert error["extensions"]["code"] == "FIELD_NOT_PUBLIC", coordinate
            assert coordinate in error["message"]

    play(world, story)


def test_asking_for_too_much_leaves_other_shoppers_alone(world: World) -> None:
    async def story(hub: Hub) -> None:
        await pushed(hub)
        shopper = await page(hub)
        authorization = shopper.http.headers["authorization"]

        async def at(address: str) -> httpx.Response:
            transport = httpx.ASGITransport(app=hub.app, client=(address, 1))
            headers = {"authorization": authorization, "origin": SHOP}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://hub", headers=headers
            ) as http:
                body = {"query": STOCK, "variables": {"skus": ["CAM"] * 200}}
                return await http.post("/graphql", json=body)

        for _ in range(60):
            answer = await at("192.0.2.1")
            if answer.status_code == 429:
                break
        assert answer.status_code == 429
        assert (await at("192.0.2.2")).status_code == 200

    play(world, story)
