"""A small world for tests: a catalogue, and short ways to say what happens in it."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from cryptography.fernet import Fernet

from connectors.contract import capabilities
from connectors.registry import installed
from hub import catalogue, clients, ledger, orders
from hub.access.vault import Vault
from hub.catalogue import LocationCard, LocationKind, ManufacturerCard, ProductCard
from hub.clock import new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.inbound import receiving
from hub.inbound.receiving import Arrival
from hub.ledger import event_views, units
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.returns import channel_returns
from hub.storage.database import Database
from hub.storage.sql import Row, Transaction
from hub.sync import bindings, channels
from hub.sync.channels import ChannelCard
from hub.vocabulary import Order, OrderLine, OrderState, Return, ReturnLine, ReturnState
from jobs.egress import Egress
from jobs.runtime import Runtime

Result = TypeVar("Result")
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
SIMULATED_HOSTS = ("127.0.0.0/8", "localhost", ".test")
KEY = Fernet.generate_key().decode()


@dataclass
class World:
    """A database, a clock that stands still until told, and what happens."""

    database: Database
    now: datetime = NOON
    vault: Vault = field(default_factory=lambda: Vault(KEY))
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def build(cls, database: Database) -> "World":
        """Register the catalogue."""
        world = cls(database)
        world.write(world._register)
        return world

    def _register(self, tx: Transaction) -> None:
        context = self.context()
        for code in ("ACME", "BOLT"):
            catalogue.register_manufacturer(tx, context, ManufacturerCard(code=code, name=code))
        for sku, maker, gtin in (
            ("CAM", "ACME", "4006381333931"),
            ("LENS", "ACME", None),
            ("SAW", "BOLT", None),
        ):
            card = ProductCard(
                sku=sku, name=sku.title(), manufacturer=maker, gtin=gtin, model_number=f"{sku}-M1"
            )
            catalogue.register_product(tx, context, card)
        for code, kind, site in (
            ("WH", LocationKind.WAREHOUSE, None),
            ("WH-A1", LocationKind.WAREHOUSE, "WH"),
            ("SHOP", LocationKind.STORE, None),
            ("RETURNS", LocationKind.RETURNS, None),
        ):
            card = LocationCard(code=code, name=code, kind=kind, site=site)
            catalogue.register_location(tx, context, card)

    def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Run work that writes."""
        return self.database.write_now(work)

    def read(self, work: Callable[[Transaction], Result]) -> Result:
        """Run work that reads."""
        return self.database.read_now(work)

    def rows(self, statement: str, **values: Any) -> list[Row]:
        """Read rows."""
        return self.read(lambda tx: tx.rows(statement, **values))

    def value(self, statement: str, **values: Any) -> Any:
        """Read one value."""
        return self.read(lambda tx: tx.value(statement, **values))

    def context(self, **changes: Any) -> CommandContext:
        """Return circumstances of now."""
        return replace(CommandContext(actor="tester", now=self.now), **changes)

    def pass_time(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def receive(
        self,
        *serials: str,
        sku: str = "CAM",
        place: str = "WH",
        put_away: bool = True,
        **more: Any,
    ) -> list[Verdict]:
        """Receive units; `more` is known of each of them."""
        arrivals = [Arrival(serial=serial, product=sku, **more) for serial in serials]

        def work(tx: Transaction) -> list[Verdict]:
            return receiving.receive(
                Work(tx, self.context(), new_id()),
                arrivals,
                catalogue.location(tx, place),
                put_away=put_away,
            )

        return self.write(work)

    def client(self, code: str) -> str:
        """Register somebody whose goods are kept, and return the code."""
        self.write(lambda tx: clients.register(tx, self.context(), code, code.title()))
        return code

    def do(
        self,
        action: Action,
        *serials: str | Scan,
        place: str | None = None,
        reason: str | None = None,
        **more: Any,
    ) -> list[Verdict]:
        """Do something to units."""
        scans = [each if isinstance(each, Scan) else Scan(each) for each in serials]

        def work(tx: Transaction) -> list[Verdict]:
            location = catalogue.location(tx, place) if place else None
            command = UnitCommand(action=action, location=location, **more)
            return ledger.record(Work(tx, self.context(reason=reason), new_id()), command, scans)

        return self.write(work)

    def unit(self, serial: str) -> Row:
        """Read a unit."""
        return self.read(lambda tx: units.find(tx, serial))

    def history(self, serial: str) -> list[Row]:
        """Read a unit's events."""
        unit = self.unit(serial)
        return self.read(lambda tx: event_views.history(tx, [unit["id"]]))[unit["id"]]

    def channel(
        self,
        code: str = "shop",
        connector: str = "shopify",
        settings: dict[str, Any] | None = None,
        **more: Any,
    ) -> Row:
        """Connect a channel."""
        can = more.pop("capabilities", None) or capabilities(installed()[connector])
        card = ChannelCard(
            code=code,
            name=code.title(),
            connector=connector,
            settings=self.vault.seal(settings or {}),
            capabilities=can,
            **more,
        )
        channel_id = self.write(lambda tx: channels.register(tx, self.context(), card))
        return self.read(lambda tx: channels.by_id(tx, channel_id))

    def list_product(
        self, channel: Row, sku: str = "CAM", remote: dict[str, str] | None = None
    ) -> str:
        """Bind a product to a channel under its own SKU."""

        def work(tx: Transaction) -> str:
            product = catalogue.reference(tx, "product", "sku", sku)
            return bindings.bind(tx, channel["id"], product["id"], sku, remote or {}, self.now)

        return self.write(work)

    def order(self, ref: str = "o-1", lines: Sequence[OrderLine] = (), **more: Any) -> Order:
        """Write down an order as a channel would state it."""
        given: dict[str, Any] = {
            "ref": ref,
            "number": f"#{ref}",
            "state": OrderState.OPEN,
            "remote_state": "open",
            "lines": tuple(lines) or (OrderLine(ref="l-1", sku="CAM", quantity=1),),
            "placed_at": self.now,
            "updated_at": self.now,
        }
        return Order(**(given | more))

    def returned(
        self, ref: str = "r-1", order: str = "o-1", line: ReturnLine | None = None, **more: Any
    ) -> Return:
        """Write down a return as a channel would state it: one unit of the line l-1."""
        given: dict[str, Any] = {
            "ref": ref,
            "order_ref": order,
            "state": ReturnState.OPEN,
            "remote_state": "open",
            "lines": (line or ReturnLine(order_line_ref="l-1", quantity=1),),
            "updated_at": self.now,
        }
        return Return(**(given | more))

    def announce(self, channel: Row, said: Return) -> str | None:
        """Take a channel's return in."""
        return self.write(lambda tx: channel_returns.accept(tx, self.context(), channel, said))

    def open_cases(self) -> list[tuple[str, str]]:
        """Return the kinds and subjects of the cases that are open."""
        rows = self.rows(
            "SELECT kind, subject FROM exception_case WHERE state <> 'resolved' ORDER BY 1, 2"
        )
        return [(row["kind"], row["subject"]) for row in rows]

    def accept(self, channel: Row, order: Order) -> str | None:
        """Take an order in."""
        return self.write(lambda tx: orders.accept(tx, self.context(), channel, order))

    def runtime(self, **more: Any) -> Runtime:
        """Return a runtime for jobs; the clock is this world's."""
        more.setdefault("egress", Egress(SIMULATED_HOSTS))
        return Runtime.over(self.database, self.vault, lambda: self.now, **more)
