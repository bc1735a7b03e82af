"""Imports over HTTP: a file is sent over a real socket, and its rows are asked for afterwards."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest

from api_client import Caller, Hub, play
from connectors.testing.serving import serve
from hub import imports
from hub.access.keys import Scope, create
from hub_api.http import uploads
from world import World

CSV = "serial,sku,imei\nSN-1,CAM,490154203237518\nSN-2,NOTHING,\nSN-1,CAM,\nSN-3,CAM,\n"
RUN = """query($id: ID!, $first: Int! = 50, $after: String, $refused: Boolean! = false,
    $code: String) { run: import(id: $id) {
  name format dryRun state total done accepted refused error startedBy finishedAt
  refusals { code rows first }
  rows(first: $first, after: $after, refusedOnly: $refused, code: $code) {
    nodes { number serial accepted code message unitId }
    pageInfo { hasNextPage endCursor } } } }"""
RUNS = """query($first: Int! = 50, $after: String, $state: String) {
  imports(first: $first, after: $after, state: $state) {
    nodes { id name dryRun } pageInfo { hasNextPage endCursor } } }"""


def secret(world: World, *scopes: Scope) -> dict[str, str]:
    _, made = world.write(lambda tx: create(tx, "olga", scopes, world.now))
    return {"authorization": f"Bearer {made}"}


async def finished(ops: Caller, run_id: str) -> Any:
    for _ in range(1_000):
        run = (await ops.ask(RUN, id=run_id))["run"]
        if run["state"] != "running":
            return run
        await asyncio.sleep(0.01)
    raise AssertionError("the import does not end")


@pytest.mark.req("R208")
def test_a_file_is_sent_over_a_socket_and_each_row_has_its_verdict(world: World) -> None:
    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        headers = secret(world, Scope.OPS)
        async with serve(hub.app) as url, httpx.AsyncClient(headers=headers) as client:

            async def send(**query: str) -> httpx.Response:
                given = {"location": "WH", "name": "stock.csv"} | query
                return await client.post(f"{url}/imports", params=given, content=CSV.encode())

            tried = await send(dryRun="true")
            assert (tried.status_code, tried.json()["dryRun"]) == (202, True)
            dry = await finished(ops, tried.json()["id"])
            assert (dry["state"], dry["accepted"], dry["refused"]) == ("finished", 2, 2)
            assert world.value("SELECT COUNT(*) FROM unit") == 0
            sent = await send()
            run = await finished(ops, sent.json()["id"])
            assert (run["name"], run["format"], run["startedBy"]) == ("stock.csv", "csv", "olga")
            assert (run["state"], run["done"], run["total"]) == ("finished", 4, 4)
            assert [row["code"] for row in run["rows"]["nodes"]] == [
                None,
                "UNKNOWN_PRODUCT",
                "DUPLICATE_IN_FILE",
                None,
            ]
            assert run["rows"]["nodes"][0]["unitId"] == world.unit("SN-1")["id"]
            assert {each["code"] for each in run["refusals"]} == {
                "UNKNOWN_PRODUCT",
                "DUPLICATE_IN_FILE",
            }
            again = await send()
            assert (again.status_code, again.json()["state"]) == (200, "finished")
            assert world.value("SELECT COUNT(*) FROM unit") == 2

    play(world, story)


@pytest.mark.parametrize("name", ["stock.xlsx", "upload", "stock.csv", "résumé"])
def test_a_workbook_is_taken_under_any_name(world: World, name: str) -> None:
    book = openpyxl.Workbook()
    stock = book.create_sheet("Stock")
    for row in (("serial",), ("SN-1",)):
        stock.append(row)
    content = io.BytesIO()
    book.save(content)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        query = {"location": "WH", "product": "CAM", "sheet": "Stock", "name": name}
        sent = await ops.http.post("/imports", params=query, content=content.getvalue())
        run = await finished(ops, sent.json()["id"])
        assert (run["format"], run["state"], run["accepted"]) == ("xlsx", "finished", 1)
        query["sheet"] = "Nothing"
        sent = await ops.http.post("/imports", params=query, content=content.getvalue())
        assert (sent.status_code, sent.json()["error"]["code"]) == (422, "INVALID_INPUT")

    play(world, story)


def test_an_encoding_is_named_with_the_file(world: World) -> None:
    text = "serial;sku;supplier\nSN-1;CAM;Łódź\n".encode("cp1250")

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        for encoding, status in (("klingon", 422), ("cp1250", 202)):
            query = {"location": "WH", "encoding": encoding}
            sent = await ops.http.post("/imports", params=query, content=text)
            assert sent.status_code == status
        run = await finished(ops, sent.json()["id"])
        assert run["accepted"] == 1

    play(world, story)
    assert world.unit("SN-1")["supplier"] == "Łódź"


@pytest.mark.req("R208")
def test_runs_and_rows_are_paged(world: World, tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_text(CSV)
    for dry_run in (True, False):
        plan, context = imports.Plan(location="WH"), world.context()
        run = imports.begin(world.database, context, path, plan, dry_run=dry_run)
        imports.carry_out(world.database, context, run)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        newest = (await ops.ask(RUNS, first=1))["imports"]
        assert [node["dryRun"] for node in newest["nodes"]] == [False]
        older = (await ops.ask(RUNS, first=1, after=newest["pageInfo"]["endCursor"]))["imports"]
        assert [node["dryRun"] for node in older["nodes"]] == [True]
        assert (await ops.ask(RUNS, state="failed"))["imports"]["nodes"] == []
        page = (await ops.ask(RUN, id=run.id, first=1, refused=True))["run"]["rows"]
        assert [node["number"] for node in page["nodes"]] == [2]
        cursor = page["pageInfo"]["endCursor"]
        rest = (await ops.ask(RUN, id=run.id, after=cursor, refused=True))["run"]["rows"]
        assert [node["number"] for node in rest["nodes"]] == [3]
        only = (await ops.ask(RUN, id=run.id, code="UNKNOWN_PRODUCT"))["run"]["rows"]
        assert [node["serial"] for node in only["nodes"]] == ["SN-2"]
        assert (await ops.error(RUN, id="nothing"))["code"] == "UNKNOWN_REFERENCE"
        pos = await hub.caller(Scope.POS)
        assert (await pos.error(RUN, id=run.id))["code"] == "FORBIDDEN"
        assert (await pos.error(RUNS))["code"] == "FORBIDDEN"

    play(world, story)


def test_what_can_not_be_taken_is_refused_and_leaves_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    async def story(hub: Hub) -> None:
        ops, admin = secret(world, Scope.OPS), secret(world, Scope.ADMIN)
        pos = secret(world, Scope.POS)
        place = {"location": "WH"}
        async with serve(hub.app) as url, httpx.AsyncClient(base_url=url) as client:
            for headers, query, body, status, code in (
                ({}, place, CSV, 401, "UNAUTHENTICATED"),
                ({"authorization": "Bearer shk_no"}, place, CSV, 401, "UNAUTHENTICATED"),
                (pos, place, CSV, 403, "FORBIDDEN"),
                (ops, place, "", 422, "INVALID_INPUT"),
                (ops, place, "nothing\n1\n", 422, "INVALID_INPUT"),
                (ops, {}, CSV, 422, "INVALID_INPUT"),
                (ops, {"location": "NOWHERE"}, CSV, 422, "UNKNOWN_REFERENCE"),
                (ops, place | {"dryRun": "perhaps"}, CSV, 422, "INVALID_INPUT"),
                (ops, place | {"map": "serial"}, CSV, 422, "INVALID_INPUT"),
                (admin, place, "x" * 2_000, 413, "BODY_TOO_LARGE"),
            ):
                answer = await client.post("/imports", params=query, headers=headers, content=body)
                assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
            assert (await client.get("/imports")).status_code == 405

    play(world, story, import_bytes_max=1_000)
    assert world.value("SELECT COUNT(*) FROM import_run") == 0
    assert list(tmp_path.glob("serial-hub-*")) == []


def test_a_file_that_was_broken_off_goes_on_when_it_is_sent_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    whole = imports.carry_out
    spans = iter([RuntimeError("the disk is full")])

    def dies(*given: Any, **more: Any) -> Any:
        for error in spans:
            raise error
        return whole(*given, **more)

    monkeypatch.setattr(uploads.imports, "carry_out", dies)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        headers = secret(world, Scope.OPS)
        async with serve(hub.app) as url, httpx.AsyncClient(headers=headers) as client:

            async def parts() -> AsyncIterator[bytes]:
                for line in CSV.splitlines(keepends=True):
                    yield line.encode()

            for _ in range(2):
                where = {"location": "WH"}
                sent = await client.post(f"{url}/imports", params=where, content=parts())
                assert sent.status_code == 202
            run = await finished(ops, sent.json()["id"])
            assert (run["state"], run["accepted"]) == ("finished", 2)

    play(world, story)
    assert list(tmp_path.glob("serial-hub-*")) == []
