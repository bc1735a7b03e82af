"""A notice in a real queue (moto's SQS) becomes one order, however often the worker dies over it.

The queue is not ours and checks every signature; Amazon itself is the twin. Between the worker and
the queue stands a gate that holds one chosen call until the worker is dead.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connectors.amazon.queue import HIDDEN_SECONDS
from connectors.amazon.simulator.server import AmazonSimulator
from connectors.testing.serving import serve
from e2e.processes import HubProcess, hub_process
from e2e.servers.moto_server import REGION, ask, make_identity, moto, program
from e2e.story import in_thread
from hub.ledger import hash_chain
from hub.sync.leases import LEASE
from world import World

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        program() is None,
        reason="moto is not installed: `make e2e` installs tests/e2e/moto/requirements.txt",
    ),
]

SECONDS_MAX = 60.0  # the clock of a new worker fires after ten
RECEIVE, DELETE = "AmazonSQS.ReceiveMessage", "AmazonSQS.DeleteMessageBatch"
STORED = "SELECT COUNT(*) FROM inbox WHERE source = 'queue'"


@dataclass
class Gate:
    """Stands before the queue: passes every call on as it is, and holds one of those named."""

    onward: str
    stored: Callable[[], int]
    holds: str = ""
    performs: bool = True
    calls: list[str] = field(default_factory=list)
    stored_at_delete: list[int] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self, call: str, *, performs: bool) -> None:
        """Hold the next call of this name; with `performs` it takes its effect first."""
        self.holds, self.performs = call, performs
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body, call = await request.body(), request.headers["x-amz-target"]
        self.calls.append(call)
        if call == DELETE:
            self.stored_at_delete.append(self.stored())
        held, self.holds = call == self.holds, "" if call == self.holds else self.holds
        answer = None
        if self.performs or not held:
            # The host is signed: what was meant for the gate goes on under its name.
            headers = {name: value for name, value in request.headers.items() if name != "accept"}
            async with httpx.AsyncClient(timeout=30) as client:
                answer = await client.post(self.onward, content=body, headers=headers)
            if call == RECEIVE:
                taken = answer.json().get("Messages") or []
                self.receipts += [each["ReceiptHandle"] for each in taken]
        if held:
            self.reached.set()
            await self.opened.wait()  # the worker is killed now and hears no answer
        if answer is not None:
            kind = answer.headers["content-type"]
            response = Response(answer.content, answer.status_code, media_type=kind)
            with suppress(OSError):
                await response(scope, receive, send)


@dataclass
class Told:
    """What the story is about."""

    world: World
    twin: AmazonSimulator
    gate: Gate
    folder: Path
    database_url: str
    queue: Callable[..., Any]

    async def kill_at(self, call: str, *, performs: bool) -> None:
        """Run a worker, and kill it when it has made this call and waits for the answer."""
        self.gate.hold(call, performs=performs)
        with hub_process("worker", self.database_url, self.folder) as worker:
            try:
                async with asyncio.timeout(SECONDS_MAX):
                    await self.gate.reached.wait()
            except TimeoutError:
                raise AssertionError(f"never asked:\n{worker.log.read_text()}") from None
            worker.kill()
            self.gate.opened.set()
        assert worker.process.returncode == -9

    async def let_time_pass(self) -> None:
        """Let what is leased and what is hidden come again, as the passing of minutes would."""
        assert (LEASE.total_seconds(), HIDDEN_SECONDS) == (60, 120)
        for table in ("job_run", "inbox", "listing_level"):
            statement = f"UPDATE {table} SET lease_until = 0"
            self.world.write(lambda tx, said=statement: tx.run(said))
        handle = self.gate.receipts[-1]
        await self.queue("ChangeMessageVisibility", ReceiptHandle=handle, VisibilityTimeout=0)

    async def run_until(self, reached: Callable[[], bool]) -> None:
        """Run a worker until something is reached, and end it properly."""
        with hub_process("worker", self.database_url, self.folder) as worker:
            async with asyncio.timeout(SECONDS_MAX):
                while not reached():
                    assert worker.process.poll() is None, worker.log.read_text()
                    await asyncio.sleep(0.05)
            code = await in_thread(worker.stop)
        assert (code, "Traceback" in log_of(worker)) == (0, False), log_of(worker)

    async def waiting(self) -> tuple[int, int]:
        """Count what the queue shows, and what it hides because somebody took it."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = (await self.queue("GetQueueAttributes", AttributeNames=names))["Attributes"]
        return int(found[names[0]]), int(found[names[1]])


