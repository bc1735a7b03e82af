"""What happens at the channels: customers, edits, webhooks, storms; all of it drawn by the seed."""

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hub.vocabulary import HoldReason, Order, OrderLine, OrderState
from tests.simulation.channel import SKUS, Shop
from tests.simulation.node import Node, Surroundings
from tests.simulation.people import shops

DELIVERIES_MAX = 4  # of one webhook, until somebody answers
CHANGING = (OrderState.OPEN, OrderState.PENDING, OrderState.DRAFT)
STORM = 12  # webhooks of one change
DRAFT_SHARE = 0.08  # of customers who only look at the checkout
STALE_PAGE_SHARE = 0.12  # of customers who buy what has just been sold


@dataclass
class Market:
    """The world outside."""

    around: Surroundings
    nodes: Callable[[], list[Node]]
    random: random.Random
    numbers: dict[str, int] = field(default_factory=dict)
    gone_over_the_counter: set[str] = field(default_factory=set)

    def open(self) -> None:
        """Have every shop call for its changes."""
        for shop in shops(self.around):
            shop.on_change = lambda ref, shop=shop: self._changed(shop, ref)

    def _changed(self, shop: Shop, ref: str) -> None:
        faults, loop = self.around.faults, self.around.loop
        order = shop.orders.get(ref)
        what = {line.ref: line.quantity for line in order.lines} if order else {}
        self.around.note(shop.kind.name, f"order {ref} is {order and order.state} {what}")
        for kind, unread in (("drift", shop.drifted), ("odd_record", shop.odd)):
            if order and faults.hits(kind):
                unread.add(ref)
                loop.call_later(faults.random.uniform(20, 150), unread.discard, ref)
        if not shop.kind.webhooks or faults.hits("webhook_lost"):
            return
        topic = "order" if order else "order/delete"
        for number in range(STORM if faults.hits("webhook_storm") else 1):
            delivery = f"{ref}.{len(shop.log)}.{topic}.{number}"
            for _ in range(2 if faults.hits("webhook_twice") else 1):
                late = faults.random.uniform(5, 90) if faults.hits("webhook_late") else 0.0
                wait = faults.random.expovariate(2) + late
                loop.create_task(self._deliver(shop, delivery, ref, wait, topic))
                for other in shop.others if faults.hits("other_channel") else ():
                    loop.create_task(self._deliver(other, delivery, ref, wait, topic))

    async def _deliver(self, shop: Shop, delivery: str, ref: str, wait: float, topic: str) -> None:
        body = ref.encode()
        headers = {"signature": hashlib.sha256(body).hexdigest(), "topic": topic}
        for attempt in range(DELIVERIES_MAX):
            await asyncio.sleep(wait + 15 * attempt)
            if not (nodes := self.nodes()):
                continue
            node = self.random.choice(nodes)
            try:
                await node.inside(
                    lambda node: node.receive(shop.kind.name, delivery, headers, body)
                )
            except ConnectionError:
                continue
            return

    async def customers(self, shop: Shop, until: float) -> None:
        """Buy, as long as something is shown, or has just been."""
        while self.around.loop.time() < until:
            await asyncio.sleep(self.random.expovariate(1 / 25))
            wanted = [sku for sku in SKUS if shop.shown.get(sku, 0) > 0]
            if self.random.random() < STALE_PAGE_SHARE:
                wanted = list(SKUS)
            if wanted:
                self._buy(shop, wanted)

    def _buy(self, shop: Shop, wanted: list[str]) -> None:
        number = self.numbers[shop.kind.name] = self.numbers.get(shop.kind.name, 0) + 1
        ref = f"{shop.kind.name}-{number}"
        chosen = self.random.sample(wanted, self.random.randint(1, len(wanted)))
        lines = [
            OrderLine(ref=f"l{at}", sku=sku, quantity=1 + (self.random.random() < 0.3))
            for at, sku in enumerate(chosen, 1)
        ]
        if shop.kind.counter:
            found = [self._taken(line) for line in lines]
            lines = [line for line in found if line is not None]
        if lines:
            lag = self.random.uniform(0, 20) if shop.kind.by_time else 0.0
            looks = not shop.kind.counter and self.random.random() < DRAFT_SHARE
            state = OrderState.DRAFT if looks else OrderState.OPEN
            shop.place(ref, lines, lag_seconds=lag, state=state)

    def _taken(self, line: OrderLine) -> OrderLine | None:
        """Take units off the shelf of the shop, whatever they are promised to."""
        rows = self.around.store.read(
            lambda tx: tx.rows(
                "SELECT unit.serial FROM unit JOIN product ON product.id = unit.product_id "
                "JOIN location ON location.id = unit.location_id "
                "WHERE product.sku = :sku AND unit.status = 'in_stock' "
                "AND location.code = 'SHOP' ORDER BY unit.id",
                sku=line.sku,
            )
        )
        free = [row["serial"] for row in rows if row["serial"] not in self.gone_over_the_counter]
        if not free:
            return None
        serial = self.random.choice(free)
        self.gone_over_the_counter.add(serial)
        read = self.random.random() < 0.85  # else the cashier forgets to scan it
        return replace(line, quantity=1, serials=(serial,) if read else ())

    async def changes(self, shop: Shop, until: float) -> None:
        """Edit and cancel orders."""
        while self.around.loop.time() < until:
            await asyncio.sleep(self.random.expovariate(1 / 45))
            able = [order for order in shop.orders.values() if order.state in CHANGING]
            if not able or shop.kind.counter:
                continue
            order = self.random.choice(able)
            untouched = not any(line.fulfilled for line in order.lines)
            if order.state is not OrderState.OPEN or self.random.random() < 0.25:
                shop.hold(order.ref, self._next_hold(order))
                continue
            if untouched and self.random.random() < 0.4:
                shop.cancel(order.ref)
                continue
            if untouched and shop.kind.webhooks and self.random.random() < 0.15:
                shop.delete(order.ref)
                continue
            line = self.random.choice(order.lines)
            least = max(1, line.fulfilled)
            quantities = {each.ref: each.quantity for each in order.lines}
            quantities[line.ref] = max(least, line.quantity + self.random.choice((-1, 1)))
            if len(order.lines) > 1 and not line.fulfilled and self.random.random() < 0.3:
                del quantities[line.ref]
            if quantities != {each.ref: each.quantity for each in order.lines}:
                shop.edit(order.ref, quantities)

    def _next_hold(self, order: Order) -> HoldReason | None:
        """Stop an open order for a reason; let a stopped one go on, and place a draft."""
        if order.state is OrderState.OPEN:
            return self.random.choice(list(HoldReason))
        return None

    async def storm(self, kind: str, until: float) -> None:
        """Bring one kind of trouble to one channel, at some moment."""
        faults, loop = self.around.faults, self.around.loop
        await asyncio.sleep(faults.random.uniform(0, max(1.0, until - loop.time())))
        code = faults.random.choice(sorted(self.around.far))
        far = self.around.far[code]
        self.around.note(code, kind)
        faults.happened(kind)
        if kind == "throttled":
            far.throttled_until = loop.time() + faults.random.uniform(10, 120)
        elif kind == "token_expired":
            far.credentials_good = False
        elif isinstance(far, Shop):
            sku = faults.random.choice(SKUS)
            far.shown[sku] = faults.random.randint(0, 9)
