"""Queries that are answered straight from the columns they ask for.

Where every root field of an operation names a `Source`, and everything selected below is a fact of
its `Shape`, the answer needs no resolver, no object and no execution of graphql-core: arguments are
coerced, the source reads the asked facts, a builder writes them down. Whatever is unusual, an error
too, raises `Bail`, and the query is asked again in the general way, which knows what to say of it.
A column that nobody asked for is not read: a record with an unreadable value there is answered.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    coerce_input_literal,
    coerce_input_value,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    type_from_ast,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetails, collect_fields, collect_subfields

from hub_api.engine.plan_objects import Bail
from hub_api.engine.shapes import (
    Builder,
    Fact,
    Part,
    Reading,
    Shape,
    is_plain_list,
    leaf_type,
)

Answer = Any
#: Completes a root field: the context, its arguments and the compiled selection.
Read = Callable[[Any, Mapping[str, Any], "Selected"], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Source:
    """How a root field is answered from records of a shape.

    `wrapper` lists the fields of objects around the records, as `edges` and `node` of a page; its
    innermost selections are compiled by the shape. `read` raises `Bail` for what it leaves to the
    general way.
    """

    shape: Shape
    read: Read
    arguments: frozenset[str]
    """Arguments that it knows, by their names in Python; with another one it is not used."""
    permits: Callable[[Any], bool]
    is_connection: bool = False


@dataclass(frozen=True, slots=True)
class Selected:
    """What is selected of a root field.

    `builder` answers a record. Of a connection, `outline` is its selection: the keys of the page,
    each with what stands there.
    """

    reading: Reading
    builder: Builder
    outline: tuple[tuple[str, str, Any], ...] = ()


class NotDirect(Exception):
    """A selection that the general way answers."""


class Direct:
    """One operation, compiled."""

    def __init__(self, executor: Executor[Any]) -> None:
        compiler = _Compiler(executor)
        self._template, self._roots = compiler.roots()

    async def answer(self, context: Any, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the operation; raise `Bail` where the general way has to."""
        out = self._template.copy()
        try:
            for root in self._roots:
                if not root.permits(context):
                    raise Bail
                arguments = {name: give(variables) for name, give in root.arguments}
                out[root.key] = await root.source.read(context, arguments, root.selected)
        except Exception as error:
            raise Bail from error
        return out


def direct_of(executor: Executor[Any]) -> Direct | None:
    """Compile an operation without directives; None where only the general way answers it."""
    try:
        return Direct(executor)
    except NotDirect:
        return None


@dataclass(frozen=True, slots=True)
class _Root:
    key: str
    source: Source
    arguments: tuple[tuple[str, Callable[[Mapping[str, Any]], Any]], ...]
    selected: Selected

    def permits(self, context: Any) -> bool:
        """Return whether the caller may have the field and every list that it selects."""
        return self.source.permits(context) and all(
            many.permits(context) for many, _ in self.selected.reading.lists
        )


