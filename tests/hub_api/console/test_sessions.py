"""Sessions of the console: they end on the server, by themselves, and take no guessing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from browser.console_shop import Shop
from browser.console_visits import Visitor, visit
from hub.access import guessing, sessions
from hub.access.sessions import Lifetimes, Owner, OwnerKind
from hub_api.common.security_events import COUNTERS, SecurityEvent

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, NOW)
    yield made
    made.database.close()


def seen_at(shop: Shop) -> list[int]:
    rows = shop.database.read_now(lambda tx: tx.rows("SELECT seen_at FROM login_session"))
    return [row["seen_at"] for row in rows]


def pass_time(shop: Shop, **span: float) -> None:
    shop.now += timedelta(**span)


def test_a_copied_cookie_is_worth_nothing_after_signing_out(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        await visitor.get("/")
        copied = dict(visitor.client.cookies)
        await visitor.post("/logout")
        visitor.client.cookies.clear()
        visitor.client.cookies.update(copied)
        answer = await visitor.client.get("/console/")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/console/login")

    visit(shop, work)


def test_pages_do_not_prolong_a_session_beyond_its_end(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        for _ in range(12 * 2 - 1):  # every half an hour
            pass_time(shop, minutes=30)
            await visitor.get("/")
        pass_time(shop, minutes=31)
        await visitor.get("/", 303)

    visit(shop, work)


def test_a_session_that_nobody_uses_ends(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        pass_time(shop, minutes=59)
        await visitor.get("/")
        pass_time(shop, minutes=61)
        await visitor.get("/", 303)

    visit(shop, work)


def test_the_use_of_a_session_is_written_once_a_minute(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        first = seen_at(shop)
        for _ in range(5):
            await visitor.get("/")
        assert seen_at(shop) == first
        pass_time(shop, seconds=61)
        await visitor.get("/")
        assert seen_at(shop)[0] - first[0] == 61_000_000

    visit(shop, work)


def test_the_token_is_nowhere_in_the_database(shop: Shop) -> None:
    def begin() -> str:
        owner = Owner(OwnerKind.PERSON, "p-1")
        return shop.database.write_now(lambda tx: sessions.begin(tx, owner, NOW, Lifetimes()))

    token = begin()
    found = shop.database.read_now(lambda tx: sessions.find(tx, token, NOW, Lifetimes()))
    assert found is not None
    assert (found.owner.kind, found.owner.id) == (OwnerKind.PERSON, "p-1")
    rows = shop.database.read_now(lambda tx: tx.rows("SELECT * FROM login_session"))
    assert token not in str(rows)
    begin()
    ended = shop.database.write_now(
        lambda tx: sessions.end_all(tx, Owner(OwnerKind.PERSON, "p-1"), NOW)
    )
    assert ended == 2
    assert shop.database.read_now(lambda tx: sessions.find(tx, token, NOW, Lifetimes())) is None


def guess(shop: Shop, work: Callable[[httpx.AsyncClient, str], Awaitable[None]]) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(shop.app()), base_url="http://hub"
        ) as client:
            csrf = await Visitor(client, shop).token("/login")
            await work(client, csrf)

    asyncio.run(main())


def test_guessing_is_limited_by_address_and_says_exactly_how_long(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(client: httpx.AsyncClient, csrf: str) -> None:
        async def attempt(key: str) -> httpx.Response:
            form = {"csrf": csrf, "key": key}
            return await client.post("/console/login", data=form)

        failed = COUNTERS[SecurityEvent.FAILED_SIGN_IN]
        # At the same time, too: no more are looked at than may fail.
        answers = await asyncio.gather(*(attempt(f"shk_{n:09}wrong") for n in range(30)))
        codes = [each.status_code for each in answers]
        assert (codes.count(401), codes.count(429)) == (guessing.PER_ADDRESS_MAX, 20)
        assert COUNTERS[SecurityEvent.FAILED_SIGN_IN] - failed == guessing.PER_ADDRESS_MAX
        refused = await attempt(shop.secrets["ops"])
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")
        pass_time(shop, seconds=899)
        refused = await attempt(shop.secrets["ops"])
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        pass_time(shop, seconds=1)
        assert (await attempt(shop.secrets["ops"])).status_code == 303

    with caplog.at_level(logging.WARNING, "serial_hub.security"):
        guess(shop, work)
    lines = [record.getMessage() for record in caplog.records]
    assert 'security event=failed_sign_in address="127.0.0.1"' in lines
    assert any(line.startswith("security event=sign_in_limited") for line in lines)
    assert not any("wrong" in line for line in lines)


def test_guessing_one_prefix_from_everywhere_is_limited(shop: Shop) -> None:
    def attempt(number: int, key: str, at: datetime = NOW) -> int:
        limits = guessing.names(f"192.0.2.{number}", key)
        return shop.database.write_now(lambda tx: guessing.attempt(tx, limits, at))

    waits = [attempt(number, f"shk_AAAABBBB{number}") for number in range(25)]
    assert waits == [0] * guessing.PER_PREFIX_MAX + [900] * 5
    assert attempt(99, "shk_OTHERONE1") == 0
    stored = shop.database.read_now(lambda tx: tx.rows("SELECT name FROM failed_attempt"))
    assert "AAAABBBB" not in str(stored)


def test_who_signs_in_rightly_never_waits(shop: Shop) -> None:
    async def work(client: httpx.AsyncClient, csrf: str) -> None:
        for _ in range(30):
            client.cookies.clear()
            visitor = Visitor(client, shop)
            assert (await visitor.sign_in()).status_code == 303

    guess(shop, work)


def test_counts_and_sessions_that_ended_are_forgotten(shop: Shop) -> None:
    limits = guessing.names("192.0.2.1", "x")
    shop.database.write_now(lambda tx: guessing.attempt(tx, limits, NOW))
    later = NOW + timedelta(days=40)
    assert shop.database.write_now(lambda tx: guessing.forget(tx, later)) == 2
    owner = Owner(OwnerKind.KEY, "k")
    shop.database.write_now(lambda tx: sessions.begin(tx, owner, NOW, Lifetimes()))
    assert shop.database.write_now(lambda tx: sessions.forget(tx, later)) == 1
