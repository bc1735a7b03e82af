"""A run that another process took over writes nothing any more."""

from datetime import timedelta

import pytest

from hub.errors import RunUnderWay
from hub.reconciliation import runs
from hub.reconciliation.kinds import Scope, Totals
from hub.reconciliation.runs import RunLost
from reconciling import Shop
from recording import stage
from world import World


def test_a_run_that_was_taken_over_counts_nothing(world: World) -> None:
    _, _, channel = stage(world, Shop)
    begun = world.write(
        lambda tx: runs.start(tx, channel, Scope.LEVELS, "test", world.now, asked="all")
    )
    with pytest.raises(RunUnderWay):
        world.write(lambda tx: runs.start(tx, channel, Scope.LEVELS, "test", world.now))
    world.pass_time(minutes=2)
    taken = world.write(
        lambda tx: runs.start(tx, channel, Scope.LEVELS, "test", world.now, asked="all")
    )
    assert (taken.id, taken.is_resumed) == (begun.id, True)
    for work in (runs.finish, lambda tx, run, totals, _: runs.count(tx, run, totals)):
        with pytest.raises(RunLost):
            world.write(lambda tx, work=work: work(tx, begun, Totals(), world.now))  # type: ignore[misc]
    world.write(lambda tx: runs.finish(tx, taken, Totals(), world.now))
    assert world.value("SELECT state FROM reconciliation_run") == "finished"


@pytest.mark.parametrize(("late", "is_resumed"), [(0, True), (1, False)])
def test_a_run_is_gone_on_with_for_a_quarter_of_an_hour(
    world: World, late: int, is_resumed: bool
) -> None:
    _, _, channel = stage(world, Shop)
    world.write(lambda tx: runs.start(tx, channel, Scope.LEVELS, "test", world.now, asked="all"))
    world.now += runs.RESUME_MAX + timedelta(microseconds=late)
    again = world.write(
        lambda tx: runs.start(tx, channel, Scope.LEVELS, "test", world.now, asked="all")
    )
    assert again.is_resumed == is_resumed
