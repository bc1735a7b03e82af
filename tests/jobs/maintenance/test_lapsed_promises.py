"""The sweep ends every promise that is past its end, however many there are."""

import asyncio

import pytest

from hub.clock import micros
from hub.lifecycle import Action
from jobs.maintenance import sweep
from world import World

UNITS = 25


def test_one_sweep_ends_more_promises_than_one_transaction_takes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "ROWS_MAX", 10)
    channel = world.channel("shop")
    listing = world.list_product(channel)
    serials = [f"SN-{number}" for number in range(UNITS)]
    world.receive(*serials, "SN-KEPT")
    ends = micros(world.now) + 1_000_000
    world.do(Action.ALLOCATE, *serials, hold_reference="cart", expires_at=ends)
    world.do(Action.ALLOCATE, "SN-KEPT", hold_reference="later", expires_at=ends + 1)
    wanted = "SELECT wanted_version FROM listing_level WHERE listing_id = :id"
    before = world.value(wanted, id=listing)
    world.pass_time(seconds=1)
    said = asyncio.run(sweep.sweep(world.runtime()))
    assert said.startswith(f"{UNITS} promises ran out")
    left = world.rows("SELECT reference FROM hold WHERE released_at IS NULL")
    assert [row["reference"] for row in left] == ["later"]
    assert world.value(wanted, id=listing) > before  # the channel shows them again
