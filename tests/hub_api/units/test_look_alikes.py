"""Serials that look like known ones: received all the same, with a warning to compare them."""

from pathlib import Path
from typing import Any

import pytest

from api_client import Hub, play
from hub import imports
from hub.access.keys import Scope
from hub.clock import new_id
from hub.commands.work import Work
from hub.imports.running import Run
from hub.inbound import receiving
from hub.ledger import look_alikes
from hub.ledger.arrivals import Arrival, RecordOrigin
from world import World

RECEIVE = """mutation($key: String!, $units: [ArrivalInput!]!) { done: receiveUnits(
  idempotencyKey: $key, units: $units, location: "WH", putAway: true) { __typename
    ... on CommandResult { accepted replayed results { identifier accepted warning } } } }"""
IMPORT = """query($id: ID!) { import(id: $id) { accepted warned
  rows(warnedOnly: true) { edges { node { number accepted code warning } } } } }"""


def received(world: World, *serials: str, sku: str = "CAM") -> Any:
    said: list[Any] = []

    async def story(hub: Hub) -> None:
        scanner = await hub.caller(Scope.SCANNER)
        units = [{"serial": each, "product": sku} for each in serials]
        done = (await scanner.ask(RECEIVE, key="k", units=units))["done"]
        again = (await scanner.ask(RECEIVE, key="k", units=units))["done"]
        assert again["replayed"]
        assert again["results"] == done["results"]
        said.append(done)

    play(world, story)
    return said[0]


@pytest.mark.parametrize("twin", ["S0-1OO", "SO-100", "5O-IOO", "so 10q", "ЅО-1ОО"])
def test_a_serial_that_looks_like_a_known_one_is_received_with_a_warning(
    world: World, twin: str
) -> None:
    world.receive("SO-1OO")
    done = received(world, twin, "OTHER-7")
    assert done["accepted"] == 2
    first, other = done["results"]
    assert first["accepted"]
    assert first["warning"] == f"{twin} looks like SO-1OO, which is known: compare them"
    assert other["warning"] is None


def test_two_of_one_command_are_compared_and_other_products_and_announced_units_are_not(
    world: World,
) -> None:
    world.receive("B8-1", sku="LENS")
    announced = [Arrival(serial=each, product="CAM") for each in ("ZZ-2", "Z2-Z")]
    world.write(
        lambda tx: receiving.commission(
            Work(tx, world.context(), new_id()), announced, None, point=RecordOrigin.MANUFACTURING
        )
    )
    done = received(world, "88-1", "8B-I", "ZZ-2", "Z2-Z")
    assert [bool(each["warning"]) for each in done["results"]] == [False, True, False, False]
    assert "88-1" in done["results"][1]["warning"]


def imported(world: World, path: Path, rows: str, *, dry_run: bool = False) -> Run:
    path.write_text(f"serial,sku\n{rows}")
    plan = imports.Plan(location="WH")
    run = imports.begin(world.database, world.context(), path, plan, dry_run=dry_run)
    return imports.carry_out(world.database, world.context(), run, batch_rows=2)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_is_warned_of_row_by_row(world: World, tmp_path: Path, dry_run: bool) -> None:
    world.receive("SN-1")
    rows = "SN-I,CAM\nSN-7,CAM\nSN-7,CAM\n5N-l,LENS\n"
    run = imported(world, tmp_path / "f.csv", rows, dry_run=dry_run)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        shown = (await ops.ask(IMPORT, id=run.id))["import"]
        assert (shown["accepted"], shown["warned"]) == (3, 1)
        (row,) = (each["node"] for each in shown["rows"]["edges"])
        assert (row["number"], row["accepted"], row["code"]) == (1, True, None)
        assert "SN-1" in row["warning"]

    play(world, story)


def test_a_flood_of_look_alikes_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_alikes, "FOUND_MAX", 2)
    world.receive("O1", "OI", "0l", "Q1")
    done = received(world, "D1", "NEW-9")
    assert [bool(each["warning"]) for each in done["results"]] == [True, False]
