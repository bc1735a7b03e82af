"""Drift made at random between the ledger and a channel, with its true cause known.

Each round changes both sides, makes drift of several kinds, and reconciles. Every drift must be
found within two runs, with a cause that is true; no offer may be above what the ledger has; after
a person decided what is left, everything closes, and a further run finds nothing.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from connectors import Page, PushedLevel, Rejected
from hub.catalogue import ProductCard, register_product
from hub.commands.work import Work
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment, ship
from hub.reconciliation import healing
from hub.reconciliation.kinds import Cause, Fix, Kind
from hub.storage.sql import Row
from hub.sync import listings
from hub.vocabulary import OrderLine, OrderState, StockLevel
from jobs import intake, poll, relay
from jobs.reconciliation import run as reconciliation
from jobs.reconciliation.options import RunOptions
from jobs.services import JobServices
from reconciling import Shop
from recording import stage
from world import World

ROUNDS = 5
PRODUCTS = 8
DRIFTS_MAX = 3  # in one round
NOW = RunOptions(trigger="simulation", grace=timedelta(seconds=1))


class DriftShop(Shop):
    """A shop that deducts what it sells, and refuses what it is set to refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()

    async def push_stock(self, levels: list[StockLevel]) -> list[PushedLevel]:
        refused = [level for level in levels if level.remote["id"] in self.refused]
        taken = [level for level in levels if level not in refused]
        answers = [PushedLevel(each.listing, error=Rejected("it is locked")) for each in refused]
        return [*answers, *await super().push_stock(taken)]

    def sell(self, ref: str) -> None:
        """Deduct one unit of a listing."""
        sku, quantity = self.listed[ref]
        self.listed[ref] = (sku, quantity - 1)


@dataclass
class Drift:
    """One drift: what must be found of it, and what a person does about it if it is asked."""

    kind: Kind
    causes: frozenset[Cause]
    subject: str
    decide: Callable[[Row], None] | None = None
    also: frozenset[Kind] = frozenset()  # what may follow from it on the same subject
    restocks: str | None = None  # the SKU that the channel offers again because of it


@dataclass
class Outcome:
    """Outcome of one seed."""

    seed: int
    drifts: list[str] = field(default_factory=list)
    failure: str | None = None


class Broken(AssertionError):
    """Something that must hold does not."""


