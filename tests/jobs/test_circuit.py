"""A channel that is down is left alone, costs no attempts, and is asked now and then."""

import asyncio

from connectors import AuthFailed, RateLimited, Transient
from hub.lifecycle import Action
from hub.sync import channels, circuit
from hub.sync.circuit import FAILURES_MAX, CircuitState
from jobs import poll, relay
from jobs.runtime import Runtime
from recording import Recording, stage
from world import World


def told(runtime: Runtime, channel_id: str) -> int:
    return asyncio.run(relay.drain(runtime, channel_id))


def state(world: World, channel_id: str) -> CircuitState:
    return world.read(lambda tx: circuit.of(tx, channel_id)).state(world.now)


def down(world: World, connector: Recording, runtime: Runtime, channel_id: str) -> None:
    """Let different messages fail in a row until the circuit opens."""
    connector.failures = [Transient("503")] * FAILURES_MAX
    for number in range(FAILURES_MAX):
        world.write(
            lambda tx, number=number: circuit.failed(tx, channel_id, f"m-{number}", world.now)
        )
    connector.failures.clear()


def test_failures_of_different_messages_open_it_and_an_answer_closes_it(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    down(world, connector, runtime, channel["id"])
    assert state(world, channel["id"]) is CircuitState.OPEN
    assert told(runtime, channel["id"]) == 0
    world.pass_time(seconds=16)
    assert state(world, channel["id"]) is CircuitState.HALF_OPEN
    connector.failures = [Transient("still down")]  # the answer to the question
    assert told(runtime, channel["id"]) == 0
    assert connector.pushes == []
    assert state(world, channel["id"]) is CircuitState.OPEN
    world.pass_time(seconds=16)
    assert told(runtime, channel["id"]) == 0  # it is asked less often the longer it is away
    world.pass_time(seconds=15)
    assert told(runtime, channel["id"]) == 1
    assert connector.shown == {"CAM": 1}
    assert state(world, channel["id"]) is CircuitState.CLOSED
    assert world.rows("SELECT attempts FROM listing_level") == [{"attempts": 0}]


def test_pushes_that_fail_open_it_with_a_case_and_success_settles_the_case(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    down(world, connector, runtime, channel["id"])
    world.write(lambda tx: channels.resume(tx, channel["id"]))
    assert state(world, channel["id"]) is CircuitState.CLOSED
    for number in range(FAILURES_MAX):
        error = Transient("503")
        world.write(
            lambda tx, number=number, error=error: relay.apply_to_channel(
                tx, channel, relay.decide(error, 0, world.now), world.now, f"m-{number}"
            )
        )
    opened = "SELECT kind, state FROM exception_case"
    assert world.rows(opened) == [{"kind": "channel_down", "state": "open"}]
    world.pass_time(minutes=1)
    assert told(runtime, channel["id"]) == 1
    assert world.rows(opened) == [{"kind": "channel_down", "state": "resolved"}]


def test_a_channel_that_is_resumed_and_answers_is_not_down(world: World) -> None:
    _, runtime, channel = stage(world)
    for number in range(FAILURES_MAX):
        decision = relay.decide(Transient("503"), 0, world.now)
        world.write(
            lambda tx, number=number, decision=decision: relay.apply_to_channel(
                tx, channel, decision, world.now, f"m-{number}"
            )
        )
    assert ("channel_down", "rec") in world.open_cases()
    asyncio.run(poll.poll(runtime, channel))
    assert ("channel_down", "rec") in world.open_cases()  # nothing is sent to it yet
    world.write(lambda tx: channels.resume(tx, channel["id"]))
    world.pass_time(minutes=1)
    asyncio.run(poll.poll(runtime, channel))  # nothing is to be sent, and it answers
    assert world.open_cases() == []


def test_one_message_that_always_fails_is_given_up_and_opens_nothing(world: World) -> None:
    """A refusal that is dressed as a failure of the server does not go on for ever."""
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    for _ in range(20):
        connector.failures = [Transient("500")]
        told(runtime, channel["id"])
        world.pass_time(hours=3)
    assert state(world, channel["id"]) is CircuitState.CLOSED
    assert world.rows("SELECT state FROM listing_level") == [{"state": "dead"}]
    assert [row["kind"] for row in world.rows("SELECT kind FROM exception_case")] == [
        "sync_failure"
    ]


def test_one_worker_at_a_time_asks_whether_it_is_back(world: World) -> None:
    connector, runtime, channel = stage(world)
    down(world, connector, runtime, channel["id"])
    world.pass_time(seconds=16)
    claims = [world.write(lambda tx: circuit.claim(tx, channel["id"], world.now)) for _ in range(3)]
    assert claims == [True, False, False]
    world.pass_time(seconds=31)  # the one that asked died
    assert world.write(lambda tx: circuit.claim(tx, channel["id"], world.now))


def test_credentials_that_are_refused_meanwhile_pause_it(world: World) -> None:
    connector, runtime, channel = stage(world)
    down(world, connector, runtime, channel["id"])
    world.pass_time(seconds=16)
    connector.failures = [AuthFailed("revoked")]
    told(runtime, channel["id"])
    assert world.value("SELECT state FROM channel") == "paused"


def test_an_own_budget_that_is_used_up_lets_the_message_wait_and_nothing_else(
    world: World,
) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    connector.failures = [RateLimited("ours", 2.0, own=True)]
    told(runtime, channel["id"])
    row = world.rows("SELECT attempts, lease_until FROM listing_level")[0]
    assert row == {"attempts": 0, "lease_until": 0}
    assert world.value("SELECT waits_until FROM channel") == 0
    world.pass_time(seconds=2)
    assert told(runtime, channel["id"]) == 1


def test_nothing_is_leased_while_the_budget_is_used_up(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1")
    fence = world.value("SELECT fence FROM listing_level")

    async def play() -> None:
        for limit in connector.api._limits:
            await connector.api._rate_limit_store.block(limit, 60)
        assert await relay.relay(runtime, channel["id"]) == 0

    asyncio.run(play())
    assert world.value("SELECT fence FROM listing_level") == fence


def test_what_is_sold_out_is_told_before_everything_else(world: World) -> None:
    connector, runtime, channel = stage(world)
    connector.levels_max = 1  # type: ignore[misc]
    world.list_product(channel, "CAM")
    world.list_product(channel, "LENS")
    world.receive("L-1", "L-2", sku="LENS")
    world.receive("C-1", "C-2", sku="CAM")
    told(runtime, channel["id"])
    connector.pushes.clear()
    world.do(Action.ALLOCATE, "L-1")  # first, but one is left
    world.pass_time(seconds=1)
    world.do(Action.ALLOCATE, "C-1")
    world.do(Action.ALLOCATE, "C-2")
    told(runtime, channel["id"])
    assert [(push.sku, push.available) for push in connector.pushes] == [("CAM", 0), ("LENS", 1)]
