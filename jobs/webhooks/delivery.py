"""Delivery of outgoing webhooks: a loop per endpoint, one worker of the cluster at a time for each.

Messages start in the order of the feed. A failed one waits for its next attempt and does not block
the others; of one unit only one message is in flight at a time. A receiver can restore the order by
the unit's version.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from hub import webhooks
from hub.clock import micros
from hub.history import event_feed
from hub.history.event_feed import Position
from hub.storage.rows import WebhookEndpointRow, WebhookMessageRow
from hub.storage.sql import Transaction
from hub.sync.leases import ENDPOINTS, Fences
from hub.webhooks import EndpointState, Filter, messages, signing
from hub.webhooks.messages import DeliveryAttempt
from jobs import leases
from jobs.runtime import Runtime
from jobs.webhooks.sending import Sender
from jobs.worker_loop import keep_working, rest

logger = logging.getLogger(__name__)

AT_ONCE_MAX = 8  # messages in flight to one endpoint
ROUNDS_MAX = 50  # before the lease of the endpoint is released
IDLE_SECONDS = 1.0
ENDPOINTS_SECONDS = 2.0  # between two searches for new endpoints
LAG_MAX = 5_000  # events that do not match an endpoint, before its cursor is moved past them


async def run(runtime: Runtime) -> None:
    """Serve every endpoint until the process stops; then finish the work that was started."""
    loops: dict[str, asyncio.Task[None]] = {}
    async with Sender(private=runtime.webhooks_to_private_networks) as sender:
        try:
            while not runtime.stopping.is_set():
                try:
                    await _serve_all(runtime, sender, loops)
                except Exception as error:
                    logger.warning("endpoints could not be looked for: %s", error)
                await rest(runtime, ENDPOINTS_SECONDS)
            await asyncio.gather(*loops.values(), return_exceptions=True)
        finally:
            for task in loops.values():
                task.cancel()
            await asyncio.gather(*loops.values(), return_exceptions=True)


async def _serve_all(
    runtime: Runtime, sender: Sender, loops: "dict[str, asyncio.Task[None]]"
) -> None:
    rows = await runtime.database.read(webhooks.listed)
    for row in rows:
        if row["id"] not in loops or loops[row["id"]].done():
            courier = Courier(runtime, sender, row["id"])
            loops[row["id"]] = asyncio.create_task(courier.serve())
    for endpoint_id in loops.keys() - {row["id"] for row in rows}:
        loops.pop(endpoint_id).cancel()  # it was deleted; its lease is released


class Courier:
    """Delivers messages to one endpoint."""

    def __init__(self, runtime: Runtime, sender: Sender, endpoint_id: str) -> None:
        self._runtime = runtime
        self._sender = sender
        self._id = endpoint_id
        self._seen: tuple[object, Position, int] | None = None

    async def serve(self) -> None:
        """Deliver whenever an event is recorded or a message falls due."""
        what = f"the webhooks of endpoint {self._id}"
        topics = ("events", "webhooks")
        await keep_working(self._runtime, what, topics, self.deliver, IDLE_SECONDS)

    async def deliver(self) -> int:
        """Send the due messages; return their number, or 1 if the feed may have more events."""
        runtime = self._runtime
        look = await runtime.database.read(self._look)
        if look is not None:
            return look
        endpoint = await runtime.database.write(
            lambda tx: messages.lease(tx, self._id, runtime.clock(), runtime.lease)
        )
        if endpoint is None:
            return 0
        fences: Fences = {self._id: endpoint["fence"]}
        async with leases.held(runtime, ENDPOINTS, fences) as batch:
            tried = await self._fill(endpoint)
            for _ in range(ROUNDS_MAX):
                if runtime.stopping.is_set() or not await batch.still_held():
                    break
                some = await self._round(endpoint["fence"])
                if not some:
                    break
                tried += some
            return tried

    def _look(self, tx: Transaction) -> int | None:
        """Return 0 if there is nothing to do, 1 if the feed may have more, None if work is due."""
        now = self._runtime.clock()
        endpoint = webhooks.find(tx, self._id)
        if endpoint is None or endpoint["state"] == EndpointState.DELETED:
            return 0
        if max(endpoint["rests_until"], endpoint["lease_until"]) > micros(now):
            return 0
        if messages.due(tx, endpoint, now, limit=1):
            return None
        if endpoint["state"] != EndpointState.ACTIVE:
            return 0
        if messages.waiting(tx, self._id) >= messages.WAITING_MAX:
            return 0
        return self._look_at_feed(tx, endpoint)

    def _look_at_feed(self, tx: Transaction, endpoint: WebhookEndpointRow) -> int | None:
        cursor = Position(endpoint["cursor_transaction"], endpoint["cursor_seq"])
        key = (cursor, endpoint["changed_at"])
        _, here, passed = self._seen if self._seen and self._seen[0] == key else (key, cursor, 0)
        events = event_feed.after(tx, here, limit=messages.EVENTS_MAX)
        if Filter.of(endpoint).choose(tx, events):
            self._seen = (key, here, passed)
            return None
        passed += len(events)
        self._seen = (key, Position.behind(events[-1]) if events else here, passed)
        if passed >= LAG_MAX:
            return None
        return int(len(events) == messages.EVENTS_MAX)

    async def _fill(self, endpoint: WebhookEndpointRow) -> int:
        """Create messages; return 1 if only the cursor moved, since there may be more events."""
        runtime = self._runtime
        cursor = Position(endpoint["cursor_transaction"], endpoint["cursor_seq"])
        known = self._seen is not None and self._seen[0] == (cursor, endpoint["changed_at"])
        skipped = (cursor, self._seen[1]) if self._seen and known else None
        made = await leases.persist(
            runtime,
            lambda tx: messages.fill(tx, self._id, endpoint["fence"], runtime.clock(), skipped),
        )
        return int(known and not made)

    async def _round(self, fence: int) -> int:
        """Send some messages concurrently and store the outcomes; return their number."""
        runtime = self._runtime
        now = runtime.clock()

        def read(tx: Transaction) -> tuple[WebhookEndpointRow, list[WebhookMessageRow]]:
            endpoint = webhooks.find(tx, self._id)
            assert endpoint is not None  # rows of endpoints are never deleted
            if endpoint["state"] == EndpointState.DELETED or endpoint["rests_until"] > micros(now):
                return endpoint, []
            probing = endpoint["failures"] >= messages.PROBED_FROM
            limit = 1 if probing else AT_ONCE_MAX
            return endpoint, messages.due(tx, endpoint, now, limit=limit)

        endpoint, found = await runtime.database.read(read)
        some = _one_of_each_unit(found)
        if not some:
            return 0
        keys = webhooks.keys_of(dict(runtime.connections.unseal(endpoint["secrets"])), now)
        answers = await asyncio.gather(
            *(self._send(endpoint["url"], keys, message, now) for message in some)
        )
        tried = list(zip(some, answers, strict=True))
        kept = await leases.persist(
            runtime, lambda tx: messages.settle(tx, self._id, fence, tried, runtime.clock())
        )
        return len(some) if kept else 0

    async def _send(
        self, url: str, keys: Sequence[str], message: WebhookMessageRow, now: datetime
    ) -> DeliveryAttempt:
        body = message["body"].encode()
        headers = signing.headers(keys, messages.webhook_id(message), int(now.timestamp()), body)
        return await self._sender.post(url, headers, body)


def _one_of_each_unit(found: Sequence[WebhookMessageRow]) -> list[WebhookMessageRow]:
    first: dict[str, WebhookMessageRow] = {}
    for message in found:
        first.setdefault(message["subject"], message)
    return list(first.values())


async def deliver_all(runtime: Runtime, sender: Sender, *, rounds_max: int = 1_000) -> int:
    """Send all due messages to every endpoint; return the number of attempts."""
    rows = await runtime.database.read(webhooks.listed)
    couriers = [Courier(runtime, sender, row["id"]) for row in rows]
    total = 0
    for _ in range(rounds_max):
        tried = sum([await courier.deliver() for courier in couriers])
        if not tried:
            break
        total += tried
    return total
