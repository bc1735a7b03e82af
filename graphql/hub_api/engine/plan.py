"""A query document turned into a plan: the same answer as graphql-core's, several times faster.

graphql-core decides for every value of every object again what its field, type and arguments
are. A plan decides once per document. It runs breadth first: plain attributes of an object are
read together, resolvers are called with the real Info, and whatever is awaited is awaited level
by level, so that a DataLoader sees a whole level at once.

A plan knows only how things go well. On anything else (an error, a null in the wrong place, a
value of an unexpected kind) it raises `Bail`, and the query is asked again of graphql-core,
which knows what the specification says about it. Hence queries only: asking twice must do no
harm.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    ConstDirectiveNode,
    DirectiveNode,
    DocumentNode,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    visit,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetails, collect_fields, collect_subfields
from graphql.pyutils import Path

from hub_api.engine.direct import Direct, direct_of
from hub_api.engine.plan_objects import (
    Bail,
    Complete,
    Field,
    Leaf,
    ObjectPlan,
    Run,
    Waiting,
    coercion,
    leaf_of,
)

#: Combinations of @skip and @include compiled for one operation.
PLANS_MAX = 8
#: An operation that needs graphql-core more often than every fourth time is left to it.
BAILS_FREE = 16


class Unsupported(Exception):
    """A document that cannot become a plan: graphql-core always executes it."""


class _Compiler:
    """Turns the selections of one operation into objects and fields."""

    def __init__(self, executor: Executor[Any]) -> None:
        self.executor = executor
        self.schema: GraphQLSchema = executor.schema

    def root(self) -> ObjectPlan:
        executor = self.executor
        root = self.schema.query_type
        assert root is not None
        collected = collect_fields(
            self.schema, executor.fragments, executor.variable_values, root, executor.operation
        )
        return self.object(root, collected.grouped_field_set)

    def object(
        self, parent: GraphQLObjectType, grouped: Mapping[str, list[FieldDetails]]
    ) -> ObjectPlan:
        template: dict[str, Any] = {}
        leaves: list[Leaf] = []
        fields: list[Field] = []
        for key, details in grouped.items():
            name = details[0].node.name.value
            template[key] = parent.name if name == "__typename" else None
            if name == "__typename":
                continue
            definition = parent.fields.get(name)
            if definition is None:
                raise Unsupported(name)
            leaf = leaf_of(key, definition)
            if leaf is not None:
                leaves.append(leaf)
                continue
            nodes = [detail.node for detail in details]
            complete = self.complete(definition.type, details)
            fields.append(Field(key, definition, parent, nodes, complete))
        return ObjectPlan(leaves, fields, template)

    def complete(self, type_: GraphQLOutputType, details: list[FieldDetails]) -> Complete:
        if not is_non_null_type(type_):
            return _nullable(self.complete_present(type_, details))
        return _non_null(self.complete_present(type_.of_type, details))

    def complete_present(self, type_: GraphQLOutputType, details: list[FieldDetails]) -> Complete:
        if is_leaf_type(type_):
            coerce = coercion(type_)
            return lambda value, _run, _path, _info: coerce(value)
        if is_list_type(type_):
            leaves = is_leaf_type(get_named_type(type_))
            return _list(self.complete(type_.of_type, details), leaves=leaves)
        if is_object_type(type_):
            return self.complete_object(type_, details)
        if not is_abstract_type(type_):
            raise Unsupported(str(type_))
        resolve_type = type_.resolve_type
        if resolve_type is None:
            raise Unsupported(str(type_))
        possible = {
            one.name: self.complete_object(one, details)
            for one in self.schema.get_possible_types(type_)
        }

        def abstract(value: Any, run: Run, path: Path | None, info: Any) -> Any:
            complete = possible.get(resolve_type(value, info, type_))  # type: ignore[arg-type]
            if complete is None:
                raise Bail
            return complete(value, run, path, info)

        return abstract

    def complete_object(self, type_: GraphQLObjectType, details: list[FieldDetails]) -> Complete:
        executor = self.executor
        collected = collect_subfields(
            self.schema,
            executor.fragments,
            executor.variable_values,
            executor.operation,
            type_,
            details,
        )
        build = self.object(type_, collected.grouped_field_set).build
        is_type_of = type_.is_type_of
        if is_type_of is None:
            return lambda value, run, path, _info: build(value, run, path)

        def checked(value: Any, run: Run, path: Path | None, info: Any) -> Any:
            if is_type_of(value, info) is not True:
                raise Bail
            return build(value, run, path)

        return checked


def _nullable(present: Complete) -> Complete:
    return lambda value, run, path, info: None if value is None else present(value, run, path, info)


def _non_null(present: Complete) -> Complete:
    def complete(value: Any, run: Run, path: Path | None, info: Any) -> Any:
        if value is None:
            raise Bail
        return present(value, run, path, info)

    return complete


def _list(item: Complete, *, leaves: bool) -> Complete:
    def complete(value: Any, run: Run, path: Path | None, info: Any) -> Any:
        if type(value) is not list and type(value) is not tuple:
            raise Bail
        if leaves:
            return [item(one, run, path, info) for one in value]
        return [item(one, run, Path(path, index, None), info) for index, one in enumerate(value)]

    return complete


class Plan:
    """One query operation, compiled for one combination of @skip and @include."""

    def __init__(self, executor: Executor[Any]) -> None:
        self._root = _Compiler(executor).root()

    def start(self, executor: Executor[Any]) -> tuple[dict[str, Any], Run]:
        """Answer what needs no waiting; raise `Bail` where graphql-core must take over."""
        run = Run(executor)
        try:
            return self._root.build(executor.root_value, run, None), run
        except Exception as error:
            _give_up(run.waiting)
            raise Bail from error

    async def finish(self, run: Run) -> None:
        """Await level after level until everything is there, or raise `Bail`."""
        while run.waiting:
            level, run.waiting = run.waiting, []
            futures = [asyncio.ensure_future(waiting.value) for waiting in level]
            try:
                for (_, out, key, complete, path, info), future in zip(level, futures, strict=True):
                    out[key] = complete(await future, run, path, info)
            except Exception as error:
                _give_up(run.waiting)
                # Not cancelled: a DataLoader would remember that for the second attempt.
                await asyncio.gather(*futures, return_exceptions=True)
                raise Bail from error
            except asyncio.CancelledError:
                _give_up(run.waiting)
                for future in futures:
                    future.cancel()
                raise


def _give_up(waiting: Iterable[Waiting]) -> None:
    for one in waiting:
        if asyncio.iscoroutine(one.value):
            one.value.close()


class Planner:
    """The plans of one operation: made on its second use, dropped where they do not help."""

    def __init__(self, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._document, self._operation = document, operation
        self._plans: dict[tuple[object, ...], Plan] = {}
        self._switches: tuple[str, ...] | None = None
        self._uses = self._bails = self._direct_bails = 0
        self._usable = operation.operation is OperationType.QUERY
        self._direct: Direct | None = None

    def plan(self, executor: Executor[Any]) -> Plan | None:
        """Return the plan for these variables, if there is to be one."""
        self._uses += 1
        # Most documents that are asked once are never asked again.
        if not self._usable or self._uses < 2:
            return None
        try:
            if self._switches is None:
                self._switches = switches(self._document, self._operation)
            given = executor.variable_values.coerced
            key = tuple(given.get(name) for name in self._switches)
            plan = self._plans.get(key)
            if plan is None and len(self._plans) < PLANS_MAX:
                plan = self._plans[key] = Plan(executor)
                self._direct = None if self._switches else direct_of(executor)
        except Unsupported:
            self._usable = False
            return None
        return plan

    def direct(self) -> Direct | None:
        """Return how it is answered without graphql-core, from its third use on, if it can be."""
        if self._direct is not None:
            self._uses += 1
        return self._direct

    def bailed(self) -> None:
        """Note that a plan had to give up."""
        self._bails += 1
        self._usable = self._bails <= BAILS_FREE + self._uses // 4

    def bailed_directly(self) -> None:
        """Note that an answer from columns had to give up: too often, and it is not tried again."""
        self._direct_bails += 1
        if self._direct_bails > BAILS_FREE + self._uses // 4:
            self._direct = None


class _Directives(Visitor):
    """Collects the variables that decide about @skip and @include; refuses other directives."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()

    def enter_directive(self, node: DirectiveNode | ConstDirectiveNode, *_args: Any) -> None:
        if node.name.value not in ("skip", "include"):
            raise Unsupported(node.name.value)
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.variables.add(argument.value.name.value)


def switches(document: DocumentNode, operation: OperationDefinitionNode) -> tuple[str, ...]:
    """Return the variables that switch parts of a document on and off.

    Raise `Unsupported` for a document with any other directive, or one about the schema.
    """
    if operation.directives:
        raise Unsupported("directives on the operation")
    seen = _Directives()
    visit(document, seen)
    return tuple(sorted(seen.variables))
