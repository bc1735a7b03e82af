"""The OpenAPI document: what is no GraphQL answers as it is described."""

import re
from typing import Any

import pytest

from api_client import Hub, play
from hub.access.keys import Scope
from hub_api.http.openapi import document
from world import World

PATHS = document()["paths"]


def described(path: str, method: str, status: int) -> Any:
    """Return the schema of an answer; it must be in the document."""
    responses = PATHS[path][method]["responses"]
    assert str(status) in responses, f"{method} {path} answers {status}, which is not described"
    return responses[str(status)]["content"]["application/json"]["schema"]


def fits(value: Any, schema: Any) -> None:
    """Compare an answer with its schema, as far as these schemas go."""
    if schema.get("type") == "object":
        assert isinstance(value, dict)
        assert set(schema.get("required", ())) <= set(value)
        for name, each in schema.get("properties", {}).items():
            if name in value:
                fits(value[name], each)
    elif kind := schema.get("type"):
        types: dict[str, type] = {"string": str, "integer": int, "boolean": bool}
        assert isinstance(value, types[kind]), (value, schema)


@pytest.mark.parametrize(
    ("method", "path", "given", "status"),
    [
        ("post", "/imports?location=WH&name=a.csv", {"content": b"serial\nSN-1\n"}, 202),
        ("post", "/imports?location=WH&product=CAM", {"content": b"serial\nSN-1\n"}, 202),
        ("post", "/imports?location=NO-SUCH", {"content": b"serial\nSN-1\n"}, 422),
        ("post", "/imports", {"content": b""}, 422),
        ("post", "/imports?dryRun=maybe", {"content": b"x"}, 422),
        ("post", "/webhooks/nobody", {"json": {}}, 401),
        ("get", "/webhooks/nobody", {}, 405),
        ("get", "/healthz", {}, 200),
        ("get", "/readyz", {}, 200),
    ],
)
def test_answers_are_as_described(
    world: World, method: str, path: str, given: dict[str, Any], status: int
) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        answer = await admin.http.request(method, path, **given)
        template = re.sub(r"/webhooks/\w+", "/webhooks/{channel}", path.partition("?")[0])
        assert answer.status_code == status
        fits(answer.json(), described(template, method, status))

    play(world, story)


def test_who_may_not_import_is_told_as_described(world: World) -> None:
    async def story(hub: Hub) -> None:
        for caller, status in ((await hub.with_secret(None), 401),
                               (await hub.caller(Scope.POS), 403)):  # fmt: skip
            answer = await caller.http.post("/imports", content=b"x")
            assert answer.status_code == status
            fits(answer.json(), described("/imports", "post", status))

    play(world, story)


def test_the_document_is_public_and_every_path_of_it_exists(world: World) -> None:
    async def story(hub: Hub) -> None:
        nobody = await hub.with_secret(None)
        answer = await nobody.http.get("/openapi.json")
        assert answer.json() == document()
        same = await nobody.http.get(
            "/openapi.json", headers={"if-none-match": answer.headers["etag"]}
        )
        assert same.status_code == 304
        for path in PATHS:
            wrong = await nobody.http.request("PUT", path.replace("{channel}", "x"))
            allowed = {each.strip().lower() for each in wrong.headers["allow"].split(",")}
            assert wrong.status_code == 405
            assert allowed - {"head"} == {name for name in PATHS[path] if name != "parameters"}

    play(world, story)
