"""The short form of the fuzzing: a few hundred examples of each target; `python -m tests.fuzz`."""

import pytest

from tests.fuzz.playing import play
from tests.fuzz.targets import TARGETS

EXAMPLES = 200


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", TARGETS)
def test_what_parsers_accept_prints_back_and_the_rest_is_refused(name: str, seed: int) -> None:
    tried, failure = play(name, seed, EXAMPLES)
    assert failure is None, failure
    assert tried >= EXAMPLES


def test_a_parser_that_raises_or_prints_something_else_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(_: object) -> None:
        raise ValueError("unlike a refusal")

    monkeypatch.setitem(TARGETS, "readings", (wrong, TARGETS["readings"][1]))
    tried, failure = play("readings", 1, EXAMPLES)
    assert tried > 0
    assert failure is not None
    assert "--seed 1" in failure.command
