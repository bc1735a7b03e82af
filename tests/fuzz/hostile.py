"""Hostile texts in every argument of every root field, and the questions of attackers' tools.

Each seed draws texts that broke something elsewhere: quotes and templates of other languages,
paths, control characters, bidirectional marks, lone surrogates, long numbers. Whatever is drawn,
the answer is no error of ours: a result, a refusal, or a refusal of the whole document.
"""

import random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
)

from commanding import CORE
from lagging import selection

TEXTS = (
    "", " ", "'", '"', "' OR 1=1 --", "\"; DROP TABLE unit; --", "{{7*7}}", "${7*7}", "<script>",
    "../../etc/passwd", "%00", "\0", "\x1b[31m", "\u202e", "\u200b", "\ufeff", "é" * 300, "𝟙𝟚𝟛",
    "ß", "İ", "1" * 400, "-1", "1e309", "NaN", "null", "0x41", "]]>", "a" * 5_000, "\r\nA: x",
    "(A+)+B", "\ud800", "🧪" * 40, "http://169.254.169.254/", "file:///etc/passwd", "%s%n", "{0}",
)  # fmt: skip
SCALARS: dict[str, tuple[Any, ...]] = {
    "Int": (0, -1, 1, 2**31 - 1, -(2**31), 2**31, 1.5, "1", None),
    "Float": (0, -0.0, 1e308, -1e308, 5e-324, 2**70, "x"),
    "Boolean": (True, False, None, 0, "true"),
    "Date": ("2026-02-30", "0001-01-01", "9999-12-31", "", "2026-W01-1", 5),
    "DateTime": ("2026-01-01T00:00:00", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
                 "0001-01-01T00:00:00+14:00", "now", 0),
    "Decimal": ("1e999999", "NaN", "-0", "0.0000000000000000001", "1,5", "1" * 200),
    "JSON": ({}, [], {"a": {"b": [1] * 50}}, "x", None, {"__proto__": 1}, {"": ""}),
}  # fmt: skip
OTHERS = ("Amount", "Money")
#: What tools such as graphql-cop ask; none may be served.
ATTACKS = (
    "{ __schema { types { name fields { name type { name ofType { name } } } } } }",
    "query { " + " ".join(f"a{n}: viewer {{ name }}" for n in range(200)) + " }",
    "query { viewer " + "@include(if: true) " * 500 + "{ name } }",
    "query { viewer { " + "name " * 3_000 + "} }",
    "{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }",
    "{ vieweer { name } }",
    "query A { viewer { name } } query B { viewer { name } }",
    "subscription { a: unitEvents { id } b: unitEvents { id } }",
)


def asked(draw: random.Random, kind: str, name: str) -> dict[str, Any]:
    """Return the body that asks a root field with hostile arguments."""
    root = CORE.query_type if kind == "query" else CORE.mutation_type
    assert root is not None
    field = root.fields[name]
    given = {
        key: value(draw, each.type)
        for key, each in field.args.items()
        if isinstance(each.type, GraphQLNonNull) or draw.random() < 0.5
    }
    declared = ", ".join(f"${key}: {field.args[key].type}" for key in given)
    passed = ", ".join(f"{key}: ${key}" for key in given)
    head, call = (f"{kind}({declared})", f"{name}({passed})") if given else (kind, name)
    return {"query": f"{head} {{ {call} {selection(field.type, 2)} }}", "variables": given}


def value(draw: random.Random, type_: Any, depth: int = 0) -> Any:
    """Draw a hostile value of a type; one in twenty is of another type."""
    if isinstance(type_, GraphQLNonNull):
        return value(draw, type_.of_type, depth)
    if draw.random() < 0.05:
        return draw.choice((None, [], {}, "x", 7, [[[]]], True))
    if isinstance(type_, GraphQLList):
        return [value(draw, type_.of_type, depth + 1) for _ in range(draw.choice((0, 1, 2, 5)))]
    if isinstance(type_, GraphQLEnumType):
        return draw.choice((*type_.values, "NO_SUCH"))
    if isinstance(type_, GraphQLInputObjectType):
        return {
            key: value(draw, each.type, depth + 1)
            for key, each in type_.fields.items()
            if isinstance(each.type, GraphQLNonNull) or (depth < 4 and draw.random() < 0.4)
        }
    assert isinstance(type_, GraphQLScalarType)
    numbers = SCALARS["Int"] if type_.name in OTHERS else ()
    return draw.choice(SCALARS.get(type_.name) or numbers or TEXTS)
