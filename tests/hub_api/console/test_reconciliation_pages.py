"""Pages of reconciliation: service levels with promises, and listings that become products."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from browser.console_shop import HOSTILE, Shop
from browser.console_visits import Visitor, text_of, visit
from hub.storage.sql import Transaction
from hub_api.console import presenters

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


@pytest.fixture
def empty_shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, NOW)
    yield made
    made.database.close()


@pytest.fixture
def shop(empty_shop: Shop) -> Shop:
    return empty_shop.fill()


def listed(shop: Shop, tx: Transaction) -> None:
    """Let the channel show what the unknown listing of the shop is."""
    tx.run("UPDATE reconciliation_difference SET subject = 'CABLE-9' WHERE id = :id",
           id=shop.ids["formula"])  # fmt: skip
    tx.run(
        "INSERT INTO observed_listing(channel_id, about, run_id, sku, title, quantity, remote, "
        "seen_at, suspect, unbound) SELECT channel_id, about, run_id, 'CABLE-9', :title, 4, '{}', "
        "found_at, FALSE, TRUE FROM reconciliation_difference WHERE id = :id",
        title=HOSTILE,
        id=shop.ids["formula"],
    )


async def administer(visitor: Visitor) -> None:
    visitor.client.cookies.clear()
    await visitor.sign_in("admin")


async def promise(visitor: Visitor, **form: str) -> str:
    back = "/console/service-levels?channel=northwind"
    return await visitor.post("/service-levels", channel="northwind", back=back, **form)


def test_service_levels_show_what_is_measured_day_by_day(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        answer = await visitor.client.get("/console/service-levels")
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/console/service-levels?channel=aurora-care",
        )
        page = text_of(await visitor.get("/service-levels?channel=northwind"))
        assert "Time to detect, 95 % at most" in page
        assert "by rules, 0 by people" in page
        assert "2026-11-21 2 2,093 4 1 0" in page  # runs, compared, begun, healed, ended
        assert "Nothing is promised." in page
        assert "Stock levels interval of the hub" in page
        await visitor.get("/service-levels?channel=nobody", 404)

    visit(shop, work)


def test_what_is_promised_is_shown_kept_or_broken(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        page = await promise(visitor, detect="5")
        assert "FORBIDDEN" in page
        assert 'name="detect"' not in page
        await administer(visitor)
        page = await promise(visitor, detect="1.5", heal="", unattended="100")
        assert "The promises apply from now on" in text_of(page)
        assert "Detected within 90 s in 95 of 100" in text_of(page).replace("1 min", "90 s")
        assert 'name="detect" type="number" min="1" step="any" value="1.5"' in page
        assert 'name="heal" type="number" min="1" step="any" value=""' in page
        assert "Healed without a person 100 % at least" in text_of(page)
        assert "set by Iva, back office" in text_of(page)
        odd = await promise(visitor, detect="soon")
        assert "soon is no number." in text_of(odd)
        small = await promise(visitor, detect="0.5")
        assert "INVALID_INPUT" in small
        none = await promise(visitor)
        assert "Nothing is promised." in text_of(none)

    visit(shop, work)


def test_a_hub_without_channels_has_no_levels(empty_shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        assert "No channel yet" in await visitor.get("/service-levels")

    visit(empty_shop, work)


def test_unknown_listings_become_products_by_one_press(shop: Shop) -> None:
    shop.write(lambda tx: listed(shop, tx))

    async def work(visitor: Visitor) -> None:
        back = "/console/differences?state=OPEN&kind=UNKNOWN_LISTING"
        page = text_of(await visitor.get("/differences"))
        assert "Import as products" not in page
        await administer(visitor)
        page = text_of(await visitor.get("/differences"))
        assert "Import as products (all 1)" in page
        assert "Aurora Audio" in page
        given = {"channel": "northwind", "tracking": "SERIAL", "back": back}
        nobody = await visitor.post("/differences/import", manufacturer="nobody", **given)
        assert "UNKNOWN_REFERENCE" in nobody
        done = text_of(await visitor.post("/differences/import", manufacturer="aurora", **given))
        assert "1 listing is a product now; the next run of stock levels binds" in done
        again = text_of(await visitor.post("/differences/import", manufacturer="aurora", **given))
        assert "0 listings are products now." in again
        page = await visitor.get("/units?sku=CABLE-9")
        assert HOSTILE not in page

    visit(shop, work)
    named = "SELECT name FROM product WHERE sku = 'CABLE-9'"
    assert shop.database.read_now(lambda tx: tx.value(named)) == HOSTILE


def test_a_listing_that_can_be_no_product_says_why(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        await administer(visitor)
        page = text_of(
            await visitor.post(
                "/differences/import", channel="northwind", manufacturer="aurora", tracking="NONE"
            )
        )
        assert "0 listings are products now." in page
        assert "1 refused: =HYPERLINK(1): the last run did not see it." in page

    visit(shop, work)


def test_a_trend_has_a_bar_for_each_day_and_its_highest_fills_it() -> None:
    bars = presenters.trend(
        {
            "since": "2026-11-01T10:00:00+00:00",
            "until": "2026-11-04T10:00:00+00:00",
            "days": [
                {"on": "2026-11-02", "begun": 40, "healed": 9, "closed": 1},
                {"on": "2026-11-04", "begun": 1, "healed": 0, "closed": 0},
            ],
        }
    )
    assert [(bar.on[-2:], bar.begun, bar.ended) for bar in bars] == [
        ("01", 0, 0),
        ("02", 100, 25),
        ("03", 0, 0),
        ("04", 3, 0),
    ]
    assert [bar.x for bar in bars] == [0, 30, 60, 90]
