"""The memory of questions already asked: query text to a parsed, checked and measured document.

Checking a document costs a hundred times more than finding it here, so nothing is parsed or
validated twice: not the wrong ones either. Trusted documents (files of ours) are checked at
start and never forgotten; automatic persisted queries are remembered by their SHA-256.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Generic, TypeVar

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    TokenKind,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import MaxIntrospectionDepthRule
from strawberry import Schema
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from hub_api.engine.limits import (
    LimitExceeded,
    Limits,
    Measure,
    Variables,
    check_cost,
    check_shape,
    items_in,
    measure,
)
from hub_api.engine.plan import Planner

#: Built once; the last two are what Strawberry adds to the specification.
RULES = (
    *specified_rules,
    MaxIntrospectionDepthRule,
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)
#: Ten wrong directives must not be worth ten answers; the ninth error says that more were found.
VALIDATION_ERRORS_MAX = 8
#: Measures kept per operation, one for each combination of page sizes.
MEASURES_MAX = 64

NUMBERS = frozenset({TokenKind.INT, TokenKind.FLOAT})

Formatted = Mapping[str, Any]
V = TypeVar("V")


def core_schema(schema: Schema) -> GraphQLSchema:
    """Return graphql-core's schema beneath a Strawberry schema."""
    return schema._schema


def formatted(error: GraphQLError, code: str) -> Formatted:
    """Return an error as JSON will show it, with `code` unless it has one of its own."""
    shown: dict[str, Any] = {**error.formatted}
    shown["extensions"] = {"code": code, **(error.extensions or {})}
    return shown


@dataclass(slots=True)
class Operation:
    """One operation of a valid document, with what it costs."""

    schema: GraphQLSchema
    ast: DocumentNode
    node: OperationDefinitionNode
    limits: Limits
    static: Measure
    planner: Planner
    measures: dict[tuple[object, ...], Measure] = field(default_factory=dict)

    @property
    def kind(self) -> OperationType:
        """Say whether it is a query, a mutation or a subscription."""
        return self.node.operation

    @property
    def name(self) -> str | None:
        """Return the name it has in its document."""
        return self.node.name.value if self.node.name else None

    def cost(self, variables: Variables) -> int:
        """Return the cost with these variables and of them, or raise `LimitExceeded`."""
        measured = self.static
        if measured.sizes:
            given = (variables.get(name, "") for name in measured.sizes)
            key = tuple(
                value if isinstance(value, (int, float)) or value == "" else None for value in given
            )
            measured = self.measures.get(key) or self._measure(key, variables)
        check_cost(measured.cost, self.limits)
        return measured.cost + items_in(variables, self.limits)

    def _measure(self, key: tuple[object, ...], variables: Variables) -> Measure:
        if len(self.measures) >= MEASURES_MAX:
            self.measures.clear()
        measured = measure(self.schema, self.ast, self.node, variables, self.limits)
        self.measures[key] = measured
        return measured


@dataclass(frozen=True, slots=True)
class Document:
    """One document: either its operations, or the reasons why it cannot be asked."""

    text: str
    operations: Mapping[str | None, Operation]
    errors: tuple[Formatted, ...] = ()
    trusted: bool = False

    @property
    def uses_introspection(self) -> bool:
        """Say whether any operation asks about the schema itself."""
        return any(operation.static.introspection for operation in self.operations.values())

    def operation(self, name: str | None) -> Operation:
        """Return the operation of that name, or the only one; raise `GraphQLError`."""
        if not name:
            if len(self.operations) == 1:
                return next(iter(self.operations.values()))
            raise GraphQLError("This document has several operations: give operationName.")
        found = self.operations.get(name)
        if found is None:
            raise GraphQLError("This document has no operation of the given operationName.")
        return found


class _Recent(Generic[V]):
    """The entries used last, bounded in number and in characters."""

    def __init__(self, count_max: int, chars_max: int) -> None:
        self._count_max, self._chars_max, self._chars = count_max, chars_max, 0
        self._entries: OrderedDict[str, tuple[V, int]] = OrderedDict()

    def get(self, key: str) -> V | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: str, value: V, chars: int) -> None:
        if (old := self._entries.pop(key, None)) is not None:
            self._chars -= old[1]
        self._entries[key] = (value, chars)
        self._chars += chars
        while len(self._entries) > self._count_max or self._chars > self._chars_max:
            self._chars -= self._entries.popitem(last=False)[1][1]


