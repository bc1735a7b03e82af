"""The limiter: a bucket of cost for each API key, and what the caller hears when it is empty."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from api_client import Hub, play
from hub.access.keys import Caller, Scope
from hub_api.http import limiter
from hub_api.http.limiter import Limiter
from world import World


@dataclass
class Bucket:
    """A limiter with a small bucket and a clock that stands still until told."""

    now: float = 0.0
    limiter: Limiter = field(init=False)

    def __post_init__(self) -> None:
        self.limiter = Limiter(cost_max=100, cost_per_second=10.0, clock=lambda: self.now)

    def spend(self, cost: int, key: str = "k") -> float | None:
        context: Any = SimpleNamespace(caller=Caller(key, key, frozenset()), cost=0, address="")
        return asyncio.run(self.limiter.spend(context, cost))


def test_a_full_bucket_pays_until_it_is_empty_and_says_how_long_to_wait() -> None:
    bucket = Bucket()
    assert [bucket.spend(40), bucket.spend(60)] == [None, None]
    assert bucket.spend(5) == pytest.approx(0.5)


def test_what_is_refused_costs_nothing() -> None:
    bucket = Bucket()
    assert bucket.spend(95) is None
    assert bucket.spend(20) == pytest.approx(1.5)
    assert bucket.spend(5) is None


def test_a_bucket_fills_with_time_and_never_over_its_rim() -> None:
    bucket = Bucket()
    assert bucket.spend(100) is None
    bucket.now = 3.0
    assert bucket.spend(31) == pytest.approx(0.1)
    assert bucket.spend(30) is None
    bucket.now = 1_000.0
    assert bucket.spend(100) is None
    assert bucket.spend(1) == pytest.approx(0.1)


def test_waiting_as_long_as_was_said_is_enough() -> None:
    bucket = Bucket()
    assert bucket.spend(100) is None
    wait_seconds = bucket.spend(70)
    assert wait_seconds is not None
    bucket.now += wait_seconds
    assert bucket.spend(70) is None


def test_an_operation_dearer_than_a_bucket_passes_when_it_is_full_and_is_paid_off_after() -> None:
    bucket = Bucket()
    assert bucket.spend(1) is None
    assert bucket.spend(500) == pytest.approx(0.1)
    bucket.now = 1.0
    assert bucket.spend(500) is None
    assert bucket.spend(1) == pytest.approx(40.1)


def test_two_keys_have_two_buckets() -> None:
    bucket = Bucket()
    assert bucket.spend(100, "a") is None
    assert bucket.spend(1, "a") is not None
    assert bucket.spend(100, "b") is None


def test_of_too_many_buckets_the_fullest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "BUCKETS_MAX", 3)
    bucket = Bucket()
    for number in range(50):
        assert bucket.spend(100 if number == 0 else 1, f"k{number}") is None
    assert len(bucket.limiter._left) <= 3
    assert bucket.spend(1, "k0") is not None  # who has spent all is remembered


def test_shoppers_share_a_key_and_each_address_has_a_bucket_of_its_own() -> None:
    shared = Limiter(clock=lambda: 0.0)
    key = Caller("p", "shop", frozenset(), origins=frozenset({"https://shop.example"}))

    def spend(address: str, cost: int) -> float | None:
        context: Any = SimpleNamespace(caller=key, address=address, cost=0)
        return asyncio.run(shared.spend(context, cost))

    most = limiter.ADDRESS.cost_max
    assert spend("192.0.2.1", most) is None
    assert spend("192.0.2.1", 1) is not None
    assert spend("192.0.2.2", 1) is None
    assert spend("2001:db8::1", most) is None
    assert spend("2001:db8::2", 1) is not None  # of the same network
    assert spend("2001:db8:1::1", most) is None
    # Many addresses together spend what the key has, and no more.
    others = [spend(f"198.51.100.{number}", most) for number in range(100)]
    assert others.count(None) == (limiter.PUBLISHABLE_KEY.cost_max - 3 * most - 1) // most


def test_who_has_spent_too_much_hears_429_and_when_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "hub_api.app.Limiter", lambda: Limiter(cost_max=150, cost_per_second=10, clock=lambda: 0.0)
    )
    document = "{ viewer { name } }"

    async def story(hub: Hub) -> None:
        greedy, modest = await hub.caller(Scope.POS), await hub.caller(Scope.POS)
        # A document that was never seen costs 100, a known one what it asks for.
        assert (await greedy.post(document)).status_code == 200
        for _ in range(200):
            answer = await greedy.post(document)
            if answer.status_code != 200:
                break
        assert answer.status_code == 429
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert answer.headers["retry-after"] == "1"
        assert (await modest.post(document)).status_code == 200
        unseen = await greedy.post("{ viewer { scopes } }")
        assert unseen.status_code == 429
        assert 5 <= int(unseen.headers["retry-after"]) <= 10

    play(world, story)


def test_a_command_that_was_refused_for_its_cost_was_not_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "hub_api.app.Limiter", lambda: Limiter(cost_max=100, cost_per_second=1, clock=lambda: 0.0)
    )
    world.receive("SN-1")
    sell = 'mutation { sellUnits(idempotencyKey: "k", units: [{identifier: "SN-1"}], receipt: "R") '

    async def story(hub: Hub) -> None:
        till = await hub.caller(Scope.POS)
        answer = await till.post(sell + "{ __typename } }")
        assert answer.status_code == 429

    play(world, story)
    assert world.unit("SN-1")["status"] == "in_stock"
