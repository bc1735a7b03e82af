"""Hold what a connector sends against the official OpenAPI contract of its channel.

The contracts are not part of this repository: `Contract.at` skips a test that finds none, and says
how to bring them. The check is stricter than a server: what the contract does not name breaks it.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

SHARED = Path(__file__).parents[1].parent / "shared"
SPECS = Path(os.environ.get("SERIAL_HUB_SPECS", SHARED / "specs"))
EXAMPLES = SPECS.parent / "examples"
HOW = "set SERIAL_HUB_SPECS to the folder that holds the channels' official contracts"
KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
    "boolean": bool,
}
WRITTEN = {"integer": r"-?\d+", "number": r"-?\d+(\.\d+)?", "boolean": r"true|false"}


def example(*parts: str) -> Any:
    """Read an official example, or skip the test that wants it."""
    path = EXAMPLES.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no examples at {path}: {HOW}")
    return json.loads(path.read_text())


class Contract:
    """One OpenAPI 3 file. `checked` names the operations that were held against it."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.checked: list[str] = []

    @classmethod
    def at(cls, *parts: str) -> "Contract":
        """Read a contract, or skip the test that wants it."""
        path = SPECS.joinpath(*parts)
        if not path.exists():
            pytest.skip(f"no contract at {path}: {HOW}")
        return cls(json.loads(path.read_text()))

    def knows(self, request: httpx.Request, base: str) -> bool:
        """Say whether the contract names the method and the path of a request."""
        return self._operation(request, base) is not None

    def check(self, request: httpx.Request, base: str) -> None:
        """Fail with everything in which a request breaks the contract."""
        operation = self._operation(request, base)
        assert operation is not None, f"{request.method} {request.url.path} is in no contract"
        found = [*self._in_query(operation, request), *self._in_headers(operation, request)]
        found += self._in_body(operation, request)
        assert found == [], f"{request.method} {request.url}: {found}"
        self.checked.append(operation["operationId"])

    def _operation(self, request: httpx.Request, base: str) -> dict[str, Any] | None:
        path = request.url.raw_path.decode().partition("?")[0]
        if not path.startswith(base):
            return None
        found = None
        for known, item in self.spec["paths"].items():
            pattern = re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(known))
            if re.fullmatch(pattern, path.removeprefix(base)) and request.method.lower() in item:
                operation = item[request.method.lower()]
                shared = [*item.get("parameters", []), *operation.get("parameters", [])]
                found = {**operation, "parameters": [self._real(each) for each in shared]}
                if "{" not in known:  # a fixed path goes before one with a placeholder
                    return found
        return found

    def _in_query(self, operation: Mapping[str, Any], request: httpx.Request) -> Iterator[str]:
        known = {each["name"]: each for each in operation["parameters"] if each["in"] == "query"}
        sent = dict(request.url.params.multi_items())
        for name, value in sent.items():
            outer, _, inner = name.rstrip("]").partition("[")
            whole = self._real(known.get(outer, {}).get("schema", {}))
            if inner and inner in whole.get("properties", {}):
                continue  # of an object, as in `updated_at[$gte]`
            if name not in known:
                yield f"query {name}: not in the contract"
                continue
            schema = self._real(known[name].get("schema", {}))
            if name.endswith(":in"):  # a list, as its description says, not the one number
                schema = {}
            if ":asc" in known[name].get("description", ""):
                value = value.removesuffix(":asc").removesuffix(":desc")
            if not re.fullmatch(WRITTEN.get(schema.get("type", ""), r"[\s\S]*"), value):
                yield f"query {name}: {value} is no {schema['type']}"
                continue
            if value not in map(str, schema.get("enum", [value])):
                yield f"query {name}: {value} is no word of the contract"
            if schema.get("type") in ("integer", "number"):
                yield from _in_bounds(schema, float(value), f"query {name}")
        missing = {name for name, each in known.items() if each.get("required")} - set(sent)
        yield from (f"query {name} is missing" for name in missing)

    def _in_headers(self, operation: Mapping[str, Any], request: httpx.Request) -> Iterator[str]:
        wanted = [each for each in operation["parameters"] if each["in"] == "header"]
        for each in wanted:
            if each.get("required") and each["name"].lower() not in request.headers:
                yield f"header {each['name']} is missing"

    def _in_body(self, operation: Mapping[str, Any], request: httpx.Request) -> Iterator[str]:
        body = self._real(operation.get("requestBody") or {})
        if not request.content:
            if body.get("required"):
                yield "the body is missing"
            return
        content = body.get("content", {})
        kind = request.headers["content-type"].partition(";")[0]
        if kind not in content:
            yield f"no body of the kind {kind} is wanted"
            return
        yield from self.problems(content[kind].get("schema", {}), json.loads(request.content), "$")

    def problems(self, schema: Any, value: Any, at: str) -> Iterator[str]:
        """Say where a value breaks a schema; unknown and read-only fields break it too."""
        schema = self._whole(schema)
        for choice in ("oneOf", "anyOf"):
            if choice in schema:
                tried = [list(self.problems(each, value, at)) for each in schema[choice]]
                if all(tried):
                    yield from min(tried, key=len)
                return
        kind = KINDS.get(schema.get("type", ""), object)
        if value is None and schema.get("nullable"):
            return
        boolean = isinstance(value, bool) and kind not in (bool, object)
        if not isinstance(value, kind) or boolean:
            yield f"{at}: not a {schema['type']}"
            return
        if isinstance(value, list):
            for index, each in enumerate(value):
                yield from self.problems(schema.get("items", {}), each, f"{at}.{index}")
            yield from _in_length(schema, value, at, "Items")
        elif isinstance(value, dict):
            yield from self._in_object(schema, value, at)
        elif isinstance(value, str):
            yield from _in_length(schema, value, at, "Length")
        elif isinstance(value, int | float):
            yield from _in_bounds(schema, value, at)
        if isinstance(value, str | int) and value not in schema.get("enum", [value]):
            yield f"{at}: {value} is no word of the contract"

    def _in_object(self, schema: Any, value: dict[str, Any], at: str) -> Iterator[str]:
        known = schema.get("properties")
        if known is None or schema.get("additionalProperties"):
            return
        missing = [name for name in schema.get("required", ()) if name not in value]
        yield from (f"{at}: {name} is missing" for name in missing)
        for name, each in value.items():
            if name not in known or self._real(known[name]).get("readOnly"):
                yield f"{at}.{name}: not to be sent"
            else:
                yield from self.problems(known[name], each, f"{at}.{name}")

    def _whole(self, schema: Any) -> dict[str, Any]:
        """Follow references and put the parts of ``allOf`` together."""
        real = dict(self._real(schema))
        for part in real.pop("allOf", []):
            other = self._whole(part)
            for name, each in other.items():
                if name == "properties":
                    real[name] = {**each, **real.get(name, {})}
                elif name == "required":
                    real[name] = [*real.get(name, []), *each]
                else:
                    real.setdefault(name, each)
        return real

    def _real(self, part: Any) -> Any:
        while isinstance(part, dict) and "$ref" in part:
            found: Any = self.spec
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[unquote(step).replace("~1", "/").replace("~0", "~")]
            part = found
        return part


def _in_length(schema: Any, value: Any, at: str, kind: str) -> Iterator[str]:
    if not schema.get(f"min{kind}", 0) <= len(value) <= schema.get(f"max{kind}", len(value)):
        yield f"{at}: too long or too short"


def _in_bounds(schema: Any, value: float, at: str) -> Iterator[str]:
    if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{at}: {value} is out of bounds"