class Simulation:
    """One shop, one ledger, one seed."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        connector, self.runtime, self.channel = stage(world, DriftShop)
        assert isinstance(connector, DriftShop)
        self.shop = connector
        self.numbers = iter(range(1, 1_000_000))
        self.skus = [f"P{number}" for number in range(PRODUCTS)]
        self.made = list[str]()
        self.quiet = dict[str, str]()  # SKU: the reference under which it is sold
        self.product = {sku: sku for sku in self.skus}  # our own SKU of each
        for sku in self.skus:
            card = ProductCard(sku=sku, name=sku, manufacturer="ACME")
            world.write(lambda tx, card=card: register_product(tx, world.context(), card))
            self.receive(sku, self.random.randint(2, 6))
            self.quiet[sku] = self.offer(sku, 0)

    def next(self, prefix: str) -> str:
        """Return a name that was not used before."""
        return f"{prefix}{next(self.numbers)}"

    def receive(self, sku: str, count: int) -> None:
        self.world.receive(*[self.next("SN") for _ in range(count)], sku=self.product[sku])

    def offer(self, sku: str, quantity: int) -> str:
        """Put a SKU on sale and return its reference."""
        ref = self.next("r")
        self.shop.listed[ref] = (sku, quantity)
        return ref

    def play(self) -> list[str]:
        """Play all rounds; return the names of the drifts that were made. Raises Broken."""
        self.settle([])
        for _ in range(ROUNDS):
            self.live()
            skus = self.random.sample(self.skus, self.random.randint(1, DRIFTS_MAX))
            makers = [self.random.choice(MAKERS) for _ in skus]
            drifts = [
                drift
                for maker, sku in zip(makers, skus, strict=True)
                if (drift := maker(self, sku)) is not None
            ]
            self.made += [each.kind for each in drifts]
            self.settle(drifts)
        return self.made

    def live(self) -> None:
        """Let both sides go on as they do on a good day."""
        for sku in self.random.sample(self.skus, 2):
            self.receive(sku, 1)
        self.sell(self.random.choice(self.skus))
        self.sync()

    def sync(self) -> None:
        async def work() -> None:
            await poll.poll(self.runtime, self.channel)
            await intake.drain(self.runtime, self.channel["id"])
            await relay.drain(self.runtime, self.channel["id"])

        asyncio.run(work())

    def sell(self, sku: str, *, lost: bool = False) -> str | None:
        """Sell a unit on the shop; a lost order is never pulled."""
        ref = self.quiet[sku]
        if self.shop.listed[ref][1] < 1:
            return None
        name = self.next("o")
        order = self.world.order(name, lines=[OrderLine(ref="l-1", sku=sku, quantity=1)])
        self.shop.orders[name] = order
        self.shop.sell(ref)
        if not lost:
            self.shop.pages.append(Page((order,), name))
        return name

    # --- checks ---------------------------------------------------------------------------------

    def reconcile(self) -> list[Row]:
        """Reconcile all scopes and return the differences that begin with it."""
        self.world.pass_time(minutes=15)
        before = {row["id"] for row in self.differences()}
        ids = asyncio.run(reconciliation.reconcile(self.runtime, self.channel, NOW))
        for run_id in ids:
            (run,) = self.world.rows("SELECT * FROM reconciliation_run WHERE id = :id", id=run_id)
            if run["state"] != "finished":
                raise Broken(f"a run failed: {run['error']}")
        self.check_offers()
        return [row for row in self.differences() if row["id"] not in before]

    def differences(self) -> list[Row]:
        return self.world.rows("SELECT * FROM reconciliation_difference ORDER BY id")

    def check_offers(self) -> None:
        """Check that all listings of a product together offer no more than there is."""
        rows = self.world.rows(
            "SELECT listing.reference, listing.sku, product.sku AS ours, product.id FROM listing "
            "JOIN product ON product.id = listing.product_id"
        )
        offered = dict[str, int]()
        for row in rows:
            ref = row["reference"].removeprefix("id=")
            if ref in self.shop.listed and ref not in self.shop.refused:
                shown = self.shop.listed[ref][1]
                offered[row["id"]] = offered.get(row["id"], 0) + shown
        counts = self.world.read(
            lambda tx: listings.available(tx, self.channel, list(offered), self.world.now)
        )
        for product_id, shown in offered.items():
            if shown > counts[product_id]:
                raise Broken(f"the shop offers {shown} of {counts[product_id]}: {rows}")

    def settle(self, drifts: list[Drift]) -> None:
        """Reconcile until everything is found, decide what is asked, and see everything close."""
        found = self.reconcile() + self.reconcile()
        for drift in drifts:
            self.check_found(drift, found)
        if self.made:
            self.check_true(drifts, found)
        for row in self.world.rows("SELECT * FROM reconciliation_difference WHERE live"):
            drift = next((each for each in drifts if each.subject == row["subject"]), None)
            if drift is None or drift.decide is None:
                raise Broken(f"left open for nobody: {dict(row)}")
            drift.decide(row)
        self.sync()
        self.reconcile()
        self.reconcile()
        for row in self.world.rows("SELECT * FROM reconciliation_difference WHERE live"):
            raise Broken(f"does not close: {dict(row)}")
        if found := self.reconcile():
            raise Broken(f"found after quiet: {dict(found[0])}")
        if cases := self.world.open_cases():
            raise Broken(f"cases stay open: {cases}")

    def check_found(self, drift: Drift, found: list[Row]) -> None:
        about = [row for row in found if row["subject"] == drift.subject]
        fitting = [row for row in about if row["kind"] == drift.kind]
        if not fitting:
            raise Broken(f"{drift.kind} of {drift.subject} not found: {[dict(r) for r in about]}")

    def check_true(self, drifts: list[Drift], found: list[Row]) -> None:
        for row in found:
            drift = next((each for each in drifts if each.subject == row["subject"]), None)
            if drift is None:
                drift = next((each for each in drifts if each.restocks == row["subject"]), None)
                if drift is not None and row["cause"] == Cause.CHANNEL_RESTOCK:
                    continue
            if drift is None or row["kind"] not in {drift.kind, *drift.also}:
                raise Broken(f"found what is not there: {dict(row)}")
            if row["kind"] == drift.kind and row["cause"] not in drift.causes:
                raise Broken(f"a false cause of {drift.kind}: {dict(row)}")

    # --- drifts ---------------------------------------------------------------------------------

    def edited(self, sku: str) -> Drift | None:
        """Somebody changes a quantity."""
        ref = self.quiet[sku]
        change = self.random.choice([-1, 1, 7, 40])
        if self.shop.listed[ref][1] + change < 0:
            return None
        self.shop.listed[ref] = (sku, self.shop.listed[ref][1] + change)
        return Drift(Kind.QUANTITY, frozenset({Cause.FOREIGN_EDIT}), sku)

    def lost_order(self, sku: str) -> Drift | None:
        """An order is neither announced nor pulled."""
        name = self.sell(sku, lost=True)
        if name is None:
            return None
        causes = frozenset({Cause.MISSED_ORDER, Cause.UNEXPLAINED})
        return Drift(Kind.MISSING_ORDER, causes, f"#{name}")

    def cancelled(self, sku: str) -> Drift | None:
        """A cancellation is neither announced nor pulled."""
        name = self.sell(sku)
        if name is None:
            return None
        self.sync()
        self.world.pass_time(seconds=5)
        order = self.shop.orders[name]
        now = self.world.now
        self.shop.orders[name] = replace(
            order, state=OrderState.CANCELLED, remote_state="cancelled", updated_at=now
        )
        self.shop.listed[self.quiet[sku]] = (sku, self.shop.listed[self.quiet[sku]][1] + 1)
        causes = frozenset({Cause.MISSED_ORDER, Cause.UNEXPLAINED})
        return Drift(Kind.ORDER_STATE, causes, order.number)

    def erased(self, sku: str) -> Drift | None:
        """An order is erased without a word."""
        name = self.sell(sku)
        if name is None:
            return None
        self.sync()
        self.world.pass_time(seconds=5)
        order = self.shop.orders.pop(name)
        self.shop.listed[self.quiet[sku]] = (sku, self.shop.listed[self.quiet[sku]][1] + 1)
        causes = frozenset({Cause.REMOVED_THERE, Cause.UNEXPLAINED})
        return Drift(Kind.UNKNOWN_ORDER, causes, order.number, restocks=sku)

    def duplicated(self, sku: str) -> Drift:
        """A second listing of a SKU appears and sells by itself."""
        ref = self.offer(sku, self.random.randint(0, 9))

        def decide(row: Row) -> None:
            fix = self.random.choice([Fix.SELL_ON_ONE, Fix.SHARE_FIGURE])
            self.heal(row, fix)
            self.check_offers()
            del self.shop.listed[ref]  # and somebody tidies up later

        drift = Drift(Kind.DUPLICATE_LISTING, frozenset({Cause.MAPPING_GAP}), sku, decide)
        return replace(drift, also=frozenset({Kind.MISSING_LISTING}))

    def renamed(self, sku: str) -> Drift:
        """A listing has another SKU now."""
        ref, new = self.quiet[sku], self.next("N")
        self.shop.listed[ref] = (new, self.shop.listed[ref][1])
        self.skus[self.skus.index(sku)] = new
        self.quiet[new] = self.quiet.pop(sku)
        self.product[new] = self.product.pop(sku)
        return Drift(Kind.LISTING_RENAMED, frozenset({Cause.FOREIGN_EDIT}), new)

    def remade(self, sku: str) -> Drift:
        """A listing is deleted and made anew."""
        del self.shop.listed[self.quiet[sku]]
        self.quiet[sku] = self.offer(sku, self.random.randint(0, 50))
        return Drift(Kind.LISTING_REPLACED, frozenset({Cause.REMOVED_THERE}), sku)

    def removed(self, sku: str) -> Drift:
        """A listing is taken off, and put back when somebody is asked."""
        ref = self.quiet[sku]
        listed = self.shop.listed.pop(ref)

        def decide(_: Row) -> None:
            self.shop.listed[ref] = listed

        return Drift(
            Kind.MISSING_LISTING,
            frozenset({Cause.REMOVED_THERE}),
            sku,
            decide,
            frozenset({Kind.QUANTITY}),
        )

    def foreign(self, _: str) -> Drift:
        """A listing that is no product of ours."""
        sku = self.next("CABLE")
        ref = self.offer(sku, 500)

        def decide(row: Row) -> None:
            if self.random.random() < 0.5:
                del self.shop.listed[ref]
                return
            context = self.world.context(actor="ann")
            self.world.write(lambda tx: healing.dismiss(tx, context, row, "no product of ours"))
            del self.shop.listed[ref]

        return Drift(Kind.UNKNOWN_LISTING, frozenset({Cause.MAPPING_GAP}), sku, decide)

    def refused(self, sku: str) -> Drift:
        """The channel refuses a change, until somebody unlocks the listing."""
        ref = self.quiet[sku]
        self.shop.refused.add(ref)
        self.receive(sku, 1)
        self.sync()

        def decide(row: Row) -> None:
            self.shop.refused.discard(ref)
            self.heal(row, None)

        return Drift(Kind.QUANTITY, frozenset({Cause.FAILED_PUSH}), sku, decide)

    def unshipped(self, sku: str) -> Drift | None:
        """The channel refuses a shipment once."""
        order = self.ship(sku, refused=True)
        if order is None:
            return None
        return Drift(Kind.MISSING_FULFILLMENT, frozenset({Cause.FAILED_PUSH}), order)

    def ship(self, sku: str, *, refused: bool) -> str | None:
        name = self.sell(sku)
        if name is None:
            return None
        self.sync()
        rows = self.world.rows(
            "SELECT unit.id FROM unit JOIN order_line ON order_line.id = unit.order_line_id "
            "JOIN sales_order ON sales_order.id = order_line.order_id WHERE sales_order.ref = :ref",
            ref=name,
        )
        if not rows:
            return None
        unit = rows[0]["id"]
        self.world.do(Action.PICK, unit)
        parcel = Shipment("UPS", self.next("1Z"))
        self.world.write(
            lambda tx: ship(Work(tx, self.world.context(), self.next("c")), [Scan(unit)], parcel)
        )
        if refused:
            self.shop.failures = [Rejected("not today")]
        self.sync_facts()
        self.world.pass_time(seconds=5)
        return self.shop.orders[name].number

    def sync_facts(self) -> None:
        asyncio.run(relay.drain(self.runtime, self.channel["id"]))

    def heal(self, row: Row, fix: Fix | None) -> None:
        """A person applies a fix."""
        context = self.world.context(actor="ann")
        services = JobServices(self.runtime)
        asyncio.run(services.heal(self.channel, row["id"], fix, context))


MAKERS: list[Callable[[Simulation, str], Drift | None]] = [
    Simulation.edited,
    Simulation.edited,
    Simulation.lost_order,
    Simulation.cancelled,
    Simulation.erased,
    Simulation.duplicated,
    Simulation.renamed,
    Simulation.remade,
    Simulation.removed,
    Simulation.foreign,
    Simulation.refused,
    Simulation.unshipped,
]


def play(world: World, seed: int) -> Outcome:
    """Play one seed in an empty world."""
    simulation = Simulation(world, seed)
    outcome = Outcome(seed, simulation.made)
    try:
        simulation.play()
    except Broken as broken:
        outcome.failure = str(broken)
    return outcome