def log_of(worker: HubProcess) -> str:
    return worker.log.read_text()


def test_a_notice_is_deleted_after_it_was_stored_and_becomes_one_order(
    world: World, url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("server", "moto 5.2.5 (SQS)")
    told = "notice in a queue → stored → deleted → order read and bound; killed twice in between"
    record_property("story", told)
    world.now = datetime.now(UTC)  # the worker has the clock of its process

    async def story() -> None:
        server = moto()
        address = await in_thread(server.__enter__)
        try:
            await tell(address)
        finally:
            await in_thread(server.__exit__, None, None, None)

    async def tell(address: str) -> None:
        key = await make_identity(address)
        named = (await ask(address, key, "CreateQueue", QueueName="notices"))["QueueUrl"]

        async def queue(action: str, **said: Any) -> Any:
            return await ask(address, key, action, QueueUrl=named, **said)

        twin, gate = AmazonSimulator(), Gate(address, lambda: int(world.value(STORED)))
        twin.add_item("CAM", 3)
        async with serve(twin.app) as amazon, serve(gate) as door:
            settings = twin.settings(
                amazon,
                queue_url=f"{door}{httpx.URL(named).path}",
                queue_region=REGION,
                queue_access_key_id=key.identity,
                queue_secret_access_key=key.secret,
            )
            channel = world.channel(connector="amazon", settings=settings)
            world.list_product(channel, remote={"sku": "CAM", "product_type": "CAMERA"})
            world.receive("SN-1", "SN-2", "SN-3")
            ref = twin.place_order({"CAM": 1})
            (notice,) = twin.queue.messages
            assert json.loads(notice.body)["NotificationType"] == "ORDER_CHANGE"
            await queue("SendMessage", MessageBody=notice.body)
            story = Told(world, twin, gate, tmp_path, url, queue)
            await is_told(story, ref)
        await twin.aclose()

    asyncio.run(story())


async def is_told(story: Told, ref: str) -> None:
    world, gate = story.world, story.gate
    # It was taken, and the worker dies before it stored anything.
    await story.kill_at(RECEIVE, performs=True)
    assert (world.value(STORED), await story.waiting()) == (0, (0, 1))
    assert gate.calls == [RECEIVE]
    await story.let_time_pass()
    # It comes again, is stored, and the worker dies before it is deleted.
    await story.kill_at(DELETE, performs=False)
    assert (world.value(STORED), await story.waiting()) == (1, (0, 1))
    await story.let_time_pass()
    # It comes once more, is known, and is deleted; one order has come of it.
    bound = "SELECT COUNT(*) FROM unit WHERE order_line_id IS NOT NULL"
    await story.run_until(
        lambda: (
            gate.calls.count(DELETE) == 2
            and gate.calls[-1] == RECEIVE
            and world.value(bound) == 1
            and world.value("SELECT COUNT(*) FROM inbox WHERE state <> 'done'") == 0
        )
    )
    assert await story.waiting() == (0, 0)
    assert gate.stored_at_delete == [1, 1], "nothing is deleted that was not stored"
    assert world.value(STORED) == 1
    orders = world.rows("SELECT ref, state FROM sales_order")
    assert [(order["ref"], order["state"]) for order in orders] == [(ref, "open")]
    assert world.open_cases() == []
    proof = world.read(hash_chain.verify)
    assert (proof.units, proof.breaks) == (3, ())
