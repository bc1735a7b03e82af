"""The schedule: each firing runs once in a cluster, and what runs out is swept."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from hub.after_sales import warranty_answers
from hub.clock import micros
from hub.commands.work import Work
from hub.lifecycle import Action
from hub.orders import direct
from hub.orders.direct import DirectLine, DirectOrder
from hub.proof.checkpoints import Signer
from hub.settings import Settings
from hub.storage.sql import Row
from hub.sync import channels, job_runs, own_channels
from hub.vocabulary import WarrantyStatus
from jobs import relay, schedule
from jobs.maintenance import integrity, quality, sweep
from jobs.reconciliation import ledger
from jobs.runtime import Runtime
from jobs.schedule import Job
from jobs.warranty import lookup as warranties
from recording import stage
from world import KEY, World

MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=60)


def take(world: World, holder: str) -> job_runs.JobRun | None:
    return world.write(lambda tx: job_runs.take(tx, "job", MINUTE, holder, world.now, LEASE))


def test_a_slot_is_run_by_one_process_only(world: World) -> None:
    first = take(world, "a")
    assert first is not None
    assert take(world, "b") is None
    world.write(lambda tx: job_runs.finish(tx, first, "done", world.now))
    assert take(world, "b") is None
    world.pass_time(minutes=1)
    assert take(world, "b") is not None


def test_a_run_that_lasts_keeps_the_next_slot_from_starting(world: World) -> None:
    first = take(world, "a")
    assert first is not None
    world.pass_time(seconds=50)
    assert world.write(lambda tx: job_runs.beat(tx, first, world.now, LEASE))
    world.pass_time(seconds=50)
    assert take(world, "b") is None


def test_a_run_of_a_dead_process_is_taken_over_and_can_not_be_finished_late(world: World) -> None:
    first = take(world, "a")
    assert first is not None
    world.pass_time(seconds=61)
    second = take(world, "b")
    assert second is not None
    if second.slot == first.slot:
        assert not world.write(lambda tx: job_runs.finish(tx, first, "late", world.now))


def test_many_processes_firing_together_run_a_job_once(world: World) -> None:
    ran: list[str] = []

    async def work(runtime: Runtime) -> str:
        ran.append(runtime.holder)
        return "worked"

    async def main() -> None:
        processes = [world.runtime(holder=f"p{number}") for number in range(6)]
        job = Job("job", MINUTE, work)
        answers = await asyncio.gather(*[schedule.fire(each, job) for each in processes])
        assert sorted(map(str, answers)) == ["None"] * 5 + ["worked"]

    asyncio.run(main())
    assert len(ran) == 1
    (row,) = world.rows("SELECT * FROM job_run")
    assert (row["outcome"], row["holder"]) == ("worked", ran[0])


def test_a_job_that_fails_says_so_in_its_history(world: World) -> None:
    async def work(_: Runtime) -> str:
        raise ValueError("no")

    outcome = asyncio.run(schedule.fire(world.runtime(), Job("job", MINUTE, work)))
    assert outcome == "failed: ValueError: no"
    assert world.value("SELECT outcome FROM job_run") == outcome


def test_the_timetable_can_be_set(tmp_path: Path) -> None:
    settings = Settings(database=f"sqlite:///{tmp_path}/hub.db", reconcile_seconds=5)
    jobs = {job.name: job for job in schedule.timetable(settings)}
    assert jobs["reconcile"].every == timedelta(seconds=5)
    assert set(jobs) == {
        "poll",
        "reconcile",
        "service-levels",
        "queues",
        "warranty-jobs",
        "sweep",
        "warranty",
        "sign",
        "conserve",
        "unreadable",
        "quality",
        "integrity",
    }


def test_the_real_clock_fires_the_jobs(world: World) -> None:
    settings = Settings(secret_key=KEY, poll_seconds=1, reconcile_seconds=3600)

    async def main() -> None:
        runtime = Runtime(world.database, world.runtime().connections)
        async with schedule.working(runtime, settings), asyncio.timeout(15):
            while not await world.database.read(
                lambda tx: tx.value("SELECT COUNT(*) FROM job_run WHERE finished_at IS NOT NULL")
            ):
                await asyncio.sleep(0.05)

    asyncio.run(main())
    assert world.value("SELECT outcome FROM job_run") == "0 new orders or changes from 0 channels"


def test_a_promise_that_ran_out_is_released(world: World) -> None:
    world.receive("SN-1", "SN-2")
    soon = micros(world.now + timedelta(minutes=15))
    world.do(Action.ALLOCATE, "SN-1", hold_reference="cart", expires_at=soon)
    world.do(Action.ALLOCATE, "SN-2", hold_reference="order")
    asyncio.run(sweep.sweep(world.runtime()))
    assert world.unit("SN-1")["promised_to"] is not None
    world.pass_time(minutes=16)
    assert asyncio.run(sweep.sweep(world.runtime())).startswith("1 promises ran out")
    assert world.unit("SN-1")["promised_to"] is None
    assert world.unit("SN-2")["promised_to"] is not None
    assert world.history("SN-1")[-1]["reason"] == "expired"


def test_a_broken_ledger_is_a_case_at_once(world: World) -> None:
    world.receive("SN-1")
    signer, runtime = Signer(world.vault), world.runtime()
    signed = 0
    while signed < 2:  # another test's transaction may still hold the newest events back
        signed += int(asyncio.run(integrity.sign(signer, runtime)).split()[0])
    assert asyncio.run(ledger.verify(signer, runtime)) == "1 subjects compared, 0 differ"
    world.write(lambda tx: tx.run("UPDATE unit SET serial = 'SN-9'"))
    found = "1 subjects compared, 1 differ"
    assert asyncio.run(ledger.verify(signer, runtime)) == found
    assert asyncio.run(ledger.verify(signer, runtime)) == found
    assert world.open_cases() == [("ledger_broken", "ledger")]
    (broken,) = world.rows("SELECT kind, state, times FROM reconciliation_difference")
    assert broken == {"kind": "ledger_seal", "state": "open", "times": 2}
    world.write(lambda tx: tx.run("UPDATE unit SET serial = 'SN-1'"))
    asyncio.run(ledger.verify(signer, runtime))
    assert world.open_cases() == []
    assert world.value("SELECT state FROM reconciliation_difference") == "closed"


@pytest.mark.req("R98", "R155")
def test_a_warranty_is_asked_once_remembered_and_asked_again_when_old(world: World) -> None:
    connector, runtime, _ = stage(world, manufacturer="ACME")
    world.receive("SN-1", place="SHOP")
    connector.serials = {"SN-1"}
    unit = world.unit("SN-1")["id"]

    def ask() -> warranty_answers.Known | None:
        return asyncio.run(warranties.answer(runtime, unit))

    known = ask()
    assert known is not None
    assert (known.warranty.status, known.source, known.observed_at) == (
        WarrantyStatus.COVERED,
        "rec",
        world.now,
    )
    connector.failures = [ConnectionError("must not be asked")]
    assert ask() == known
    connector.failures = []
    world.pass_time(days=8)
    assert asyncio.run(warranties.refresh(runtime)) == "1 of 1 old answers refreshed"
    renewed = ask()
    assert renewed is not None
    assert renewed.observed_at == world.now


@pytest.mark.req("R153", "R155")
def test_an_old_answer_is_given_with_its_age_when_the_maker_is_away(world: World) -> None:
    from connectors import Transient

    connector, runtime, _ = stage(world, manufacturer="ACME")
    world.receive("SN-1", place="SHOP")
    connector.serials = {"SN-1"}
    unit = world.unit("SN-1")["id"]
    first = asyncio.run(warranties.answer(runtime, unit))
    world.pass_time(days=30)
    connector.failures = [Transient("away")]
    later = asyncio.run(warranties.answer(runtime, unit))
    assert first is not None
    assert later is not None
    assert (later.is_stale, later.observed_at) == (True, first.observed_at)


def test_unknown_stays_unknown_and_is_asked_again_soon(world: World) -> None:
    connector, runtime, _ = stage(world, manufacturer="ACME")
    world.receive("SN-1", place="SHOP")
    unit = world.unit("SN-1")["id"]
    known = asyncio.run(warranties.answer(runtime, unit))
    assert known is not None
    assert known.warranty.status is WarrantyStatus.UNKNOWN
    connector.serials = {"SN-1"}
    world.pass_time(hours=2)
    later = asyncio.run(warranties.answer(runtime, unit))
    assert later is not None
    assert later.warranty.status is WarrantyStatus.COVERED


def test_every_job_works_beside_a_channel_that_is_the_hub_itself(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.list_product(channel)
    world.receive("SN-1", "SN-2")
    asked = DirectOrder(lines=[DirectLine(sku="CAM", quantity=1)])
    world.write(
        lambda tx: direct.place(Work(tx, world.context(), "c-1"), "r-1", None, asked, whole=True)
    )
    opened = runtime.connections.of

    def of(row: Row) -> object:
        assert row["connector"] != channels.OWN_CONNECTOR, "there is nothing to call"
        return opened(row)

    runtime.connections.of = of  # type: ignore[method-assign, assignment]
    for job in schedule.timetable(Settings(secret_key=KEY)):
        assert asyncio.run(job.work(runtime))
    for code in (own_channels.DIRECT, channel["code"]):
        row = world.rows("SELECT id FROM channel WHERE code = :code", code=code)[0]
        asyncio.run(relay.drain(runtime, row["id"]))
    assert connector.shown == {"CAM": 1}
    assert world.open_cases() == []


@pytest.mark.req("R151")
def test_look_alikes_and_units_without_a_receipt_are_differences_of_the_ledger(
    world: World,
) -> None:
    world.receive("SN-100", "SN-200", "SN-300")
    world.receive("SN-10O")
    world.receive("SN-1O0")  # looks like two others, and is one subject
    receipt = "UPDATE unit SET received_at = :at WHERE serial = 'SN-300'"
    world.write(lambda tx: tx.run(receipt, at=None))
    signer, runtime = Signer(world.vault), world.runtime()
    assert asyncio.run(ledger.verify(signer, runtime)) == "5 subjects compared, 3 differ"
    found = "SELECT kind, subject, state FROM reconciliation_difference ORDER BY kind, subject"
    assert [tuple(row.values()) for row in world.rows(found)] == [
        ("ledger_duplicate", "SN-10O", "open"),
        ("ledger_duplicate", "SN-1O0", "open"),
        ("ledger_orphan", "SN-300", "open"),
    ]
    asked = [("duplicate_serial", "SN-10O"), ("duplicate_serial", "SN-1O0"),
             ("missing_record", "SN-300")]  # fmt: skip
    assert sorted(world.open_cases()) == asked
    asyncio.run(quality.examine(runtime))
    assert sorted(world.open_cases()) == asked  # the check and the run share the case
    world.write(lambda tx: tx.run(receipt, at=1))
    world.do(Action.WRITE_OFF, "SN-10O", "SN-1O0", reason="typing errors")
    asyncio.run(ledger.verify(signer, runtime))
    assert {row["state"] for row in world.rows(found)} == {"closed"}
    assert world.open_cases() == []


@pytest.mark.req("R151")
def test_serials_that_break_a_rule_that_came_later_are_named(world: World) -> None:
    world.receive("CAM-1", "CAM-2", "0AM-3")
    signer, runtime = Signer(world.vault), world.runtime()
    assert asyncio.run(ledger.verify(signer, runtime)) == "3 subjects compared, 0 differ"
    rule = "UPDATE product SET serial_pattern = :rule WHERE sku = 'CAM'"
    world.write(lambda tx: tx.run(rule, rule="CAM-[0-9]+"))
    assert asyncio.run(ledger.verify(signer, runtime)) == "3 subjects compared, 1 differ"
    (found,) = world.rows("SELECT kind, subject, unit_id FROM reconciliation_difference")
    assert (found["kind"], found["subject"]) == ("ledger_format", "0AM-3")
    assert found["unit_id"] == world.unit("0AM-3")["id"]
    assert world.open_cases() == [("disagreement", "serials that break their rule")]
    world.write(lambda tx: tx.run(rule, rule="[C0]AM-[0-9]+"))
    asyncio.run(ledger.verify(signer, runtime))
    assert world.open_cases() == []
