"""Any command of the API: its document and its arguments are made from the schema.

Arguments are drawn from what exists in the world, so that many a command succeeds, and from what
does not, so that others are refused. A mutation that is new is commanded without a word here, as
long as the names of its arguments are known.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    Undefined,
    get_named_type,
)
from hypothesis import strategies as st

from hub_api.engine.documents import core_schema
from hub_api.schema import schema
from world import World

CORE = core_schema(schema)
KEY = "idempotencyKey"
RESULTS = "results { identifier accepted status unitId problem { code message } }"
PROBLEM = "... on Problem { code message }"

PLACES = ("WH", "WH-A1", "SHOP", "RETURNS")
PRODUCTS = ("CAM", "LENS", "SAW")
SERIALS = tuple(f"SN-{number}" for number in range(1, 10))

# Arguments whose values are ids of rows, by their names: where the rows are.
ROWS = {
    "returnId": "SELECT id FROM return_case",
    "claimId": "SELECT id FROM warranty_claim",
    "caseId": "SELECT id FROM exception_case",
    "eventId": "SELECT id FROM event",
    "orderLineId": "SELECT id FROM order_line",
    "orderId": "SELECT id FROM sales_order",
    "costId": "SELECT id FROM unit_cost",
    "closeAdvanceShipNotice.id": "SELECT id FROM delivery",
}
# Texts by the names of their arguments; any other text is a remark.
TEXTS: dict[str, Sequence[str]] = {
    "location": PLACES,
    "destination": PLACES,
    "identifier": SERIALS,
    "serial": SERIALS,
    "scanned": SERIALS,
    "sku": PRODUCTS,
    "product": PRODUCTS,
    "productExpected": PRODUCTS,
    "ref": ("R-1", "R-2"),
    "supplier": ("ACME", "BOLT"),
    "scheme": ("imei", "asset"),
    "value": ("490154203237518", "A-1", "A-2"),
    "condition": ("new", "used"),
    "currency": ("EUR", "GBP"),
    "lot": ("L-1", "L-2"),
    "receipt": ("T-1", "T-2"),
    "reference": ("K-1", "K-2"),
    "provider": ("Soft", "Cover"),
    "recall": ("R-1", "R-2"),
    "channel": ("rec",),
    "customerRef": ("c-1", "c-2"),
    "client": ("CLIENT",),
}
# What a recall may describe.
PREDICATES = (
    {"products": ["CAM"]},
    {"serials": ["SN-1", "SN-2"]},
    {"component": {"products": ["LENS"]}},
    {"lots": ["L-1"]},
)
# Arguments that name a second unit beside the one that a command is about.
OTHERS = {"parts", "new", "replacement", "absorb"}
DEPTH_MAX = 3  # a predicate of a recall holds another one
LEAVES: dict[str, tuple[Any, Any]] = {
    "String": ("a", "b"),
    "ID": ("a", "b"),
    "Int": (1, 2),
    "Amount": (1, 2),
    "Money": (1, 2),
    "Float": (1.5, 2.5),
    "Boolean": (False, True),
    "Date": ("2026-01-01", "2026-01-02"),
    "Decimal": ("1.10", "1.11"),
    "DateTime": ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
    "JSON": ({"a": 1}, {"a": 2}),
}
REMARKS = ("because", "again", "found so")


def mutations() -> list[str]:
    """Return the names of all mutations."""
    assert CORE.mutation_type is not None
    return sorted(CORE.mutation_type.fields)


@cache
def document(mutation: str, names: tuple[str, ...]) -> str:
    """Write the document of one command with these arguments; plain fields are asked for."""
    assert CORE.mutation_type is not None
    asked = CORE.mutation_type.fields[mutation]
    declared = ", ".join(f"${name}: {asked.args[name].type}" for name in names)
    passed = ", ".join(f"{name}: ${name}" for name in names)
    answer = f"{{ __typename {_chosen(asked.type)} }}"
    return f"mutation({declared}) {{ done: {mutation}({passed}) {answer} }}"


def _chosen(answer: Any) -> str:
    named = get_named_type(answer)
    members = named.types if isinstance(named, GraphQLUnionType) else [named]
    chosen = [PROBLEM] if isinstance(named, GraphQLUnionType) else []
    for member in members:
        assert isinstance(member, GraphQLObjectType)
        if "Problem" not in {each.name for each in member.interfaces}:
            chosen.append(f"... on {member.name} {{ {' '.join(_plain(member))} }}")
    return " ".join(chosen)


def _plain(type_: GraphQLObjectType) -> list[str]:
    """Name the fields that need no selection and no arguments, and a movement's results."""
    found = []
    for name, each in type_.fields.items():
        if isinstance(get_named_type(each.type), GraphQLObjectType):
            named = get_named_type(each.type)
            found += [RESULTS] if str(named) == "UnitResult" and name == "results" else []
        elif not each.args:
            # The code of a record is no code of a problem, and has another type.
            found.append("itsCode: code" if name == "code" else name)
    return found


