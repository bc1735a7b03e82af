"""Outgoing webhooks over real sockets: nothing lost, nothing told to the wrong one, all signed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.testing.serving import serve
from correcting import never
from hub import clients, webhooks
from hub.clock import micros, new_id
from hub.commands.context import Document
from hub.commands.work import Work
from hub.errors import Forbidden, InvalidInput, StepNotAllowed, UnknownReference
from hub.history import event_feed
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Row
from hub.webhooks import EndpointCard, announcements, messages, payload, signing
from hub.webhooks.messages import DeliveryAttempt
from hub.webhooks.signing import Signature
from jobs.maintenance import sweep
from jobs.runtime import Runtime
from jobs.webhooks import delivery as webhook_jobs
from jobs.webhooks.delivery import Courier, deliver_all
from jobs.webhooks.sending import Sender
from world import World


class Partner:
    """Takes what is posted, and answers as it is told: the next of `answers`, else 204."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.got: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.answers: list[Response] = []
        self.under_way = self.most_at_once = 0
        self.before_answer: Callable[[], Awaitable[None]] | None = None
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            body = await request.body()
            self.bodies.append(body)
            self.got.append(orjson.loads(body))
            self.headers.append(dict(request.headers))
            if self.before_answer is not None:
                await self.before_answer()
            return self.answers.pop(0) if self.answers else Response(status_code=204)
        finally:
            self.under_way -= 1

    @property
    def serials(self) -> list[str]:
        """The serials of the units that were told of."""
        return [each["data"]["unit"]["serial"] for each in self.got if "unit" in each["data"]]

    @property
    def ids(self) -> list[str]:
        return [each["webhook-id"] for each in self.headers]


class Stage:
    """A world with a partner behind a real socket."""

    def __init__(self, world: World, partner: Partner, url: str, runtime: Runtime) -> None:
        self.world, self.partner, self.url, self.runtime = world, partner, url, runtime
        self.sender = Sender(private=True)
        self.secret = ""

    def endpoint(self, signature: Signature = Signature.HMAC, **card: Any) -> str:
        """Make an endpoint."""
        self.settle()
        self.secret = signing.new_secret(signature)
        made = EndpointCard(url=f"{self.url}/hook", **card)
        sealed = webhooks.seal(self.world.vault, self.secret)
        return self.world.write(
            lambda tx: webhooks.create(tx, self.world.context(), made, sealed, private=True)
        )

    async def deliver(self) -> int:
        """Send all that is due now."""
        self.settle()
        return await deliver_all(self.runtime, self.sender)

    def settle(self) -> None:
        """Wait until the feed shows every event.

        On PostgreSQL it waits for transactions that began before, of other tests' databases too.
        """
        for _ in range(3_000):
            newest = self.world.value("SELECT MAX(seq) FROM event") or 0
            if self.world.read(event_feed.end).seq >= newest:
                return
            time.sleep(0.01)
        raise AssertionError("the feed does not come to its end")

    def row(self, endpoint_id: str) -> Row:
        return self.world.rows("SELECT * FROM webhook_endpoint WHERE id = :id", id=endpoint_id)[0]

    def states(self) -> list[str]:
        rows = self.world.rows("SELECT state FROM webhook_message ORDER BY id")
        return [row["state"] for row in rows]

    def do(self, work: Callable[..., Any], *given: Any, **more: Any) -> Any:
        """Run a command of the hub."""
        return self.world.write(lambda tx: work(tx, self.world.context(), *given, **more))


def play(world: World, story: Callable[[Stage], Awaitable[None]]) -> None:
    async def told() -> None:
        partner = Partner(world)
        async with serve(partner.app) as url:
            runtime = world.runtime(webhooks_to_private_networks=True)
            stage = Stage(world, partner, url, runtime)
            async with stage.sender, runtime.open():
                await story(stage)

    asyncio.run(told())


