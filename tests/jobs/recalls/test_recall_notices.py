"""Notices of a recall, end to end: sent over a socket, their receipts taken in by webhook."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

from api_client import Caller, Hub
from connectors.notice_rest.simulator import NoticeSimulator
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault
from hub import catalogue, kits
from hub.access.keys import Scope
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference
from hub.inbound import receiving
from hub.inbound.receiving import Arrival
from hub.kits import Part
from hub.ledger import hash_chain
from hub.ledger.units import Scan
from hub.proof import certificate, checkpoints
from hub.proof.checkpoints import Signer
from hub.recalls import notices, people
from hub.storage.sql import Row
from hub.vocabulary import Contact
from jobs import intake, relay
from recalling import open_recall, sell
from signing import issued, sign
from world import World

ANN = Contact(name="Ann Ekström", email="ann@example.org", phone="+4930123456", language="de")
BOB = Contact(name="Bob", email="bob@example.org")
NOTIFY = """mutation($key: String!, $channel: String! = "mail") {
  done: notifyRecall(idempotencyKey: $key, ref: "R-1", channel: $channel) { __typename
    ... on Problem { code message } ... on RecallChange { replayed recall { channel } } } }"""
TOLD = """{ recall(ref: "R-1") { minutesToFirstContact firstContactAt
  containment { total { notified delivered } byChannel { channel notified delivered } }
  customers { nodes { customerRef units notice sentAt deliveredAt detail
    orders { number channel } } } } }"""


@dataclass
class Stage:
    """A hub and its message service, both over sockets."""

    world: World
    twin: NoticeSimulator
    hub: Hub
    ops: Caller
    channel: Row

    async def relay(self) -> None:
        await relay.drain(self.hub.runtime, self.channel["id"])

    async def told(self) -> Any:
        return (await self.ops.ask(TOLD))["recall"]

    async def hears(self, what: str, message: str, detail: str = "") -> None:
        """Let the service say what became of a message, and work it in."""
        self.twin.emit(message, what, detail)
        await self.twin.settle()
        await intake.drain(self.hub.runtime)

    def notice(self, ref: str) -> Row:
        (row,) = self.world.rows("SELECT * FROM notice WHERE customer_ref = :ref", ref=ref)
        return row


def put(world: World, ref: str, contact: Contact) -> None:
    world.write(lambda tx: people.put(tx, world.context(), world.vault, ref, contact))


def erase(world: World, ref: str) -> None:
    world.write(lambda tx: people.erase(tx, world.context(), ref, "asked for it", world.vault.open))


def cases(world: World) -> dict[str, str]:
    return {
        row["subject"]: row["state"]
        for row in world.rows(
            "SELECT subject, state FROM exception_case WHERE kind = 'unreachable_customer'"
        )
    }


def run(world: World, story: Callable[[Stage], Awaitable[None]], *, sold: bool = True) -> None:
    """Sell to c-1 (two units) and c-2, recall what they have, and tell the story."""
    if sold:
        shop = world.channel("pos", "square", capabilities=("pull_orders",))
        world.receive("A-1", "A-2", "A-3", "A-4")
        sell(world, shop, "o-1", "A-1", "A-2", customer="c-1")
        sell(world, shop, "o-2", "A-3", customer="c-2")
        open_recall(world, ranges=[{"first": "A-1", "last": "A-4"}])

    async def told() -> None:
        twin = NoticeSimulator(clock=lambda: world.now)
        hub = Hub(world)
        async with serve(twin.app) as twin_url, hub.opened, serve(hub.app) as hub_url:
            channel = world.channel("mail", "notice_rest", twin.settings(twin_url))
            twin.subscribers.append(f"{hub_url}/webhooks/mail")
            ops = await hub.caller(Scope.OPS, name="olga")
            try:
                await story(Stage(world, twin, hub, ops, channel))
            finally:
                await hub.runtime.connections.aclose()

    asyncio.run(told())


@pytest.mark.req("R119", "R228")
def test_every_customer_is_told_once_and_the_delivery_is_tracked(world: World) -> None:
    put(world, "c-1", ANN)

    async def story(stage: Stage) -> None:
        world.pass_time(minutes=90)
        done = (await stage.ops.ask(NOTIFY, key="n-1"))["done"]
        assert (done["replayed"], done["recall"]) == (False, {"channel": "mail"})
        assert (await stage.ops.ask(NOTIFY, key="n-1"))["done"]["replayed"]
        stage.twin.fail_next(Fault.LOST_ANSWER, containing="POST")
        await stage.relay()
        world.pass_time(seconds=10)
        await stage.relay()
        ((message, said),) = stage.twin.messages.items()  # one for two units, sent twice
        assert said["to"] == {"name": ANN.name, "email": ANN.email, "phone": ANN.phone}
        assert (said["language"], said["subject"]) == ("de", "R-1: Fire")
        assert said["text"] == "Stop using it.\n- Cam, A-1\n- Cam, A-2"
        told = await stage.told()
        assert told["minutesToFirstContact"] < 120
        assert told["containment"]["total"] == {"notified": 2, "delivered": 0}
        ann, bob = told["customers"]["nodes"]
        assert (ann["customerRef"], ann["notice"], ann["units"]) == ("c-1", "SENT", 2)
        assert ann["orders"] == [{"number": "#o-1", "channel": "pos"}]
        assert (bob["customerRef"], bob["notice"]) == ("c-2", "UNREACHABLE")
        assert cases(world) == {"R-1/c-2": "open"}
        await stage.hears("message.delivered", message)
        told = await stage.told()
        assert told["containment"]["total"] == {"notified": 2, "delivered": 2}
        assert told["containment"]["byChannel"][0] == {
            "channel": "pos", "notified": 2, "delivered": 2,
        }  # fmt: skip
        await stage.hears("message.confirmed", message, "thank you")
        ann = (await stage.told())["customers"]["nodes"][0]
        assert (ann["notice"], ann["detail"]) == ("ANSWERED", "thank you")
        # Told again: nobody who knows is told twice, and whom we can reach now is told.
        put(world, "c-2", BOB)
        await stage.ops.ask(NOTIFY, key="n-2")
        await stage.relay()
        assert [each["to"]["name"] for each in stage.twin.messages.values()] == [ANN.name, "Bob"]
        await stage.hears("message.delivered", list(stage.twin.messages)[1])
        assert cases(world) == {"R-1/c-2": "resolved"}

    run(world, story)


def test_receipts_come_in_any_order_and_more_than_once(world: World) -> None:
    put(world, "c-1", ANN)

    async def story(stage: Stage) -> None:
        await stage.ops.ask(NOTIFY, key="n-1")
        await stage.relay()
        (message,) = stage.twin.messages
        first = world.now
        world.pass_time(seconds=60)
        stage.twin.duplicate_webhooks = True
        await stage.hears("message.bounced", message, "full")
        assert stage.notice("c-1")["state"] == "failed"
        assert cases(world)["R-1/c-1"] == "open"
        # Said before the failure, heard after it: the newer one counts.
        stage.twin.now = lambda: first + timedelta(seconds=30)
        await stage.hears("message.delivered", message)
        row = stage.notice("c-1")
        assert (row["state"], row["delivered_at"] is not None) == ("failed", True)
        stage.twin.now = lambda: first + timedelta(seconds=120)
        world.pass_time(seconds=60)
        await stage.hears("message.confirmed", message)
        stage.twin.now = lambda: first + timedelta(seconds=180)
        await stage.hears("message.bounced", message)
        assert stage.notice("c-1")["state"] == "answered"  # who has answered was reached
        assert cases(world)["R-1/c-1"] == "resolved"
        assert not world.rows("SELECT id FROM inbox WHERE state <> 'done'")

    run(world, story)


def test_a_receipt_that_is_faster_than_the_answer_waits_for_it(world: World) -> None:
    put(world, "c-1", ANN)

    async def story(stage: Stage) -> None:
        await stage.ops.ask(NOTIFY, key="n-1")
        await stage.hears("message.delivered", "msg_1002")  # the number after this webhook's own
        assert world.value("SELECT state FROM inbox") == "waiting"
        await stage.relay()
        assert list(stage.twin.messages) == ["msg_1002"]
        assert stage.notice("c-1")["state"] == "sent"
        world.pass_time(seconds=10)
        await intake.drain(stage.hub.runtime)
        assert stage.notice("c-1")["state"] == "delivered"

    run(world, story)


def test_a_receipt_of_nobodys_message_is_let_pass_in_the_end(world: World) -> None:
    async def story(stage: Stage) -> None:
        await stage.hears("message.delivered", "msg_of_others", "for zoe@example.org")
        for _ in range(8):
            world.pass_time(hours=3)
            await intake.drain(stage.hub.runtime)
        (row,) = world.rows("SELECT * FROM inbox")
        assert (row["state"], bytes(row["body"])) == ("done", b"")
        assert cases(world) == {}

    run(world, story)


def test_what_can_not_be_sent_is_tried_again_and_then_a_case(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    put(world, "c-1", ANN)
    caplog.set_level(logging.DEBUG)

    async def story(stage: Stage) -> None:
        await stage.ops.ask(NOTIFY, key="n-1")
        stage.twin.fail_next(Fault.SERVER_ERROR, times=1_000, containing="POST")
        for _ in range(12):
            await stage.relay()
            world.pass_time(hours=3)
        assert stage.notice("c-1")["state"] == "failed"
        assert cases(world)["R-1/c-1"] == "open"
        assert world.value("SELECT state FROM outbox") == "dead"
        kinds = {row["kind"] for row in world.rows("SELECT kind FROM exception_case")}
        assert kinds == {"unreachable_customer", "sync_failure"}
        assert stage.twin.messages == {}
        stage.twin._faults.clear()
        await stage.ops.ask(NOTIFY, key="n-2")
        await stage.relay()
        assert stage.notice("c-1")["state"] == "sent"

    run(world, story)
    for secret in (ANN.email, ANN.phone, ANN.name, "twin-notice-token"):
        assert str(secret) not in caplog.text


@pytest.mark.req("R119")
def test_who_is_found_later_is_told_too(world: World) -> None:
    shop = world.channel("pos", "square", capabilities=("pull_orders",))
    world.receive("A-1")
    sell(world, shop, "o-1", "A-1", customer="c-1")
    put(world, "c-1", ANN)
    lens = Arrival(serial="L-1", product="LENS", lot="BAD")
    world.write(
        lambda tx: receiving.receive(
            Work(tx, world.context(), new_id()),
            [lens],
            catalogue.location(tx, "WH"),
            put_away=True,
        )
    )
    open_recall(world, component={"lots": ["BAD"]})

    async def story(stage: Stage) -> None:
        await stage.ops.ask(NOTIFY, key="n-1")
        await stage.relay()
        assert stage.twin.messages == {}
        parts = [Part(Scan("L-1"))]  # built into what the customer has
        world.write(
            lambda tx: kits.assemble(Work(tx, world.context(), new_id()), Scan("A-1"), parts)
        )
        await stage.relay()
        (said,) = stage.twin.messages.values()
        assert said["to"]["name"] == ANN.name

    run(world, story, sold=False)


@pytest.mark.req("R116", "R119")
def test_units_of_unnamed_customers_are_a_case_of_their_own(world: World) -> None:
    shop = world.channel("pos", "square", capabilities=("pull_orders",))
    world.receive("A-1")
    sell(world, shop, "o-1", "A-1", customer=None)
    open_recall(world, products=["CAM"])

    async def story(stage: Stage) -> None:
        wrong = (await stage.ops.ask(NOTIFY, key="n-0", channel="pos"))["done"]
        assert wrong["code"] == "INVALID_INPUT"
        await stage.ops.ask(NOTIFY, key="n-1")
        assert cases(world) == {"R-1/-": "open"}

    run(world, story, sold=False)


def everything(world: World) -> str:
    """Return every value of every table."""
    names = SQLModel.metadata.tables
    return "\n".join(str(row) for name in names for row in world.rows(f"SELECT * FROM {name}"))


@pytest.mark.req("R119")
def test_erasing_a_person_leaves_nothing_of_him_and_the_ledger_whole(world: World) -> None:
    put(world, "c-1", ANN)
    sealed = str(world.value("SELECT contact FROM person"))

    async def story(stage: Stage) -> None:
        await stage.ops.ask(NOTIFY, key="n-1")
        await stage.relay()
        (message,) = stage.twin.messages
        await stage.hears("message.bounced", message, f"no such box: {ANN.email}")

    run(world, story)
    sign(world)
    trusted = {Signer(world.vault).public_key}

    def proof() -> tuple[Any, ...]:
        paper = issued(world, "A-1")
        return (
            world.read(hash_chain.verify),
            world.read(lambda tx: checkpoints.verify(tx, trusted)),
            certificate.problems(paper, paper["public_key"]),
            paper["events"],
        )

    before = proof()
    assert (before[0].breaks, before[1].breaks, before[2]) == ((), [], [])
    assert str(ANN.email) in everything(world)  # in the words of the service
    events = world.rows("SELECT * FROM event ORDER BY seq")
    erase(world, "c-1")
    assert proof() == before
    assert world.rows("SELECT * FROM event ORDER BY seq") == events
    kept = everything(world)
    for secret in (ANN.email, ANN.phone, ANN.name, sealed):
        assert str(secret) not in kept
    (row,) = world.rows("SELECT * FROM person")
    assert (row["ref"], row["contact"], row["erased_because"]) == ("c-1", None, "asked for it")
    assert row["erased_at"] is not None
    with pytest.raises(StepNotAllowed):
        erase(world, "c-1")
    with pytest.raises(UnknownReference):
        erase(world, "c-9")
    with pytest.raises(StepNotAllowed):
        put(world, "c-1", ANN)
    if world.database.dialect == "sqlite":
        vacuumed(world, sealed)


def vacuumed(world: World, sealed: str) -> None:
    """Say that not even the database's files hold what was sealed."""
    path = Path(world.database.url.removeprefix("sqlite:///"))
    world.database.close()
    connection = sqlite3.connect(path)
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for file in path.parent.glob(f"{path.name}*"):
        content = file.read_bytes()
        for secret in (sealed, ANN.email, ANN.phone, ANN.name):
            assert str(secret).encode() not in content, file


