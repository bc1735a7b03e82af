"""Warranties while manufacturers are slow, wrong or away: nobody waits, nobody is asked twice."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from connectors import (
    AuthFailed,
    Connector,
    ConnectorError,
    RateLimited,
    Transient,
    UnreadableRecord,
)
from connectors.connections import Connections
from hub.after_sales import warranty_answers as remembered
from hub.after_sales.warranty_answers import Known
from hub.vocabulary import Warranty, WarrantyQuestion, WarrantyStatus
from jobs.runtime import Runtime
from jobs.warranty import lookup
from recording import Recording
from world import World


class Maker(Recording):
    """A manufacturer that can be slow, and notes what it was asked."""

    questions_max = 2

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.gate: asyncio.Event | None = None
        self.error: BaseException | None = None

    async def lookup_warranty(self, questions: Sequence[WarrantyQuestion]) -> Sequence[Warranty]:
        self.asked.append([question.serial for question in questions])
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await super().lookup_warranty(questions)


class Several(Connections):
    """Connectors by the codes of their channels."""

    def __init__(self, by_code: dict[str, Connector[Any]]) -> None:
        super().__init__(lambda _: {})
        self.by_code = by_code

    def of(self, channel: Any) -> Connector[Any]:
        return self.by_code[channel["code"]]


def makers(world: World) -> tuple[Maker, Maker, Runtime]:
    """Connect the databases of ACME, which makes cameras, and of BOLT, which makes saws."""
    acme, bolt = Maker(), Maker()
    for code in ("acme", "bolt"):
        world.channel(
            code, "warranty_rest", capabilities=["lookup_warranty"], manufacturer=code.upper()
        )
    runtime = Runtime(
        world.database,
        Several({"acme": acme, "bolt": bolt}),
        clock=lambda: world.now,
        holder="test",
    )
    return acme, bolt, runtime


def unit(world: World, serial: str) -> str:
    return str(world.unit(serial)["id"])


def ask(runtime: Runtime, *unit_ids: str) -> list[Known | None]:
    """Ask for several units at the same moment, and let everything land."""

    async def story() -> list[Known | None]:
        found = await asyncio.gather(*[lookup.answer(runtime, each) for each in unit_ids])
        await runtime.flights.settle()
        return list(found)

    return asyncio.run(story())


@pytest.mark.req("R153", "R155")
def test_an_old_answer_is_given_at_once_and_asked_again_meanwhile(world: World) -> None:
    acme, _, runtime = makers(world)
    world.receive("SN-1")
    acme.serials = {"SN-1"}
    (first,) = ask(runtime, unit(world, "SN-1"))
    assert first is not None
    world.pass_time(days=8)

    async def story() -> None:
        acme.gate = asyncio.Event()  # it does not answer yet
        found = [await lookup.answer(runtime, unit(world, "SN-1")) for _ in range(3)]
        for known in found:
            assert known is not None
            assert (known.is_stale, known.observed_at, known.source) == (
                True,
                first.observed_at,
                "acme",
            )
        acme.gate.set()
        await runtime.flights.settle()
        renewed = await lookup.answer(runtime, unit(world, "SN-1"))
        assert renewed is not None
        assert (renewed.is_stale, renewed.observed_at) == (False, world.now)

    asyncio.run(story())
    assert acme.asked == [["SN-1"], ["SN-1"]]  # three looked, one was asked


def test_many_who_look_at_one_unit_ask_once(world: World) -> None:
    acme, _, runtime = makers(world)
    world.receive("SN-1")
    acme.serials = {"SN-1"}
    found = ask(runtime, *[unit(world, "SN-1")] * 5)
    assert {known.warranty.status for known in found if known} == {WarrantyStatus.COVERED}
    assert len([known for known in found if known]) == 5
    assert acme.asked == [["SN-1"]]


@pytest.mark.req("R153")
def test_who_is_slow_is_waited_for_once_and_his_answer_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _, runtime = makers(world)
    monkeypatch.setattr(lookup, "ANSWER_SECONDS_MAX", 0.01)
    world.receive("SN-1", "SN-2")
    acme.serials = {"SN-1", "SN-2"}

    async def story() -> None:
        acme.gate = asyncio.Event()
        assert await lookup.answer(runtime, unit(world, "SN-1")) is None
        monkeypatch.setattr(lookup, "ANSWER_SECONDS_MAX", 60)
        # Nobody waits for him again: neither for this unit nor for another.
        assert await lookup.answer(runtime, unit(world, "SN-1")) is None
        assert await lookup.answer(runtime, unit(world, "SN-2")) is None
        acme.gate.set()
        await runtime.flights.settle()
        late = await lookup.answer(runtime, unit(world, "SN-1"))
        assert late is not None
        assert late.warranty.status is WarrantyStatus.COVERED
        assert await lookup.answer(runtime, unit(world, "SN-2")) is not None  # he answers again

    asyncio.run(story())
    assert acme.asked == [["SN-1"], ["SN-2"]]


@pytest.mark.req("R153", "R154")
def test_who_fails_is_left_alone_for_a_moment(world: World) -> None:
    acme, bolt, runtime = makers(world)
    world.receive("SN-1", "SN-2")
    world.receive("S-1", sku="SAW")
    acme.error = Transient("away")
    assert ask(runtime, unit(world, "SN-1")) == [None]
    assert ask(runtime, unit(world, "SN-2")) == [None]
    assert acme.asked == [["SN-1"]]
    assert ask(runtime, unit(world, "S-1")) != [None]  # another maker is asked
    assert bolt.asked == [["S-1"]]
    acme.error = None
    world.pass_time(seconds=31)
    assert ask(runtime, unit(world, "SN-2")) != [None]


def test_a_serial_that_was_not_known_is_asked_again_after_an_hour_only(world: World) -> None:
    acme, _, runtime = makers(world)
    world.receive("SN-1")
    (first,) = ask(runtime, unit(world, "SN-1"))
    assert first is not None
    assert first.warranty.status is WarrantyStatus.UNKNOWN
    world.pass_time(minutes=59)
    ask(runtime, unit(world, "SN-1"))
    assert len(acme.asked) == 1
    acme.serials = {"SN-1"}
    world.pass_time(minutes=1)
    (later,) = ask(runtime, unit(world, "SN-1"))
    assert later is not None
    assert later.warranty.status is WarrantyStatus.COVERED
    world.pass_time(days=1)
    acme.error = Transient("away")
    (kept,) = ask(runtime, unit(world, "SN-1"))
    assert kept == later


@pytest.mark.req("R153", "R154")
@pytest.mark.parametrize(
    "error", [Transient("away"), RuntimeError("a bug"), RateLimited("slow down", 60)]
)
def test_a_maker_that_fails_does_not_keep_the_others_from_being_refreshed(
    world: World, error: BaseException
) -> None:
    acme, bolt, runtime = makers(world)
    world.receive("SN-1", "SN-2", "SN-3", "SN-4", "SN-5")
    world.receive("S-1", "S-2", "S-3", sku="SAW")
    acme.serials, bolt.serials = {"SN-1"}, {"S-1", "S-2", "S-3"}
    serials = ["SN-1", "SN-2", "SN-3", "SN-4", "SN-5", "S-1", "S-2", "S-3"]
    ask(runtime, *[unit(world, serial) for serial in serials])
    world.pass_time(days=8)
    acme.error = error
    acme.asked.clear()
    bolt.asked.clear()
    assert asyncio.run(lookup.refresh(runtime)) == "3 of 8 old answers refreshed"
    assert len(acme.asked) == 1
    assert [len(batch) for batch in bolt.asked] == [2, 1]  # as many at once as he takes
    acme.error = None
    world.pass_time(minutes=2)
    assert asyncio.run(lookup.refresh(runtime)) == "5 of 5 old answers refreshed"


def test_a_maker_that_answers_too_little_is_believed_nothing(world: World) -> None:
    class Short(Maker):
        async def lookup_warranty(self, questions: Sequence[WarrantyQuestion]) -> list[Warranty]:
            return list(await super().lookup_warranty(questions))[:-1]

    _, _, runtime = makers(world)
    assert isinstance(runtime.connections, Several)
    runtime.connections.by_code["acme"] = Short()
    world.receive("SN-1")
    assert ask(runtime, unit(world, "SN-1")) == [None]
    assert world.value("SELECT COUNT(*) FROM warranty_record") == 0


@pytest.mark.parametrize(
    ("error", "state", "kinds"),
    [(AuthFailed("401"), "paused", ["authentication"]), (RateLimited("429", 60), "active", [])],
)
def test_a_maker_that_refuses_us_is_treated_like_any_channel(
    world: World, error: ConnectorError, state: str, kinds: list[str]
) -> None:
    acme, _, runtime = makers(world)
    world.receive("SN-1", "SN-2")
    acme.error = error
    assert ask(runtime, unit(world, "SN-1")) == [None]
    (channel,) = world.rows("SELECT * FROM channel WHERE code = 'acme'")
    assert channel["state"] == state
    assert [row["kind"] for row in world.rows("SELECT kind FROM exception_case")] == kinds
    world.pass_time(seconds=40)  # the moment is over, the refusal is not
    assert ask(runtime, unit(world, "SN-2")) == [None]
    assert len(acme.asked) == 1


def test_what_is_on_its_way_is_called_back_at_the_end(world: World) -> None:
    acme, _, runtime = makers(world)
    world.receive("SN-1")

    async def story() -> None:
        acme.gate = asyncio.Event()
        waiting = asyncio.create_task(lookup.answer(runtime, unit(world, "SN-1")))
        while not acme.asked:
            await asyncio.sleep(0)
        async with runtime.open():
            pass
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(story())


def test_what_nobody_can_be_asked_about_is_not_known(world: World) -> None:
    _, _, runtime = makers(world)
    world.receive("SN-1")
    world.write(lambda tx: tx.run("UPDATE channel SET state = 'paused'"))
    assert ask(runtime, unit(world, "SN-1")) == [None]
    world.write(lambda tx: tx.run("UPDATE channel SET manufacturer_id = NULL"))
    assert ask(runtime, unit(world, "SN-1")) == [None]


def test_the_oldest_answers_of_a_channel_come_first(world: World) -> None:
    _, _, runtime = makers(world)
    world.receive("SN-1", "SN-2")
    ask(runtime, unit(world, "SN-2"))
    world.pass_time(minutes=5)
    ask(runtime, unit(world, "SN-1"))
    (channel,) = world.rows("SELECT * FROM channel WHERE code = 'acme'")
    later = world.now + timedelta(days=8)

    def stale(limit: int) -> list[str]:
        found = world.read(lambda tx: remembered.stale_of(tx, channel["id"], later, limit=limit))
        return [question.serial for _, question in found]

    assert (stale(1), stale(9)) == (["SN-2"], ["SN-2", "SN-1"])


def test_an_answer_that_cannot_be_read_is_a_case_and_changes_nothing_known(world: World) -> None:
    acme, _, runtime = makers(world)
    world.receive("SN-1", "SN-2")
    odd = UnreadableRecord(
        kind="warranty", ref="SN-2", field="End", value='"soon"', reason="is no day", raw="{}"
    )
    acme.serials = {"SN-1", "SN-2"}

    async def half(questions: Sequence[WarrantyQuestion]) -> Any:
        found = await Recording.lookup_warranty(acme, questions)
        return [odd if each.serial == "SN-2" else each for each in found]

    whole = acme.lookup_warranty
    acme.lookup_warranty = half  # type: ignore[method-assign, assignment]
    first, second = ask(runtime, unit(world, "SN-1"), unit(world, "SN-2"))
    assert first is not None
    assert first.warranty.status is WarrantyStatus.COVERED
    assert second is not None
    assert second.warranty.status is WarrantyStatus.UNKNOWN
    assert world.open_cases() == [("unreadable_record", "warranty SN-2")]
    acme.lookup_warranty = whole  # type: ignore[method-assign]
    world.pass_time(days=30)
    (again,) = ask(runtime, unit(world, "SN-2"))
    assert again is not None
    assert again.warranty.status is WarrantyStatus.COVERED
    assert world.open_cases() == []
    acme.lookup_warranty = half  # type: ignore[method-assign, assignment]
    world.pass_time(days=30)
    ask(runtime, unit(world, "SN-2"))
    (kept,) = ask(runtime, unit(world, "SN-2"))
    assert kept is not None
    assert kept.warranty.status is WarrantyStatus.COVERED, "an older answer is kept"
