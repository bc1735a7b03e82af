"""The hash chain: whoever changes what was recorded is found out."""

import pytest

from hub.ledger import hash_chain
from hub.lifecycle import Action
from tampering import unguarded
from world import World

TAMPERINGS = {
    "an event's actor": "UPDATE event SET actor = 'nobody' WHERE version = 2",
    "an event's time": "UPDATE event SET occurred_at = occurred_at - 1 WHERE version = 1",
    "an event's details": "UPDATE event SET details = NULL WHERE version = 1",
    "a missing event": "DELETE FROM event WHERE version = 2",
    "a missing last event": "DELETE FROM event WHERE version = 3",
    "a unit's status": "UPDATE unit SET status = 'written_off'",
    "a unit's serial": "UPDATE unit SET serial = 'SN-2'",
    "a unit's place": "UPDATE unit SET location_id = '00000000-0000-7000-8000-000000000001'",
    "all events": "DELETE FROM event",
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_shows(world: World, what: str) -> None:
    world.receive("SN-1")
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    assert world.read(hash_chain.verify).breaks == ()
    world.write(lambda tx: unguarded(tx, TAMPERINGS[what]))
    proof = world.read(hash_chain.verify)
    assert proof.breaks, what
    assert {each.unit_id for each in proof.breaks} == {world.value("SELECT id FROM unit")}


def test_an_empty_ledger_holds(world: World) -> None:
    proof = world.read(hash_chain.verify)
    assert (proof.events, proof.units, proof.breaks) == (0, 0, ())
