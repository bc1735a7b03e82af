"""Runs whose process dies, and runs of one scope that are started twice at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from api_client import Hub, play
from connectors.shopify.simulator.server import ShopifySimulator
from hub.access.keys import Scope as Right
from hub.catalogue import ProductCard, register_product
from hub.clock import now
from hub.errors import RunUnderWay
from hub.reconciliation import runs
from hub.reconciliation.comparison import level_comparison, order_comparison
from hub.reconciliation.comparison.level_comparison import Seen
from hub.reconciliation.comparison.order_causes import Look
from hub.reconciliation.kinds import Compared, Scope
from hub.storage.database import open_database
from hub.storage.rows import ChannelRow
from hub.storage.sql import Row, Transaction
from hub.vocabulary import ObservedLevel, Order, OrderLine
from jobs import relay
from jobs.reconciliation import levels, orders
from jobs.reconciliation import run as reconcile
from jobs.reconciliation.options import RunOptions
from jobs.runtime import Runtime
from reconciling_orders import LOOK, NOW, Shop, run
from recording import stage
from world import World

SCOPES = (Scope.LEVELS, Scope.ORDERS, Scope.SHIPMENTS)
QUARTER = timedelta(minutes=15)
SKUS = [f"P-{number}" for number in range(6)]


class Died(BaseException):
    """The process ends: nothing that it would do afterwards is done."""


class Mortal(Shop):
    """A shop during whose listing the process dies, once so many subjects were listed."""

    def __init__(self) -> None:
        super().__init__()
        self.dies_after: int | None = None

    async def snapshot_stock(self) -> AsyncIterator[ObservedLevel]:
        number = 0
        async for each in super().snapshot_stock():
            self._live(number)
            number += 1
            yield each

    async def snapshot_orders(self, since: datetime, until: datetime) -> AsyncIterator[Order]:
        number = 0
        async for each in super().snapshot_orders(since, until):
            self._live(number)
            number += 1
            yield each

    def _live(self, number: int) -> None:
        if number == self.dies_after:
            self.dies_after = None
            raise Died


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "BATCH", 2)
    monkeypatch.setattr(orders, "BATCH", 2)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the references of the subjects that are compared."""
    found: list[str] = []

    compare_levels, compare_orders = level_comparison.levels, order_comparison.compare

    def levels_compared(
        tx: Transaction,
        channel: ChannelRow,
        observed: Sequence[ObservedLevel],
        *rest: Any,
        **named: Any,
    ) -> Seen:
        found.extend(each.sku for each in observed)
        return compare_levels(tx, channel, observed, *rest, **named)

    def orders_compared(tx: Transaction, look: Look, batch: Sequence[Order]) -> list[Compared]:
        found.extend(each.ref for each in batch)
        return compare_orders(tx, look, batch)

    monkeypatch.setattr(level_comparison, "levels", levels_compared)
    monkeypatch.setattr(order_comparison, "compare", orders_compared)
    return found


def mortal(world: World) -> tuple[Mortal, Runtime, Row]:
    """Return a shop with six listings and six shipped orders, which agree with the ledger."""
    connector, runtime, channel = stage(world, Mortal)
    assert isinstance(connector, Mortal)
    for number, sku in enumerate(SKUS):
        card = ProductCard(sku=sku, name=sku, manufacturer="ACME")
        world.write(lambda tx, card=card: register_product(tx, world.context(), card))
        world.list_product(channel, sku)
        world.receive(f"A-{number}", f"B-{number}", sku=sku)
        line = OrderLine(ref="l-1", sku=sku, quantity=1)
        connector.orders[f"o-{number}"] = world.order(f"o-{number}", lines=[line])
        world.accept(channel, connector.orders[f"o-{number}"])
    asyncio.run(relay.drain(runtime, channel["id"]))
    world.pass_time(minutes=5)
    return connector, runtime, channel


def drift(connector: Mortal, *numbers: int) -> None:
    """Let listings and orders differ."""
    for number in numbers:
        connector.shown[f"P-{number}"] = 9
        order = connector.orders[f"o-{number}"]
        lines = tuple(replace(line, quantity=2, shown_serials=("X",)) for line in order.lines)
        connector.orders[order.ref] = replace(order, lines=lines)


