"""When each scope of a channel is compared: its own interval, jitter and black-outs."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from api_client import Hub, play
from connectors.shopify.simulator.server import ShopifySimulator
from hub.access.keys import Scope as Right
from hub.reconciliation import schedules
from hub.reconciliation.kinds import Scope
from hub.reconciliation.schedules import Blackout, Schedule
from jobs.reconciliation import run as reconcile
from reconciling import Shop
from recording import stage
from world import World

QUARTER = timedelta(minutes=15)


def ran(world: World) -> list[str]:
    """Return the scopes that were compared, and forget them."""
    rows = world.rows("SELECT scope FROM reconciliation_run WHERE trigger = 'schedule' ORDER BY id")
    world.write(
        lambda tx: tx.run("UPDATE reconciliation_run SET trigger = 'seen' WHERE trigger <> 'seen'")
    )
    return [row["scope"] for row in rows]


def test_each_scope_has_its_own_interval(world: World) -> None:
    _, runtime, channel = stage(world, Shop)
    hourly = Schedule(every=timedelta(hours=1), jitter=timedelta())
    world.write(lambda tx: schedules.put(tx, world.context(), channel, Scope.LEVELS, hourly))
    asyncio.run(reconcile.reconcile_due(QUARTER, runtime))
    assert ran(world) == []  # the channel is new
    world.pass_time(minutes=17)
    asyncio.run(reconcile.reconcile_due(QUARTER, runtime))
    first = ran(world)
    assert "orders" in first
    assert "levels" not in first
    world.pass_time(minutes=45)
    asyncio.run(reconcile.reconcile_due(QUARTER, runtime))
    assert {"orders", "levels"} <= set(ran(world))
    asyncio.run(reconcile.reconcile_due(QUARTER, runtime))
    assert ran(world) == []
    world.write(lambda tx: schedules.remove(tx, channel, Scope.LEVELS))
    world.pass_time(minutes=17)
    asyncio.run(reconcile.reconcile_due(QUARTER, runtime))
    assert "levels" in ran(world)


def test_a_channel_that_cannot_be_opened_stops_no_other(world: World) -> None:
    world.channel("broken")  # without settings
    runtime = world.runtime()
    world.pass_time(hours=1)
    assert asyncio.run(reconcile.reconcile_due(QUARTER, runtime)) == "0 runs over 0 channels"


def test_a_channel_whose_connector_is_not_installed_stops_no_other(world: World) -> None:
    gone = world.channel("orphan")
    world.write(
        lambda tx: tx.run("UPDATE channel SET connector = 'gone' WHERE id = :id", id=gone["id"])
    )
    runtime = world.runtime()
    world.pass_time(hours=1)
    assert asyncio.run(reconcile.reconcile_due(QUARTER, runtime)) == "0 runs over 0 channels"


@pytest.mark.parametrize(
    ("at", "covered"),
    [
        ("2026-11-02T21:59", False),  # a Monday, 22:59 in Berlin
        ("2026-11-02T22:00", True),
        ("2026-11-03T04:59", True),  # it lasts over midnight
        ("2026-11-03T05:00", False),
        ("2026-11-03T22:30", False),  # not on Tuesdays
    ],
)
def test_a_blackout_follows_its_zone_and_lasts_over_midnight(at: str, covered: bool) -> None:
    night = Blackout(begin="23:00", end="06:00", zone="Europe/Berlin", days=(1,))
    assert night.covers(datetime.fromisoformat(at).replace(tzinfo=UTC)) is covered


def test_no_run_starts_in_a_blackout_and_it_is_caught_up_after(world: World) -> None:
    _, runtime, channel = stage(world, Shop)
    busy = Blackout(begin="12:00", end="14:00")  # it is noon
    sale = Schedule(every=QUARTER, jitter=timedelta(), blackouts=(busy,))
    world.write(lambda tx: schedules.put(tx, world.context(), channel, Scope.LEVELS, sale))
    world.pass_time(hours=1)
    asyncio.run(reconcile.reconcile_due(QUARTER, runtime))
    assert "levels" not in ran(world)
    world.pass_time(hours=1)
    asyncio.run(reconcile.reconcile_due(QUARTER, runtime))
    assert "levels" in ran(world)


def test_the_jitter_spreads_channels_and_is_the_same_for_every_process(world: World) -> None:
    rows = [world.channel(f"shop-{number}") for number in range(8)]
    scopes = {row["id"]: [Scope.LEVELS] for row in rows}
    found = [world.read(lambda tx: schedules.planned(tx, rows, scopes, QUARTER)) for _ in range(2)]
    assert found[0] == found[1]
    begins = {plans[0].next_at for plans in found[0].values()}
    assert len(begins) == 8
    assert max(begins) - min(begins) < timedelta(minutes=1)


def test_people_set_and_read_schedules_over_the_api(world: World) -> None:
    document = """mutation($every: Int, $jitter: Int! = 0, $blackouts: [BlackoutInput!]) {
      done: scheduleReconciliation(idempotencyKey: "NEW", channel: "shop", scope: LEVELS,
        everySeconds: $every, jitterSeconds: $jitter, blackouts: $blackouts) { __typename
        ... on ReconciliationSchedules { schedules { scope everySeconds jitterSeconds changedBy
          blackouts { begin end zone days } } } ... on InvalidInput { field message } } }"""
    world.channel(settings=ShopifySimulator().settings("http://shop.test"))

    async def story(hub: Hub) -> None:
        admin = await hub.caller(Right.ADMIN, name="ann")
        night = {"begin": "23:00", "end": "06:00", "zone": "Europe/Berlin", "days": [6, 7]}
        done = (await admin.ask(document, every=3600, jitter=60, blackouts=[night]))["done"]
        levels = next(each for each in done["schedules"] if each["scope"] == "LEVELS")
        assert levels == {
            "scope": "LEVELS",
            "everySeconds": 3600,
            "jitterSeconds": 60,
            "changedBy": "ann",
            "blackouts": [night],
        }
        for wrong in (
            {"every": 1},
            {"every": 100, "jitter": 101},
            {"every": 100, "blackouts": [night | {"zone": "Mars/Base"}]},
            {"every": 100, "blackouts": [night | {"begin": "25:00"}]},
            {"every": 100, "blackouts": [night | {"days": [0]}]},
        ):
            assert (await admin.ask(document, **wrong))["done"]["__typename"] == "InvalidInput"
        done = (await admin.ask(document))["done"]
        levels = next(each for each in done["schedules"] if each["scope"] == "LEVELS")
        assert (levels["everySeconds"], levels["changedBy"]) == (900, None)

    play(world, story)
