"""The example shop in a real browser, from another origin than the hub's."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from browser.test_console_in_browser import ARGUMENTS, CHROMIUM
from connectors.testing.serving import serve
from hub.access import keys
from hub.access.keys import Scope
from hub.clock import now
from hub.lifecycle import Action
from hub.settings import Settings
from hub_api.app import Parts, create_app
from jobs.services import JobServices
from serial_hub.compose import prepare
from serial_hub.shop.opening import opened_shop
from world import World

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing")


class Street:
    """A hub and a shop, each at an origin of its own, served from a loop of their own."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(database=f"sqlite:///{folder}/hub.db")
        self.database = prepare(self.settings)
        self.world = World.build(self.database)
        self.world.now = now()
        self.hub = ""
        self.shop = ""
        self.page_key = ""
        self._ready, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def open(self) -> None:
        self._thread.start()
        assert self._ready.wait(20), "the shop did not open"

    def close(self) -> None:
        self._end.set()
        self._thread.join()

    async def _serve(self) -> None:
        app = create_app(
            Parts(
                database=self.database,
                services=JobServices(self.world.runtime()),
                settings=self.settings,
            )
        )
        async with (
            serve(app, lifespan="on") as self.hub,
            opened_shop(self.hub, self._ask, port=0) as self.shop,
        ):
            self._ready.set()
            await asyncio.to_thread(self._end.wait)

    async def _ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Ask as an administrator."""
        _, secret = self.database.write_now(
            lambda tx: keys.create(tx, "admin", [Scope.ADMIN], now())
        )
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(base_url=self.hub, headers=headers) as http:
            body = {"query": document, "variables": variables}
            data: dict[str, Any] = (await http.post("/graphql", json=body)).json()["data"]
        self.page_key = data["pages"]["secret"]
        return data


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    made = Street(tmp_path)
    with closing(made.database):
        made.open()
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield launched
        launched.close()


def visit(browser: Browser, street: Street, complaints: list[str]) -> Page:
    page = browser.new_context().new_page()
    page.on("console", lambda each: complaints.append(each.text) if each.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(street.shop)
    return page


def test_a_shopper_sees_stock_live_reserves_and_buys(street: Street, browser: Browser) -> None:
    world, complaints = street.world, list[str]()
    world.receive("SN-1", "SN-2")
    page = visit(browser, street, complaints)
    camera = page.locator("li", has_text="CAM")
    expect(camera.locator(".band")).to_have_text("few left")
    camera.get_by_role("button").click()
    expect(page.locator("#lines")).to_have_text("1 × CAM")
    expect(page.locator("#time")).to_contain_text("Yours for")
    # A second shopper sees what the first has left, at once.
    other = visit(browser, street, complaints)
    theirs = other.locator("li", has_text="CAM")
    theirs.get_by_role("button").click()
    expect(other.locator("#lines")).to_have_text("1 × CAM")
    expect(camera.locator(".band")).to_have_text("sold out")
    expect(camera.get_by_role("button")).to_be_disabled()
    other.get_by_role("button", name="Empty the cart").click()
    expect(camera.locator(".band")).to_have_text("few left")
    # The cart is the hub's: it outlives the page.
    page.reload()
    expect(page.locator("#lines")).to_have_text("1 × CAM")
    page.get_by_label("E-mail").fill("ada@example.org")
    page.get_by_role("button", name="Buy").click()
    expect(page.locator("#message")).to_contain_text("Thank you. Order S-", timeout=15_000)
    (order,) = world.rows("SELECT state, hold FROM sales_order")
    assert (order["state"], order["hold"]) == ("open", None)
    assert complaints == []


@pytest.mark.parametrize("path", ["/graphql", "/graphql/schema.graphql"])
def test_a_page_of_another_origin_reads_nothing(
    street: Street, browser: Browser, path: str
) -> None:
    page = browser.new_context().new_page()
    page.goto(street.hub.replace("127.0.0.1", "localhost") + "/healthz")
    read = """async ([url, key]) => {
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
      try {
        return (await fetch(url, { method: "POST", headers, body: "{}" })).status;
      } catch (error) { return String(error); }
    }"""
    assert "Failed to fetch" in page.evaluate(read, [street.hub + path, street.page_key])


def test_stock_is_live_after_the_connection_was_cut(street: Street, browser: Browser) -> None:
    world, complaints = street.world, list[str]()
    world.receive("SN-1")
    page = visit(browser, street, complaints)
    band = page.locator("li", has_text="CAM").locator(".band")
    expect(band).to_have_text("few left")
    page.context.set_offline(True)
    world.do(Action.SELL, "SN-1")
    page.context.set_offline(False)
    expect(band).to_have_text("sold out", timeout=20_000)