def dies(
    connector: Mortal, runtime: Runtime, channel: Row, scope: Scope, options: RunOptions = NOW
) -> None:
    connector.dies_after = 4
    with pytest.raises(Died):
        asyncio.run(reconcile.reconcile(runtime, channel, options, scope))


@pytest.mark.parametrize("scope", [Scope.LEVELS, Scope.ORDERS])
@pytest.mark.parametrize("options", [NOW, LOOK])
def test_a_run_goes_on_where_its_process_died(
    world: World, compared: list[str], scope: Scope, options: RunOptions
) -> None:
    connector, runtime, channel = mortal(world)
    drift(connector, 5)
    dies(connector, runtime, channel, scope, options)
    (dead,) = world.rows("SELECT * FROM reconciliation_run")
    assert (dead["state"], dead["compared"], dead["matched"]) == ("running", 4, 4)
    compared.clear()
    world.pass_time(minutes=2)
    last, found = run(world, runtime, channel, scope, options)
    assert (last["id"], last["resumes"]) == (dead["id"], 1)
    assert last["resumed_at"] > last["started_at"]
    assert (last["compared"], last["matched"], last["differences"]) == (6, 5, 1)
    assert len(found) == 1
    first = ("P-0", "P-1", "P-2", "P-3", "o-0", "o-1", "o-2", "o-3")
    assert not set(first) & set(compared)  # what was counted is not compared again
    assert world.value("SELECT COUNT(*) FROM reconciliation_mark") == 0
    again, _ = run(world, runtime, channel, scope, options)
    assert again["id"] != dead["id"]  # it is over
    assert (again["compared"], again["resumes"]) == (6, 0)


def test_what_a_dead_run_found_is_healed_and_seen_by_the_one_that_goes_on(world: World) -> None:
    connector, runtime, channel = mortal(world)
    drift(connector, 1)

    async def die(_: object, __: object, decided: Sequence[object]) -> Sequence[str]:
        if decided:
            raise Died
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconcile.healing, "heal", die)
        with pytest.raises(Died):
            asyncio.run(reconcile.reconcile(runtime, channel, NOW, Scope.LEVELS))
    assert world.value("SELECT state FROM reconciliation_difference") == "open"
    world.pass_time(minutes=2)
    last, (found,) = run(world, runtime, channel, Scope.LEVELS)
    assert (last["resumes"], last["compared"], last["healed"]) == (1, 6, 1)
    assert (found["state"], found["times"], connector.shown["P-1"]) == ("healed", 1, 1)


def test_serials_that_differed_before_the_end_of_a_process_are_found_once(world: World) -> None:
    connector, runtime, channel = mortal(world)
    drift(connector, 0, 5)
    dies(connector, runtime, channel, Scope.SHIPMENTS)
    world.pass_time(minutes=2)
    last, found = run(world, runtime, channel, Scope.SHIPMENTS)
    assert (last["resumes"], last["compared"], last["differences"]) == (1, 2, 2)
    assert sorted(each["about"] for each in found) == ["o-0", "o-5"]


@pytest.mark.parametrize("scope", SCOPES)
def test_a_cancelled_run_is_given_up_and_goes_on_at_the_next_start(
    world: World, scope: Scope
) -> None:
    connector, runtime, channel = mortal(world)

    async def cancelled() -> None:
        task = asyncio.create_task(reconcile.reconcile(runtime, channel, NOW, scope))
        connector.failures.append(asyncio.CancelledError())
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert world.value("SELECT lease_until FROM reconciliation_run") == 0
    last, _ = run(world, runtime, channel, scope)
    assert last["resumes"] == 1
    assert world.value("SELECT COUNT(*) FROM reconciliation_run") == 1


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(
    ("minutes", "options"), [(16, NOW), (2, LOOK), (2, replace(NOW, window=timedelta(days=3)))]
)
def test_what_is_too_old_or_was_asked_for_otherwise_begins_anew(
    world: World, scope: Scope, minutes: int, options: RunOptions
) -> None:
    connector, runtime, channel = mortal(world)
    connector.dies_after = 4
    with pytest.raises(Died):
        asyncio.run(reconcile.reconcile(runtime, channel, NOW, scope))
    world.pass_time(minutes=minutes)
    run(world, runtime, channel, scope, options)
    dead, last = world.rows("SELECT * FROM reconciliation_run ORDER BY id")
    assert (dead["state"], dead["error"]) == ("failed", runs.ENDED)
    assert dead["compared"] == (0 if scope is Scope.SHIPMENTS else 4)  # no serials, no subject
    assert (last["state"], last["resumes"]) == ("finished", 0)


