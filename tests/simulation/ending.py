"""The end of a schedule: trouble stops, everything is told, and both sides must agree.

First without any comparison of the two: what the outbox, the inbox and the cursors promise must
hold by itself. Then with reconciliation, which must leave nothing that nobody can explain.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import orjson

from hub.proof import conservation
from hub.storage.sql import Row
from hub.sync import channels, listings
from hub.vocabulary import Order, OrderState
from jobs import intake, poll, relay
from jobs.maintenance import sweep
from jobs.reconciliation import run as reconcile
from tests.simulation.channel import Maker, Shop
from tests.simulation.invariants import Monitor, Violation
from tests.simulation.node import Node
from tests.simulation.people import People, shops

ROUNDS_MAX = 80
QUIET_SECONDS = 130.0  # until what was late has come: webhooks, effects, orders not yet visible
LOOKS_SECONDS = 65.0  # an order is gone after two looks, one grace apart
GRACE_SECONDS = 3_700.0  # clocks differ, and a run that hangs is given up after an hour


class Ending:
    """What is left to do, on one node and without trouble."""

    def __init__(self, node: Node, people: People, monitor: Monitor) -> None:
        self.node = node
        self.people = people
        self.monitor = monitor
        self.around = node.around
        self.runtime = node.runtime

    def rows(self, statement: str, **values: object) -> list[Row]:
        """Read the ledger."""
        return self.around.store.read(lambda tx: tx.rows(statement, **values))

    async def run(self) -> None:
        """Bring everything to its end and check it."""
        for far in self.around.far.values():
            far.credentials_good, far.throttled_until = True, 0.0
            if isinstance(far, Shop):
                far.drifted.clear()
                far.odd.clear()
        await asyncio.sleep(QUIET_SECONDS)
        await self.people.resume_all()
        await self._settle()
        await self._replay_dead()
        await self._settle()
        self._all_is_told()
        self._orders_are_known()
        await asyncio.sleep(GRACE_SECONDS)
        for _ in range(3):
            await reconcile.reconcile_due(timedelta(), self.runtime)
            await self._settle()
            await asyncio.sleep(LOOKS_SECONDS)
        self._all_is_told()
        self._orders_are_known()
        self._deleted_are_cancelled()
        self._levels_agree()
        self._parcels_agree()
        self._registered()
        self._explained()
        self.around.store.read(self.monitor.sealed)
        if not self.around.store.read(conservation.check).holds:
            raise Violation("the units do not add up in the end")

    async def _replay_dead(self) -> None:
        for code in self.around.far:
            await self.node.database.write(
                lambda tx, code=code: channels.replay(tx, code, None, self.runtime.clock())
            )

    async def _settle(self) -> None:
        """Run everything that is due, and jump to what is due next, until there is nothing."""
        for _ in range(ROUNDS_MAX):
            await poll.poll_all(self.runtime)
            await intake.drain(self.runtime)
            await sweep.sweep(self.runtime)
            for row in self.rows("SELECT id FROM channel ORDER BY code"):
                await relay.drain(self.runtime, row["id"])
            if not (due := self._due()):
                return
            now = self.around.loop.present().timestamp()
            # What is due and stays waits behind something else, which is due later.
            await asyncio.sleep(min((each - now for each in due if each > now), default=1.0) + 0.01)
        raise Violation("it never comes to rest")

    def _due(self) -> list[float]:
        return [
            max(row["due_at"], row["lease_until"], row["waits_until"]) / 1e6
            for row in self.rows(
                "SELECT due_at, lease_until, waits_until FROM (SELECT channel_id, due_at, "
                "lease_until FROM outbox WHERE state IN ('waiting', 'leased') UNION ALL "
                "SELECT channel_id, due_at, lease_until FROM inbox WHERE state IN ('waiting', "
                "'leased') UNION ALL SELECT channel_id, due_at, lease_until FROM listing_level "
                "WHERE wanted_version > done_version AND state = 'live') AS waiting "
                "JOIN channel ON channel.id = waiting.channel_id"
            )
        ]

    def _all_is_told(self) -> None:
        """Nothing committed is untold, but for what the far side has a reason to refuse."""
        for row in self.rows("SELECT * FROM inbox WHERE state <> 'done'"):
            if row["state"] == "dead" and self._never_seen(
                bytes(row["body"]).decode(), row["channel_id"]
            ):
                continue
            raise Violation(f"a delivery was never worked in: {row}")
        for row in self.rows("SELECT * FROM outbox WHERE state <> 'sent'"):
            if row["state"] == "dead" and self._refusable(row):
                continue
            raise Violation(f"a fact was never told: {row}")
        for row in self.rows(
            "SELECT * FROM listing_level WHERE wanted_version > done_version OR state <> 'live'"
        ):
            raise Violation(f"a level was never told: {row}")

    def _never_seen(self, ref: str, channel_id: str) -> bool:
        """Say whether an order was deleted before a channel could read it, which nobody reported.

        Of an order of another channel of the account, that one alone knows.
        """
        gone = any(ref in shop.deleted for shop in shops(self.around))
        known = "SELECT id FROM sales_order WHERE ref = :ref AND channel_id = :channel"
        return gone and not self.rows(known, ref=ref, channel=channel_id)

    def _refusable(self, fact: Row) -> bool:
        """Say whether the order that a shipment is about was changed behind the warehouse."""
        if fact["topic"] != "fulfillment":
            return False
        payload = orjson.loads(fact["payload"])
        for shop in shops(self.around):
            order = shop.orders.get(payload["order_ref"])
            if payload["order_ref"] in shop.deleted:
                return True
            if order is not None:
                return self._changed_behind(order, payload["lines"])
        return False

    def _changed_behind(self, order: Order, lines: dict[str, list[str]]) -> bool:
        if order.state is OrderState.CANCELLED:
            return True
        there = {line.ref: line for line in order.lines}
        return any(
            ref not in there or there[ref].fulfilled + len(serials) > there[ref].quantity
            for ref, serials in lines.items()
        )

    def _orders_are_known(self) -> None:
        """Every order of every channel is in the ledger, as it is there now."""
        known = {
            row["ref"]: row for row in self.rows("SELECT id, ref, state, hold FROM sales_order")
        }
        for shop in shops(self.around):
            for order in shop.orders.values():
                row = known.get(order.ref)
                if row is None:
                    raise Violation(f"order {order.ref} is not known")
                cancelled = order.state is OrderState.CANCELLED
                if cancelled != (row["state"] == "cancelled"):
                    raise Violation(f"order {order.ref} is {order.state}, here {row['state']}")
                draft = order.state is OrderState.DRAFT
                if draft != (row["state"] == "draft"):
                    raise Violation(f"order {order.ref} is {order.state}, here {row['state']}")
                if (order.state is OrderState.PENDING) != (row["hold"] is not None):
                    raise Violation(f"order {order.ref} is {order.state}, held: {row['hold']}")
                self._lines_agree(order, row["id"], takes=not (cancelled or draft))

    def _deleted_are_cancelled(self) -> None:
        """An order that its channel deleted is cancelled here, if it ever was known.

        If all of it left before that was reported, its shipment is refused, and a case says so.
        """
        for shop in shops(self.around):
            for ref in shop.deleted:
                for row in self.rows("SELECT state FROM sales_order WHERE ref = :ref", ref=ref):
                    refused = row["state"] == "fulfilled" and self._disagrees(ref)
                    if row["state"] != "cancelled" and not refused:
                        raise Violation(f"order {ref} was deleted, here it is {row['state']}")

    def _lines_agree(self, order: Order, order_id: str, *, takes: bool) -> None:
        there = {line.ref: line.quantity for line in order.lines}
        lines = self.rows("SELECT * FROM order_line WHERE order_id = :id", id=order_id)
        here = {row["ref"]: row["quantity"] for row in lines if row["quantity"]}
        if there != here:
            raise Violation(f"order {order.ref} asks for {there}, here for {here}")
        for row in lines:
            self._line_is_served(order, row, row["quantity"] if takes else 0)

    def _line_is_served(self, order: Order, line: Row, wanted: int) -> None:
        """A line has as many units, promised or gone, as it asks for; or a case says why not."""
        promised = self.rows(
            "SELECT id FROM unit WHERE order_line_id = :line AND promised_to IS NOT NULL",
            line=line["id"],
        )
        gone = [each for each in self.monitor.left if each.line_id == line["id"]]
        have = len(promised) + len(gone)
        subject = f"{order.ref}/{line['ref']}"
        if have > wanted and promised:
            raise Violation(f"{subject} asks for {wanted} and has {len(promised)} + {len(gone)}")
        if have < wanted and not self._open("oversold", subject):
            raise Violation(f"{subject} lacks {wanted - have}, and no case says so")
        if have >= wanted and self._open("oversold", subject):
            raise Violation(f"{subject} lacks nothing, and a case says that it does")

    def _open(self, kind: str, subject: str) -> bool:
        return bool(
            self.rows(
                "SELECT id FROM exception_case WHERE kind = :kind AND subject = :subject "
                "AND state <> 'resolved'",
                kind=kind,
                subject=subject,
            )
        )

    def _levels_agree(self) -> None:
        """Each channel shows what the ledger has for it."""
        for channel in self.monitor.channels:
            skus = self.monitor.listed[channel["id"]]
            counted = self._counted(channel, list(skus))
            shop = self.around.far[channel["code"]]
            assert isinstance(shop, Shop)
            for product, sku in skus.items():
                if shop.shown.get(sku) != counted[product]:
                    raise Violation(
                        f"{channel['code']} shows {shop.shown.get(sku)} of {sku}, "
                        f"and there are {counted[product]}"
                    )

    def _counted(self, channel: Row, products: list[str]) -> dict[str, int]:
        return self.around.store.read(lambda tx: listings.available(tx, channel, products))

    def _parcels_agree(self) -> None:
        """Every shipment is told once in effect, with its serials."""
        here, refused = Counter(self._left()), self._refused()
        # Without keys nothing tells a repeat from the same unit leaving again on the same order.
        keyless = {
            order.ref
            for shop in shops(self.around)
            if not shop.kind.keys
            for order in shop.orders.values()
        }
        there = Counter(
            (parcel.order_ref, serial)
            for shop in shops(self.around)
            for parcel in shop.parcels
            for serial in parcel.serials
        )
        for pair, count in there.items():
            if count > 1 and count > here[pair]:
                raise Violation(f"{pair} was told {count} times and left {here[pair]} times")
        for pair in here.keys() | there.keys():
            if there[pair] == 1 and pair[0] in keyless and here[pair]:
                continue
            if here[pair] != there[pair] and pair not in refused:
                raise Violation(f"{pair} left {here[pair]} times and was told {there[pair]} times")

    def _left(self) -> Iterator[tuple[str, str]]:
        serials = {row["id"]: row["serial"] for row in self.rows("SELECT id, serial FROM unit")}
        refs = {
            row["id"]: row["ref"]
            for row in self.rows(
                "SELECT order_line.id, sales_order.ref FROM order_line "
                "JOIN sales_order ON sales_order.id = order_line.order_id "
                "WHERE sales_order.at_counter = 0"
            )
        }
        for each in self.monitor.left:
            if each.line_id in refs:
                yield refs[each.line_id], serials[each.unit_id]

    def _refused(self) -> set[tuple[str, str]]:
        payloads = [
            orjson.loads(row["payload"])
            for row in self.rows(
                "SELECT payload FROM outbox WHERE state = 'dead' AND topic = 'fulfillment'"
            )
        ]
        return {
            (payload["order_ref"], serial)
            for payload in payloads
            for serials in payload["lines"].values()
            for serial in serials
        }

    def _registered(self) -> None:
        """Every sale of a unit is registered with its manufacturer, once in effect."""
        (maker,) = (each for each in self.around.far.values() if isinstance(each, Maker))
        units = {
            row["id"]: row["serial"]
            for row in self.rows(
                "SELECT unit.id, unit.serial FROM unit "
                "JOIN product ON product.id = unit.product_id WHERE product.sku = 'CAM'"
            )
        }
        sold = Counter(units[each.unit_id] for each in self.monitor.left if each.unit_id in units)
        told = Counter(maker.registered.values())
        if sold != told:
            raise Violation(f"sold {sold}, registered {told}")

    def _explained(self) -> None:
        """Nothing heals for ever, no run hangs, and every open case is still true."""
        for row in self.rows("SELECT * FROM reconciliation_difference WHERE state = 'healing'"):
            if self._disagrees(row["subject"]):
                continue  # it is told again and refused again, and a case says so
            raise Violation(f"a difference heals for ever: {row}")
        for row in self.rows("SELECT * FROM reconciliation_run WHERE state = 'running'"):
            raise Violation(f"a reconciliation runs for ever: {row}")
        for row in self.rows(
            "SELECT exception_case.*, channel.code FROM exception_case "
            "LEFT JOIN channel ON channel.id = exception_case.channel_id "
            "WHERE exception_case.state <> 'resolved' ORDER BY exception_case.id"
        ):
            if not self._still_true(row):
                raise Violation(f"nobody can explain this case: {row}")

    def _still_true(self, case: Row) -> bool:
        match case["kind"]:
            case "oversold":
                return True  # checked with its line
            case "shipped_too_many":
                return self._shipped_too_many(case["subject"])
            case "order_on_hold":
                return self._held(case["subject"])
            case "missing_capture" | "wrong_status" | "unknown_serial":
                return case["code"] == "till"
            case "authentication":  # of a channel that nothing was told since it was resumed
                return case["code"] == "registry"
            case "sync_failure":
                dead = "SELECT id FROM outbox WHERE state = 'dead' AND subject = :subject"
                ref = case["subject"].split(".")[0]
                return bool(self.rows(dead, subject=case["subject"])) or self._never_seen(
                    ref, case["channel_id"]
                )
            case "disagreement":
                return self._disagrees(case["subject"])
        return False

    def _held(self, ref: str) -> bool:
        return any(
            shop.orders[ref].hold is not None for shop in shops(self.around) if ref in shop.orders
        )

    def _shipped_too_many(self, subject: str) -> bool:
        """Say whether more left on a line than its order asks for by now."""
        ref, _, line_ref = subject.rpartition("/")
        order = next((shop.orders[ref] for shop in shops(self.around) if ref in shop.orders), None)
        asked = {line.ref: line.quantity for line in order.lines} if order else {}
        ended = order is None or order.state is OrderState.CANCELLED
        wanted = 0 if ended else asked.get(line_ref, 0)
        (line,) = self.rows(
            "SELECT order_line.id FROM order_line JOIN sales_order "
            "ON sales_order.id = order_line.order_id WHERE sales_order.ref = :ref "
            "AND order_line.ref = :line",
            ref=ref,
            line=line_ref,
        )
        return sum(each.line_id == line["id"] for each in self.monitor.left) > wanted

    def _disagrees(self, number: str) -> bool:
        """Say whether an order's shipments are known to differ, for a reason."""
        dead = {ref for ref, _ in self._refused()}
        return number.removeprefix("#") in dead
