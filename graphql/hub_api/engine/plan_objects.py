"""The working parts of a plan: how one object, and one field of it, is answered.

See `plan` for what they are for.
"""

from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    GraphQLBoolean,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLString,
    Undefined,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution import Executor
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path

INT_MAX = 2**31
#: Combinations of Python types remembered for one selection.
KINDS_MAX = 64

#: Python types whose values these scalars hand on as they are; numbers are looked at one by one.
AS_IS: dict[object, type] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}

#: Completes a value for the answer: value, execution, path and Info of its field.
Complete = Callable[[Any, "Run", Path | None, Any], Any]
_Coercion = tuple[str, Callable[[Any], Any], bool]


class Bail(Exception):
    """Something unusual. Next: graphql-core answers the query from the beginning."""


class Waiting(NamedTuple):
    """A value that is still to come, and where it belongs."""

    value: Awaitable[Any]
    out: dict[str, Any]
    key: str
    complete: Complete
    path: Path | None
    info: Any


class Run:
    """One execution of a plan."""

    __slots__ = ("arguments", "executor", "waiting")

    def __init__(self, executor: Executor[Any]) -> None:
        self.executor = executor
        self.arguments: dict[int, dict[str, Any]] = {}
        self.waiting: list[Waiting] = []


class Field:
    """One field with a resolver, or with a value that is more than a scalar."""

    __slots__ = ("attribute", "complete", "definition", "key", "needs_info", "nodes", "parent")

    def __init__(
        self,
        key: str,
        definition: GraphQLField,
        parent: GraphQLObjectType,
        nodes: list[FieldNode],
        complete: Complete,
    ) -> None:
        self.key, self.definition, self.parent, self.nodes = key, definition, parent, nodes
        self.complete = complete
        self.attribute = _attribute(definition)
        named = get_named_type(definition.type)
        self.needs_info = (
            self.attribute is None
            or is_abstract_type(named)
            or (is_object_type(named) and named.is_type_of is not None)
        )

    def resolve(self, source: Any, run: Run, out: dict[str, Any], path: Path | None) -> None:
        """Put the completed value into `out`, or note that it is still to come."""
        here = Path(path, self.key, self.parent.name)
        info: Any = None
        if self.needs_info:
            info = run.executor.build_resolve_info(self.definition, self.nodes, self.parent, here)
        if self.attribute is not None:
            value = getattr(source, self.attribute)
        else:
            value = self.definition.resolve(source, info, **self.arguments(run))  # type: ignore[misc]
        if hasattr(value, "__await__"):
            run.waiting.append(Waiting(value, out, self.key, self.complete, here, info))
        else:
            out[self.key] = self.complete(value, run, here, info)

    def arguments(self, run: Run) -> dict[str, Any]:
        """Return the arguments, coerced once per execution and not once per object."""
        known = run.arguments.get(id(self))
        if known is None:
            node = self.nodes[0]
            known = (
                get_argument_values(self.definition, node, run.executor.variable_values)
                if self.definition.args or node.arguments
                else {}
            )
            run.arguments[id(self)] = known
        return known


def _attribute(definition: GraphQLField) -> str | None:
    """Return the attribute a field reads and nothing else, or None when it has a resolver."""
    field = definition.extensions.get("strawberry-definition")
    plain = getattr(definition.resolve, "__name__", "") == "_get_basic_result"
    if field is None or not plain or field.default_resolver is not getattr:
        return None
    return str(field.python_name)


class Leaf(NamedTuple):
    """A scalar or enum that is a plain attribute."""

    key: str
    attribute: str
    type: GraphQLLeafType
    nullable: bool


class ObjectPlan:
    """How the selected fields of one object type are answered."""

    def __init__(self, leaves: list[Leaf], fields: list[Field], template: dict[str, Any]) -> None:
        self._fields = tuple(fields)
        self._template = template
        self._keys = tuple(leaf.key for leaf in leaves)
        names = [leaf.attribute for leaf in leaves]
        self._read = attrgetter(*names) if names else None
        self._single = len(names) == 1
        self._leaves = tuple(leaves)
        self._all = tuple((leaf.key, coercion(leaf.type), leaf.nullable) for leaf in leaves)
        self._some = tuple(
            coercion
            for coercion, leaf in zip(self._all, leaves, strict=True)
            if leaf.type not in AS_IS
        )
        # Combinations of Python types that were found to need no coercion at all.
        self._good: set[tuple[type, ...]] = set()

    def build(self, source: Any, run: Run, path: Path | None) -> dict[str, Any]:
        """Answer one object."""
        out = self._template.copy()
        if self._read is not None:
            values = self._read(source)
            if self._single:
                values = (values,)
            out.update(zip(self._keys, values))  # noqa: B905
            kinds = tuple(map(type, values))
            coercions = self._some if kinds in self._good else self._careful(kinds)
            for key, coerce, nullable in coercions:
                value = out[key]
                if value is not None:
                    out[key] = coerce(value)
                elif not nullable:
                    raise Bail
        for field in self._fields:
            field.resolve(source, run, out, path)
        return out

    def _careful(self, kinds: tuple[type, ...]) -> tuple[_Coercion, ...]:
        """Return every coercion, unless these types need only some: then remember that."""
        for kind, leaf in zip(kinds, self._leaves, strict=True):
            expected = AS_IS.get(leaf.type)
            if expected is not None and kind is not expected:
                if kind is type(None) and leaf.nullable:
                    continue
                return self._all
        if len(self._good) < KINDS_MAX:
            self._good.add(kinds)
        return self._some


def coercion(leaf: GraphQLLeafType) -> Callable[[Any], Any]:
    """Return what brings a value of this type into the answer, as graphql-core would."""
    coerce = leaf.coerce_output_value
    expected = AS_IS.get(leaf)

    def integer(value: Any) -> Any:
        return value if type(value) is int and -INT_MAX <= value < INT_MAX else other(value)

    def floating(value: Any) -> Any:
        return value if type(value) is float and value - value == 0 else other(value)

    def as_is(value: Any) -> Any:
        return value if type(value) is expected else other(value)

    def other(value: Any) -> Any:
        if hasattr(value, "__await__"):
            raise Bail
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise Bail
        return coerced

    if expected is not None:
        return as_is
    return integer if leaf is GraphQLInt else floating if leaf is GraphQLFloat else other


def leaf_of(key: str, definition: GraphQLField) -> Leaf | None:
    """Return a field as a plain scalar attribute, or None when it is more than that."""
    attribute = _attribute(definition)
    nullable = not is_non_null_type(definition.type)
    inner = definition.type if nullable else definition.type.of_type  # type: ignore[union-attr]
    if attribute is None or not is_leaf_type(inner):
        return None
    return Leaf(key, attribute, inner, nullable)
