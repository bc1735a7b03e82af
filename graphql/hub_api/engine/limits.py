"""How much one question may ask: depth, aliases, tokens, root fields and cost, in one pass.

Every fragment is walked once and remembered, so a document of n tokens costs n steps however
often its fragments are spread. The cost of a field is its weight times the number of objects it
is asked of; the size of a page comes from `first`, `last` or `limit`, from the variables and
their defaults, or from an assumption.

The schema may say more about a field: `metadata={"cost": 5}` for its weight, and
`metadata={"size": 10}` for the usual length of a list that has no paging argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

PAGING_ARGUMENTS = ("first", "last", "limit")
CONNECTION_LISTS = frozenset({"edges", "nodes"})
INTROSPECTION_COST = 1_000
COST_CEILING = 10**12

Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """The named maxima of one GraphQL operation."""

    #: Three nested connections (edges, node, field: nine levels) and an object or two beside.
    depth_max: int = 12
    #: The widest page of the console needs about ten; guessing passwords by alias needs hundreds.
    aliases_max: int = 30
    #: Distinct entrances of one operation: a console page has at most six.
    root_fields_max: int = 20
    #: Checking 1,000 tokens costs at most about 0.1 s, 2,000 already 0.34 s (measured).
    tokens_max: int = 1_000
    #: Characters of one document; a comment is no token, and neither is what stands in a string.
    document_chars_max: int = 100_000
    #: Characters of one number: no type of the schema has longer ones, and Python reads none.
    number_chars_max: int = 100
    #: Levels of lists and objects in the variables; the deepest input has six.
    variables_depth_max: int = 32
    #: 100 units of 10 fields cost 1,101; each field value costs about 5 microseconds or more.
    cost_max: int = 20_000
    #: Assumed length of a list nobody gave a size to.
    list_size_default: int = 50


class LimitExceeded(GraphQLError):
    """The question asks for too much. Next: the client asks for less, or in several pieces."""

    def __init__(self, code: str, what: str, measured: int, maximum: int) -> None:
        self.code = code
        super().__init__(
            f"This operation has {what} {measured}; at most {maximum} is allowed.",
            extensions={"code": code, "measured": measured, "max": maximum},
        )


#: Entries of an object that cost nothing: no input has more fields.
OBJECT_ENTRIES_FREE = 100
#: Items from which the variables are coerced in a thread; coercing one takes some 15 microseconds.
MANY = 300
#: Items of all lists in the variables: 20,000 units, each with a further name, have to fit.
ITEMS_MAX = 50_000


def are_many(variables: Variables) -> bool:
    """Return whether a list among the variables is so long that coercing it takes long."""
    objects = [each for each in variables.values() if isinstance(each, dict)]
    inner = (each for given in objects for each in given.values())
    return any(
        isinstance(each, list) and len(each) > MANY for each in (*variables.values(), *inner)
    )


def items_in(variables: Variables, limits: Limits) -> int:
    """Count the items of all lists in the variables, before anything is made of them.

    Each costs 1. Raises LimitExceeded: COST_LIMIT for more than ITEMS_MAX, DEPTH_LIMIT
    where they are nested too deeply.
    """
    count, level = 0, 0
    values: list[Any] = [variables]
    while values:
        if level > limits.variables_depth_max:
            maximum = limits.variables_depth_max
            raise LimitExceeded("DEPTH_LIMIT", "variables of a depth above", maximum, maximum)
        lists = [each for each in values if isinstance(each, list)]
        objects = [each for each in values if not isinstance(each, list)]
        count += sum(map(len, lists))
        count += sum(max(0, size - OBJECT_ENTRIES_FREE) for size in map(len, objects))
        if count > ITEMS_MAX:
            raise LimitExceeded("COST_LIMIT", "list items in its variables,", count, ITEMS_MAX)
        inner = [child for each in lists for child in each if isinstance(child, (list, dict))]
        for each in objects:
            inner += [child for child in each.values() if isinstance(child, (list, dict))]
        values, level = inner, level + 1
    return count


@dataclass(frozen=True, slots=True)
class Measure:
    """What one operation asks for, with given variables."""

    depth: int
    aliases: int
    root_fields: int
    cost: int
    #: Variables that decide about the size of a page; without any the measure is static.
    sizes: tuple[str, ...]
    introspection: bool
    #: Fields that it selects, as schema coordinates (`Availability.band`).
    coordinates: frozenset[str]
    #: Nodes looked at: the work of measuring, which stays linear in the document.
    visits: int


class _Sum(NamedTuple):
    """A selection: its own cost, what each item of a connection adds, and three counts."""

    flat: int = 0
    per_item: int = 0
    depth: int = 0
    aliases: int = 0
    fields: int = 0

    def joined(self, other: "_Sum") -> "_Sum":
        return _Sum(
            min(self.flat + other.flat, COST_CEILING),
            min(self.per_item + other.per_item, COST_CEILING),
            max(self.depth, other.depth),
            min(self.aliases + other.aliases, COST_CEILING),
            min(self.fields + other.fields, COST_CEILING),
        )


_NOTHING = _Sum()


class _Walk:
    """One pass over one operation."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Variables,
        limits: Limits,
    ) -> None:
        self.schema = schema
        self.limits = limits
        self.fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self.variables = {**_defaults(operation), **variables}
        self.memo: dict[str, _Sum] = {}
        self.open: set[str] = set()
        self.sizes: set[str] = set()
        self.introspection = False
        self.coordinates: set[str] = set()
        self.visits = 0

    def selections(
        self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None, level: int
    ) -> _Sum:
        total = part = _NOTHING
        for node in selection_set.selections:
            self.visits += 1
            if isinstance(node, FieldNode):
                part = self.field(node, parent, level)
            elif isinstance(node, FragmentSpreadNode):
                part = self.fragment(node.name.value, level)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = self.schema.get_type(condition.name.value) if condition else parent
                part = self.selections(node.selection_set, inner, level)
            total = total.joined(part)
        return total

    def fragment(self, name: str, level: int) -> _Sum:
        known = self.memo.get(name)
        if known is not None:
            return known
        node = self.fragments.get(name)
        # Unknown names and circles are refused by validation; here they only must not hurt.
        if node is None or name in self.open:
            return _NOTHING
        self.open.add(name)
        parent = self.schema.get_type(node.type_condition.name.value)
        self.memo[name] = total = self.selections(node.selection_set, parent, level)
        self.open.discard(name)
        return total

    def field(self, node: FieldNode, parent: GraphQLNamedType | None, level: int) -> _Sum:
        name = node.name.value
        aliases = 1 if node.alias else 0
        if parent is not None and parent.name.startswith("__"):
            return self.inside_introspection(node, parent, aliases)
        if level >= self.limits.depth_max:
            maximum = self.limits.depth_max
            raise LimitExceeded("DEPTH_LIMIT", "a depth of", level + 1, maximum)
        if name in ("__schema", "__type"):
            self.introspection = True
            below = self.below(node, self.schema.get_type(f"__{name[2:].title()}"), level)
            return _Sum(INTROSPECTION_COST, 0, 1, aliases + below.aliases, 1)
        definition: GraphQLField | None = getattr(parent, "fields", {}).get(name)
        if definition is None:
            below = self.below(node, None, level)
            return _Sum(1 + below.flat, 0, 1 + below.depth, aliases + below.aliases, 1)
        assert parent is not None  # it has the field
        self.coordinates.add(f"{parent.name}.{name}")
        below = self.below(node, get_named_type(definition.type), level)
        flat, per_item = self.priced(node, definition, below)
        depth, aliases = 1 + below.depth, aliases + below.aliases
        return _Sum(min(flat, COST_CEILING), min(per_item, COST_CEILING), depth, aliases, 1)

    def below(self, node: FieldNode, parent: GraphQLNamedType | None, level: int) -> _Sum:
        if node.selection_set is None:
            return _NOTHING
        return self.selections(node.selection_set, parent, level + 1)

    def inside_introspection(self, node: FieldNode, parent: GraphQLNamedType, aliases: int) -> _Sum:
        # Its depth is held by graphql-core's own rule and its cost is flat.
        definition: GraphQLField | None = getattr(parent, "fields", {}).get(node.name.value)
        inner = get_named_type(definition.type) if definition else None
        below = self.below(node, inner or parent, 0)
        return _Sum(0, 0, 0, aliases + below.aliases, 1)

    def priced(self, node: FieldNode, definition: GraphQLField, below: _Sum) -> tuple[int, int]:
        """Return the cost of one field, and what it adds per item of the connection around it."""
        told = getattr(definition.extensions.get("strawberry-definition"), "metadata", {})
        weight = int(told.get("cost", 1))
        size = self.page_size(node, definition)
        default = int(told.get("size", self.limits.list_size_default))
        if not is_list_type(get_nullable_type(definition.type)):
            return weight + below.flat + below.per_item * (default if size is None else size), 0
        inner = below.flat + below.per_item * self.limits.list_size_default
        if node.selection_set is None:
            # A list of plain values is one look-up, unless its caller decides how long it is.
            return weight + (size if size is not None else int(told.get("size", 0))), 0
        if size is None and "size" not in told and node.name.value in CONNECTION_LISTS:
            return weight, inner
        return weight + (default if size is None else size) * inner, 0

    def page_size(self, node: FieldNode, definition: GraphQLField) -> int | None:
        """Return the largest page asked for, or None where the schema offers no page."""
        sizes = []
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        for name in PAGING_ARGUMENTS:
            argument = definition.args.get(name)
            if argument is None:
                continue
            value = _default(argument)
            literal = given.get(name)
            if isinstance(literal, IntValueNode):
                value = int(literal.value)
            elif isinstance(literal, VariableNode):
                self.sizes.add(literal.name.value)
                value = self.variables.get(literal.name.value, value)
            if isinstance(value, (int, float)) and 0 <= value < COST_CEILING:
                sizes.append(int(value))  # the variable of an Int may come as 100.0
        return max(sizes) if sizes else None


