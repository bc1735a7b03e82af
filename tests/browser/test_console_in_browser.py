"""The console in a real browser: somebody signs in, looks around, and nothing complains.

Chromium is the system's own (`apt-get install chromium`). Screenshots go to artefacts/.
"""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from browser.console_shop import SERIAL, Shop
from connectors.testing.serving import serve

CHROMIUM = Path("/usr/bin/chromium")
ARTEFACTS = Path(__file__).parents[2] / "artefacts"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1400, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1400, "height": 900}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "light",
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(),
    reason=f"{CHROMIUM} is missing: install Debian's chromium to look at the console as people do",
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("console"), datetime.now(UTC))
    try:
        yield made.fill()
    finally:
        made.database.close()


@pytest.fixture(scope="module")
def origin(shop: Shop) -> Iterator[str]:
    """Serve the application from a loop of its own."""
    ready, end = threading.Event(), threading.Event()
    found: list[str] = []

    async def main() -> None:
        async with serve(shop.app()) as url:
            found.append(url)
            ready.set()
            await asyncio.to_thread(end.wait)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert ready.wait(10), "the application did not start"
        yield found[0]
    finally:
        end.set()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield launched
        launched.close()


class Visitor:
    """Somebody with a browser window, and everything that went wrong in it."""

    def __init__(self, browser: Browser, origin: str, look: str, **options: Any) -> None:
        self.origin, self.look = origin, look
        self.complaints: list[str] = []
        self.context = browser.new_context(**LOOKS[look], **options)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)

    def _said(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(self.origin):
            self.complaints.append(f"a request left the origin: {request.url}")

    def open(self, path: str) -> None:
        self.page.goto(self.origin + path)

    def sign_in(self, secret: str) -> None:
        self.page.get_by_label("API key").fill(secret)
        self.page.get_by_role("button", name="Sign in").click()

    def shoot(self, name: str) -> None:
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"console-{name}-{self.look}.png"
        self.page.screenshot(path=path, full_page=True, animations="disabled")

    def overflows(self) -> bool:
        """Say whether the page is wider than the window."""
        width = LOOKS[self.look]["viewport"]["width"]
        return int(self.page.evaluate("document.documentElement.scrollWidth")) > width


@pytest.mark.parametrize("look", list(LOOKS))
def test_an_ops_person_signs_in_and_finds_what_happened(
    shop: Shop, origin: str, browser: Browser, look: str
) -> None:
    visitor = Visitor(browser, origin, look)
    page = visitor.page

    visitor.open("/console/runs")
    assert page.url == f"{origin}/console/login?next=%2Fconsole%2Fruns"
    visitor.shoot("login")
    visitor.sign_in(shop.secrets["ops"])
    assert page.url == f"{origin}/console/runs"

    page.get_by_role("link", name="Overview").click()
    page.get_by_role("heading", name="Overview").wait_for()
    assert page.get_by_role("link", name="Fjord Market").first.is_visible()
    assert not visitor.overflows()
    visitor.shoot("overview")

    visitor.open(f"/console/runs/{shop.ids['northwind-levels']}")
    healed = page.locator("article", has_text="AX-200").first
    assert "Healed" in healed.inner_text()
    assert "Somebody edited it on the channel" in healed.inner_text()
    assert not visitor.overflows()
    visitor.shoot("run")

    search = page.get_by_role("search").get_by_role("searchbox")
    search.fill(SERIAL.lower().replace("-", " "))
    search.press("Enter")
    page.get_by_role("heading", name="History").wait_for()
    events = page.locator(".timeline h3").all_inner_texts()
    assert events[0] == "Held"
    assert events[-2:] == ["Put into stock", "Received"]
    assert not visitor.overflows()
    visitor.shoot("unit")

    for name, path in (
        ("runs", "/runs"),
        ("differences", "/differences"),
        ("service-levels", "/service-levels?channel=northwind"),
        ("run-orders", f"/runs/{shop.ids['northwind-orders']}"),
        ("run-print", f"/runs/{shop.ids['northwind-orders']}/print"),
        ("units", "/units"),
        ("units-unknown", "/units?q=nobody"),
        ("units-several", "/units?q=twin-1"),
        ("cases", "/cases"),
        ("case", f"/cases/{shop.ids['case-unknown_serial']}"),
        ("orders", "/orders"),
        ("order", f"/orders/{shop.ids['#1041']}"),
        ("channels", "/channels"),
        ("channel", "/channels/mitte-pos"),
        ("channel-paused", "/channels/fjord"),
    ):
        visitor.open(f"/console{path}")
        visitor.shoot(name)
        assert not visitor.overflows(), f"{path} is wider than the window"
    assert [each for each in visitor.complaints if "404" not in each] == []
    visitor.context.close()


def test_the_overview_refreshes_itself(shop: Shop, origin: str, browser: Browser) -> None:
    visitor = Visitor(browser, origin, "light")
    visitor.page.clock.install()
    visitor.open("/console/")
    visitor.sign_in(shop.secrets["ops"])
    visitor.page.get_by_text("Live").wait_for()
    visitor.page.evaluate("document.querySelector('h1').textContent = 'Yesterday'")
    visitor.page.clock.run_for(21_000)
    visitor.page.get_by_role("heading", name="Overview").wait_for()
    assert visitor.complaints == []
    visitor.context.close()


def test_everything_works_without_scripts(shop: Shop, origin: str, browser: Browser) -> None:
    visitor = Visitor(browser, origin, "light", java_script_enabled=False)
    page = visitor.page
    visitor.open("/console/")
    visitor.sign_in(shop.secrets["ops"])

    visitor.open(f"/console/runs/{shop.ids['northwind-levels']}")
    open_one = page.locator(f"#d-{shop.ids['formula']}")
    open_one.get_by_role("textbox").fill("an old test listing")
    open_one.get_by_role("button", name="Dismiss").click()
    assert "is dismissed" in page.get_by_role("status").inner_text()
    assert "Dismissed" in open_one.inner_text()

    visitor.open("/console/differences")
    bundle = page.get_by_role("region", name="Fulfilled there, not here on Northwind Online")
    bundle.get_by_role("textbox").fill("the maker ships these itself")
    bundle.get_by_role("button", name="Dismiss all").click()
    assert "1 dismissed." in page.get_by_role("status").inner_text()
    assert not bundle.is_visible()

    page.get_by_role("button", name="Sign out").click()
    assert page.url == f"{origin}/console/login"
    assert visitor.complaints == []
    visitor.context.close()
