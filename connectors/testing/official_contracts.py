"""Hold what a connector sends against the official contract of its channel: OpenAPI 3 or GraphQL.

The contracts are not part of this repository: whoever has them names their folder. The check of
OpenAPI is stricter than a server: what the contract does not name breaks it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
from graphql import GraphQLError, GraphQLSchema, build_schema, parse, validate
from graphql.execution.values import get_variable_values
from graphql.language import OperationDefinitionNode

from connectors.testing.case import require
from connectors.testing.simulator_driver import OfficialContract

PROBLEMS_MAX = 5
KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
    "boolean": bool,
}
WRITTEN = {"integer": r"-?\d+", "number": r"-?\d+(\.\d+)?", "boolean": r"true|false"}


class Contract:
    """One OpenAPI 3 file. `checked` names the operations that were validated against it."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.checked: list[str] = []

    def knows(self, request: httpx.Request, base: str) -> bool:
        """Say whether the contract names the method and the path of a request."""
        return self.operation(request, base) is not None

    def check(self, request: httpx.Request, base: str) -> None:
        """Fail with everything in which a request breaks the contract."""
        operation = self.operation(request, base)
        require(operation, f"{request.method} {request.url.path} is in no contract")
        assert operation is not None
        found = [*self._in_query(operation, request), *self._in_headers(operation, request)]
        found += self._in_body(operation, request)
        require(found == [], f"{request.method} {request.url.path}: {found}")
        self.checked.append(operation.get("operationId") or f"{request.method} {request.url.path}")

    def operation(self, request: httpx.Request, base: str) -> dict[str, Any] | None:
        """Return what the contract says of a request; None where it names no such path."""
        path = request.url.raw_path.decode().partition("?")[0]
        if not path.startswith(base):
            return None
        found = None
        for known, item in self.spec["paths"].items():
            pattern = re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(known))
            if re.fullmatch(pattern, path.removeprefix(base)) and request.method.lower() in item:
                operation = item[request.method.lower()]
                shared = [*item.get("parameters", []), *operation.get("parameters", [])]
                found = {**operation, "parameters": [self.real(each) for each in shared]}
                if "{" not in known:  # a fixed path goes before one with a placeholder
                    return found
        return found

    def _in_query(self, operation: Mapping[str, Any], request: httpx.Request) -> Iterator[str]:
        known = {each["name"]: each for each in operation["parameters"] if each["in"] == "query"}
        sent = dict(request.url.params.multi_items())
        for name, value in sent.items():
            outer, _, inner = name.rstrip("]").partition("[")
            whole = self.real(known.get(outer, {}).get("schema", {}))
            if inner and inner in whole.get("properties", {}):
                continue  # of an object, as in `updated_at[$gte]`
            if name not in known:
                yield f"query {name}: not in the contract"
                continue
            schema = self.real(known[name].get("schema", {}))
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
        body = self.real(operation.get("requestBody") or {})
        if not request.content:
            if body.get("required"):
                yield "the body is missing"
            return
        content = body.get("content", {})
        kind = request.headers["content-type"].partition(";")[0]
        if kind not in content:
            yield f"no body of the kind {kind} is wanted"
            return
        form = kind == "application/x-www-form-urlencoded"
        sent = dict(parse_qsl(request.content.decode())) if form else json.loads(request.content)
        yield from self.problems(content[kind].get("schema", {}), sent, "$")

    def problems(self, schema: Any, value: Any, at: str) -> Iterator[str]:
        """Say where a value breaks a schema; unknown and read-only fields break it too."""
        schema = self.whole(schema)
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
        yield from self.of_kind(schema, value, at)
        if isinstance(value, str | int) and value not in schema.get("enum", [value]):
            yield f"{at}: {value} is no word of the contract"

    def of_kind(self, schema: Any, value: Any, at: str) -> Iterator[str]:
        """Say where a value of the right type breaks what is said of such values."""
        if isinstance(value, list):
            for index, each in enumerate(value):
                yield from self.problems(schema.get("items", {}), each, f"{at}.{index}")
            yield from _in_length(schema, value, at, "Items")
        elif isinstance(value, dict):
            yield from self.in_object(schema, value, at)
        elif isinstance(value, str):
            yield from _in_length(schema, value, at, "Length")
        elif isinstance(value, int | float):
            yield from _in_bounds(schema, value, at)

    def in_object(self, schema: Any, value: dict[str, Any], at: str) -> Iterator[str]:
        """Say where the properties of an object break its schema."""
        known = schema.get("properties")
        if known is None or schema.get("additionalProperties"):
            return
        missing = [name for name in schema.get("required", ()) if name not in value]
        yield from (f"{at}: {name} is missing" for name in missing)
        for name, each in value.items():
            if name not in known or self.real(known[name]).get("readOnly"):
                yield f"{at}.{name}: not to be sent"
            else:
                yield from self.problems(known[name], each, f"{at}.{name}")

    def whole(self, schema: Any) -> dict[str, Any]:
        """Follow references and put the parts of ``allOf`` together."""
        real = dict(self.real(schema))
        for part in real.pop("allOf", []):
            other = self.whole(part)
            for name, each in other.items():
                if name == "properties":
                    real[name] = {**each, **real.get(name, {})}
                elif name == "required":
                    real[name] = [*real.get(name, []), *each]
                else:
                    real.setdefault(name, each)
        return real

    def real(self, part: Any) -> Any:
        """Follow references to what they name."""
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


