"""The command `serial-hub documents`, on this machine's database and at a running hub."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from api_client import Hub, play
from connectors.testing.serving import serve
from hub.access.keys import Scope
from hub.access.trusted_documents import sha256_of
from hub.storage.database import Database
from hub_api.engine.documents import core_schema
from hub_api.public.public_schema import public_sdl
from hub_api.schema import schema
from serial_hub import cli
from world import World

STOCK = "query Stock($skus: [String!]!) { availability(skus: $skus) { sku band } }"
HIDDEN = "{ channels { code } }"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Make the folder of a shop's documents."""
    folder = tmp_path / "shop" / "src"
    folder.mkdir(parents=True)
    (folder / "stock.graphql").write_text(STOCK)
    (folder / "cart.graphql").write_text(
        "query Cart($c: String!) { reservation(cart: $c) { cart } }"
    )
    (folder / "notes.txt").write_text("no document")
    return tmp_path / "shop"


def here(monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    monkeypatch.setenv("SERIAL_HUB_DATABASE", database.url)
    monkeypatch.setenv("SERIAL_HUB_SECRET_KEY", "0" * 43 + "=")


def test_documents_of_a_folder_are_trusted_listed_and_removed(
    world: World, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here(monkeypatch, world.database)
    cli.main(["documents", "push", str(shop)])
    manifest = orjson.loads(capsys.readouterr().out)
    assert manifest["stock"] == sha256_of(STOCK)
    assert list(manifest) == ["cart", "stock"]
    cli.main(["documents", "list"])
    assert capsys.readouterr().out.splitlines()[1] == f"{sha256_of(STOCK)}  stock"
    cli.main(["documents", "remove", sha256_of(STOCK)])
    cli.main(["documents", "list"])
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["cart"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("odd", HIDDEN, "odd selects what is not public: Channel.code, Query.channels"),
        ("odd", "{", "odd: Syntax Error"),
        ("sub/stock", STOCK, "two files are named stock"),
        ("latin", "# \xe9", "cannot be read"),
    ],
)
def test_one_wrong_document_leaves_all_as_they_were(
    world: World,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    text: str,
    reason: str,
) -> None:
    here(monkeypatch, world.database)
    file = shop / f"{name}.graphql"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="latin-1")
    with pytest.raises(SystemExit) as ended:
        cli.main(["documents", "push", str(shop)])
    assert reason in str(ended.value)
    assert world.value("SELECT COUNT(*) FROM trusted_document") == 0


@pytest.mark.parametrize("path", ["nothing", "."])
def test_paths_without_documents_are_refused(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    here(monkeypatch, world.database)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as ended:
        cli.main(["documents", "push", str(tmp_path / "empty" / path)])
    assert "INVALID_INPUT" in str(ended.value)


def test_documents_are_pushed_to_a_running_hub(
    world: World, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story(hub: Hub) -> None:
        admin, ops = await hub.caller(Scope.ADMIN), await hub.caller(Scope.OPS)

        async def push(url: str, key: str | None, *more: str) -> Any:
            if key is None:
                monkeypatch.delenv("SERIAL_HUB_KEY", raising=False)
            else:
                monkeypatch.setenv("SERIAL_HUB_KEY", key.partition(" ")[2])
            given = ["documents", "push", str(shop), *more, "--url", url]
            await asyncio.to_thread(cli.main, given)
            return orjson.loads(capsys.readouterr().out)

        async with serve(hub.app) as url:
            secret = admin.http.headers["authorization"]
            for _ in range(2):  # the same documents twice are one command
                assert (await push(url, secret))["stock"] == sha256_of(STOCK)
            refused = {
                "SERIAL_HUB_KEY is not set": None,
                "this needs a key with the scope admin": ops.http.headers["authorization"],
                "This API key is not known": "Bearer shk_wrong",
            }
            for words, key in refused.items():
                with pytest.raises(SystemExit) as ended:
                    await push(url, key)
                assert words in str(ended.value)
            (shop / "odd.graphql").write_text(HIDDEN)
            with pytest.raises(SystemExit) as ended:
                await push(url, secret)
            assert "selects what is not public" in str(ended.value)
        with pytest.raises(SystemExit) as ended:
            await push(url, secret)
        assert "does not answer as a hub" in str(ended.value)

    play(world, story)
    assert world.value("SELECT COUNT(*) FROM trusted_document") == 2


def test_keys_have_scopes_or_origins(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here(monkeypatch, world.database)
    cli.main(["keys", "create", "shop", "--origin", "https://shop.example"])
    assert capsys.readouterr().out.startswith("shp_")
    cli.main(["keys", "list"])
    assert 'for pages of ["https://shop.example"]' in capsys.readouterr().out
    for given in ([], ["--scope", "ops", "--origin", "https://shop.example"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["keys", "create", "odd", *given])
        assert "scopes, or origins" in str(ended.value)


def test_the_public_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["schema", "--public"])
    assert capsys.readouterr().out == public_sdl(core_schema(schema))
