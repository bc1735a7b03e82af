"""What must hold after every commit, whatever happens.

The monitor keeps its own account of every unit from the events alone, and never asks the code
that it watches.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from hub.ledger import hash_chain
from hub.proof import conservation
from hub.storage.sql import Row, Transaction
from hub.sync import listings
from tests.simulation.channel import Maker, Shop

CHAIN_EVERY = 40  # commits
OUT = {"ship", "sell", "collect"}
STEPS = OUT | {"pick", "pack"}
BACK = {"accept_return", "take_in"}
FREED = {"release", "lose", "report_stolen", "ship", "sell", "collect"}


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass(slots=True)
class Left:
    """A unit that left on an order line."""

    unit_id: str
    line_id: str | None
    version: int


@dataclass
class Monitor:
    """The account of one schedule."""

    far: Mapping[str, Shop | Maker]
    seen: int = 0
    commits: int = 0
    allocations: int = 0
    promised: dict[str, str | None] = field(default_factory=dict)
    line_of: dict[str, str | None] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)
    left: list[Left] = field(default_factory=list)
    cursors: dict[str, str] = field(default_factory=dict)
    # Every figure that was ever true, by channel and SKU: nothing else may be told.
    true_levels: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    channels: list[Row] = field(default_factory=list)
    listed: dict[str, dict[str, str]] = field(default_factory=dict)
    broken: list[BaseException] = field(default_factory=list)

    def _break(self, what: str) -> None:
        """Remember what broke: whoever runs into it may not let it through."""
        violation = Violation(what)
        self.broken.append(violation)
        raise violation

    def after_commit(self, tx: Transaction) -> None:
        """Check what can have changed; raise Violation."""
        self.commits += 1
        events = tx.rows(
            "SELECT seq, unit_id, version, action, details FROM event WHERE seq > :seen "
            "ORDER BY seq",
            seen=self.seen,
        )
        for event in events:
            self._follow(event)
            self._may_leave(tx, event)
        if events:
            self.seen = events[-1]["seq"]
            self._adds_up(tx)
            self._note_levels(tx)
        self._cursors(tx)
        self._own_orders(tx)
        if self.commits % CHAIN_EVERY == 0:
            self.sealed(tx)

    def _follow(self, event: Row) -> None:
        unit, action = event["unit_id"], event["action"]
        details = orjson.loads(event["details"]) if event["details"] else {}
        if action == "allocate":
            self.allocations += 1
            if self.promised.get(unit) is not None or unit in self.outside:
                self._break(f"unit {unit} is promised twice, or promised and gone")
            self.promised[unit] = self.line_of[unit] = details.get("line", "nobody's")
        if action in OUT:
            if unit in self.outside:
                self._break(f"unit {unit} was sold twice")
            self.outside.add(unit)
            line = details.get("line") or self.promised.get(unit)
            self.left.append(Left(unit, line, event["version"]))
        if action in BACK:
            self.outside.discard(unit)
        if action in FREED:
            self.promised[unit] = None

    def _may_leave(self, tx: Transaction, event: Row) -> None:
        """Nothing is picked or leaves of an order that is known to be on hold, or is a draft."""
        if event["action"] not in STEPS:
            return
        details = orjson.loads(event["details"]) if event["details"] else {}
        held = tx.rows(
            "SELECT sales_order.ref, sales_order.hold, sales_order.state FROM order_line "
            "JOIN sales_order ON sales_order.id = order_line.order_id "
            "WHERE order_line.id = :line AND sales_order.handed_over = 0 "
            "AND (sales_order.hold IS NOT NULL OR sales_order.state IN ('draft', 'cancelled'))",
            line=details.get("line") or self.line_of.get(event["unit_id"]) or "",
        )
        if held and event["action"] != "sell":
            self._break(f"a unit went on ({event['action']}) of an order that may not: {held}")

    def _adds_up(self, tx: Transaction) -> None:
        balance = conservation.check(tx)
        if not balance.holds:
            self._break(f"the units do not add up: {balance}")
        double = tx.rows(
            "SELECT unit_id FROM hold WHERE released_at IS NULL AND kind = 'sale' "
            "GROUP BY unit_id HAVING COUNT(*) > 1"
        )
        if double:
            self._break(f"two promises on one unit: {double}")
        twice = tx.rows(
            "SELECT serial_canonical FROM unit GROUP BY manufacturer_id, product_id, "
            "serial_canonical HAVING COUNT(*) > 1"
        )
        if twice:
            self._break(f"two records of one unit: {twice}")
        crowded = tx.rows(
            "SELECT order_line.id FROM order_line JOIN unit ON unit.order_line_id = order_line.id "
            "AND unit.promised_to IS NOT NULL GROUP BY order_line.id, order_line.quantity "
            "HAVING COUNT(*) > order_line.quantity"
        )
        if crowded:
            self._break(f"more promises than an order line asks for: {crowded}")

    def _note_levels(self, tx: Transaction) -> None:
        """A figure that changed is to be told from the same commit on."""
        settled = {
            (row["channel_id"], row["product_id"]): row["acknowledged"]
            for row in tx.rows("SELECT * FROM listing_level WHERE wanted_version = done_version")
        }
        for channel in self.channels:
            skus = self.listed[channel["id"]]
            counted = listings.available(tx, channel, list(skus))
            for product, units in counted.items():
                self.true_levels[channel["code"], skus[product]].add(units)
                told = settled.get((channel["id"], product), units)
                if told != units:
                    self._break(
                        f"{channel['code']} was told {told} of {skus[product]}, there are {units}, "
                        "and nothing is to be told"
                    )

    def _own_orders(self, tx: Transaction) -> None:
        """A channel takes the orders that are its own, however many channels its account has."""
        for row in tx.rows(
            "SELECT channel.code, sales_order.ref FROM sales_order "
            "JOIN channel ON channel.id = sales_order.channel_id ORDER BY sales_order.ref"
        ):
            if not row["ref"].startswith(f"{row['code']}-"):
                self._break(f"{row['code']} took {row['ref']}, the order of another channel")

    def _cursors(self, tx: Transaction) -> None:
        """No cursor passes an order that is neither in the inbox nor in the ledger."""
        for row in tx.rows(
            "SELECT channel.id, channel.code, cursor.value FROM cursor "
            "JOIN channel ON channel.id = cursor.channel_id WHERE cursor.stream = 'orders' "
            "ORDER BY channel.code"
        ):
            shop = self.far[row["code"]]
            if self.cursors.get(row["code"]) == row["value"]:
                continue
            self.cursors[row["code"]] = row["value"]
            if not isinstance(shop, Shop) or shop.kind.by_time:
                continue
            stored = {
                each["subject"]
                if each["source"] == "unreadable"
                else each["delivery"].split(":")[1]
                for each in tx.rows(
                    "SELECT source, delivery, subject FROM inbox WHERE channel_id = :id "
                    "AND source IN ('pull', 'unreadable')",
                    id=row["id"],
                )
            }
            passed = set(shop.log[: int(row["value"])]) - shop.deleted.keys()
            if passed - stored:
                self._break(f"the cursor of {row['code']} skipped {sorted(passed - stored)}")

    def pushed(self, code: str, sku: str, quantity: int) -> None:
        """Check a quantity at the moment when it reaches a channel."""
        if quantity not in self.true_levels[code, sku]:
            self._break(f"{code} was told {quantity} of {sku}, which never was true")

    def sealed(self, tx: Transaction) -> None:
        """Check every seal and every unit against its events."""
        proof = hash_chain.verify(tx)
        if proof.breaks:
            self._break(f"the chain is broken: {proof.breaks}")
