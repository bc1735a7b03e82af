"""The check against official contracts refuses what it should; it runs without any of them."""

from typing import Any

import httpx
import pytest

from contracts import Contract

ITEM = {
    "type": "object",
    "required": ["sku"],
    "properties": {
        "sku": {"type": "string", "maxLength": 5},
        "quantity": {"type": "integer", "minimum": 0},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "id": {"type": "string", "readOnly": True},
        "free": {"type": "object"},
        "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    },
}
SPEC: dict[str, Any] = {
    "components": {"schemas": {"Item": ITEM, "More": {"type": "object", "required": ["kind"]}}},
    "paths": {
        "/items/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Page"}],
            "put": {
                "operationId": "setItem",
                "parameters": [{"name": "X-Who", "in": "header", "required": True}],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "allOf": [
                                    {"$ref": "#/components/schemas/Item"},
                                    {"$ref": "#/components/schemas/More"},
                                ]
                            }
                        }
                    },
                },
            },
        },
        "/items": {
            "get": {
                "operationId": "listItems",
                "parameters": [
                    {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}},
                    {"name": "page", "in": "query", "schema": {"type": "integer", "maximum": 9}},
                ],
            }
        },
    },
}
SPEC["components"]["parameters"] = {
    "Page": {"name": "page", "in": "query", "schema": {"type": "integer"}}
}
GOOD = {"sku": "A", "kind": "a", "quantity": 1, "free": {"any": 1}, "either": 4}


def put(body: Any, query: str = "", who: str = "me") -> httpx.Request:
    headers = {"x-who": who} if who else {}
    return httpx.Request("PUT", f"http://x/api/items/7{query}", json=body, headers=headers)


def test_a_good_request_is_counted() -> None:
    contract = Contract(SPEC)
    contract.check(put(GOOD, "?page=2"), "/api")
    contract.check(httpx.Request("GET", "http://x/api/items?q=1&page=9"), "/api")
    assert contract.checked == ["setItem", "listItems"]
    assert not contract.knows(httpx.Request("POST", "http://x/api/items"), "/api")


@pytest.mark.parametrize(
    "request_",
    [
        put({**GOOD, "unknown": 1}),
        put({**GOOD, "id": "read only"}),
        put({**GOOD, "sku": "too long"}),
        put({**GOOD, "quantity": "1"}),
        put({**GOOD, "quantity": True}),
        put({**GOOD, "quantity": -1}),
        put({**GOOD, "kind": "c"}),
        put({**GOOD, "either": []}),
        put({"sku": "A"}),
        put({"kind": "a"}),
        put([]),
        put(GOOD, "?nope=1"),
        put(GOOD, "?page=two"),
        put(GOOD, who=""),
        httpx.Request("PUT", "http://x/api/items/7", headers={"x-who": "me"}),
        httpx.Request("PUT", "http://x/api/items/7", data={"a": "b"}, headers={"x-who": "me"}),
        httpx.Request("GET", "http://x/api/items"),
        httpx.Request("GET", "http://x/api/items?q=1&page=10"),
        httpx.Request("GET", "http://x/elsewhere"),
    ],
)
def test_a_bad_request_is_refused(request_: httpx.Request) -> None:
    with pytest.raises(AssertionError):
        Contract(SPEC).check(request_, "/api")