class Documents:
    """Every document this process has met lately, and those it trusts.

    Valid and invalid documents have memories of their own, so a flood of nonsense does not push
    out what customers ask. A character of a valid document with its plan keeps about 230 bytes
    (measured): 25 kB for a usual document, and at most some 120 MB altogether.
    """

    def __init__(
        self,
        schema: Schema,
        limits: Limits | None = None,
        *,
        trusted: "Iterable[str | Document]" = (),
        count_max: int = 2_000,
        chars_max: int = 500_000,
        automatic: bool = True,
    ) -> None:
        self.limits = limits or Limits()
        self.automatic = automatic
        self._schema = core_schema(schema)
        self._valid: _Recent[Document] = _Recent(count_max, chars_max)
        self._invalid: _Recent[Document] = _Recent(count_max, chars_max)
        self._persisted: _Recent[str] = _Recent(count_max, chars_max)
        self._trusted: dict[str, Document] = {}
        self._trusted_hashes: dict[str, Document] = {}
        for given in trusted:
            document = self._trust(given) if isinstance(given, str) else given
            text = document.text
            self._trusted[text] = self._trusted_hashes[digest(text)] = document

    @property
    def trusted(self) -> Sequence[Document]:
        """Return the documents it trusts: others of this schema and these limits may, too."""
        return tuple(self._trusted.values())

    def _trust(self, text: str) -> Document:
        document = self._read(text, trusted=True)
        if document.errors:
            reasons = "; ".join(str(error["message"]) for error in document.errors)
            raise ValueError(f"A trusted document is wrong: {reasons}\n{text[:200]}")
        return document

    def known(self, text: str) -> Document | None:
        """Return the document if it was met before, without any work."""
        return self._trusted.get(text) or self._valid.get(text) or self._invalid.get(text)

    def load(self, text: str) -> Document:
        """Return the document, parsed, validated and measured if it is new."""
        document = self.known(text)
        if document is None:
            document = self._read(text, trusted=False)
            memory = self._invalid if document.errors else self._valid
            memory.put(text, document, len(text))
        return document

    def by_hash(self, sha256_hex: str) -> Document | None:
        """Return the trusted or persisted document of this SHA-256 (hexadecimal), if any."""
        trusted = self._trusted_hashes.get(sha256_hex)
        if trusted is not None or not self.automatic:
            return trusted
        text = self._persisted.get(sha256_hex)
        return None if text is None else self.load(text)

    def persist(self, sha256_hex: str, text: str) -> None:
        """Remember a valid document by its hash, for clients that will send only the hash."""
        if self.automatic and sha256_hex not in self._trusted_hashes:
            self._persisted.put(sha256_hex, text, len(text))

    def _read(self, text: str, *, trusted: bool) -> Document:
        try:
            ast = self._parse(text)
        except GraphQLError as error:
            return Document(text, {}, (formatted(error, "GRAPHQL_PARSE_FAILED"),))
        try:
            # Before validation, whose dearest rule is quadratic in what is refused here.
            operations = self._operations(ast)
        except LimitExceeded as error:
            return Document(text, {}, (formatted(error, error.code),))
        errors = validate(
            self._schema, ast, RULES, max_errors=VALIDATION_ERRORS_MAX, hide_suggestions=True
        )
        if not errors and not operations:
            errors = [GraphQLError("This document has no operation.")]
        if errors:
            shown = tuple(formatted(error, "GRAPHQL_VALIDATION_FAILED") for error in errors)
            return Document(text, {}, shown)
        return Document(text, operations, trusted=trusted)

    def _parse(self, text: str) -> DocumentNode:
        tokens_max, chars_max = self.limits.tokens_max, self.limits.document_chars_max
        if len(text) > chars_max:
            raise LimitExceeded("DOCUMENT_LIMIT", "a document of characters", len(text), chars_max)
        try:
            ast = parse(text, max_lexical_tokens=tokens_max, max_comments=tokens_max)
        except GraphQLSyntaxError as error:
            if error.description.startswith("Document contains more than"):
                raise LimitExceeded(
                    "TOKEN_LIMIT", "more tokens than allowed:", tokens_max + 1, tokens_max
                ) from None
            raise
        except RecursionError:
            maximum = self.limits.depth_max
            raise LimitExceeded("DEPTH_LIMIT", "a depth above", maximum, maximum) from None
        self._check_numbers(ast)
        return ast

    def _check_numbers(self, ast: DocumentNode) -> None:
        """Refuse a number that Python would not read (a ValueError wherever it stands)."""
        token = ast.loc.start_token if ast.loc else None
        while token is not None:
            if token.kind in NUMBERS and token.end - token.start > self.limits.number_chars_max:
                chars, maximum = token.end - token.start, self.limits.number_chars_max
                raise LimitExceeded("NUMBER_LIMIT", "a number of characters:", chars, maximum)
            token = token.next

    def _operations(self, ast: DocumentNode) -> dict[str | None, Operation]:
        operations: dict[str | None, Operation] = {}
        for node in ast.definitions:
            if isinstance(node, OperationDefinitionNode):
                static = measure(self._schema, ast, node, {}, self.limits)
                check_shape(static, self.limits)
                operation = Operation(
                    self._schema, ast, node, self.limits, static, Planner(ast, node)
                )
                operations[operation.name] = operation
        return operations


def digest(text: str) -> str:
    """Return the SHA-256 of a document, as clients send it."""
    return sha256(text.encode()).hexdigest()


def read_documents(folder: Path | Traversable) -> dict[str, str]:
    """Return the text of every *.graphql file in a folder by its name, in the order of names."""
    files = (entry for entry in folder.iterdir() if entry.name.endswith(".graphql"))
    return {
        entry.name.removesuffix(".graphql"): entry.read_text(encoding="utf-8")
        for entry in sorted(files, key=lambda entry: entry.name)
    }
