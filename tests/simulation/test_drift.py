"""Every kind of drift is found with its true cause, healed without overselling, and closed."""

import os

import pytest

from tests.simulation.drift import play
from world import World

SEEDS = int(os.environ.get("DRIFT_SEEDS", "12"))


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.req("R145", "R146")
def test_every_drift_is_found_with_its_true_cause_and_closes(world: World, seed: int) -> None:
    outcome = play(world, seed)
    replay = f"pytest tests/simulation/test_drift.py -k '{seed}-'"
    assert outcome.failure is None, (
        f"seed {seed} after {outcome.drifts}: {outcome.failure}; replay it: {replay}"
    )
