"""A shop in the middle of its day, for the tests of the console: filled through the hub itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hub import cases, catalogue, ledger, orders
from hub.access import keys
from hub.after_sales import warranty_answers as warranty
from hub.cases import CaseKind, Finding, Severity
from hub.catalogue import LocationCard, LocationKind, ManufacturerCard, ProductCard
from hub.clock import micros
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.inbound import receiving
from hub.inbound.receiving import Arrival
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.reconciliation import findings, fix_rules, healing, questions, runs, schedules
from hub.reconciliation.kinds import Cause, Difference, Fix, Kind, Totals, different, matched
from hub.reconciliation.kinds import Scope as Comparison
from hub.reconciliation.runs import Run
from hub.reconciliation.schedules import Planned
from hub.settings import Settings
from hub.storage.database import Database, open_database
from hub.storage.migrations import migrate
from hub.storage.rows import ChannelRow
from hub.storage.sql import Row, Transaction
from hub.sync import bindings, channels, inbox, job_runs, listings, outbox
from hub.sync.channels import ChannelCard
from hub.sync.outbox import Fact
from hub.vocabulary import (
    CaptureMethod,
    Coverage,
    Order,
    OrderLine,
    OrderState,
    Warranty,
    WarrantyStatus,
)
from hub_api.app import Parts, create_app

HOSTILE = "<script>alert(1)</script>"
SERIAL = "AX2-0042-7719"


def see_healed(tx: Transaction, channel: Row, difference_id: str, now: datetime) -> None:
    """Record that the channel took the fix of a difference and was seen to agree."""
    row = healing.get(tx, difference_id)
    tx.run(
        "UPDATE reconciliation_difference SET sent_at = :now WHERE id = :id",
        now=micros(now),
        id=difference_id,
    )
    run = Run(row["last_run_id"], channel, Comparison(row["scope"]))
    findings.settle(tx, run, [matched(row["about"])], now)


@dataclass
class FakeServices:
    """The jobs, without any channel behind them."""

    database: Database
    now: datetime
    problem: Exception | None = None
    checked: list[str] = field(default_factory=list)
    healed_kinds: list[Kind | None] = field(default_factory=list)

    async def warranty(self, unit_id: str) -> Any:
        if self.problem is not None:
            raise self.problem
        return await self.database.read(
            lambda tx: warranty.known(tx, [unit_id], self.now).get(unit_id)
        )

    async def reconcile(
        self, channel: Row, scope: Comparison | None, actor: str, *, heal: bool = True
    ) -> list[str]:
        if self.problem is not None:
            raise self.problem
        wanted = [scope] if scope else [Comparison.LEVELS, Comparison.ORDERS]

        def work(tx: Transaction) -> list[str]:
            made = []
            for each in wanted:
                run = runs.start(tx, channel, each, actor, self.now)
                runs.finish(tx, run, Totals(matched=12), self.now)
                made.append(run.id)
            return made

        return await self.database.write(work)

    async def heal(
        self, channel: Row, difference_id: str, fix: Fix | None, context: CommandContext
    ) -> None:
        if self.problem is not None:
            raise self.problem

        def work(tx: Transaction) -> None:
            healing.heal(tx, context, difference_id, choice=fix)
            see_healed(tx, channel, difference_id, self.now)

        await self.database.write(work)

    async def heal_many(
        self,
        channel: Row,
        fix: Fix,
        context: CommandContext,
        kind: Kind | None = None,
        *,
        limit: int,
    ) -> tuple[int, int, int]:
        self.healed_kinds.append(kind)

        def work(tx: Transaction) -> int:
            ids = healing.healable(tx, channel["id"], fix, kind, limit=limit)
            for each in ids:
                tx.run(
                    "UPDATE reconciliation_difference SET state = 'healing' WHERE id = :id",
                    id=each,
                )
                see_healed(tx, channel, each, self.now)
            return len(ids)

        count = await self.database.write(work)
        return count, count, 0

    async def schedules(self, channel: ChannelRow) -> list[Planned]:
        scopes = {channel["id"]: [Comparison.LEVELS, Comparison.ORDERS]}
        every = timedelta(minutes=15)
        found = await self.database.read(lambda tx: schedules.planned(tx, [channel], scopes, every))
        return found[channel["id"]]

    async def check(self, channel: Row) -> None:
        self.checked.append(channel["code"])
        if self.problem is not None:
            raise self.problem

    def connector(self, channel: Row) -> Any:
        raise AssertionError("no page of the console talks to a channel")


@cache
def _empty() -> bytes:
    """Return the file of an empty database with the newest tables."""
    with TemporaryDirectory() as folder:
        migrate(f"sqlite:///{folder}/empty.db")
        return Path(folder, "empty.db").read_bytes()


@dataclass
class Shop:
    """The shop, its application, and the ids that tests ask for."""

    directory: Path
    now: datetime
    database: Database = field(init=False)
    services: FakeServices = field(init=False)
    ids: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        url = f"sqlite:///{self.directory / 'console.db'}"
        (self.directory / "console.db").write_bytes(_empty())
        self.database = open_database(url)
        self.services = FakeServices(self.database, self.now)
        self.settings = Settings(database=url)
        self.write(self._keys)

    def app(self) -> Any:
        return create_app(
            Parts(
                database=self.database,
                services=self.services,
                settings=self.settings,
                clock=lambda: self.now,
            )
        )

    def write(self, work: Any) -> Any:
        return self.database.write_now(work)

    def ago(self, **past: float) -> datetime:
        return self.now - timedelta(**past)

    def context(self, actor: str = "hub", reason: str | None = None, **past: Any) -> CommandContext:
        captured = past.pop("captured_by", CaptureMethod.SCAN)
        document = past.pop("document", None)
        return CommandContext(
            actor=actor,
            now=self.ago(**past),
            captured_by=captured,
            document=document,
            reason=reason,
        )

    def _keys(self, tx: Transaction) -> None:
        for name, scope, *more in (
            ("Mara, day shift", "ops"),
            ("Dock scanner 3", "scanner"),
            ("Iva, back office", "admin", "ops"),
        ):
            scopes = [keys.Scope(each) for each in (scope, *more)]
            key_id, secret = keys.create(tx, name, scopes, self.now)
            self.ids[scope], self.secrets[scope] = key_id, secret

    def fill(self) -> "Shop":
        """Fill the shop."""
        for work in (self._catalogue, self._channels, self._units, self._orders, self._life):
            self.write(work)
        for work in (self._levels, self._failed_run, self._differences, self._other_runs):
            self.write(work)
        for work in (self._cases, self._dead):
            self.write(work)
        self.write(self._jobs)
        return self

    def _catalogue(self, tx: Transaction) -> None:
        context = self.context(days=40)
        for code, name in (("aurora", "Aurora Audio"), ("helio", "Helio Instruments")):
            catalogue.register_manufacturer(tx, context, ManufacturerCard(code=code, name=name))
        for sku, name, maker, gtin, model in (
            ("AX-200", "Aurora X200 headphones", "aurora", "4006381333931", "X200-B"),
            ("AX-50", "Aurora X50 earbuds", "aurora", None, "X50"),
            ("HL-7", "Helio L7 light meter", "helio", None, "L7"),
            ("HL-9", "Helio L9 laser level", "helio", None, "L9"),
        ):
            card = ProductCard(
                sku=sku, name=name, manufacturer=maker, gtin=gtin, model_number=model,
                warranty_months=24,
            )  # fmt: skip
            self.ids[sku] = catalogue.register_product(tx, context, card)
        for code, name, kind in (
            ("BER-1", "Berlin warehouse", LocationKind.WAREHOUSE),
            ("MIT", "Mitte store", LocationKind.STORE),
            ("RET", "Returns desk", LocationKind.RETURNS),
        ):
            card = LocationCard(code=code, name=name, kind=kind)
            catalogue.register_location(tx, context, card)

    def _channels(self, tx: Transaction) -> None:
        for code, name, connector, can, maker in (
            ("northwind", "Northwind Online", "shopify",
             ("push_stock", "pull_orders", "push_fulfillment", "receive_webhooks",
              "snapshot_stock", "snapshot_orders"), None),
            ("mitte-pos", "Mitte POS", "square", ("push_stock", "pull_orders"), None),
            ("fjord", "Fjord Market", "vendure", ("push_stock", "pull_orders"), None),
            ("aurora-care", "Aurora Care", "warranty_rest",
             ("lookup_warranty", "register_warranty"), "aurora"),
        ):  # fmt: skip
            card = ChannelCard(
                code=code, name=name, connector=connector, settings="sealed", capabilities=can,
                manufacturer=maker,
            )  # fmt: skip
            self.ids[code] = channels.register(tx, self.context(days=39), card)
        channels.pause(tx, self.ids["fjord"], "The channel refuses our credentials (401).")

    def _units(self, tx: Transaction) -> None:
        place = catalogue.location(tx, "BER-1")
        shop = catalogue.location(tx, "MIT")
        for prefix, sku, count, where in (
            ("AX2-0042-77", "AX-200", 40, place),
            ("X50", "AX-50", 24, place),
            ("L7-", "HL-7", 18, shop),
        ):
            arrivals = [
                Arrival(
                    serial=f"{prefix}{number:02}",
                    product=sku,
                    identifiers=(("imei", f"35693803564{number:04}"),) if sku == "AX-50" else (),
                )
                for number in range(count)
            ]
            po = Document("po", "PO-2291")
            context = self.context("Ines, dock 2", days=21, document=po)
            receiving.receive(Work(tx, context, f"receive-{sku}"), arrivals, where, put_away=True)
        twins = [Arrival(serial="TWIN-1", product=sku) for sku in ("AX-200", "HL-7")]
        odd = [Arrival(serial=HOSTILE, product="HL-9")]
        context = self.context("Ines, dock 2", days=20, captured_by=CaptureMethod.MANUAL)
        receiving.receive(Work(tx, context, "twins"), [*twins, *odd], place)
        for row in tx.rows("SELECT id, serial FROM unit"):
            self.ids[row["serial"]] = row["id"]

    def _do(
        self, tx: Transaction, context: CommandContext, serial: str, action: Action, **of: Any
    ) -> None:
        command = UnitCommand(action=action, **of)
        (verdict,) = ledger.record(
            Work(tx, context, f"{serial}-{action}-{micros(context.now)}"), command,
            [Scan(serial)],
        )  # fmt: skip
        assert verdict.accepted, verdict.message

    def _orders(self, tx: Transaction) -> None:
        northwind = channels.get(tx, "northwind")
        self._do(
            tx, self.context("Ines, dock 2", days=20.5), SERIAL, Action.MOVE,
            location=catalogue.location(tx, "BER-1"),
        )  # fmt: skip
        for number, sku, quantity, days in (
            ("#1041", "AX-200", 20, 16.0),
            ("#1042", "AX-50", 2, 1.2),
            ("#1043", "HL-7", 1, 0.2),
            ("#1044", "HL-9", 3, 0.02),
        ):
            order = self._order(number, sku, quantity, self.ago(days=days))
            context = self.context("Northwind Online", days=days)
            order_id = orders.accept(tx, context, northwind, order)
            assert order_id is not None
            self.ids[number] = order_id
        lines = tx.rows("SELECT id FROM order_line WHERE order_id = :id", id=self.ids["#1041"])
        bound = tx.rows("SELECT serial FROM unit WHERE order_line_id = :id", id=lines[0]["id"])
        assert SERIAL in [row["serial"] for row in bound]
        scans = [Scan(row["serial"]) for row in bound]
        for action, hours in ((Action.PICK, 20), (Action.PACK, 18)):
            context = self.context("Tomasz, picking", days=14, hours=hours)
            ledger.record(Work(tx, context, f"1041-{action}"), UnitCommand(action=action), scans)
        shipment = Shipment("DHL", "JD0140 2233 7781")
        context = self.context("Tomasz, picking", days=14, hours=12)
        orders.ship(Work(tx, context, "1041-ship"), scans, shipment)
        for code in ("northwind", "aurora-care"):
            for fact in outbox.lease(tx, self.ids[code], self.ago(days=14), limit=50):
                outbox.sent(tx, fact, "ok", self.ago(days=14))

    @staticmethod
    def _order(number: str, sku: str, quantity: int, at: datetime) -> Order:
        line = OrderLine(ref="1", sku=sku, quantity=quantity, title=f"{sku}, boxed")
        return Order(
            ref=f"gid-{number[1:]}", number=number, state=OrderState.OPEN, remote_state="PAID",
            lines=(line,), placed_at=at, updated_at=at,
        )  # fmt: skip

    def _life(self, tx: Transaction) -> None:
        """Let one unit come back, be inspected, and be sold again."""
        desk = catalogue.location(tx, "RET")
        rma = Document("rma", "RMA-118")
        back = self.context("Lena, returns", "changed their mind", days=5, document=rma)
        self._do(tx, back, SERIAL, Action.ACCEPT_RETURN, location=desk)
        graded = self.context("Lena, returns", "opened, complete", days=4.8, document=rma)
        self._do(tx, graded, SERIAL, Action.RESTOCK, grade="B")
        held = self.context("Mara, day shift", "left ear cup rattles", hours=6)
        self._do(tx, held, SERIAL, Action.HOLD, hold_kind="quality", hold_reference="QA-31")
        answer = Warranty(
            serial=SERIAL,
            status=WarrantyStatus.COVERED,
            registered=True,
            starts_on=date(2026, 11, 1),
            ends_on=date(2028, 10, 31),
            coverages=(
                Coverage(name="Parts and labour", starts_on=None, ends_on=date(2028, 10, 31)),
            ),
        )
        at = self.ago(hours=3)
        warranty.remember(tx, self.ids[SERIAL], self.ids["aurora-care"], answer, at)

    def _levels(self, tx: Transaction) -> None:
        for code in ("northwind", "mitte-pos"):
            for sku in ("AX-200", "AX-50", "HL-7"):
                at = self.ago(days=2)
                remote = {"item": f"gid-{sku}"}
                bindings.bind(tx, self.ids[code], self.ids[sku], sku, remote, at)
            channel = channels.get(tx, code)
            shown_at = self.ago(minutes=4)
            for level in listings.lease(tx, channel, shown_at, limit=50):
                listings.acknowledge(tx, level, level.desired, shown_at)
        listings.touch(tx, [self.ids["AX-200"]], self.ago(seconds=42))

    def _run(
        self, tx: Transaction, code: str, scope: Comparison, totals: Totals,
        found: Sequence[Difference] = (), **past: float,
    ) -> list[Row]:  # fmt: skip
        at = self.ago(**past)
        run = runs.start(tx, channels.get(tx, code), scope, "schedule", at)
        rows = findings.settle(tx, run, [different(each) for each in found], at, totals)
        decided = fix_rules.decide(tx, run.channel, rows, at)
        questions.ask(tx, run, [each.difference for each in decided if each.fix is None], at)
        runs.finish(tx, run, totals, at + timedelta(seconds=3.4))
        self.ids[f"{code}-{scope}"] = run.id
        return rows

    def _differences(self, tx: Transaction) -> None:
        listing = tx.value(
            "SELECT id FROM listing WHERE sku = 'AX-200' AND channel_id = :id",
            id=self.ids["northwind"],
        )
        edited = Difference(
            kind=Kind.QUANTITY, about="AX-200", subject="AX-200", ledger={"quantity": 21},
            remote={"quantity": 35}, cause=Cause.FOREIGN_EDIT,
            evidence="We set 21 at 2026-11-20 09:12:44 UTC and sent nothing since; "
            "somebody else changed it.",
            fix=Fix.PUSH_LEVEL, severity=Severity.HIGH, listing_id=listing,
            product_id=self.ids["AX-200"],
        )  # fmt: skip
        lost = Difference(
            kind=Kind.MISSING_ORDER, about="#1039", subject="#1039", ledger={},
            remote={"ref": "gid-1039", "state": "PAID", "lines": {"HL-7": 2},
                    "placed_at": self.ago(hours=9).isoformat()},
            cause=Cause.LOST_WEBHOOK,
            evidence="Order #1039 was placed nine hours ago and no webhook for it ever came.",
            fix=Fix.ACCEPT_ORDER, severity=Severity.HIGH,
        )  # fmt: skip
        foreign = Difference(
            kind=Kind.FOREIGN_FULFILLMENT, about="#1042", subject="#1042", ledger={"left": 0},
            remote={"ref": "gid-1042", "fulfilled": 2, "state": "PAID"},
            cause=Cause.FOREIGN_EDIT,
            evidence="0 units of order #1042 left here, the channel says 2.", fix=Fix.ASK,
            severity=Severity.HIGH, order_id=self.ids["#1042"],
        )  # fmt: skip
        formula = Difference(
            kind=Kind.UNKNOWN_LISTING, about="=HYPERLINK(1)", subject="=HYPERLINK(1)", ledger={},
            remote={"title": HOSTILE, "remote": {"item": "gid-9"}},
            cause=Cause.MAPPING_GAP, evidence="'=HYPERLINK(1)' is no product of ours.",
            fix=Fix.ASK, severity=Severity.LOW,
        )  # fmt: skip
        first = self._run(
            tx, "northwind", Comparison.ORDERS, Totals(matched=212, in_flight=3),
            [lost, foreign], hours=2,
        )  # fmt: skip
        second = self._run(
            tx, "northwind", Comparison.LEVELS, Totals(matched=1_868, in_flight=6),
            [edited, formula], minutes=11,
        )  # fmt: skip
        self.ids["edited"], self.ids["formula"] = second[0]["id"], second[1]["id"]
        self.ids["lost"], self.ids["foreign"] = first[0]["id"], first[1]["id"]
        at = self.ago(minutes=10)
        context = self.context("reconcile", minutes=10)
        healing.heal(tx, context, second[0]["id"], rule="automatic")
        see_healed(tx, channels.get(tx, "northwind"), second[0]["id"], at)

    def _other_runs(self, tx: Transaction) -> None:
        self._run(tx, "mitte-pos", Comparison.LEVELS, Totals(matched=640), minutes=10)
        self._run(
            tx, "aurora-care", Comparison.WARRANTIES, Totals(matched=38, in_flight=1), minutes=9
        )

    def _failed_run(self, tx: Transaction) -> None:
        self._run(tx, "northwind", Comparison.LEVELS, Totals(matched=1_874), days=2)
        fjord = channels.get(tx, "fjord")
        run = runs.start(tx, fjord, Comparison.ORDERS, "schedule", self.ago(hours=5))
        runs.fail(tx, run, "authentication: 401 Unauthorized", self.ago(hours=5))
        self.ids["failed"] = run.id

    def _cases(self, tx: Transaction) -> None:
        for kind, subject, code, severity, summary, past in (
            (CaseKind.AUTHENTICATION, "fjord", "fjord", Severity.HIGH,
             "Fjord Market refuses our credentials: 401 Unauthorized.", 5 * 60),
            (CaseKind.UNKNOWN_SERIAL, "L7-99", "mitte-pos", Severity.HIGH,
             "Mitte POS sold L7-99 on 2211, but no unit bears this identifier.", 95),
            (CaseKind.MISSING_CAPTURE, "2209/1", "mitte-pos", Severity.MEDIUM,
             "1 of HL-7 left on 2209 without a serial being read.", 260),
        ):  # fmt: skip
            details = {"order": "2211", "sku": "HL-7"}
            finding = Finding(
                kind=kind, subject=subject, channel_id=self.ids[code], severity=severity,
                summary=summary, details=details,
            )  # fmt: skip
            self.ids[f"case-{kind}"] = cases.report(tx, finding, self.ago(minutes=past))
            cases.report(tx, finding, self.ago(minutes=past / 3))
        case = tx.row("SELECT * FROM exception_case WHERE kind = 'missing_capture'")
        assert case is not None
        cases.assign(
            tx, CommandContext(actor="lead", now=self.ago(minutes=60)), case, "Mara, day shift"
        )

    def _dead(self, tx: Transaction) -> None:
        channel = self.ids["mitte-pos"]
        fact = Fact(channel, "fulfillment", "order-2207", "dead-1", {"lines": {}})
        outbox.put(tx, [fact], self.ago(hours=8))
        (leased,) = outbox.lease(tx, channel, self.ago(hours=7), limit=5)
        outbox.give_up(tx, leased, "rejected: 422 the order is archived", self.ago(hours=7))
        message = inbox.Message(channel, "evt-88", "webhook", "order.updated", b"{}")
        inbox.accept(tx, [message], self.ago(minutes=1))
        letter = tx.row("SELECT id FROM outbox WHERE state = 'dead'")
        assert letter is not None
        self.ids["letter"] = letter["id"]

    def _jobs(self, tx: Transaction) -> None:
        for job, outcome, seconds in (
            ("poll", "2 channels, 1 new order", 31), ("sweep", "1 promise expired", 12),
            ("reconcile", "4 runs, 4 differences, 1 healed", 640),
            ("integrity", "85 units, every chain holds", 7 * 3_600),
        ):  # fmt: skip
            at = self.ago(seconds=seconds)
            run = job_runs.take(tx, job, timedelta(seconds=30), "hub-1", at, timedelta(seconds=60))
            assert run is not None
            job_runs.finish(tx, run, outcome, at + timedelta(seconds=0.42))
        job_runs.take(
            tx, "warranty", timedelta(hours=1), "hub-1", self.ago(seconds=2), timedelta(minutes=1)
        )
