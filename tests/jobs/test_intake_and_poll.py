"""Intake and polling: orders come in once, whatever repeats, fails or comes late."""

import asyncio

import pytest

from connectors import AuthFailed, Page, Transient
from hub.sync import channels, inbox
from jobs import intake, poll, recovery
from jobs.runtime import Runtime
from recording import Calling, stage
from world import World


def worked_in(runtime: Runtime) -> int:
    return asyncio.run(intake.drain(runtime))


def polled(runtime: Runtime, channel: dict[str, object]) -> int:
    return asyncio.run(poll.poll(runtime, channel))


def cursor(world: World, channel: dict[str, object]) -> str:
    return world.read(lambda tx: channels.cursor(tx, str(channel["id"]), poll.STREAM))


def test_pulled_orders_come_in_once_and_the_cursor_moves_with_its_page(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1", "SN-2")
    first, second = world.order("a"), world.order("b")
    connector.pages = [Page((first,), "c1", more=True), Page((first, second), "c2")]
    assert polled(runtime, channel) == 2
    assert cursor(world, channel) == "c2"
    assert worked_in(runtime) == 2
    assert world.value("SELECT COUNT(*) FROM sales_order") == 2


def test_a_page_that_fails_is_read_again(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.pages = [Page((world.order("a"),), "c1", more=True)]
    connector.failures = []
    polled(runtime, channel)
    connector.failures = [Transient("wire")]
    assert polled(runtime, channel) == 0
    assert cursor(world, channel) == "c1"
    connector.pages = [Page((world.order("b"),), "c2")]
    assert polled(runtime, channel) == 1
    assert cursor(world, channel) == "c2"


def test_a_crash_between_page_and_cursor_is_no_crash_at_all(world: World) -> None:
    """The page and the cursor are one transaction: both are kept, or neither."""
    _, _, channel = stage(world)
    message = inbox.Message(channel["id"], "d1", "pull", "order", b"{}")

    def crashes(tx):
        inbox.accept(tx, [message], world.now)
        channels.move_cursor(tx, channel["id"], poll.STREAM, "c9", world.now)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.write(crashes)
    assert cursor(world, channel) == ""
    assert world.value("SELECT COUNT(*) FROM inbox") == 0


def test_refused_credentials_while_polling_pause_the_channel(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.failures = [AuthFailed("401"), AuthFailed("401")]  # the check is refused too
    assert polled(runtime, channel) == 0
    assert world.value("SELECT state FROM channel") == "paused"
    assert world.value("SELECT kind FROM exception_case") == "authentication"


def test_the_same_delivery_is_stored_once_for_ever(world: World) -> None:
    _, _, channel = stage(world)
    message = inbox.Message(channel["id"], "d1", "webhook", "orders/create", b"{}")
    accept = lambda: world.write(lambda tx: inbox.accept(tx, [message], world.now))  # noqa: E731
    assert [accept(), accept()] == [1, 0]
    world.pass_time(days=400)
    assert accept() == 0


def test_one_poisoned_delivery_holds_up_no_other(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1")
    poison = inbox.Message(channel["id"], "bad", "pull", "order", b'{"ref": 1}')
    world.write(lambda tx: inbox.accept(tx, [poison], world.now))
    connector.pages = [Page((world.order("good"),), "c1")]
    polled(runtime, channel)
    worked_in(runtime)
    assert world.value("SELECT COUNT(*) FROM sales_order") == 1
    assert world.value("SELECT state FROM inbox WHERE delivery = 'bad'") == "dead"
    assert world.value("SELECT kind FROM exception_case") == "sync_failure"


def test_a_paused_channels_deliveries_wait(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.pages = [Page((world.order("a"),), "c1")]
    polled(runtime, channel)
    world.write(lambda tx: channels.pause(tx, channel["id"], "holiday"))
    assert worked_in(runtime) == 0
    world.write(lambda tx: channels.resume(tx, channel["id"]))
    assert worked_in(runtime) == 1


def test_deliveries_of_a_dead_worker_are_taken_over(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1")
    connector.pages = [Page((world.order("a"),), "c1")]
    polled(runtime, channel)
    (late,) = world.write(lambda tx: inbox.lease(tx, world.now, limit=10))
    assert worked_in(runtime) == 0
    world.pass_time(seconds=61)
    assert worked_in(runtime) == 1
    assert not world.write(lambda tx: inbox.done(tx, late, "a", world.now))
    assert world.value("SELECT COUNT(*) FROM hold") == 1


def test_an_order_that_can_not_be_read_yet_is_read_a_little_later(world: World) -> None:
    connector, runtime, channel = stage(world, Calling)
    world.receive("SN-1")
    told = inbox.Message(channel["id"], "d1", "webhook", "orders/create", b"a")
    world.write(lambda tx: inbox.accept(tx, [told], world.now))
    worked_in(runtime)
    assert world.value("SELECT state FROM inbox") == "waiting"
    assert world.open_cases() == []
    connector.orders["a"] = world.order("a")
    world.pass_time(seconds=2)
    worked_in(runtime)
    assert world.value("SELECT state FROM inbox") == "done"
    assert world.value("SELECT COUNT(*) FROM sales_order") == 1


def test_an_order_that_never_comes_is_given_to_a_person_within_minutes(world: World) -> None:
    _, runtime, channel = stage(world, Calling)
    told = inbox.Message(channel["id"], "d1", "webhook", "orders/create", b"a")
    world.write(lambda tx: inbox.accept(tx, [told], world.now))
    for _ in range(recovery.SOON_ATTEMPTS_MAX + 1):
        worked_in(runtime)
        world.pass_time(minutes=3)
    assert world.value("SELECT state FROM inbox") == "dead"
    assert [kind for kind, _ in world.open_cases()] == ["sync_failure"]
    # The channel answered: it is not taken for one that is down.
    assert world.value("SELECT state FROM channel") == "active"
