"""Imports that are stopped: cancelled, or out of time; several at once; and how each goes on."""

import threading
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from api_client import Hub, play
from connectors.testing.serving import serve
from hub import imports
from hub.access.keys import Scope, create
from hub.imports.running import Run, TimeUp
from hub_api.http import uploads
from world import World

CANCEL = """mutation($id: ID!, $key: String! = "k") { done: cancelImport(idempotencyKey: $key,
  id: $id) { __typename ... on ImportRun { state done accepted error }
    ... on Problem { code message } } }"""
ROWS = "".join(f"SN-{number},CAM\n" for number in range(1, 7))


def begun(world: World, path: Path, *, resume: bool = False) -> Run:
    path.write_text(f"serial,sku\n{ROWS}")
    plan = imports.Plan(location="WH")
    return imports.begin(world.database, world.context(), path, plan, resume=resume)


def carried_out(world: World, run: Run, **more: Any) -> Run:
    return imports.carry_out(world.database, world.context(), run, batch_rows=2, **more)


def cancelled(world: World, run_id: str) -> Any:
    said: list[Any] = []

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        said.append((await ops.ask(CANCEL, id=run_id))["done"])

    play(world, story)
    return said[0]


def test_a_cancelled_import_keeps_its_batches_and_goes_on_when_it_is_resumed(
    world: World, tmp_path: Path
) -> None:
    run = begun(world, tmp_path / "f.csv")
    answers: list[Any] = []

    def told(each: Run) -> None:
        if each.done == 2:
            answers.append(cancelled(world, each.id))

    stopped = carried_out(world, run, told=told)
    assert (stopped.state, stopped.done, stopped.accepted) == ("cancelled", 2, 2)
    assert (answers[0]["state"], answers[0]["done"]) == ("cancelled", 2)
    assert "cancelled by" in answers[0]["error"]
    assert world.value("SELECT COUNT(*) FROM unit") == 2
    assert world.value("SELECT COUNT(*) FROM import_row") == 2
    done = carried_out(world, begun(world, tmp_path / "f.csv", resume=True))
    assert (done.state, done.accepted, done.refused) == ("finished", 6, 0)
    assert world.value("SELECT error FROM import_run") is None
    refused = cancelled(world, run.id)
    assert refused["code"] == "STEP_NOT_ALLOWED"


def test_an_import_that_waits_for_its_turn_is_cancelled_before_its_first_row(
    world: World, tmp_path: Path
) -> None:
    run = begun(world, tmp_path / "f.csv")
    assert cancelled(world, run.id)["state"] == "cancelled"
    assert carried_out(world, run).done == 0
    assert world.value("SELECT COUNT(*) FROM unit") == 0
    assert cancelled(world, "nothing")["code"] == "UNKNOWN_REFERENCE"


def test_an_import_out_of_time_fails_behind_a_batch_and_is_resumed(
    world: World, tmp_path: Path
) -> None:
    run = begun(world, tmp_path / "f.csv")
    ticks = iter(range(0, 1_000, 100))
    with pytest.raises(TimeUp, match="row 2"):
        carried_out(world, run, seconds_max=60, clock=lambda: next(ticks))
    row = world.read(partial(imports.by_id, run_id=run.id))
    assert (row["state"], row["done"]) == ("failed", 2)
    # However little time there is, each attempt reads a batch further.
    for attempt in (2, 3):
        run = begun(world, tmp_path / "f.csv", resume=True)
        if attempt == 2:
            with pytest.raises(TimeUp):
                carried_out(world, run, seconds_max=0, clock=lambda: next(ticks))
        else:
            assert carried_out(world, run).state == "finished"
    assert world.value("SELECT COUNT(*) FROM unit") == 6


def test_a_small_file_waits_for_no_large_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, small_is_in = imports.carry_out, threading.Event()

    def slow(*given: Any, **more: Any) -> Run:
        is_large = given[2].source.total is None and given[2].columns.plan.product == "LENS"
        if is_large and not small_is_in.wait(20):
            raise AssertionError("the small file never got its turn")
        done: Run = whole(*given, **more)
        if not is_large:
            small_is_in.set()
        return done

    monkeypatch.setattr(uploads.imports, "carry_out", slow)

    async def story(hub: Hub) -> None:
        _, key = world.write(lambda tx: create(tx, "olga", (Scope.OPS,), world.now))
        headers = {"authorization": f"Bearer {key}"}
        async with serve(hub.app) as url, httpx.AsyncClient(headers=headers) as client:
            for product in ("LENS", "CAM"):
                query = {"location": "WH", "product": product}
                sent = await client.post(f"{url}/imports", params=query, content=b"serial\nA-1\n")
                assert sent.status_code == 202

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM import_run WHERE state = 'finished'") == 2
