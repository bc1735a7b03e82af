"""The ledger's events for a partner's repository, over real sockets: none lost, each told once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from connectors.epcis.simulator import EpcisSimulator
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault
from correcting import never, restate
from hub import catalogue, clients, kits
from hub.clock import new_id
from hub.commands.context import Document
from hub.commands.work import Work
from hub.history import event_feed
from hub.kits import Part
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Row
from hub.sync import channels, outbox
from hub.sync.outbox import Fact
from jobs import event_push, relay
from jobs.maintenance import sweep
from jobs.runtime import Runtime
from world import World


class Stage:
    """A world whose events go to a repository behind a real socket."""

    def __init__(self, world: World, twin: EpcisSimulator, runtime: Runtime, channel: Row) -> None:
        self.world, self.twin, self.runtime, self.channel = world, twin, runtime, channel

    async def tell(self, seconds: int = 60) -> None:
        """Tell what is due, and let time pass until what is worked off is done."""
        for _ in range(3_000):
            newest = self.world.value("SELECT MAX(seq) FROM event") or 0
            if self.world.read(event_feed.end).seq >= newest:
                break
            time.sleep(0.01)  # on PostgreSQL the feed waits for others' transactions
        for _ in range(0, seconds, 6):
            await relay.drain(self.runtime, self.channel["id"])
            self.world.pass_time(seconds=6)

    @property
    def steps(self) -> list[tuple[str, str]]:
        """The steps that were told, with the serials of their units."""
        return [
            (each["bizStep"], each["epcList"][0].rpartition("/")[2])
            for each in self.twin.events
            if each["type"] == "ObjectEvent"
        ]

    def states(self) -> dict[str, int]:
        rows = self.world.rows("SELECT state, COUNT(*) AS facts FROM outbox GROUP BY state")
        return {row["state"]: row["facts"] for row in rows}


def play(world: World, story: Callable[[Stage], Awaitable[None]], **channel: Any) -> None:
    twin = EpcisSimulator()

    async def told() -> None:
        async with serve(twin.app) as url:
            made = world.channel("partner", "epcis", twin.settings(url), **channel)
            runtime = world.runtime()
            async with runtime.open():
                stage = Stage(world, twin, runtime, made)
                await stage.tell(seconds=1)  # its cursor stands at the end of what there is
                await story(stage)

    asyncio.run(told())


def test_what_happens_from_now_on_is_told_in_order(world: World) -> None:
    world.receive("SN-0")  # before the partner was connected

    async def story(stage: Stage) -> None:
        world.receive("SN-1", "SN-2")
        world.do(Action.MOVE, "SN-1", place="WH-A1")
        await stage.tell()
        of_one = [step for step, serial in stage.steps if serial == "SN-1"]
        assert of_one == ["receiving", "storing", "storing"]
        assert {serial for _, serial in stage.steps} == {"SN-1", "SN-2"}
        assert stage.states() == {"sent": 5}
        ids = [each["eventID"] for each in stage.twin.events]
        assert len(ids) == len(set(ids)) == 5
        known = {f"urn:uuid:{row['id']}" for row in world.rows("SELECT id FROM event")}
        assert set(ids) <= known
        (event,) = [each for each in stage.twin.events if each["bizStep"] == "receiving"][:1]
        assert event["epcList"][0].startswith("https://id.gs1.org/01/04006381333931/21/SN-")
        assert event["bizLocation"] == {"id": "https://id.example.com/loc/WH"}

    play(world, story)


def test_a_kit_is_told_as_an_aggregation_and_so_is_its_end(world: World) -> None:
    async def story(stage: Stage) -> None:
        world.receive("KIT-1", "SN-1", "SN-2")
        parts = [Part(Scan("SN-1")), Part(Scan("SN-2"))]
        work = lambda tx: Work(tx, world.context(), new_id())  # noqa: E731
        world.write(lambda tx: kits.assemble(work(tx), Scan("KIT-1"), parts))
        place = world.read(lambda tx: catalogue.location(tx, "WH"))
        world.write(lambda tx: kits.disassemble(work(tx), Scan("KIT-1"), place, [Scan("SN-1")]))
        await stage.tell(seconds=180)
        assert stage.states().keys() == {"sent"}
        told = [each for each in stage.twin.events if each["type"] == "AggregationEvent"]
        name = "https://id.gs1.org/01/04006381333931/21/"
        assert [
            (each["action"], each["bizStep"], each["parentID"], each["childEPCs"]) for each in told
        ] == [
            ("ADD", "assembling", f"{name}KIT-1", [f"{name}SN-1"]),
            ("ADD", "assembling", f"{name}KIT-1", [f"{name}SN-2"]),
            ("DELETE", "disassembling", f"{name}KIT-1", [f"{name}SN-1"]),
        ]

    play(world, story)


def test_nobody_waits_for_a_job_with_a_lease_in_his_hand(world: World) -> None:
    async def story(stage: Stage) -> None:
        stage.twin.looks_until_done = 3
        world.receive("SN-1", put_away=False)
        await stage.tell(seconds=1)
        (fact,) = world.rows("SELECT state, job, lease_until, attempts FROM outbox")
        assert fact == {"state": "waiting", "job": "job-1001", "lease_until": 0, "attempts": 0}
        await stage.tell(seconds=6)
        assert stage.twin.events == []
        await stage.tell(seconds=30)
        assert stage.states() == {"sent": 1}
        assert len(stage.twin.jobs) == 1

    play(world, story)


def test_matters_of_our_own_house_are_not_told(world: World) -> None:
    async def story(stage: Stage) -> None:
        channel = world.channel("shop")
        world.receive("SN-1")
        world.accept(channel, world.order("o-1"))  # promised: no word of EPCIS
        world.do(Action.HOLD, "SN-1", hold_kind="quality", reason="dust")
        await stage.tell()
        told = {step for step, _ in stage.steps}
        assert "allocating" not in told
        assert {"receiving", "storing", "holding"} <= told

    play(world, story)


def test_a_refused_event_is_a_dead_letter_with_a_case_and_lets_the_others_pass(
    world: World,
) -> None:
    async def story(stage: Stage) -> None:
        refused = "https://id.gs1.org/01/04006381333931/21/SN-2"
        stage.twin.refused_epcs = {refused}
        world.receive("SN-1", "SN-2", "SN-3", put_away=False)
        await stage.tell()
        assert stage.states() == {"sent": 2, "dead": 1}
        unit = world.unit("SN-2")["id"]
        assert world.open_cases() == [("sync_failure", unit)]
        (dead,) = world.rows("SELECT last_error FROM outbox WHERE state = 'dead'")
        assert "not of this partner" in dead["last_error"]
        stage.twin.refused_epcs = set()
        world.write(lambda tx: channels.replay(tx, "partner", None, world.now))
        await stage.tell()
        assert stage.states() == {"sent": 3}
        assert world.open_cases() == []

    play(world, story)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.LOST_REQUEST, Fault.SERVER_ERROR])
@pytest.mark.parametrize("where", ["POST /capture", "GET /capture", "GET /events"])
def test_an_event_is_there_once_whatever_was_lost(world: World, fault: Fault, where: str) -> None:
    async def story(stage: Stage) -> None:
        stage.twin.fail_next(fault, times=3, containing=where)
        world.receive("SN-1", "SN-2")
        await stage.tell(seconds=600)
        stage.twin.work_off()
        ids = [each["eventID"] for each in stage.twin.events]
        assert len(ids) == len(set(ids)) == 4
        assert stage.states() == {"sent": 4}
        assert world.open_cases() == []

    play(world, story)


def test_a_repeated_capture_refused_with_500_does_not_go_on_for_ever(world: World) -> None:
    async def story(stage: Stage) -> None:
        stage.twin.dresses_refusals = True
        world.receive("SN-1", put_away=False)
        await stage.tell()
        # Somebody else has commissioned the unit there; ours is refused with 500.
        event = dict(stage.twin.events[0], eventID="urn:uuid:of-somebody", action="ADD")
        stage.twin.events[:] = [event]
        world.write(lambda tx: tx.run("UPDATE outbox SET state = 'dead' WHERE state = 'sent'"))
        stage.twin.refused_epcs = {event["epcList"][0]}
        world.write(lambda tx: channels.replay(tx, "partner", None, world.now))
        calls = len(stage.twin.calls)
        await stage.tell(seconds=30)
        assert stage.states()["waiting"] == 1  # another 500 passes by itself
        stage.twin._wrong = lambda *_: "The epc has already been commissioned."  # type: ignore[method-assign]
        await stage.tell(seconds=3_600)
        assert stage.states() == {"dead": 1}
        assert len(stage.twin.calls) - calls < 40

    play(world, story)


def test_a_correction_is_told_as_an_error_and_what_was_right(world: World) -> None:
    async def story(stage: Stage) -> None:
        world.receive("SN-1")
        world.do(Action.MOVE, "SN-1", place="WH-A1")
        await stage.tell()
        wrong = world.history("SN-1")[-1]
        never(world, "SN-1", wrong["version"])
        await stage.tell()
        declared = stage.twin.events[-1]
        assert declared["eventID"] == f"urn:uuid:{wrong['id']}"
        assert declared["errorDeclaration"]["reason"] == "did_not_occur"
        put_away = world.history("SN-1")[1]
        restate(world, "SN-1", put_away["version"], location="WH-A1")
        await stage.tell()
        declared, right = stage.twin.events[-2:]
        assert declared["eventID"] == f"urn:uuid:{put_away['id']}"
        assert declared["errorDeclaration"]["correctiveEventIDs"] == [right["eventID"]]
        assert right["readPoint"] == {"id": "https://id.example.com/loc/WH-A1"}
        assert right["bizStep"] == "storing"

    play(world, story)


def test_a_clients_channel_tells_of_its_goods_and_ours_of_ours(world: World) -> None:
    for code in ("ANT", "BEE"):
        world.client(code)

    async def story(stage: Stage) -> None:
        world.receive("SN-A", client="ANT", put_away=False)
        world.receive("SN-B", client="BEE", put_away=False)
        world.receive("SN-H", put_away=False)
        await stage.tell()
        assert [serial for _, serial in stage.steps] == ["SN-A"]
        paper = world.context(document=Document("inv", "T-1"))
        world.write(
            lambda tx: clients.transfer_title(Work(tx, paper, new_id()), [Scan("SN-B")], "ANT")
        )
        world.do(Action.PUT_AWAY, "SN-B", place="WH")
        await stage.tell()
        assert [serial for _, serial in stage.steps] == ["SN-A", "SN-B"]

    play(world, story, client="ANT")


def test_a_site_limits_what_is_told(world: World) -> None:
    async def story(stage: Stage) -> None:
        world.receive("SN-1", place="SHOP", put_away=False)
        world.receive("SN-2", put_away=False)
        await stage.tell()
        assert [serial for _, serial in stage.steps] == ["SN-1"]

    play(world, story, sites=["SHOP"])


def test_the_queue_is_bounded_and_the_rest_waits_in_the_ledger(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_push, "WAITING_MAX", 6)
    monkeypatch.setattr(event_push, "EVENTS_MAX", 4)

    async def story(stage: Stage) -> None:
        world.receive(*[f"SN-{number:02}" for number in range(20)], put_away=False)
        stage.twin.looks_until_done = 2
        await stage.tell(seconds=6)
        assert sum(stage.states().values()) <= 10
        await stage.tell(seconds=600)
        assert stage.states() == {"sent": 20}

    play(world, story)


def test_several_workers_tell_each_event_once(world: World) -> None:
    async def story(stage: Stage) -> None:
        world.receive(*[f"SN-{number}" for number in range(12)])
        for _ in range(20):
            await asyncio.gather(
                *(relay.relay(stage.runtime, stage.channel["id"]) for _ in range(3)),
            )
            world.pass_time(seconds=6)
        await stage.tell()
        captured = [each["eventID"] for job in stage.twin.jobs.values() for each in job.events]
        assert len(captured) == len(set(captured)) == 24
        assert stage.states() == {"sent": 24}

    play(world, story)


def test_what_was_told_is_dropped_after_a_month_and_never_told_again(world: World) -> None:
    async def story(stage: Stage) -> None:
        world.receive("SN-1")
        await stage.tell()
        world.pass_time(days=29)
        await sweep.sweep(stage.runtime)
        assert stage.states() == {"sent": 2}
        world.pass_time(days=2)
        await sweep.sweep(stage.runtime)
        assert stage.states() == {}
        await stage.tell()
        assert len(stage.twin.jobs) == 2  # one for each step of the unit

    play(world, story)


def test_a_message_whose_event_is_not_found_stops_no_other(world: World) -> None:
    async def story(stage: Stage) -> None:
        ghost = Fact(stage.channel["id"], event_push.TOPIC, "unit", "ghost", {"event": "ghost"})
        world.write(lambda tx: outbox.put(tx, [ghost], world.now))
        world.receive("SN-1", put_away=False)
        await stage.tell()
        assert stage.steps == [("receiving", "SN-1")]
        rows = world.rows(
            "SELECT key, state, attempts, last_error AS error FROM outbox ORDER BY seq"
        )
        assert rows[0]["key"] == "ghost"
        assert rows[0]["state"] != "sent"
        assert "cannot be read" in rows[0]["error"]
        assert rows[1]["state"] == "sent"

    play(world, story)
