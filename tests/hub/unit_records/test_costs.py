"""Costs: what each unit cost, what the house holds, and what the books must follow."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from hub.commands.context import Document
from hub.errors import Refused, StepNotAllowed, UnknownReference
from hub.history import as_of
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.unit_records import costs
from hub.unit_records.costs import By, Cost, CostKind
from signing import settle
from world import NOON, World

INVOICE = Document("inv", "A-77")


def pay(
    world: World, serial: str, amount: int, kind: CostKind = CostKind.ACQUISITION, cur: str = "EUR"
) -> str | Refused:
    context = world.context(document=INVOICE)
    line = Cost(Scan(serial), kind, amount, cur)
    (answer,) = world.write(lambda tx: costs.record(tx, context, [line]))
    return answer


def lines_of(world: World, serial: str) -> list[tuple[str, int, str]]:
    unit_id = world.unit(serial)["id"]
    rows = world.read(lambda tx: costs.of_units(tx, [unit_id]))[unit_id]
    return [(row["kind"], row["amount"], row["currency"]) for row in rows]


@pytest.mark.req("R50")
def test_the_exact_cost_of_one_unit_is_kept_with_its_expenses(world: World) -> None:
    world.receive("SN-1", "SN-2")
    pay(world, "SN-1", 19_900)
    pay(world, "SN-1", 450, CostKind.FREIGHT)
    pay(world, "SN-1", 300, CostKind.REPAIR, "GBP")
    pay(world, "SN-2", 20_100)
    assert lines_of(world, "sn 1") == [
        ("acquisition", 19_900, "EUR"),
        ("freight", 450, "EUR"),
        ("repair", 300, "GBP"),
    ]
    (row, *_) = world.rows("SELECT * FROM unit_cost ORDER BY id")
    assert (row["document_type"], row["document_ref"], row["actor"]) == ("inv", "A-77", "tester")
    unit_id = world.unit("SN-1")["id"]
    found = world.read(lambda tx: costs.totals(costs.of_units(tx, [unit_id])[unit_id]))
    assert found == {"EUR": 20_350, "GBP": 300}


def test_a_mistake_is_taken_back_once_and_both_lines_stay(world: World) -> None:
    world.receive("SN-1")
    wrong = pay(world, "SN-1", 1_990_000)
    assert isinstance(wrong, str)
    back = world.write(lambda tx: costs.reverse(tx, world.context(), wrong))
    assert lines_of(world, "SN-1") == [
        ("acquisition", 1_990_000, "EUR"),
        ("acquisition", -1_990_000, "EUR"),
    ]
    for line in (wrong, back):
        with pytest.raises(StepNotAllowed):
            world.write(lambda tx, line=line: costs.reverse(tx, world.context(), line))
    with pytest.raises(UnknownReference):
        world.write(lambda tx: costs.reverse(tx, world.context(), "nothing"))


def test_a_bad_line_never_loses_the_good_ones(world: World) -> None:
    world.receive("SN-1")
    given = [
        Cost(Scan("nobody"), CostKind.ACQUISITION, 100, "EUR"),
        Cost(Scan("SN-1"), CostKind.ACQUISITION, -1, "EUR"),
        Cost(Scan("SN-1"), CostKind.ACQUISITION, 100, "Euro"),
        Cost(Scan("SN-1"), CostKind.ACQUISITION, 100, "EUR"),
    ]
    answers = world.write(lambda tx: costs.record(tx, world.context(), given))
    codes = [each.code if isinstance(each, Refused) else "kept" for each in answers]
    assert codes == ["UNKNOWN_UNIT", "INVALID_INPUT", "INVALID_INPUT", "kept"]
    assert lines_of(world, "SN-1") == [("acquisition", 100, "EUR")]


def test_what_was_given_costs_nothing_and_is_costed(world: World) -> None:
    world.receive("FREE", "BOUGHT", "UNKNOWN")
    pay(world, "FREE", 0)
    line = pay(world, "BOUGHT", 100)

    def value() -> costs.Valuation:
        return world.read(lambda tx: costs.valuation(tx, world.now, By.PRODUCT))

    assert (value().units, value().uncosted) == (3, 1)
    assert [(each.currency, each.amount) for each in value().lines] == [("EUR", 100)]
    world.write(lambda tx: costs.reverse(tx, world.context(), str(line)))
    assert value().uncosted == 2


@pytest.mark.req("R50", "R54")
def test_a_valuation_has_the_units_of_the_trial_balance_at_any_instant(world: World) -> None:
    world.receive("SN-1", "SN-2", "SN-3")
    world.receive("LX-1", sku="LENS", place="SHOP")
    for serial, amount in (("SN-1", 100), ("SN-2", 200), ("LX-1", 50)):
        pay(world, serial, amount)
    world.pass_time(days=1)
    world.do(Action.SELL, "SN-1")
    world.do(Action.TRANSFER_OUT, "SN-2", place="SHOP")

    def value(at: datetime, by: By = By.PRODUCT) -> costs.Valuation:
        return world.read(lambda tx: costs.valuation(tx, at, by))

    before, now = value(NOON + timedelta(hours=1)), value(world.now)
    assert (before.units, before.uncosted) == (4, 1)
    assert [(each.key, each.units, each.currency, each.amount) for each in before.lines] == [
        ("CAM", 3, "EUR", 300),
        ("LENS", 1, "EUR", 50),
    ]
    assert (now.units, now.uncosted) == (3, 1)
    assert [(each.key, each.amount) for each in now.lines] == [("CAM", 200), ("LENS", 50)]
    places = value(world.now, By.LOCATION)
    assert {each.key: (each.units, each.amount) for each in places.lines} == {
        "IN-TRANSIT": (1, 200),
        "SHOP": (1, 50),
        "WH": (1, 0),
    }
    for at, found in ((NOON + timedelta(hours=1), before), (world.now, now)):
        balance = world.read(lambda tx, at=at: as_of.trial_balance(tx, at))
        inside = [
            line["units"]
            for line in balance.lines
            if line["status"] not in {"sold", "shipped", "expected", "written_off"}
        ]
        assert sum(inside) == found.units
    assert value(datetime(2020, 1, 1, tzinfo=UTC)) == costs.Valuation(0, 0, ())


@pytest.mark.req("R54")
def test_the_books_follow_what_happened_with_its_document_and_cost(world: World) -> None:
    world.receive("SN-1")
    pay(world, "SN-1", 19_900)
    world.pass_time(days=1)
    world.do(Action.MOVE, "SN-1", place="WH-A1")
    world.do(Action.SELL, "SN-1")
    world.do(Action.ACCEPT_RETURN, "SN-1", place="RETURNS", reason="broken")
    world.do(Action.CONDEMN, "SN-1")
    world.do(Action.WRITE_OFF, "SN-1", reason="crushed")
    events = world.value("SELECT COUNT(*) FROM event")
    settle(world)
    here, told = (0, 0), []
    while rows := world.read(
        partial(costs.booked_after, transaction_id=here[0], seq=here[1], limit=2)
    ):
        told += rows
        here = (rows[-1]["transaction_id"], rows[-1]["seq"])
    actions = [row["action"] for row in told]
    assert actions == ["receive", "sell", "accept_return", "write_off"]
    assert events == 7
    assert [row["costs"] for row in told] == [{"EUR": 19_900}] * 4
    assert (told[3]["reason"], told[3]["from_code"]) == ("crushed", "RETURNS")
