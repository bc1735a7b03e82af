"""Old runs of reconciliation are deleted; differences stay."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from hub.reconciliation.kinds import Scope
from hub.reconciliation.runs import start
from jobs import relay
from jobs.maintenance import sweep
from reconciling_orders import LOOK, run
from recording import stage
from world import World


def test_old_runs_are_deleted_and_differences_stay(world: World) -> None:
    connector, runtime, channel = stage(world)
    runtime = replace(runtime, reconciliation_kept=timedelta(days=10))
    world.list_product(channel)
    asyncio.run(relay.drain(runtime, channel["id"]))
    connector.shown["CAM"] = 9
    first, (found,) = run(world, runtime, channel, Scope.LEVELS, LOOK)
    middle = []
    for _ in range(2):
        world.pass_time(minutes=15)
        middle.append(run(world, runtime, channel, Scope.LEVELS, LOOK)[0]["id"])
    world.pass_time(minutes=15)
    last, _ = run(world, runtime, channel, Scope.LEVELS, LOOK)
    only, _ = run(world, runtime, channel, Scope.ORDERS, LOOK)

    def kept() -> set[str]:
        return {row["id"] for row in world.rows("SELECT id FROM reconciliation_run")}

    everything = {first["id"], *middle, last["id"], only["id"]}
    for _ in range(6):
        asyncio.run(sweep.sweep(runtime))
    assert kept() == everything
    assert world.value("SELECT COUNT(*) FROM reconciliation_finding") == 4
    world.pass_time(days=11)
    for _ in range(6):
        asyncio.run(sweep.sweep(runtime))
    # The difference names the first and the newest run; the newest of each scope stays.
    assert kept() == {first["id"], last["id"], only["id"]}
    assert world.value("SELECT COUNT(*) FROM reconciliation_finding") == 0
    (stays,) = world.rows("SELECT * FROM reconciliation_difference")
    assert (stays["id"], stays["times"], stays["state"]) == (found["id"], 4, "open")
    again, (known,) = run(world, runtime, channel, Scope.LEVELS, LOOK)
    assert (known["id"], known["times"]) == (found["id"], 5)
    assert again["compared"] == 1


@pytest.mark.parametrize("state", ["running", "failed"])
def test_marks_of_a_run_stay_while_it_may_go_on(world: World, state: str) -> None:
    _, runtime, channel = stage(world)
    begun = world.write(lambda tx: start(tx, channel, Scope.LEVELS, "test", world.now, asked="x"))
    world.write(
        lambda tx: tx.insert("reconciliation_mark", ("run_id", "about"), [(begun.id, "id=1")])
    )
    world.write(lambda tx: tx.run("UPDATE reconciliation_run SET state = :state", state=state))
    asyncio.run(sweep.sweep(runtime))
    left = world.value("SELECT COUNT(*) FROM reconciliation_mark")
    assert left == (1 if state == "running" else 0)