class _Compiler:
    def __init__(self, executor: Executor[Any]) -> None:
        self._executor = executor
        self._schema = executor.schema
        self._variables = {
            node.variable.name.value: node for node in executor.operation.variable_definitions or ()
        }

    def roots(self) -> tuple[dict[str, Any], list[_Root]]:
        executor = self._executor
        root = self._schema.query_type
        assert root is not None
        collected = collect_fields(
            self._schema, executor.fragments, executor.variable_values, root, executor.operation
        )
        template: dict[str, Any] = {}
        roots = []
        for key, details in collected.grouped_field_set.items():
            name = details[0].node.name.value
            template[key] = root.name if name == "__typename" else None
            if name != "__typename":
                roots.append(self._root(key, root.fields.get(name), details))
        return template, roots

    def _root(
        self, key: str, definition: GraphQLField | None, details: list[FieldDetails]
    ) -> _Root:
        field = definition and definition.extensions.get("strawberry-definition")
        source = getattr(field, "metadata", {}).get("direct")
        if definition is None or source is None:
            raise NotDirect
        given = {node.name.value: node.value for node in details[0].node.arguments or ()}
        arguments = []
        for name, argument in definition.args.items():
            python_name = argument.extensions["strawberry-definition"].python_name
            if name in given:
                if python_name not in source.arguments:
                    raise NotDirect
                arguments.append((python_name, self._argument(argument.type, given[name])))
        if source.is_connection:
            selected = self._connection(get_named_type(definition.type), details, source.shape)
        else:
            builder = self._object(get_named_type(definition.type), details, source.shape)
            selected = Selected(builder.reading, builder)
        return _Root(key, source, tuple(arguments), selected)

    def _argument(
        self, type_: GraphQLInputType, node: ValueNode
    ) -> Callable[[Mapping[str, Any]], Any]:
        if not isinstance(node, VariableNode):
            value = coerce_input_literal(node, type_)
            if value is Undefined:
                raise NotDirect
            return lambda _: value
        definition: VariableDefinitionNode = self._variables[node.name.value]
        if definition.default_value is not None:
            raise NotDirect
        declared = type_from_ast(self._schema, definition.type)
        if declared is None:
            raise NotDirect
        return _variable(node.name.value, declared)  # type: ignore[arg-type]

    def _below(
        self, type_: GraphQLOutputType, details: list[FieldDetails]
    ) -> tuple[GraphQLObjectType, Mapping[str, list[FieldDetails]]]:
        if not is_object_type(type_):
            raise NotDirect
        executor = self._executor
        collected = collect_subfields(
            self._schema,
            executor.fragments,
            executor.variable_values,
            executor.operation,
            type_,
            details,
        )
        return type_, collected.grouped_field_set

    def _object(self, type_: Any, details: list[FieldDetails], shape: Shape) -> Builder:
        parent, grouped = self._below(type_, details)
        if parent.name != shape.type_name:
            raise NotDirect
        template: dict[str, Any] = {}
        leaves, parts, lists = [], [], []
        for key, under in grouped.items():
            name = under[0].node.name.value
            template[key] = parent.name if name == "__typename" else None
            if name == "__typename":
                continue
            declared, definition = shape.fields.get(name), parent.fields.get(name)
            if declared is None or definition is None or under[0].node.arguments:
                raise NotDirect
            if isinstance(declared, Fact):
                found = leaf_type(definition)
                if found is None:
                    raise NotDirect
                leaves.append((key, declared, *found))
                continue
            below = self._object(get_named_type(definition.type), under, declared.shape)
            if isinstance(declared, Part):
                parts.append((key, below))
            elif is_plain_list(definition):
                lists.append((key, declared, below))
            else:
                raise NotDirect
        builder = Builder(template)
        builder.settle(leaves, parts, lists)
        return builder

    def _connection(self, type_: Any, details: list[FieldDetails], shape: Shape) -> Selected:
        """Compile a page: `nodes`, `edges { node cursor }`, `pageInfo`; the nodes once."""
        builders: list[Builder] = []

        def nodes(given: Any, under: list[FieldDetails]) -> None:
            builders.append(self._object(given, under, shape))

        outline: list[tuple[str, str, Any]] = []
        parent, grouped = self._below(type_, details)
        for key, under in grouped.items():
            name = under[0].node.name.value
            definition = parent.fields.get(name)
            inner = get_named_type(definition.type) if definition else None
            if name == "__typename":
                outline.append((key, "constant", parent.name))
            elif name == "nodes" and not under[0].node.arguments:
                nodes(inner, under)
                outline.append((key, "nodes", None))
            elif name == "edges":
                outline.append((key, "edges", self._edges(inner, under, nodes)))
            elif name == "pageInfo":
                _, fields = self._below(inner, under)  # type: ignore[arg-type]
                names = tuple((each, one[0].node.name.value) for each, one in fields.items())
                outline.append((key, "page", names))
            else:
                raise NotDirect
        if len(builders) != 1:  # none to read, or two selections of the same records
            raise NotDirect
        return Selected(builders[0].reading, builders[0], tuple(outline))

    def _edges(
        self, type_: Any, details: list[FieldDetails], nodes: Callable[[Any, Any], None]
    ) -> tuple[tuple[str, str, Any], ...]:
        parent, grouped = self._below(type_, details)
        outline: list[tuple[str, str, Any]] = []
        for key, under in grouped.items():
            name = under[0].node.name.value
            if name == "node":
                nodes(get_named_type(parent.fields["node"].type), under)
                outline.append((key, "node", None))
            elif name == "cursor":
                outline.append((key, "cursor", None))
            elif name == "__typename":
                outline.append((key, "constant", parent.name))
            else:
                raise NotDirect
        return tuple(outline)


def _variable(name: str, declared: GraphQLInputType) -> Callable[[Mapping[str, Any]], Any]:
    """Return what takes a variable; it raises `Bail` for one that is not plainly right."""
    inner = get_nullable_type(declared)
    if not (is_leaf_type(inner) or (is_list_type(inner) and is_leaf_type(get_named_type(inner)))):
        raise NotDirect
    if inner is GraphQLString:

        def text(variables: Mapping[str, Any]) -> Any:
            value = variables.get(name)
            if type(value) is not str:
                raise Bail
            return value

        return text

    def coerced(variables: Mapping[str, Any]) -> Any:
        value = variables.get(name)
        given = Undefined if value is None else coerce_input_value(value, inner)
        if given is Undefined:
            raise Bail
        return given

    items = inner.of_type if is_list_type(inner) else None
    if items is None or not is_non_null_type(items) or items.of_type is not GraphQLString:
        return coerced

    def texts(variables: Mapping[str, Any]) -> Any:
        value = variables.get(name)
        if type(value) is list and set(map(type, value)) == {str}:
            return value
        return coerced(variables)

    return texts
