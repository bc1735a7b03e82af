"""The people of a schedule: who commands the hub, and what they do when a process dies on them.

A command keeps its key until it is answered. An answer that was given is asked for again now and
then: it must be the same, and nothing must happen twice.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from hub import cases, catalogue, ledger, orders
from hub.cases import CaseKind
from hub.clock import new_id
from hub.commands import idempotency
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import Refused
from hub.inbound import receiving
from hub.inbound.receiving import Arrival
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.storage.sql import Row, Transaction
from hub.sync import channels
from tests.simulation.channel import Shop
from tests.simulation.invariants import Violation
from tests.simulation.node import Node, Surroundings

Step = Callable[[Transaction, CommandContext, str], Sequence[Verdict]]
ASK_AGAIN_SHARE = 0.15
PROMISED = (
    "SELECT unit.id, unit.serial, unit.status, unit.order_line_id FROM unit "
    "JOIN order_line ON order_line.id = unit.order_line_id "
    "JOIN sales_order ON sales_order.id = order_line.order_id "
    "WHERE unit.promised_to IS NOT NULL AND sales_order.state <> 'cancelled' "
    "AND sales_order.at_counter = 0 ORDER BY unit.id"
)


class People:
    """Warehouse, counter of returns, quality, and the person who looks after the channels."""

    def __init__(
        self, around: Surroundings, nodes: Callable[[], list[Node]], chance: random.Random
    ) -> None:
        self.around = around
        self.nodes = nodes
        self.random = chance
        self.replayed = 0
        self._received = 0

    async def command(self, name: str, given: Any, work: Step) -> list[Any]:
        """Have something done, exactly once, whatever dies meanwhile."""
        key = new_id()
        answer = await self._answered(key, name, given, work)
        if self.random.random() < ASK_AGAIN_SHARE:
            again = await self._answered(key, name, given, work)
            if isinstance(answer, list) and again != answer:
                raise Violation(f"{name} answered {answer}, and then {again}")
        self.around.note("people", f"{name} {given} -> {answer}")
        return answer if isinstance(answer, list) else []

    async def _answered(self, key: str, name: str, given: Any, work: Step) -> list[Any] | str:
        while True:
            try:
                return await self._once(key, name, given, work)
            except ConnectionError:
                await asyncio.sleep(self.random.uniform(0.5, 5))
            except Refused as refusal:
                return f"{refusal.code}: {refusal}"

    async def _once(self, key: str, name: str, given: Any, work: Step) -> list[Any]:
        nodes = self.nodes()
        if not nodes:
            raise ConnectionError("nobody answers")

        async def ask(node: Node) -> idempotency.Answer:
            context = CommandContext(actor="people", now=node.runtime.clock(), scope="people")

            def do(tx: Transaction) -> idempotency.Answer:
                return idempotency.once(
                    tx,
                    context,
                    key=key,
                    name=name,
                    given=given,
                    work=lambda command: [
                        [each.identifier, each.code] for each in work(tx, context, command)
                    ],
                )

            return await node.database.write(do)

        answer: Any = await self.random.choice(nodes).inside(ask)
        self.replayed += answer.replayed
        return answer.value

    def read(self, statement: str, **values: Any) -> list[Row]:
        """Look at the ledger, as a person does on a screen."""
        return self.around.store.read(lambda tx: tx.rows(statement, **values))

    async def receive(self, sku: str, count: int, place: str) -> None:
        """Take new units in, and put them where they are sold from."""
        serials = [f"{sku}-{self._received + number:03}" for number in range(count)]
        self._received += count
        arrivals = [Arrival(serial=serial, product=sku) for serial in serials]

        def work(tx: Transaction, context: CommandContext, command: str) -> Sequence[Verdict]:
            where = catalogue.location(tx, place)
            return receiving.receive(Work(tx, context, command), arrivals, where, put_away=True)

        await self.command("receive", serials, work)

    async def act(
        self, action: Action, serials: Sequence[str], place: str | None = None, **more: Any
    ) -> list[Any]:
        """Do one action with units."""

        def work(tx: Transaction, context: CommandContext, command: str) -> Sequence[Verdict]:
            where = catalogue.location(tx, place) if place else None
            unit_command = UnitCommand(action=action, location=where, **more)
            scans = [Scan(each) for each in serials]
            return ledger.record(Work(tx, context, command), unit_command, scans)

        return await self.command(str(action), [*serials, place], work)

    async def ship(self, serials: Sequence[str]) -> None:
        """Send a parcel off."""

        def work(tx: Transaction, context: CommandContext, command: str) -> Sequence[Verdict]:
            parcel = Shipment("UPS", "1Z")
            return orders.ship(Work(tx, context, command), [Scan(each) for each in serials], parcel)

        await self.command("ship", list(serials), work)

    async def work_in_the_warehouse(self, until: float) -> None:
        """Pick what is promised, and ship what is picked, some of it at a time."""
        while self.around.loop.time() < until:
            await asyncio.sleep(self.random.expovariate(1 / 12))
            await self.clear_some(0.6)

    async def clear_some(self, share: float) -> None:
        """Take some of the promised units a step further."""
        chosen = [row for row in self.read(PROMISED) if self.random.random() < share]
        picks = [row["serial"] for row in chosen if row["status"] == "in_stock"]
        parcels: dict[str, list[str]] = {}
        for row in chosen:
            if row["status"] == "picked":
                parcels.setdefault(row["order_line_id"], []).append(row["serial"])
        if picks:
            await self.act(Action.PICK, picks)
        for serials in parcels.values():
            await self.ship(serials)

    async def sell_here(self, until: float) -> None:
        """Sell over our own counter, to customers without an order."""
        while self.around.loop.time() < until:
            await asyncio.sleep(self.random.expovariate(1 / 60))
            rows = self.read(
                "SELECT serial FROM unit WHERE status = 'in_stock' AND promised_to IS NULL "
                "ORDER BY id"
            )
            if rows:
                await self.act(Action.SELL, [self.random.choice(rows)["serial"]])

    async def take_returns(self, until: float) -> None:
        """Take units back, and sell some of them again."""
        written = self.read("SELECT name FROM sqlite_master WHERE name = 'line_return'")
        # An order that forgets what came back asks for another one; it is written down since.
        which = "" if written else "AND order_line_id IS NULL "
        while self.around.loop.time() < until:
            await asyncio.sleep(self.random.expovariate(1 / 60))
            gone = self.read(
                f"SELECT serial FROM unit WHERE status IN ('shipped', 'sold') {which}ORDER BY id"
            )
            if not gone:
                continue
            serial = self.random.choice(gone)["serial"]
            done = await self.act(Action.ACCEPT_RETURN, [serial], "RET")
            if done and self.random.random() < 0.6:
                await asyncio.sleep(self.random.uniform(1, 30))
                await self.act(Action.RESTOCK, [serial], "WH-A1", grade="A")

    async def look_at_quality(self, until: float) -> None:
        """Block units for a while."""
        while self.around.loop.time() < until:
            await asyncio.sleep(self.random.expovariate(1 / 70))
            rows = self.read("SELECT serial FROM unit WHERE status = 'in_stock' ORDER BY id")
            if not rows:
                continue
            serial = self.random.choice(rows)["serial"]
            await self.act(Action.HOLD, [serial], hold_kind="quality")
            await asyncio.sleep(self.random.uniform(5, 60))
            await self.act(Action.UNBLOCK, [serial], hold_kind="quality")

    async def look_after_channels(self, until: float) -> None:
        """Give paused channels new credentials and resume them."""
        while self.around.loop.time() < until:
            await asyncio.sleep(self.random.uniform(10, 40))
            await self.resume_all()

    async def resume_all(self) -> None:
        """Resume every paused channel, and close what was asked of people about it."""
        for row in self.read("SELECT id, code FROM channel WHERE state = 'paused' ORDER BY code"):
            self.around.far[row["code"]].credentials_good = True
            channel = row["id"]

            def work(tx: Transaction, context: CommandContext, command: str) -> Sequence[Verdict]:
                channels.resume(tx, channel)  # noqa: B023 # called before the next turn
                code = str(row["code"])  # noqa: B023
                cases.settle(tx, CaseKind.CHANNEL_DOWN, code, channel, context.now)  # noqa: B023
                return []

            await self.command("resume", row["code"], work)


def shops(around: Surroundings) -> list[Shop]:
    """Return the channels that sell."""
    return [each for each in around.far.values() if isinstance(each, Shop)]