class DocumentContract(Contract):
    """An OpenAPI 3 file whose bodies are documents with a JSON Schema of their own.

    Raises ImportError where `jsonschema` is not installed.
    """

    def __init__(self, spec: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
        from jsonschema.validators import validator_for

        super().__init__(spec)
        self._document = validator_for(schema)(schema)

    def problems(self, schema: Any, value: Any, at: str) -> Iterator[str]:
        """Say where a document breaks its schema."""
        for error in self._document.iter_errors(value):
            yield f"{error.json_path.replace('$', at, 1)}: {error.message[:200]}"


class GraphContract:
    """The schema of a GraphQL API; `checked` names the operations validated against it."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        self.checked: list[str] = []

    def knows(self, request: httpx.Request, base: str) -> bool:
        """Say that a GraphQL API has one path, which the schema is about."""
        return True

    def check(self, request: httpx.Request, base: str) -> None:
        """Fail with everything in which a document or its variables break the schema."""
        asked = json.loads(request.content)
        document = parse(asked["query"])
        found = [error.message for error in validate(self.schema, document)]
        definitions = document.definitions
        operations = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
        for each in operations if not found else ():
            given = get_variable_values(
                self.schema, each.variable_definitions or (), asked.get("variables") or {}
            )
            found += [error.message for error in given] if isinstance(given, list) else []
            self.checked.append(each.name.value if each.name else "unnamed")
        require(not found, f"{asked['query'][:60]!r}: {found}")


@dataclass
class ContractReport:
    """What holding requests against contracts found."""

    checked: int = 0
    outside: int = 0
    """So many requests no contract of the folder speaks of."""
    operations: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def hold(
    requests: Sequence[httpx.Request], official: Sequence[OfficialContract], folder: Path
) -> ContractReport:
    """Hold requests against the contracts that a driver names; raises OSError where one lacks."""
    found = ContractReport()
    for request in requests:
        path = request.url.raw_path.decode().partition("?")[0]
        named = next((each for each in official if fits(each, path, request)), None)
        if named is None:
            found.outside += 1
            continue
        document = folder / named.document if named.document else None
        contract = contract_at(folder / named.file, tuple(named.declared.items()), document)
        if named.trimmed and not contract.knows(request, named.base):
            found.outside += 1
            continue
        before = len(contract.checked)
        try:
            contract.check(_as_of(named, request), named.base)
        except (AssertionError, GraphQLError, ValueError) as error:
            found.problems.append(str(error))
        else:
            found.checked += 1
            found.operations.update(contract.checked[before:])
    return found


def _as_of(contract: OfficialContract, request: httpx.Request) -> httpx.Request:
    """Return a request without the query parameters that only a newer edition names."""
    url = request.url
    for each in contract.newer_queries:
        path, _, name = each.partition("?")
        if url.path == path and name in url.params:
            url = url.copy_remove_param(name)
    return httpx.Request(request.method, url, headers=request.headers, content=request.content)


def fits(contract: OfficialContract, path: str, request: httpx.Request) -> bool:
    """Say whether a contract is about a request, by its path and its query."""
    if contract.when_query and contract.when_query not in request.url.params:
        return False
    return path.startswith(contract.base) and contract.within in path


@lru_cache(maxsize=32)
def contract_at(
    path: Path, declared: tuple[tuple[str, str], ...], document: Path | None = None
) -> Contract | GraphContract:
    """Read a contract, once; raises OSError where the folder lacks it."""
    if path.suffix == ".graphql":
        text = _with_declared(path.read_text(), declared)
        return GraphContract(build_schema(text, assume_valid=True, no_location=True))
    spec = json.loads(path.read_text())
    return DocumentContract(spec, json.loads(document.read_text())) if document else Contract(spec)


def _with_declared(text: str, declared: tuple[tuple[str, str], ...]) -> str:
    """Give types the custom fields that a server declares: an object in the place of JSON."""
    for name, fields in declared:
        start = re.search(rf"^type {name}\b", text, re.MULTILINE)
        assert start is not None, f"the schema has no type {name}"
        end = text.index("\n}", start.start())
        own = text[start.start() : end].replace("customFields: JSON", f"customFields: {name}Fields")
        text = f"{text[: start.start()]}{own}{text[end:]}\ntype {name}Fields {{ {fields} }}\n"
    return text