def test_a_message_that_waits_is_not_sent_to_who_was_erased(world: World) -> None:
    put(world, "c-1", ANN)

    async def story(stage: Stage) -> None:
        await stage.ops.ask(NOTIFY, key="n-1")
        erase(world, "c-1")
        await stage.relay()
        assert stage.twin.messages == {}
        assert stage.notice("c-1")["state"] == "unreachable"
        # Erased in the moment between leasing and sending: nothing is sent either.
        assert world.read(lambda tx: notices.message(tx, stage.notice("c-1")["id"])) is None
        await stage.ops.ask(NOTIFY, key="n-2")
        await stage.relay()
        assert stage.twin.messages == {}

    run(world, story)


def test_a_late_receipt_brings_nothing_of_an_erased_person_back(world: World) -> None:
    put(world, "c-1", ANN)

    async def story(stage: Stage) -> None:
        await stage.ops.ask(NOTIFY, key="n-1")
        await stage.relay()
        (message,) = stage.twin.messages
        erase(world, "c-1")
        await stage.hears("message.delivered", message, f"to {ANN.email}")
        assert stage.notice("c-1")["state"] == "delivered"
        assert str(ANN.email) not in everything(world)

    run(world, story)


def test_how_to_reach_a_person_is_checked_and_never_kept_in_clear(world: World) -> None:
    for contact in (
        Contact(name="x"),
        Contact(email="nobody"),
        Contact(phone="0301234"),
        Contact(email="a@b.de", language="klingon!"),
        Contact(name="x" * 300, email="a@b.de"),
        Contact(email="a" * 250 + "@b.de"),
    ):
        with pytest.raises(InvalidInput):
            put(world, "c-1", contact)
    put(world, "c-1", ANN)
    assert str(ANN.email) not in everything(world)
    assert "ann" not in repr(ANN).lower()
    said = people.redacted("550 ANN@example.org is no box of +4930123456", ANN)
    assert said == "550 … is no box of …"