def base(type_: Any, depth: int = 0) -> Any:
    """Return a value of a type in which everything is given."""
    if isinstance(type_, GraphQLNonNull):
        return base(type_.of_type, depth)
    if isinstance(type_, GraphQLList):
        return [base(type_.of_type, depth)]
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        fields = type_.fields.items()
        return {
            name: base(each.type, depth + 1)
            for name, each in fields
            if isinstance(each.type, GraphQLNonNull) or depth < DEPTH_MAX
        }
    return LEAVES[type_.name][0]


@dataclass
class Situation:
    """What there is to command, and what was made to be used once."""

    world: World
    mutation: str = ""
    preferred: dict[str, str] = field(default_factory=dict)
    is_other: bool = False
    keys: "itertools.count[int]" = field(default_factory=itertools.count)

    def arguments(
        self, mutation: str, draw: Callable[[Any], Any], **preferred: str
    ) -> dict[str, Any] | None:
        """Draw the arguments of a command; None where what it is about does not exist yet.

        `preferred` are values for texts of these names; one in four is drawn all the same.
        """
        assert CORE.mutation_type is not None
        self.mutation, self.preferred = mutation, preferred
        given: dict[str, Any] = {}
        for name, each in CORE.mutation_type.fields[mutation].args.items():
            needed = isinstance(each.type, GraphQLNonNull) and each.default_value is Undefined
            if not needed and draw(st.integers(0, 2)):
                continue
            self.is_other = name in OTHERS
            value = self._value(name, each.type, draw)
            if value is None and needed:
                return None
            if value is not None:
                given[name] = value
        return given

    def _value(self, name: str, type_: Any, draw: Callable[[Any], Any]) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._value(name, type_.of_type, draw)
        if isinstance(type_, GraphQLList):
            rows = []
            for _ in range(draw(st.integers(1, 3))):
                rows.append(self._value(name, type_.of_type, draw))
                self.is_other = True  # the first is the one that is meant
            return None if None in rows else rows
        if isinstance(type_, GraphQLEnumType):
            return draw(st.sampled_from(sorted(type_.values)))
        if isinstance(type_, GraphQLInputObjectType):
            return self._object(type_, draw)
        return self._scalar(name, str(type_), draw)

    def _object(self, type_: GraphQLInputObjectType, draw: Callable[[Any], Any]) -> Any:
        given = {}
        for name, each in type_.fields.items():
            needed = isinstance(each.type, GraphQLNonNull) and each.default_value is Undefined
            if needed or draw(st.integers(0, 5)) == 0:
                value = self._value(name, each.type, draw)
                if value is not None:
                    given[name] = value
        return given

    def _scalar(self, name: str, type_: str, draw: Callable[[Any], Any]) -> Any:
        if name == KEY:
            return f"key-{next(self.keys)}"
        if (rows := ROWS.get(f"{self.mutation}.{name}") or ROWS.get(name)) is not None:
            found = [row["id"] for row in self.world.rows(f"{rows} ORDER BY id LIMIT 50")]
            if not found:
                return None
            return found[-1] if draw(st.integers(0, 3)) else draw(st.sampled_from(found))
        match type_:
            case "String" | "ID":
                if name in self.preferred and not self.is_other and draw(st.integers(0, 3)):
                    return self.preferred[name]
                return draw(st.sampled_from(TEXTS.get(name, REMARKS)))
            case "Int" | "Amount":
                return draw(st.integers(0, 3))
            case "Float":
                return draw(st.sampled_from((0.0, 4.5, 20.0)))
            case "Decimal":
                return draw(st.sampled_from(("0", "0.10", "19.99", "-1")))
            case "Boolean":
                return draw(st.booleans())
            case "Date":
                return self.world.now.date().isoformat()
            case "DateTime":
                return self.world.now.isoformat()
            case "JSON" if name == "predicate":
                return draw(st.sampled_from(PREDICATES))
        return {}