def test_a_partner_is_told_what_happened_signed_and_with_all_that_it_needs(world: World) -> None:
    async def story(stage: Stage) -> None:
        world.receive("SN-0")  # before anybody wanted to know
        stage.endpoint()
        world.pass_time(seconds=1)
        world.receive("SN-1", lot="L-7")
        assert await stage.deliver() == 2
        got = stage.partner.got
        assert [each["type"] for each in got] == ["unit.receive", "unit.put_away"]
        event = world.history("SN-1")[0]
        assert got[0] == {
            "type": "unit.receive",
            "timestamp": "2026-11-02T12:00:01Z",
            "data": {
                "eventId": event["id"],
                "action": "receive",
                "bizStep": "receiving",
                "disposition": "in_progress",
                "occurredAt": "2026-11-02T12:00:01Z",
                "recordedAt": "2026-11-02T12:00:01Z",
                "from": None,
                "to": "WH",
                "reason": None,
                "document": None,
                "corrects": None,
                "unit": {
                    "id": event["unit_id"],
                    "serial": "SN-1",
                    "sku": "CAM",
                    "gtin": "04006381333931",
                    "lot": "L-7",
                    "version": 1,
                    "status": "received",
                    "previousStatus": None,
                },
            },
        }
        for body, headers in zip(stage.partner.bodies, stage.partner.headers, strict=True):
            assert int(headers["webhook-timestamp"]) == int(world.now.timestamp())
            again = Webhook(stage.secret).sign(headers["webhook-id"], world.now, body.decode())
            assert headers["webhook-signature"] == again
        assert len(set(stage.partner.ids)) == 2
        assert await stage.deliver() == 0

    play(world, story)


def test_topics_product_and_site_limit_what_is_told(world: World) -> None:
    async def story(stage: Stage) -> None:
        stage.endpoint(topics=("unit.ship", "unit.put_away"), sku="CAM", sites=("SHOP",))
        world.receive("SN-1", place="SHOP")
        world.receive("SN-2", place="WH")
        world.receive("SN-3", sku="SAW", place="SHOP")
        await stage.deliver()
        assert [(each["type"], each["data"]["to"]) for each in stage.partner.got] == [
            ("unit.put_away", "SHOP")
        ]
        assert stage.partner.serials == ["SN-1"]

    play(world, story)


def test_a_transfer_between_two_sites_is_told_to_both(world: World) -> None:
    async def story(stage: Stage) -> None:
        world.receive("SN-1", place="WH")
        stage.endpoint(sites=("SHOP",))
        stage.endpoint(sites=("WH-A1",))  # a bin stands for its site
        world.do(Action.TRANSFER_OUT, "SN-1", place="SHOP")
        world.do(Action.TRANSFER_IN, "SN-1", place="SHOP")
        await stage.deliver()
        told = [each["type"] for each in stage.partner.got]
        assert told.count("unit.transfer_out") == 1  # from the warehouse to the road
        assert told.count("unit.transfer_in") == 1  # from the road to the shop

    play(world, story)


def test_a_client_is_told_of_its_own_goods_since_they_are_its_own(world: World) -> None:
    for code in ("ANT", "BEE"):
        world.client(code)

    async def story(stage: Stage) -> None:
        stage.endpoint(client="ANT")
        world.receive("SN-A", client="ANT")
        world.receive("SN-B", client="BEE", supplier="of-bee")
        world.receive("SN-H")
        await stage.deliver()
        assert set(stage.partner.serials) == {"SN-A"}
        paper = world.context(document=Document("inv", "T-1"))
        world.write(
            lambda tx: clients.transfer_title(Work(tx, paper, new_id()), [Scan("SN-B")], "ANT")
        )
        world.do(Action.MOVE, "SN-B", place="WH-A1")
        await stage.deliver()
        told = [each["type"] for each in stage.partner.got if "SN-B" in orjson.dumps(each).decode()]
        assert told == ["unit.annotate", "unit.move"]
        world.write(
            lambda tx: clients.transfer_title(Work(tx, paper, new_id()), [Scan("SN-B")], "BEE")
        )
        world.do(Action.MOVE, "SN-B", place="WH")
        before = len(stage.partner.got)
        await stage.deliver()
        assert len(stage.partner.got) == before
        text = b"".join(stage.partner.bodies).decode()
        assert "BEE" not in text
        assert "of-bee" not in text

    play(world, story)