def test_an_abandoned_run_goes_on_before_the_next_one_is_due(world: World) -> None:
    connector, runtime, channel = mortal(world)
    dies(connector, runtime, channel, Scope.ORDERS, RunOptions())
    world.pass_time(minutes=2)
    asyncio.run(reconcile.reconcile_due(QUARTER, runtime))
    (row,) = world.rows("SELECT * FROM reconciliation_run WHERE scope = 'orders'")
    assert (row["state"], row["resumes"], row["compared"]) == ("finished", 1, 6)


def test_a_scope_is_compared_by_one_process_at_a_time(world: World) -> None:
    """Two processes have connections of their own to one database."""
    connector, runtime, channel = mortal(world)
    with closing(open_database(world.database.url)) as database:
        other = replace(runtime, database=database, holder="other")
        (run_id,), refused_for = asyncio.run(_at_once(connector, runtime, other, channel))
    assert refused_for == run_id
    rows = world.rows("SELECT scope, state FROM reconciliation_run ORDER BY scope")
    assert [(row["scope"], row["state"]) for row in rows] == [
        ("levels", "finished"),
        ("orders", "finished"),
    ]


def test_who_asks_for_a_run_that_is_under_way_gets_its_id(world: World) -> None:
    channel = world.channel(settings=ShopifySimulator().settings("http://127.0.0.1:9"))
    hour = timedelta(hours=1)
    begun = world.write(
        lambda tx: runs.start(tx, channel, Scope.LEVELS, "ann", now() + hour, lease=hour)
    )

    async def ask(hub: Hub) -> None:
        ops = await hub.caller(Right.OPS)
        answer = await ops.ask(
            'mutation { done: reconcile(idempotencyKey: "1", channel: "shop", scope: LEVELS) {'
            " __typename ... on RunUnderWay { code message run } } }"
        )
        done = answer["done"]
        assert (done["__typename"], done["code"]) == ("RunUnderWay", "RUN_UNDER_WAY")
        assert done["run"] == begun.id

    play(world, ask)


async def _at_once(
    connector: Mortal, runtime: Runtime, other: Runtime, channel: Row
) -> tuple[list[str], str]:
    """Start a run, and in its midst another one; return its ids, and the run that is named."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    listed = connector.snapshot_stock

    async def slow() -> AsyncIterator[ObservedLevel]:
        reached.set()
        await go_on.wait()
        async for each in listed():
            yield each

    connector.snapshot_stock = slow  # type: ignore[method-assign]
    first = asyncio.create_task(reconcile.reconcile(runtime, channel, NOW, Scope.LEVELS))
    await reached.wait()
    connector.snapshot_stock = listed  # type: ignore[method-assign]
    with pytest.raises(RunUnderWay) as refusal:
        await reconcile.reconcile(other, channel, NOW, Scope.LEVELS)
    await reconcile.reconcile(other, channel, NOW, Scope.ORDERS)  # another scope is free
    go_on.set()
    return await first, str(refusal.value.details["run"])


def test_a_process_that_lost_its_run_stops_and_spoils_nothing(world: World) -> None:
    """It was suspended for longer than its lease, and another one went on."""
    connector, runtime, channel = mortal(world)
    stopped = asyncio.run(_overtaken(world, connector, runtime, channel))
    (row,) = world.rows("SELECT * FROM reconciliation_run")
    assert stopped == [row["id"]]
    assert (row["state"], row["compared"], row["resumes"]) == ("finished", 6, 1)


async def _overtaken(
    world: World, connector: Mortal, runtime: Runtime, channel: Row
) -> Sequence[str]:
    others: list[str] = []
    listed = connector.snapshot_orders

    async def suspended(since: datetime, until: datetime) -> AsyncIterator[Order]:
        number = 0
        async for each in listed(since, until):
            if number == 4:
                world.pass_time(minutes=2)
                connector.snapshot_orders = listed  # type: ignore[method-assign]
                others.extend(await reconcile.reconcile(runtime, channel, NOW, Scope.ORDERS))
            number += 1
            yield each

    connector.snapshot_orders = suspended  # type: ignore[method-assign,assignment]
    found = await reconcile.reconcile(runtime, channel, NOW, Scope.ORDERS)
    assert found == others
    return found
