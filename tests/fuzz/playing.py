"""One seed of one target: so many examples of Hypothesis, always the same ones."""

from dataclasses import dataclass

import hypothesis
from hypothesis import HealthCheck, Phase, settings

from tests.fuzz.targets import TARGETS

EXAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Failure:
    """An example that failed, made small, and the command that plays it again."""

    text: str
    command: str


def play(name: str, seed: int, examples: int = EXAMPLES) -> tuple[int, Failure | None]:
    """Play a seed; return how many examples were tried, and the failure if there was one."""
    check, strategy = TARGETS[name]
    tried, last = 0, None

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @hypothesis.given(strategy)
    def tried_once(example: object) -> None:
        nonlocal tried, last
        tried, last = tried + 1, example
        check(example)

    try:
        tried_once()
    except Exception as error:
        text = f"{last!r:.300} gives {type(error).__name__}: {error!s:.300}"
        return tried, Failure(text, f"python -m tests.fuzz --target {name} --seed {seed}")
    return tried, None
