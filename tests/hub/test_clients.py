"""Clients: whose goods are whose, how title passes, and which channel sells what."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub import clients, kits, orders
from hub.access import keys
from hub.access.keys import Scope
from hub.clients import ReportColumn
from hub.clock import new_id
from hub.commands.context import Document
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed, UnknownReference, UnknownUnit
from hub.history import corrections
from hub.history.replay import Declaration
from hub.history.unit_history import VIEWS, View
from hub.kits import Part
from hub.ledger import hash_chain, unit_views
from hub.ledger.event_writer import Verdict
from hub.ledger.rules import client as client_rules
from hub.ledger.units import Scan, find
from hub.lifecycle import Action
from hub.proof import conservation
from hub.storage.sql import Row, Transaction
from hub.sync import listings
from hub.unit_records import costs, custom_fields, further_identifiers, ownership
from hub.unit_records.costs import By, Cost, CostKind
from hub.unit_records.ownership import OwnerKind
from hub.vocabulary import OrderLine, OrderState
from world import World

SALE = Document("inv", "TITLE-1")


def transfer(world: World, client: str | None, *serials: str | Scan) -> list[Verdict]:
    scans = [each if isinstance(each, Scan) else Scan(each) for each in serials]
    context = world.context(document=SALE)
    return world.write(
        lambda tx: clients.transfer_title(Work(tx, context, new_id()), scans, client)
    )


def codes(verdicts: list[Verdict]) -> list[str | None]:
    return [each.code for each in verdicts]


def client_of(world: World, serial: str) -> str | None:
    code: str | None = world.value(
        "SELECT client.code FROM unit LEFT JOIN client ON client.id = unit.client_id "
        "WHERE unit.serial = :serial",
        serial=serial,
    )
    return code


def client_id(world: World, code: str) -> str:
    return str(world.value("SELECT id FROM client WHERE code = :code", code=code))


def history(world: World, serial: str, view: View = View.BOTH) -> list[Row]:
    unit_id = world.unit(serial)["id"]
    return world.read(lambda tx: VIEWS[view](tx, [unit_id]))[unit_id]


def available(world: World, channel: Row, sku: str = "CAM") -> int:
    product = world.value("SELECT id FROM product WHERE sku = :sku", sku=sku)
    return world.read(lambda tx: listings.available(tx, channel, [product]))[product]


def promised(world: World) -> list[str]:
    rows = world.rows("SELECT serial FROM unit WHERE promised_to IS NOT NULL ORDER BY serial")
    return [row["serial"] for row in rows]


@pytest.fixture
def two(world: World) -> World:
    """Add the clients ANT and BEE."""
    world.client("ANT")
    world.client("BEE")
    return world


# --- Title ----------------------------------------------------------------------------------


@pytest.mark.req("R84")
def test_a_unit_is_of_the_client_that_its_receipt_names(two: World) -> None:
    two.receive("SN-A", client="ANT")
    two.receive("SN-H")
    (refused,) = two.receive("SN-X", client="NOBODY")
    assert refused.code == UnknownReference.code
    assert client_of(two, "SN-A") == "ANT"
    assert client_of(two, "SN-H") is None


@pytest.mark.req("R84")
def test_title_passes_by_a_command_that_the_history_tells(two: World) -> None:
    two.receive("SN-1")
    two.pass_time(days=1)
    (verdict,) = transfer(two, "ANT", "sn 1")
    assert (verdict.accepted, verdict.identifier) == (True, "sn 1")
    two.pass_time(days=1)
    transfer(two, "BEE", "SN-1")
    two.pass_time(days=1)
    transfer(two, None, "SN-1")
    events = history(two, "SN-1")
    assert [client_rules.title_of(event) for event in events[2:]] == [
        {"from": None, "to": "ANT"},
        {"from": "ANT", "to": "BEE"},
        {"from": "BEE", "to": None},
    ]
    assert {(event["document_type"], event["document_ref"]) for event in events[2:]} == {
        ("inv", "TITLE-1")
    }
    unit_id = two.unit("SN-1")["id"]
    periods = two.read(lambda tx: ownership.periods(tx, [unit_id]))[unit_id]
    assert [(each.kind, each.owner) for each in periods] == [
        (OwnerKind.OWN, None),
        (OwnerKind.CLIENT, "ANT"),
        (OwnerKind.CLIENT, "BEE"),
        (OwnerKind.OWN, None),
    ]
    assert client_of(two, "SN-1") is None
    assert two.read(hash_chain.verify).breaks == ()
    assert two.read(conservation.check).breaches == ()


def test_title_does_not_pass_where_it_would_break_a_promise_or_a_kit(two: World) -> None:
    channel = two.channel()
    two.list_product(channel)
    two.receive("SN-1", "SN-2", "SN-3")
    two.receive("LENS-1", sku="LENS")
    two.accept(channel, two.order())
    two.do(Action.SELL, "SN-2")
    kit = Scan("SN-3")
    two.write(
        lambda tx: kits.assemble(
            Work(tx, two.context(), new_id()), kit, [Part(Scan("LENS-1"), "lens")]
        )
    )
    two.receive("SN-4")
    versions = two.rows("SELECT id, version FROM unit WHERE serial <> 'SN-4' ORDER BY id")
    verdicts = transfer(
        two, "ANT", "SN-1", "SN-2", "SN-3", "LENS-1", "ghost", "SN-4", "SN-4", Scan("SN-4", None, 9)
    )
    assert codes(verdicts) == [
        "UNIT_PROMISED",
        *["STEP_NOT_ALLOWED"] * 3,
        "UNKNOWN_UNIT",
        None,
        *["STEP_NOT_ALLOWED"] * 2,
    ]
    assert [each.index for each in verdicts] == list(range(8))
    assert two.rows("SELECT id, version FROM unit WHERE serial <> 'SN-4' ORDER BY id") == versions
    assert codes(transfer(two, "ANT", "SN-4")) == ["STEP_NOT_ALLOWED"]
    assert codes(transfer(two, None, Scan("SN-4", None, 1))) == ["VERSION_CONFLICT"]
    assert client_of(two, "SN-4") == "ANT"


def test_title_passes_by_a_document_and_to_somebody_known(two: World) -> None:
    two.receive("SN-1")
    with pytest.raises(InvalidInput):
        two.write(
            lambda tx: clients.transfer_title(
                Work(tx, two.context(), new_id()), [Scan("SN-1")], "ANT"
            )
        )
    with pytest.raises(UnknownReference):
        transfer(two, "NOBODY", "SN-1")
    assert two.unit("SN-1")["version"] == 2


def test_a_transfer_is_not_declared_away_but_made_back(two: World) -> None:
    two.receive("SN-1")
    transfer(two, "ANT", "SN-1")
    event = history(two, "SN-1")[-1]
    context = two.context(reason="wrong")
    with pytest.raises(StepNotAllowed):
        two.write(
            lambda tx: corrections.correct(
                Work(tx, context, new_id()), event["id"], reason=Declaration.DID_NOT_OCCUR
            )
        )
    assert client_of(two, "SN-1") == "ANT"


def test_a_kit_and_its_parts_have_one_owner(two: World) -> None:
    two.receive("SN-1")
    two.receive("LENS-1", sku="LENS", client="ANT")
    (verdict,) = two.write(
        lambda tx: kits.assemble(
            Work(tx, two.context(), new_id()), Scan("SN-1"), [Part(Scan("LENS-1"), "lens")]
        )
    )
    assert verdict.code == StepNotAllowed.code


# --- Channels -------------------------------------------------------------------------------


@pytest.mark.req("R84")
def test_a_channel_counts_and_takes_the_goods_of_its_client_alone(two: World) -> None:
    house = two.channel("house")
    ant = two.channel("ant", client="ANT")
    for channel in (house, ant):
        two.list_product(channel)
    two.receive("SN-A1", "SN-A2", client="ANT")
    two.receive("SN-B", client="BEE")
    two.receive("SN-H")
    assert (available(two, house), available(two, ant)) == (1, 2)
    (line,) = two.read(lambda tx: unit_views.stock(tx, ["CAM"], two.now))["CAM"]
    assert (line["available"], line["units"]) == (1, 4)
    three = [OrderLine(ref="l-1", sku="CAM", quantity=3)]
    two.accept(ant, two.order("o-ant", lines=three))
    assert promised(two) == ["SN-A1", "SN-A2"]
    two.accept(house, two.order("o-house", lines=three))
    assert promised(two) == ["SN-A1", "SN-A2", "SN-H"]
    lacking = two.rows("SELECT kind FROM exception_case WHERE state <> 'resolved'")
    assert [row["kind"] for row in lacking] == ["oversold", "oversold"]


def test_a_transfer_tells_the_channels_and_serves_who_waited(two: World) -> None:
    ant = two.channel("ant", client="ANT")
    listing = two.list_product(ant)
    two.receive("SN-1")
    two.accept(ant, two.order())

    def retry() -> int:
        return two.write(lambda tx: orders.retry_backorders(tx, two.context(), limit=10))

    assert (retry(), promised(two)) == (0, [])
    wanted = "SELECT wanted_version FROM listing_level WHERE listing_id = :id"
    before = two.value(wanted, id=listing)
    transfer(two, "ANT", "SN-1")
    assert two.value(wanted, id=listing) > before
    assert (retry(), promised(two)) == (1, ["SN-1"])


def test_a_counter_does_not_sell_goods_of_another_owner(two: World) -> None:
    counter = two.channel("counter")
    two.list_product(counter)
    two.receive("SN-A", client="ANT")
    line = OrderLine(ref="l-1", sku="CAM", quantity=1, serials=("SN-A",))
    order = two.order(lines=[line], at_counter=True, state=OrderState.FULFILLED)
    two.accept(counter, order)
    assert two.unit("SN-A")["status"] == "in_stock"
    kinds = {row["kind"] for row in two.rows("SELECT kind FROM exception_case")}
    assert "wrong_status" in kinds


def test_nobody_promises_goods_of_another_owner_by_name(two: World) -> None:
    house = two.channel()
    two.list_product(house)
    two.accept(house, two.order())
    line = two.value("SELECT id FROM order_line")
    two.receive("SN-A", client="ANT")
    two.receive("SN-H")
    verdicts = two.do(Action.ALLOCATE, "SN-A", "SN-H", line=line)
    assert codes(verdicts) == ["STEP_NOT_ALLOWED", None]


def test_title_and_promises_race_and_never_contradict(two: World) -> None:
    house = two.channel()
    two.list_product(house)
    serials = [f"SN-{number}" for number in range(12)]
    two.receive(*serials)

    def order(number: int) -> None:
        two.accept(house, two.order(f"o-{number}"))

    def pass_on(number: int) -> None:
        transfer(two, "ANT", serials[number])

    with ThreadPoolExecutor(4) as crew:
        work = [crew.submit(do, number) for number in range(12) for do in (order, pass_on)]
        for each in work:
            each.result()
    rows = two.rows("SELECT client_id, promised_to FROM unit")
    assert len(rows) == 12
    assert all((row["client_id"] is None) == (row["promised_to"] is not None) for row in rows)


# --- What a client sees ---------------------------------------------------------------------


def paid(world: World, serial: str, amount: int) -> None:
    line = Cost(Scan(serial), CostKind.ACQUISITION, amount, "EUR")
    world.write(lambda tx: costs.record(tx, world.context(), [line]))


def fields(world: World, serial: str, **values: str) -> None:
    world.write(lambda tx: custom_fields.set_fields(tx, world.context(), serial, values))


@pytest.mark.req("R84")
def test_stock_value_and_reports_of_a_client_hold_its_own_alone(two: World) -> None:
    two.receive("SN-A1", "SN-A2", client="ANT")
    two.receive("LENS-A", sku="LENS", place="SHOP", client="ANT")
    two.receive("SN-B", client="BEE")
    two.receive("SN-H")
    for serial, amount in (("SN-A1", 100), ("SN-A2", 200), ("SN-B", 4000), ("SN-H", 50_000)):
        paid(two, serial, amount)
    ant = client_id(two, "ANT")
    first = two.read(lambda tx: clients.stock(tx, ant, after=("", ""), limit=1))
    rest = two.read(lambda tx: clients.stock(tx, ant, after=("CAM", "WH"), limit=9))
    assert [(row["sku"], row["code"], row["units"]) for row in [*first, *rest]] == [
        ("CAM", "WH", 2),
        ("LENS", "SHOP", 1),
    ]
    value = two.read(lambda tx: costs.valuation(tx, two.now, By.PRODUCT, client=ant))
    assert (value.units, value.uncosted) == (3, 1)
    assert [(line.key, line.amount) for line in value.lines] == [("CAM", 300), ("LENS", 0)]
    everyone = two.read(lambda tx: costs.valuation(tx, two.now, By.CLIENT))
    assert {line.key: line.amount for line in everyone.lines if line.amount} == {
        "ANT": 300,
        "BEE": 4000,
        "": 50_000,
    }


@pytest.mark.req("R201")
def test_each_client_has_a_report_in_its_own_columns(two: World) -> None:
    two.receive("SN-1", "SN-2", "SN-3", client="ANT", lot="L-1")
    two.receive("SN-B", client="BEE")
    fields(two, "SN-2", colour="red")
    ant = client_id(two, "ANT")
    columns = [ReportColumn.SERIAL, ReportColumn.LOCATION, ReportColumn.PROMISED]

    def page(after: str | None) -> clients.Report:
        return two.read(
            lambda tx: clients.report(tx, ant, columns, ["colour"], first=2, after=after)
        )

    one = page(None)
    assert one.header == ("serial", "location", "promised", "colour")
    assert one.rows == (("SN-1", "WH", "no", ""), ("SN-2", "WH", "no", "red"))
    two_ = page(one.after)
    assert (two_.rows, two_.after) == ((("SN-3", "WH", "no", ""),), None)
    whole = two.read(
        lambda tx: clients.report(tx, ant, list(ReportColumn), [], first=1, after=None)
    )
    assert dict(zip(whole.header, whole.rows[0], strict=True)) == {
        "id": two.unit("SN-1")["id"], "serial": "SN-1", "sku": "CAM", "product": "Cam",
        "status": "in_stock", "condition": "new", "grade": "", "lot": "L-1", "expires_on": "",
        "location": "WH", "promised": "no", "blocked": "no",
        "received_at": two.now.isoformat(), "changed_at": two.now.isoformat(),
    }  # fmt: skip
    for nothing in ([], list(ReportColumn) * 3):
        with pytest.raises(InvalidInput):
            two.read(
                lambda tx, given=nothing: clients.report(tx, ant, given, [], first=1, after=None)
            )


@pytest.mark.req("R84")
def test_a_new_owner_learns_nothing_of_the_one_before(two: World) -> None:
    two.receive("SN-1", client="BEE", supplier="SECRET", purchase_order="PO-SECRET")
    paid(two, "SN-1", 900)
    fields(two, "SN-1", margin="SECRET")
    before = two.now
    two.pass_time(days=1)
    transfer(two, "ANT", "SN-1")
    two.pass_time(days=1)
    paid(two, "SN-1", 7)
    two.do(Action.MOVE, "SN-1", place="WH-A1")
    ant = client_id(two, "ANT")
    events = client_rules.history_of_owner(history(two, "SN-1"))
    assert [event["action"] for event in events] == ["annotate", "move"]
    assert client_rules.title_of(events[0]) == {"to": "ANT"}
    unit = two.unit("SN-1")
    shown = client_rules.shown_to(ant, unit)
    assert shown is not None
    assert (shown["supplier"], shown["purchase_order"]) == (None, None)
    assert client_rules.shown_to(client_id(two, "BEE"), unit) is None
    page = two.read(
        lambda tx: clients.report(tx, ant, [ReportColumn.SERIAL], ["margin"], first=9, after=None)
    )
    assert page.rows == (("SN-1", ""),)
    now = two.read(lambda tx: costs.valuation(tx, two.now, By.PRODUCT, client=ant))
    assert [line.amount for line in now.lines] == [7]
    then = two.read(
        lambda tx: costs.valuation(tx, before + timedelta(hours=1), By.PRODUCT, client=ant)
    )
    assert then.units == 0


def test_corrections_of_an_earlier_owners_time_are_not_told(two: World) -> None:
    two.receive("SN-1", client="BEE")
    two.pass_time(days=1)
    transfer(two, "ANT", "SN-1")
    two.pass_time(days=1)
    two.do(Action.MOVE, "SN-1", place="WH-A1", reason="tidy")
    receipt, _, _, move = history(two, "SN-1")
    context = replace(two.context(), reason="mistyped")
    changes: tuple[tuple[Row, Any], ...] = (
        (receipt, corrections.Changes(document=Document("po", "PO-SECRET"))),
        (move, corrections.Changes(reason="tidied")),
    )
    for event, change in changes:
        two.write(
            lambda tx, event=event, change=change: corrections.correct(
                Work(tx, context, new_id()), event["id"], reason=Declaration.INCORRECT_DATA,
                changes=change,
            )
        )  # fmt: skip
    events = client_rules.history_of_owner(history(two, "SN-1"))
    assert [event["action"] for event in events] == ["annotate", "move", "correct"]
    assert "PO-SECRET" not in str(events)
    corrected = client_rules.history_of_owner(history(two, "SN-1", View.CORRECTED))
    assert [event["reason"] for event in corrected] == [None, "tidied"]


@pytest.mark.req("R84")
def test_a_serial_of_another_client_is_as_unknown_as_none_at_all(two: World) -> None:
    two.receive("SN-1", client="BEE")
    two.receive("SN-1", sku="SAW", client="ANT")
    ant = client_id(two, "ANT")

    def seek(identifier: str) -> Row:
        def work(tx: Transaction) -> Row:
            return find(tx, identifier, client=ant)

        return two.read(work)

    assert seek("SN-1")["sku"] == "SAW"  # for us it were ambiguous
    theirs = two.value("SELECT id FROM unit WHERE client_id <> :ant", ant=ant)
    for identifier in (theirs, "ghost"):
        with pytest.raises(UnknownUnit):
            seek(identifier)


# --- Keys -----------------------------------------------------------------------------------


@pytest.mark.req("R84")
def test_a_clients_key_is_of_one_client_and_of_no_other_scope(two: World) -> None:
    def create(*scopes: Scope, client: str | None = None) -> str:
        return two.write(lambda tx: keys.create(tx, "key", scopes, two.now, client=client))[1]

    for scopes, client, refusal in (
        ((Scope.CLIENT,), None, InvalidInput),
        ((Scope.OPS,), "ANT", InvalidInput),
        ((Scope.CLIENT, Scope.STOREFRONT), "ANT", InvalidInput),
        ((Scope.CLIENT, Scope.ADMIN), None, InvalidInput),
        ((Scope.CLIENT,), "NOBODY", UnknownReference),
    ):
        with pytest.raises(refusal):
            create(*scopes, client=client)
    secret = create(Scope.CLIENT, client="ANT")
    caller = two.read(lambda tx: keys.caller(tx, secret, two.now))
    assert caller is not None
    assert (caller.client, caller.scopes) == ("ANT", {Scope.CLIENT})
    admin_secret = create(Scope.ADMIN)
    admin = two.read(lambda tx: keys.caller(tx, admin_secret, two.now))
    assert admin is not None
    assert (admin.client_id, admin.may(Scope.CLIENT)) == (None, False)
    assert [row["client"] for row in two.read(keys.listed)] == [None, "ANT"]


def test_a_client_is_registered_once_and_may_be_renamed(world: World) -> None:
    for name in ("Ant", "Ant Ltd"):
        world.write(lambda tx, name=name: clients.register(tx, world.context(), "ANT", name))
    assert [row["name"] for row in world.rows("SELECT name FROM client")] == ["Ant Ltd"]
    for code, name in (("", "x"), ("x" * 65, "x"), ("x", " ")):
        with pytest.raises(InvalidInput):
            world.write(
                lambda tx, code=code, name=name: clients.register(tx, world.context(), code, name)
            )


# --- What an earlier owner called a unit ----------------------------------------------------


def test_a_client_finds_nothing_by_what_an_earlier_owner_wrote(two: World) -> None:
    """Who guesses values of fields and asset tags learns nothing of the time before."""
    two.receive("SN-1", client="BEE")
    fields(two, "SN-1", project="apollo")
    named(two, "SN-1", "asset", "BEE-77")
    named(two, "SN-1", "imei", "490154203237518")
    two.pass_time(days=1)
    transfer(two, "ANT", "SN-1")
    ant = client_id(two, "ANT")

    def by_field(value: str, client: str | None) -> int:
        rows = two.read(
            lambda tx: unit_views.units(
                tx, first=9, after=None, custom=("project", value), client=client
            )
        )
        return len(rows)

    def by_name(name: str, client: str | None) -> int:
        rows = two.read(
            lambda tx: unit_views.units(tx, first=9, after=None, identifiers=[name], client=client)
        )
        return len(rows)

    assert (by_field("apollo", ant), by_field("apollo", None)) == (0, 1)
    assert (by_name("BEE-77", ant), by_name("BEE-77", None)) == (0, 1)
    with pytest.raises(UnknownUnit):
        two.read(lambda tx: find(tx, "BEE-77", client=ant))
    names = two.read(lambda tx: unit_views.identifiers(tx, [two.unit("SN-1")["id"]]))
    shown = client_rules.names_of_owner(two.unit("SN-1"), next(iter(names.values())))
    assert [row["scheme"] for row in shown] == ["imei"]
    # The maker's names go with the unit, and so does what the owner writes.
    for name in ("490154203237518", "SN-1"):
        assert by_name(name, ant) == 1
    two.pass_time(days=1)
    fields(two, "SN-1", project="gemini")
    named(two, "SN-1", "asset", "ANT-1")
    assert (by_field("gemini", ant), by_name("ANT-1", ant)) == (1, 1)
    assert two.read(lambda tx: find(tx, "ANT-1", client=ant))["serial"] == "SN-1"


def named(world: World, serial: str, scheme: str, value: str) -> None:
    world.write(
        lambda tx: further_identifiers.link(
            Work(tx, world.context(), new_id()), Scan(serial), scheme, value
        )
    )