def test_what_passed_on_before_it_was_told_is_not_told_to_its_earlier_owner(world: World) -> None:
    """The endpoint was slow: who has the unit now decides."""
    for code in ("ANT", "BEE"):
        world.client(code)

    async def story(stage: Stage) -> None:
        stage.endpoint(client="ANT")
        world.receive("SN-A", client="ANT")
        paper = world.context(document=Document("inv", "T-1"))
        world.write(
            lambda tx: clients.transfer_title(Work(tx, paper, new_id()), [Scan("SN-A")], "BEE")
        )
        await stage.deliver()
        assert stage.partner.got == []

    play(world, story)


def test_a_correction_names_the_event_that_it_corrects(world: World) -> None:
    async def story(stage: Stage) -> None:
        stage.endpoint(topics=("unit.correct",))
        world.receive("SN-1")
        world.do(Action.MOVE, "SN-1", place="WH-A1")
        moved = world.history("SN-1")[-1]
        never(world, "SN-1", moved["version"])
        await stage.deliver()
        (told,) = stage.partner.got
        assert told["data"]["corrects"] == moved["id"]

    play(world, story)


# --- Failing --------------------------------------------------------------------------------


def failing(*statuses: int) -> list[Response]:
    return [Response("no", status_code=status) for status in statuses]


