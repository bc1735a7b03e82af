"""A connector begun from the template is a package of its own: the hub finds it, and it passes."""

import asyncio
import importlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from connectors.template import AUTHS, NameRefused, begin
from connectors.testing.case import NotApplicable
from connectors.testing.conformance import CASES
from connectors.testing.doors import HmacDoor
from connectors.testing.harness import run_case
from connectors.toolkit.signatures import HmacAuth
from e2e.processes import api_process
from hub.access import keys
from hub.access.keys import Scope
from hub.clock import now
from hub.storage.database import open_database
from hub.storage.migrations import migrate
from serial_hub.demo import Api
from world import KEY

KEY_OF_IT = "big_shop"
CHECK = """mutation($key: String!, $channel: ChannelInput!) {
  registerChannel(idempotencyKey: $key, channel: $channel) {
  __typename ... on Problem { code message } ... on Channel { connector capabilities } } }"""


@dataclass(frozen=True)
class Made:
    """A package that was begun, and the folder that it is installed into."""

    source: Path
    site: Path

    def run(self, *command: str, where: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Run Python with the package installed, away from its source unless that is asked for."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=where or self.site.parent,
            env={**os.environ, "PYTHONPATH": str(self.site), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("template")
    package = Made(folder / "source", folder / "site")
    begin(KEY_OF_IT, package.source)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    alone = ["--no-deps", "--no-build-isolation", "--target", str(package.site), "."]
    done = package.run(*install, *alone, where=package.source)
    assert done.returncode == 0, done.stderr
    return package


def test_nothing_of_the_templates_name_is_left(made: Made) -> None:
    files = [
        path for path in made.source.rglob("*") if path.is_file() and "build" not in path.parts
    ]
    assert {str(path.relative_to(made.source)) for path in files} == {
        "README.md",
        "pyproject.toml",
        "serial_hub_big_shop/__init__.py",
        "serial_hub_big_shop/mapping.py",
        "serial_hub_big_shop/connector.py",
        "serial_hub_big_shop/credentials.py",
        "serial_hub_big_shop/door.py",
        "serial_hub_big_shop/driver.py",
        "serial_hub_big_shop/simulator.py",
        "tests/test_big_shop.py",
    }
    assert not [path for path in files if "acme" in path.read_text().casefold()]
    assert 'name = "serial-hub-big-shop"' in (made.source / "pyproject.toml").read_text()
    assert "class BigShop(" in (made.source / "serial_hub_big_shop" / "connector.py").read_text()


@pytest.mark.slow
def test_the_hub_finds_it_and_it_passes_the_scorecard(made: Made) -> None:
    listed = made.run("-m", "serial_hub", "connectors")
    assert f"{KEY_OF_IT}: pull_orders, pull_returns, push_stock" in listed.stdout, listed.stderr
    scored = made.run("-m", "serial_hub", "connectors", "score", KEY_OF_IT, "--format", "json")
    assert scored.returncode == 0, scored.stdout + scored.stderr
    card = json.loads(scored.stdout)
    (column,) = card["connectors"]
    assert card["passed"] is True
    assert column["counts"]["pass"] >= 40
    assert {
        name: column["results"][name]["verdict"]
        for name in ("returned-serials-are-read", "check-passes")
    } == {
        "returned-serials-are-read": "pass",
        "check-passes": "pass",
    }


@pytest.mark.slow
def test_its_own_tests_pass_at_once(made: Made) -> None:
    quiet = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = made.run("-m", "pytest", *quiet, where=made.source)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout


@pytest.mark.slow
def test_a_connector_that_is_spoiled_fails_the_scorecard(made: Made) -> None:
    connector = made.site / "serial_hub_big_shop" / "connector.py"
    sound = connector.read_text()
    try:
        connector.write_text(sound.replace('"if_quantity": level.expected', '"if_quantity": None'))
        assert connector.read_text() != sound
        scored = made.run("-m", "serial_hub", "connectors", "score", KEY_OF_IT)
    finally:
        connector.write_text(sound)
    assert scored.returncode == 1, scored.stderr
    assert "| `foreign-edits-are-seen` | **FAIL** (" in scored.stdout


@pytest.mark.slow
def test_a_running_hub_takes_an_account_of_it(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(made.site))
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    migrate(url)
    database = open_database(url)
    _, secret = database.write_now(lambda tx: keys.create(tx, "test", [Scope.ADMIN], now()))
    database.close()
    settings = {"base_url": "https://shop.test", "token": "a-token", "webhook_secret": "a-secret"}

    async def registered(hub_url: str) -> object:
        api = Api(hub_url, secret)
        channel = {"code": "big", "name": "Big", "connector": KEY_OF_IT, "settings": settings}
        try:
            return (await api.ask(CHECK, channel=channel))["registerChannel"]
        finally:
            await api.aclose()

    with api_process(url, tmp_path, secret_key=KEY) as hub:
        assert httpx.get(f"{hub.url}/healthz").status_code == 200
        reported = asyncio.run(registered(hub.url))
    assert isinstance(reported, dict)
    assert reported["connector"] == KEY_OF_IT, reported
    assert "push_fulfillment" in reported["capabilities"]


ROWS = (
    *("check-passes", "revoked-access", "expired-tokens-are-replaced", "secrets-do-not-show"),
    *("errors-contain-no-secret", "every-status-maps-to-an-error", "quantities-are-set"),
    *("a-shipment-whose-answer-is-lost", "pages-while-orders-change", "retry-after-is-respected"),
)


@pytest.mark.parametrize("auth", AUTHS)
def test_each_way_to_be_let_in_gives_a_connector_that_passes(
    auth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"let_in_by_{auth.replace('-', '_')}"
    files = begin(name, tmp_path, auth)
    text = "".join(each.read_text() for each in files)
    assert "acme" not in text.casefold()
    monkeypatch.syspath_prepend(str(tmp_path))
    package = importlib.import_module(f"serial_hub_{name}")
    driver_module = importlib.import_module(f"serial_hub_{name}.driver")
    spoken = "".join(part.capitalize() for part in name.split("_"))
    connector, driver = getattr(package, spoken), getattr(driver_module, f"{spoken}Driver")
    passed = []
    for row in (each for each in CASES if each.name in ROWS):
        try:
            run_case(row, connector, driver)
        except NotApplicable:
            continue
        passed.append(row.name)
    left_out = set() if auth == "oauth2" else {"expired-tokens-are-replaced"}
    assert set(passed) == set(ROWS) - left_out


def test_an_unknown_way_to_be_let_in_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NameRefused, match="api-key, oauth2, hmac"):
        begin("etsy", tmp_path / "new", "password")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("change", ["body", "path", "time"])
def test_a_signed_request_that_was_changed_is_not_let_in(change: str) -> None:
    door = HmacDoor()
    auth = HmacAuth(door.key, door.secret, "x-twin")
    request = httpx.Request("POST", "http://x/orders?page=1", content=b"{}")
    signed = next(auth.auth_flow(request))
    given = {"path": signed.url.path, "query": b"page=1", "body": b"{}"}
    headers = dict(signed.headers)
    assert let_in(door, headers, **given)
    if change == "time":
        headers["x-twin-timestamp"] = "1"
    else:
        given |= {"body": b"{ }"} if change == "body" else {"query": b"page=2"}
    assert not let_in(door, headers, **given)


def let_in(door: HmacDoor, headers: Any, path: str, query: bytes, body: bytes) -> bool:
    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": query, "headers": raw}
    return asyncio.run(door.lets_in(Request(scope, receive)))


@pytest.mark.parametrize(
    "name", ["", "Etsy", "1shop", "a-b", "a__b", "_a", "a_", "a/b", "../x", "x" * 41, "shopify"]
)
def test_names_that_no_key_can_have_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(NameRefused):
        begin(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(NameRefused, match="not an empty folder"):
        begin("etsy", tmp_path)
    with pytest.raises(NameRefused, match="not an empty folder"):
        begin("etsy", tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
