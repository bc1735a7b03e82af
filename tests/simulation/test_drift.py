"""Every kind of drift is found with its true cause, healed without overselling, and closed."""

import os
import re
from contextlib import closing
from pathlib import Path

import pytest

from hub.reconciliation import findings
from hub.reconciliation.comparison import level_causes
from hub.reconciliation.kinds import Cause
from hub.storage.database import open_database
from hub.storage.migrations import migrate
from hub.sync import listings
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


def _constant_cause(*_: object) -> level_causes.Explained:
    return level_causes.Explained(Cause.FOREIGN_EDIT, "Somebody changed it.")


def _ends_nothing(*_: object) -> None:
    return None


def _whole_figure(figure: int, _: object) -> int:
    return figure


PLANTS = {
    "a constant cause": (level_causes, "_explain", _constant_cause, "cause|not there"),
    "nothing closes": (findings, "_agrees", _ends_nothing, "left open|does not close|not found"),
    "copies show the whole figure": (listings, "_part", _whole_figure, "the shop offers"),
}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.replace(" ", "-"))
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_planted_fault_is_found(
    world: World, plant: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module, name, fault, shows = PLANTS[plant]
    monkeypatch.setattr(module, name, fault)
    for seed in range(SEEDS):
        path = tmp_path / f"{seed}.db"
        migrate(f"sqlite:///{path}")
        with closing(open_database(f"sqlite:///{path}")) as database:
            failure = play(World.build(database), seed).failure
        if failure is not None:
            assert re.search(shows, failure), failure
            return
    pytest.fail(f"{plant}: not found in {SEEDS} seeds")