def test_a_message_that_fails_is_tried_by_the_schedule_and_lets_the_others_pass(
    world: World,
) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-1")
        stage.partner.answers = failing(500)
        await stage.deliver()
        world.receive("SN-2")
        await stage.deliver()
        assert stage.partner.serials == ["SN-1", "SN-2"]
        assert stage.row(endpoint)["failures"] == 0  # a success came after
        world.pass_time(seconds=4.9)
        assert await stage.deliver() == 0
        world.pass_time(seconds=1.2)  # 5 s and at most a fifth more
        await stage.deliver()
        assert stage.partner.serials == ["SN-1", "SN-2", "SN-1"]
        first, _, again = stage.partner.headers
        assert first["webhook-id"] == again["webhook-id"]
        assert int(again["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 6
        assert stage.partner.bodies[0] == stage.partner.bodies[2]
        assert stage.states() == ["delivered", "delivered"]
        rows = world.rows("SELECT number, status, answer FROM webhook_attempt ORDER BY id")
        assert [tuple(row.values()) for row in rows] == [(1, 500, "no"), (1, 204, ""), (2, 204, "")]

    play(world, story)


def test_the_whole_schedule_is_that_of_the_specification_and_ends(world: World) -> None:
    async def story(stage: Stage) -> None:
        stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-1")
        began, moments = world.now, []
        stage.partner.answers = failing(*[500] * 10)
        for _ in range(60):
            if await stage.deliver():
                moments.append((world.now - began).total_seconds())
            due = world.value("SELECT MIN(due_at) FROM webhook_message WHERE state = 'waiting'")
            if due is None:
                break
            rests = world.value("SELECT rests_until FROM webhook_endpoint")
            world.pass_time(microseconds=max(due, rests) - micros(world.now))
        planned = [0, 5, 305, 2105, 9305, 27305, 63305, 113705, 185705, 272105]
        assert len(moments) == len(planned) == messages.ATTEMPTS_MAX
        for at, plan in zip(moments, planned, strict=True):
            assert plan <= at <= plan * 1.2 + 300
        assert stage.states() == ["given_up"]
        assert [kind for kind, _ in world.open_cases()] == ["webhook_failing"]
        assert stage.row(world.value("SELECT id FROM webhook_endpoint"))["state"] == "active"
        world.receive("SN-2")
        world.pass_time(minutes=5)  # it is left alone for a while
        await stage.deliver()
        assert world.open_cases() == []  # it takes them again

    play(world, story)


@pytest.mark.parametrize("attempts", range(1, 10))
def test_a_pause_that_is_asked_for_is_kept_and_bounded(attempts: int) -> None:
    planned = messages.DELAYS[attempts - 1]
    for _ in range(50):
        assert planned <= messages.delay(attempts, None) <= planned * 1.2
    assert messages.delay(attempts, timedelta(days=400)) <= max(planned * 1.2, timedelta(days=1))
    assert messages.delay(1, timedelta(hours=2)) == timedelta(hours=2)


@pytest.mark.parametrize("status", [429, 503])
def test_who_asks_for_a_pause_is_left_alone_with_everything(world: World, status: int) -> None:
    async def story(stage: Stage) -> None:
        stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-1")
        later = Response(status_code=status, headers={"retry-after": "120"})
        stage.partner.answers = [later]
        await stage.deliver()
        world.receive("SN-2")
        world.pass_time(seconds=119)
        assert await stage.deliver() == 0
        world.pass_time(seconds=1)
        assert await stage.deliver() == 2
        assert stage.states() == ["delivered", "delivered"]

    play(world, story)


def test_who_fails_on_and_on_is_asked_with_one_message_at_a_time(world: World) -> None:
    async def story(stage: Stage) -> None:
        stage.endpoint(topics=("unit.put_away",))
        world.receive(*[f"SN-{number}" for number in range(30)])
        stage.partner.answers = failing(*[500] * 12)
        await stage.deliver()
        # Eight at once, none of which was taken: then it rests.
        assert len(stage.partner.got) == 8
        for expected in (9, 10, 11, 12):
            world.pass_time(minutes=5)
            await stage.deliver()
            assert len(stage.partner.got) == expected
        untried = world.value("SELECT COUNT(*) FROM webhook_message WHERE attempts = 0")
        assert untried >= 18  # which have lost nothing of their schedule
        world.pass_time(days=1)
        await stage.deliver()
        assert set(stage.states()) == {"delivered"}

    play(world, story)


def test_410_disables_at_once_and_calls_a_person(world: World) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-1")
        stage.partner.answers = failing(410)
        await stage.deliver()
        row = stage.row(endpoint)
        assert row["state"] == "disabled"
        assert "410" in row["disabled_reason"]
        assert world.open_cases() == [("webhook_failing", endpoint)]
        severity = world.value("SELECT severity FROM exception_case")
        assert severity == "high"
        world.receive("SN-2")
        world.pass_time(days=2)
        assert await stage.deliver() == 0
        stage.do(webhooks.enable, endpoint)
        assert world.open_cases() == []
        await stage.deliver()  # from where it stopped: nothing is lost
        assert stage.partner.serials == ["SN-1", "SN-1", "SN-2"]

    play(world, story)


def test_an_endpoint_that_fails_for_days_is_disabled_and_one_that_fails_now_and_then_is_not(
    world: World,
) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint(topics=("unit.put_away",))
        stage.partner.answers = failing(*[500] * 100)
        for day in range(5):
            world.receive(f"SN-{day}")
            await stage.deliver()
            assert stage.row(endpoint)["state"] == "active"
            world.pass_time(days=1)
            if day == 2:  # one success is enough
                stage.partner.answers.insert(0, Response(status_code=200))
        await stage.deliver()
        assert stage.row(endpoint)["state"] == "active"
        for _ in range(6):
            world.pass_time(days=1)
            await stage.deliver()
        row = stage.row(endpoint)
        assert row["state"] == "disabled"
        assert "5 days" in row["disabled_reason"]
        assert ("webhook_failing", endpoint) in world.open_cases()

    play(world, story)


def test_a_test_is_tried_once_also_by_a_disabled_endpoint_and_counts_for_nothing(
    world: World,
) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint()
        world.write(lambda tx: webhooks.disable(tx, endpoint, "a holiday", world.now))
        world.receive("SN-1")
        stage.partner.answers = failing(500)
        stage.do(messages.test, endpoint)
        assert await stage.deliver() == 1
        assert stage.states() == ["given_up"]
        assert stage.row(endpoint)["failures"] == 0
        stage.do(messages.test, endpoint)
        assert await stage.deliver() == 1
        assert [each["type"] for each in stage.partner.got] == ["webhook.test"] * 2
        Webhook(stage.secret)  # it verifies as any other
        assert stage.row(endpoint)["state"] == "disabled"
        assert world.open_cases() == []

    play(world, story)


# --- Going on, twice, again -----------------------------------------------------------------


def test_a_crash_between_sending_and_recording_sends_the_same_id_again(world: World) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-1")
        arrived = asyncio.Event()

        async def hang() -> None:
            arrived.set()
            await asyncio.sleep(30)

        stage.partner.before_answer = hang
        stage.settle()
        courier = Courier(stage.runtime, stage.sender, endpoint)
        working = asyncio.create_task(courier.deliver())
        await arrived.wait()
        working.cancel()  # it was sent; nobody noted it
        await asyncio.gather(working, return_exceptions=True)
        stage.partner.before_answer = None
        assert stage.states() == ["waiting"]
        await stage.deliver()
        assert len(stage.partner.ids) == 2
        assert len(set(stage.partner.ids)) == 1
        assert stage.states() == ["delivered"]

    play(world, story)


def test_a_worker_that_comes_back_late_changes_nothing(world: World) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-1")
        stage.settle()
        lease = timedelta(seconds=60)
        late = world.write(lambda tx: messages.lease(tx, endpoint, world.now, lease))
        assert late is not None
        made = world.write(lambda tx: messages.fill(tx, endpoint, late["fence"], world.now))
        assert made == 1
        assert await stage.deliver() == 0  # while it is held
        world.pass_time(seconds=61)
        (message,) = world.rows("SELECT * FROM webhook_message")
        assert await stage.deliver() == 1
        gone = DeliveryAttempt(410, "gone", 1)
        kept = world.write(
            lambda tx: messages.settle(tx, endpoint, late["fence"], [(message, gone)], world.now)
        )
        assert kept is False
        assert world.write(lambda tx: messages.fill(tx, endpoint, late["fence"], world.now)) == 0
        assert stage.row(endpoint)["state"] == "active"
        assert stage.states() == ["delivered"]

    play(world, story)


def test_several_workers_send_each_message_once(world: World) -> None:
    async def story(stage: Stage) -> None:
        stage.endpoint()
        for number in range(20):
            world.receive(f"SN-{number}")
        stage.partner.before_answer = lambda: asyncio.sleep(0.02)
        await asyncio.gather(*(stage.deliver() for _ in range(4)))
        await stage.deliver()
        assert len(stage.partner.ids) == len(set(stage.partner.ids)) == 40
        assert 1 < stage.partner.most_at_once <= 8

    play(world, story)


def test_the_messages_of_one_unit_come_in_their_order(world: World) -> None:
    async def story(stage: Stage) -> None:
        stage.endpoint()
        world.receive("SN-1", "SN-2")
        for place in ("WH-A1", "WH", "WH-A1"):
            world.do(Action.MOVE, "SN-1", "SN-2", place=place)
        await stage.deliver()
        for serial in ("SN-1", "SN-2"):
            units = [each["data"]["unit"] for each in stage.partner.got]
            versions = [each["version"] for each in units if each["serial"] == serial]
            assert versions == [1, 2, 3, 4, 5]

    play(world, story)


def test_a_queue_is_bounded_and_the_rest_waits_in_the_ledger(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "WAITING_MAX", 10)
    monkeypatch.setattr(messages, "EVENTS_MAX", 4)

    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint()
        world.receive(*[f"SN-{number:02}" for number in range(20)])
        stage.settle()
        lease = timedelta(seconds=60)
        held = world.write(lambda tx: messages.lease(tx, endpoint, world.now, lease))
        assert held is not None
        fence = held["fence"]
        made = [
            world.write(lambda tx: messages.fill(tx, endpoint, fence, world.now)) for _ in range(6)
        ]
        assert made == [4, 4, 2, 0, 0, 0]
        world.pass_time(minutes=2)
        await stage.deliver()
        assert len(set(stage.partner.ids)) == len(stage.partner.ids) == 40
        assert set(stage.states()) == {"delivered"}

    play(world, story)


def test_events_for_others_do_not_keep_the_cursor(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "EVENTS_MAX", 5)
    monkeypatch.setattr("jobs.webhooks.delivery.LAG_MAX", 20)

    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint(sku="SAW")
        world.receive(*[f"SN-{number}" for number in range(50)])
        assert stage.row(endpoint)["cursor_seq"] == 0
        await stage.deliver()
        assert stage.row(endpoint)["cursor_seq"] >= 80
        world.receive("SAW-1", sku="SAW")
        await stage.deliver()
        assert stage.partner.serials == ["SAW-1", "SAW-1"]

    play(world, story)


def test_everything_since_a_time_is_sent_again_under_the_same_ids(world: World) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-0")
        world.pass_time(hours=2)
        since = world.now
        for number in (1, 2):
            world.receive(f"SN-{number}")
            world.pass_time(minutes=10)
        await stage.deliver()
        before = dict(zip(stage.partner.serials, stage.partner.ids, strict=True))
        # One is so old that it was dropped already: it is made again from the ledger.
        world.write(lambda tx: tx.run("DELETE FROM webhook_attempt"))
        world.write(lambda tx: tx.run("DELETE FROM webhook_message WHERE body LIKE '%\"SN-1\"%'"))
        stage.partner.got.clear()
        stage.partner.headers.clear()
        stage.do(webhooks.recover, endpoint, since)
        world.receive("SN-3")
        await stage.deliver()
        after = dict(zip(stage.partner.serials, stage.partner.ids, strict=True))
        assert len(stage.partner.ids) == 3
        assert set(after) == {"SN-1", "SN-2", "SN-3"}
        assert (after["SN-1"], after["SN-2"]) == (before["SN-1"], before["SN-2"])
        assert await stage.deliver() == 0

    play(world, story)


def test_a_recovery_has_its_bounds(world: World) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint()
        for since in (world.now + timedelta(seconds=1), world.now - timedelta(days=31)):
            with pytest.raises(InvalidInput):
                stage.do(webhooks.recover, endpoint, since)
        stage.do(webhooks.recover, endpoint, world.now)
        world.write(lambda tx: webhooks.disable(tx, endpoint, "a holiday", world.now))
        with pytest.raises(StepNotAllowed):
            stage.do(webhooks.recover, endpoint, world.now)
        with pytest.raises(UnknownReference):
            stage.do(webhooks.recover, new_id(), world.now)

    play(world, story)


def test_one_message_is_replayed_whatever_became_of_it(world: World) -> None:
    async def story(stage: Stage) -> None:
        stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-1", "SN-2")
        await stage.deliver()
        chosen = stage.partner.ids[0]
        message = world.value("SELECT id FROM webhook_message WHERE event_id = :id", id=chosen)
        stage.do(messages.replay, message)
        await stage.deliver()
        assert stage.partner.ids[2:] == [chosen]
        with pytest.raises(UnknownReference):
            stage.do(messages.replay, new_id())

    play(world, story)


def test_whoever_is_enabled_may_skip_what_was_missed(world: World) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint(topics=("unit.put_away",))
        world.write(lambda tx: webhooks.disable(tx, endpoint, "a holiday", world.now))
        world.receive("SN-1")
        await stage.deliver()
        stage.do(webhooks.enable, endpoint, skip_missed=True)
        world.receive("SN-2")
        await stage.deliver()
        assert stage.partner.serials == ["SN-2"]

    play(world, story)


def test_a_rotated_secret_signs_beside_the_old_one_until_the_overlap_ends(world: World) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint(topics=("unit.put_away",))
        old, new = stage.secret, signing.new_secret(Signature.HMAC)
        stage.do(webhooks.rotate, world.vault, endpoint, new, timedelta(hours=1))
        world.receive("SN-1")
        await stage.deliver()
        world.pass_time(hours=1)
        world.receive("SN-2")
        await stage.deliver()
        counts = [len(each["webhook-signature"].split()) for each in stage.partner.headers]
        assert counts == [2, 1]
        for index, secrets in enumerate(((old, new), (new,))):
            headers, body = stage.partner.headers[index], stage.partner.bodies[index]
            at = int(headers["webhook-timestamp"])
            right = {signing.sign(each, headers["webhook-id"], at, body) for each in secrets}
            assert set(headers["webhook-signature"].split()) == right
        kept = world.value("SELECT secrets FROM webhook_endpoint")
        assert old not in kept
        assert new not in kept
        with pytest.raises(InvalidInput):
            stage.do(webhooks.rotate, world.vault, endpoint, new, timedelta(days=8))

    play(world, story)


def test_a_message_to_the_own_network_is_refused_and_tried_again_later(world: World) -> None:
    async def story(stage: Stage) -> None:
        stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-1")
        stage.settle()
        async with Sender() as careful:
            assert await deliver_all(stage.runtime, careful) == 1
        assert stage.partner.got == []
        (attempt,) = world.rows("SELECT status, answer FROM webhook_attempt")
        assert attempt == {"status": None, "answer": "a webhook goes to an https address"}
        assert stage.states() == ["waiting"]

    play(world, story)


def test_an_endpoint_that_is_deleted_is_forgotten(world: World) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-1")
        stage.partner.answers = failing(500)
        await stage.deliver()
        stage.do(webhooks.remove, endpoint)
        world.pass_time(days=1)
        assert await stage.deliver() == 0
        row = stage.row(endpoint)
        assert (row["url"], row["secrets"]) == ("", "")
        with pytest.raises(UnknownReference):
            world.read(lambda tx: webhooks.get(tx, endpoint))

    play(world, story)


def test_settled_messages_are_dropped_after_a_month_and_waiting_ones_are_not(world: World) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-1", "SN-2")
        stage.partner.answers = failing(410)
        await stage.deliver()
        assert sorted(stage.states()) == ["delivered", "waiting"]
        world.pass_time(days=31)
        await sweep.sweep(stage.runtime)
        assert stage.states() == ["waiting"]
        assert world.value("SELECT COUNT(*) FROM webhook_attempt") == 0
        stage.do(webhooks.enable, endpoint)
        await stage.deliver()
        assert stage.states() == ["delivered"]

    play(world, story)


def test_of_an_endpoint_of_another_a_client_learns_nothing(world: World) -> None:
    client = world.value("SELECT id FROM client WHERE code = :code", code=world.client("ANT"))

    async def story(stage: Stage) -> None:
        ours = stage.endpoint()
        for endpoint in (ours, new_id()):
            with pytest.raises(Forbidden):
                world.read(lambda tx, each=endpoint: webhooks.get(tx, each, client))

    play(world, story)


def test_the_running_jobs_serve_an_endpoint_from_its_making_to_its_end(world: World) -> None:
    async def story(stage: Stage) -> None:
        world.now = datetime.now(UTC)  # a receiver's library takes nothing that is old
        running = asyncio.create_task(webhook_jobs.run(stage.runtime))
        endpoint = stage.endpoint(topics=("unit.put_away",))
        world.receive("SN-1", "SN-2")
        await _until(lambda: len(stage.partner.got) == 2)
        for body, headers in zip(stage.partner.bodies, stage.partner.headers, strict=True):
            assert Webhook(stage.secret).verify(body, headers)["type"] == "unit.put_away"
        stage.do(webhooks.remove, endpoint)
        second = stage.endpoint(topics=("unit.move",))
        world.do(Action.MOVE, "SN-1", place="WH-A1")
        await _until(lambda: len(stage.partner.got) == 3)
        assert stage.partner.got[2]["type"] == "unit.move"
        await _until(lambda: stage.row(second)["lease_until"] == 0)
        stage.runtime.stopping.set()
        async with asyncio.timeout(10):
            await running

    play(world, story)


async def _until(came: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not came():
            await asyncio.sleep(0.02)


def test_messages_about_the_service_are_delivered_signed_and_recovered(world: World) -> None:
    async def story(stage: Stage) -> None:
        endpoint = stage.endpoint()
        world.receive("SN-1")
        await stage.deliver()
        begun = world.now
        world.pass_time(minutes=1)
        data: dict[str, str | float | None] = {"channel": "shop", "promised": 3600}
        told = partial(announcements.announce, topic=payload.ServiceTopic.BROKEN, subject=endpoint)
        assert world.write(lambda tx: told(tx, data=data, now=world.now)) == 1
        assert await stage.deliver() == 1
        assert stage.partner.got[-1]["type"] == "service_level.broken"
        assert stage.partner.got[-1]["data"] == data
        stage.do(webhooks.recover, endpoint, begun)
        assert await stage.deliver() >= 1
        again = [each for each in stage.partner.got if each["type"] == "service_level.broken"]
        assert len(again) == 2
        assert stage.partner.ids[-1] in stage.partner.ids[:-1]

    play(world, story)
