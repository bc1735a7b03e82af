"""The memory of documents: what is kept, what is refused, and what is asked by hash."""

from pathlib import Path

import pytest
import strawberry

from hub_api.engine.documents import VALIDATION_ERRORS_MAX, Documents, digest, read_documents
from hub_api.engine.limits import LimitExceeded, Limits


@strawberry.input
class Patch:
    name: strawberry.Maybe[str]


@strawberry.type
class Item:
    name: str


@strawberry.type
class Query:
    hello: str = "world"

    @strawberry.field
    def items(self, first: int = 10) -> list[Item]:
        return [Item(name="one")] * first

    @strawberry.field
    def patched(self, patch: Patch) -> str:
        return str(patch)


SCHEMA = strawberry.Schema(Query)


def codes(documents: Documents, text: str) -> set[str]:
    return {error["extensions"]["code"] for error in documents.load(text).errors}


def test_a_document_is_read_once() -> None:
    documents = Documents(SCHEMA)

    assert documents.known("{ hello }") is None
    assert documents.load("{ hello }") is documents.load("{ hello }")
    assert documents.known("{ hello }") is documents.load("{ hello }")


def test_a_wrong_document_is_remembered_too() -> None:
    documents = Documents(SCHEMA)

    assert documents.load("{ nope }") is documents.load("{ nope }")
    assert documents.load("{") is documents.load("{")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("fragment F on Query { hello }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ patched(patch: {name: null}) }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ " + "hello " * 100 + "}", "TOKEN_LIMIT"),
        ("{ hello } #" + "x" * 3000, "DOCUMENT_LIMIT"),
        ("{ " + " ".join(f"a{n}: hello" for n in range(10)) + "}", "ALIAS_LIMIT"),
    ],
)
def test_every_refusal_has_a_code(text: str, code: str) -> None:
    limits = Limits(tokens_max=90, document_chars_max=2_000, aliases_max=5)

    assert codes(Documents(SCHEMA, limits), text) == {code}


def test_a_comment_padded_document_is_refused() -> None:
    assert codes(Documents(SCHEMA), "#\n" * 20_000 + "{ hello }") == {"TOKEN_LIMIT"}


def test_the_number_of_errors_is_bounded_and_nothing_is_suggested() -> None:
    text = "{ " + " ".join(f"hello @wrong{n}" for n in range(12)) + " helo }"
    errors = Documents(SCHEMA).load(text).errors

    assert len(errors) == VALIDATION_ERRORS_MAX + 1
    assert "Did you mean" not in str(Documents(SCHEMA).load("{ helo }").errors)


def test_the_memory_is_bounded_in_number() -> None:
    documents = Documents(SCHEMA, count_max=3)
    for n in range(5):
        documents.load(f"query Q{n} {{ hello }}")

    kept = [n for n in range(5) if documents.known(f"query Q{n} {{ hello }}")]
    assert kept == [2, 3, 4]


def test_the_memory_is_bounded_in_characters_and_keeps_what_is_used() -> None:
    documents = Documents(SCHEMA, chars_max=100)
    first, second, third = (f"query Q{n} {{ hello }} #{'x' * 20}" for n in range(3))
    for text in (first, second, first, third):
        documents.load(text)

    assert documents.known(first)
    assert documents.known(second) is None
    assert documents.known(third)


def test_nonsense_does_not_push_out_what_is_asked() -> None:
    documents = Documents(SCHEMA, count_max=3)
    documents.load("{ hello }")
    for n in range(10):
        documents.load(f"{{ nope{n} }}")

    assert documents.known("{ hello }")


def test_the_cost_follows_the_variables() -> None:
    operation = (
        Documents(SCHEMA).load("query Q($n: Int = 5) { items(first: $n) { name } }").operation(None)
    )

    assert [operation.cost(given) for given in ({}, {"n": 7}, {"n": 7}, {"n": None})] == [
        6,
        8,
        8,
        51,
    ]
    with pytest.raises(LimitExceeded, match="cost"):
        operation.cost({"n": 1_000_000})


def test_the_measures_of_one_operation_are_bounded() -> None:
    operation = (
        Documents(SCHEMA).load("query Q($n: Int) { items(first: $n) { name } }").operation("Q")
    )
    for n in range(300):
        operation.cost({"n": n})

    assert len(operation.measures) <= 64


def test_introspection_is_part_of_the_entry() -> None:
    documents = Documents(SCHEMA)

    assert documents.load("{ __schema { types { name } } }").uses_introspection
    assert documents.load(
        '{ ...F } fragment F on Query { __type(name: "Item") { name } }'
    ).uses_introspection
    assert not documents.load("{ __typename hello }").uses_introspection


def test_trusted_documents_are_found_by_text_and_by_hash(tmp_path: Path) -> None:
    (tmp_path / "hello.graphql").write_text("query Hello { hello }\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no", encoding="utf-8")
    texts = read_documents(tmp_path)
    documents = Documents(SCHEMA, trusted=texts.values(), automatic=False)

    assert list(texts) == ["hello"]
    found = documents.by_hash(digest(texts["hello"]))
    assert found is documents.load(texts["hello"])
    assert found.trusted
    assert documents.by_hash(digest("{ hello }")) is None


def test_a_wrong_trusted_document_stops_the_start() -> None:
    with pytest.raises(ValueError, match="Cannot query field 'nope'"):
        Documents(SCHEMA, trusted=["{ nope }"])


def test_a_persisted_document_is_found_by_hash_until_newer_ones_push_it_out() -> None:
    documents = Documents(SCHEMA, count_max=2)
    texts = [f"query Q{n} {{ hello }}" for n in range(3)]
    for text in texts:
        documents.persist(digest(text), text)

    assert [documents.by_hash(digest(text)) is not None for text in texts] == [False, True, True]


def test_a_document_with_several_operations_needs_a_name() -> None:
    document = Documents(SCHEMA).load("query A { hello } query B { hello }")

    assert document.operation("B").name == "B"
    for name in (None, "", "C"):
        with pytest.raises(Exception, match="operation"):
            document.operation(name)
