"""Who sees what: the reviewed table is what keys of every scope really see."""

from pathlib import Path

import pytest

from poisoning.access import Seen, page, walked

TABLE = Path("docs/access.md")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return walked(tmp_path_factory.mktemp("access"))


def test_the_table_is_what_is_seen(seen: Seen) -> None:
    assert page(seen) == TABLE.read_text(), (
        "who sees what has changed: `make access`, and review it"
    )


def test_a_client_sees_nothing_of_others(seen: Seen) -> None:
    assert "OF-CLIENT-1" in seen.of_client
    assert len(seen.of_others) > 20
    assert seen.of_client & seen.of_others == set()


def test_no_question_of_any_scope_is_an_error_of_ours(seen: Seen) -> None:
    assert seen.internal == []
    assert seen.calls > 700
    assert seen.refused > 300