def _default(argument: GraphQLArgument) -> object:
    default = argument.default
    if default is None:
        return argument.default_value
    literal = default.literal
    return int(literal.value) if isinstance(literal, IntValueNode) else default.value


def _defaults(operation: OperationDefinitionNode) -> dict[str, int]:
    return {
        node.variable.name.value: int(node.default_value.value)
        for node in operation.variable_definitions or ()
        if isinstance(node.default_value, IntValueNode)
    }


def measure(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Variables,
    limits: Limits,
) -> Measure:
    """Measure one operation in one pass; raise `LimitExceeded` where it is nested too deeply.

    The document need not be valid: what the schema does not know is counted once.
    """
    walk = _Walk(schema, document, operation, variables, limits)
    root = schema.get_root_type(operation.operation)
    try:
        total = walk.selections(operation.selection_set, root, 0)
    except RecursionError:
        maximum = limits.depth_max
        raise LimitExceeded("DEPTH_LIMIT", "a depth above", maximum, maximum) from None
    return Measure(
        depth=total.depth,
        aliases=total.aliases,
        root_fields=total.fields,
        cost=min(total.flat + total.per_item * limits.list_size_default, COST_CEILING),
        sizes=tuple(sorted(walk.sizes)),
        introspection=walk.introspection,
        coordinates=frozenset(walk.coordinates),
        visits=walk.visits,
    )


def check_shape(measured: Measure, limits: Limits) -> None:
    """Raise `LimitExceeded` for what no variable can change: depth, aliases, root fields."""
    for code, what, value, maximum in (
        ("DEPTH_LIMIT", "a depth of", measured.depth, limits.depth_max),
        ("ALIAS_LIMIT", "aliases:", measured.aliases, limits.aliases_max),
        ("ROOT_FIELD_LIMIT", "root fields:", measured.root_fields, limits.root_fields_max),
    ):
        if value > maximum:
            raise LimitExceeded(code, what, value, maximum)


def check_cost(cost: int, limits: Limits) -> None:
    """Raise `LimitExceeded` when the operation costs more than one operation may."""
    if cost > limits.cost_max:
        raise LimitExceeded("COST_LIMIT", "a cost of", cost, limits.cost_max)
