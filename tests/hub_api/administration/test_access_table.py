"""Who sees what: the reviewed table is what keys of every scope really see."""

import re
from pathlib import Path

import pytest

from poisoning.access import Seen, page, walked

TABLE = Path("docs/access.md")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return walked(tmp_path_factory.mktemp("access"))


def test_queries_and_mutations_are_of_the_scopes_that_were_reviewed(seen: Seen) -> None:
    found, reviewed = (text.partition("## Fields")[0] for text in (page(seen), TABLE.read_text()))
    assert found == reviewed, "who may ask what has changed: `make access`, and review it"


def test_no_field_comes_to_a_scope_that_was_not_reviewed(seen: Seen) -> None:
    """Which records there are differs a little from walk to walk; who sees them must not."""
    reviewed = documented()
    more = {
        f"{coordinate} by {scope}"
        for coordinate, scopes in seen.leaves.items()
        for scope in scopes
        if scope not in reviewed.get(coordinate, ())
    }
    assert more == set(), "a field came to a scope that the table does not name: `make access`"
    assert len(reviewed) > 400


def documented() -> dict[str, set[str]]:
    """Return the scopes of each field in the reviewed table."""
    found: dict[str, set[str]] = {}
    for kind, scopes, fields in re.findall(
        r"^\| (\w+) \| ([\w, ]+) \| ([\w, ]+) \|$",
        TABLE.read_text().partition("## Fields")[2],
        re.MULTILINE,
    ):
        for name in fields.split(", "):
            found.setdefault(f"{kind}.{name}", set()).update(scopes.split(", "))
    return found


def test_a_client_sees_nothing_of_others(seen: Seen) -> None:
    assert {"OF-CLIENT-1", "OF-CLIENT-2"} <= seen.of_client
    assert len(seen.of_others) > 20
    assert seen.of_client & seen.of_others == set()


def test_no_question_of_any_scope_is_an_error_of_ours(seen: Seen) -> None:
    assert seen.internal == []
    assert seen.calls > 700
    assert seen.refused > 300
