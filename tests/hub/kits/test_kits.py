"""Kits: parts go with their kit, keep their own histories, and are checked one by one."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from hub import catalogue, kits, ledger
from hub.clock import micros, new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, Refused, StepNotAllowed, UnitPromised, UnknownReference
from hub.kits import LEVELS_MAX, PARTS_MAX, Part, kit_reports, kit_returns
from hub.kits.kit_reports import Level
from hub.kits.kit_returns import Check
from hub.ledger import hash_chain
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.proof import conservation
from hub.proof.conservation import Law
from hub.storage.sql import Row, Transaction
from hub.vocabulary import CaptureMethod
from world import World


def assemble(world: World, kit: str, *parts: str, role: str = "") -> list[Verdict]:
    given = [Part(Scan(part), role) for part in parts]
    return world.write(
        lambda tx: kits.assemble(Work(tx, world.context(), new_id()), Scan(kit), given)
    )


def disassemble(world: World, kit: str, *parts: str, place: str = "WH", **more: Any) -> Any:
    named = [Scan(part) for part in parts] or None

    def work(tx: Transaction) -> list[Verdict]:
        where = catalogue.location(tx, place)
        return kits.disassemble(
            Work(tx, world.context(), new_id()), Scan(kit), where, named, **more
        )

    return world.write(work)


def replace(world: World, kit: str, old: str, new: str, role: str | None = None) -> list[Verdict]:
    def work(tx: Transaction) -> list[Verdict]:
        where = catalogue.location(tx, "RETURNS")
        context = world.context(reason="worn out")
        return kits.replace_part(
            Work(tx, context, new_id()), Scan(kit), Scan(old), Scan(new), where, role
        )

    return world.write(work)


def give_back(
    world: World, kit: str, scanned: Sequence[str], **more: Any
) -> tuple[Check, list[Verdict]]:
    def work(tx: Transaction) -> tuple[Check, list[Verdict]]:
        where = catalogue.location(tx, "RETURNS")
        scans = [Scan(each) for each in scanned]
        context = world.context(reason="did not like it")
        return kit_returns.give_back(Work(tx, context, new_id()), Scan(kit), scans, where, **more)

    return world.write(work)


@pytest.fixture
def set_of_two(world: World) -> World:
    """A camera set CAM-1 with the lenses L-1 and L-2, and a lens L-3 in stock."""
    world.receive("CAM-1")
    world.receive("L-1", "L-2", "L-3", sku="LENS")
    assert all(each.accepted for each in assemble(world, "CAM-1", "L-1", "L-2", role="lens"))
    return world


def standing(world: World, *serials: str) -> list[tuple[str, str]]:
    return [(unit["status"], unit["location_code"]) for unit in map(world.unit, serials)]


def whole(world: World) -> None:
    """Say that everything adds up and no event was tampered with."""
    assert world.read(conservation.check).breaches == ()
    assert world.read(hash_chain.verify).breaks == ()


def links(world: World, serial: str) -> list[Row]:
    unit_id = world.unit(serial)["id"]
    return world.read(lambda tx: kit_reports.links(tx, [unit_id]))[unit_id]


@pytest.mark.req("R123", "R124", "R40")
def test_a_set_has_a_serial_and_its_components_their_own_mapped_to_it(set_of_two: World) -> None:
    world = set_of_two
    parent = world.unit("CAM-1")
    assert (parent["status"], parent["members"]) == ("in_stock", 2)
    for serial in ("L-1", "L-2"):
        part = world.unit(serial)
        assert (part["status"], part["kit_id"]) == ("in_kit", parent["id"])
    (event,) = [each for each in world.history("L-1") if each["action"] == "enter_kit"]
    assert orjson.loads(event["details"]) == {"role": "lens", "kit": parent["id"]}
    assert event["biz_step"] == "assembling"
    assert world.history("CAM-1")[-1]["action"] == "assemble"
    whole(world)


def test_a_part_enters_at_the_place_of_its_kit(world: World) -> None:
    world.receive("CAM-1", place="WH-A1")
    world.receive("L-1", sku="LENS")
    assemble(world, "CAM-1", "L-1")
    assert standing(world, "L-1") == [("in_kit", "WH-A1")]
    whole(world)


def test_one_bad_part_never_loses_the_good_ones(world: World) -> None:
    world.receive("CAM-1", "CAM-2", "CAM-3")
    world.receive("L-1", "L-2", "L-3", "L-4", sku="LENS")
    world.receive("L-5", sku="LENS", place="SHOP")
    assemble(world, "CAM-2", "L-1")
    world.do(Action.ALLOCATE, "L-2", hold_reference="cart")
    world.do(Action.HOLD, "L-3", hold_kind="quality")
    verdicts = assemble(
        world, "CAM-1", "L-4", "CAM-1", "L-1", "L-2", "L-3", "L-5", "NOBODY-9", "CAM-3", "L-4"
    )
    assert [verdict.code for verdict in verdicts] == [
        None,
        "STEP_NOT_ALLOWED",  # itself
        "STEP_NOT_ALLOWED",  # in another kit
        "UNIT_PROMISED",
        "UNIT_BLOCKED",
        "STEP_NOT_ALLOWED",  # at another site
        "UNKNOWN_UNIT",
        None,
        "STEP_NOT_ALLOWED",  # twice
    ]
    assert [verdict.index for verdict in verdicts] == list(range(9))
    assert world.unit("CAM-1")["members"] == 2
    whole(world)


def test_a_kit_that_is_a_part_takes_no_parts_so_there_are_no_circles(world: World) -> None:
    world.receive("CAM-1", "CAM-2", "CAM-3")
    assemble(world, "CAM-1", "CAM-2")
    with pytest.raises(StepNotAllowed, match="part of a kit itself"):
        assemble(world, "CAM-2", "CAM-1")
    with pytest.raises(StepNotAllowed, match="part of a kit itself"):
        assemble(world, "CAM-2", "CAM-3")


def test_kits_stand_in_kits_but_not_deeper_than_the_limit(world: World) -> None:
    serials = [f"CAM-{number}" for number in range(LEVELS_MAX + 1)]
    world.receive(*serials)
    for below, above in itertools.pairwise(serials[:LEVELS_MAX]):
        (verdict,) = assemble(world, above, below)
        assert verdict.accepted, verdict
    (verdict,) = assemble(world, serials[LEVELS_MAX], serials[LEVELS_MAX - 1])
    assert verdict.code == "STEP_NOT_ALLOWED"
    # All of them go with the outermost.
    world.do(Action.MOVE, serials[LEVELS_MAX - 1], place="WH-A1")
    places = standing(world, *serials[:LEVELS_MAX])
    assert {place for _, place in places} == {"WH-A1"}
    whole(world)


def test_a_kit_has_a_limit_of_parts(world: World) -> None:
    world.receive("CAM-1")
    with pytest.raises(InvalidInput, match="1 to"):
        assemble(world, "CAM-1")
    with pytest.raises(InvalidInput, match="1 to"):
        assemble(world, "CAM-1", *(f"L-{number}" for number in range(PARTS_MAX + 1)))
    with pytest.raises(InvalidInput, match="role"):
        assemble(world, "CAM-1", "L-1", role="x" * 61)


@pytest.mark.req("R124")
def test_parts_go_where_their_kit_goes_and_are_sold_and_restocked_with_it(
    set_of_two: World,
) -> None:
    world = set_of_two
    for action, given, place in (
        (Action.MOVE, {"place": "WH-A1"}, "WH-A1"),
        (Action.TRANSFER_OUT, {"place": "SHOP"}, "IN-TRANSIT"),
        (Action.TRANSFER_IN, {"place": "SHOP"}, "SHOP"),
        (Action.SELL, {}, "CUSTOMER"),
        (Action.TAKE_IN, {"place": "WH"}, "WH"),
        (Action.HAND_BACK, {}, "CUSTOMER"),
    ):
        (verdict,) = world.do(action, "CAM-1", **given)
        assert verdict.accepted, verdict
        assert standing(world, "L-1", "L-2") == [("in_kit", place)] * 2
        event = world.history("L-1")[-1]
        parent = world.history("CAM-1")[-1]
        assert (event["action"], event["biz_step"]) == ("follow_kit", parent["biz_step"])
        assert orjson.loads(event["details"]) == {
            "action": str(action),
            "kit": world.unit("CAM-1")["id"],
        }
        assert event["command_id"] == parent["command_id"]
        whole(world)
    assert world.unit("L-1")["sold_at"] == world.unit("CAM-1")["sold_at"] is not None
    give_back(world, "CAM-1", ["L-1", "L-2"])
    assert standing(world, "CAM-1", "L-1") == [("returned", "RETURNS"), ("in_kit", "RETURNS")]
    world.do(Action.RESTOCK, "CAM-1")
    assert [world.unit(serial)["sold_at"] for serial in ("CAM-1", "L-1", "L-2")] == [None] * 3
    whole(world)


def test_what_stays_in_its_place_tells_its_parts_nothing(set_of_two: World) -> None:
    world = set_of_two
    version = world.unit("L-1")["version"]
    world.do(Action.ALLOCATE, "CAM-1", hold_reference="cart")
    world.do(Action.PICK, "CAM-1")
    world.do(Action.COUNT, "CAM-1")
    assert world.unit("L-1")["version"] == version
    world.do(Action.SHIP, "CAM-1")
    assert standing(world, "L-1") == [("in_kit", "CUSTOMER")]


def test_a_found_kit_has_its_parts_with_it(set_of_two: World) -> None:
    world = set_of_two
    world.do(Action.LOSE, "CAM-1", reason="not seen")
    whole(world)
    world.do(Action.FIND, "CAM-1", place="SHOP")
    assert standing(world, "L-1", "L-2") == [("in_kit", "SHOP")] * 2
    whole(world)


def test_a_kit_is_written_off_with_its_parts(set_of_two: World) -> None:
    world = set_of_two
    (alone,) = world.do(Action.WRITE_OFF, "L-1", reason="crushed")
    assert (alone.code, "kit" in (alone.message or "")) == ("STEP_NOT_ALLOWED", True)
    world.do(Action.WRITE_OFF, "CAM-1", reason="crushed")
    assert {status for status, _ in standing(world, "CAM-1", "L-1", "L-2")} == {"written_off"}
    assert world.history("L-1")[-1]["reason"] == "crushed"
    whole(world)


@pytest.mark.req("R127", "R128")
@pytest.mark.parametrize(
    "action", [Action.SELL, Action.ALLOCATE, Action.MOVE, Action.SHIP, Action.ACCEPT_RETURN]
)
def test_a_part_can_not_leave_alone_and_is_told_what_to_do(
    set_of_two: World, action: Action
) -> None:
    (verdict,) = set_of_two.do(action, "L-1", place="WH-A1")
    assert verdict.code == "STEP_NOT_ALLOWED"
    assert "take it out of the kit first" in (verdict.message or "")
    assert "leave_kit" in (verdict.details or {})["allowed"]


@pytest.mark.req("R127")
def test_service_and_sale_are_known_of_the_set_and_of_each_component(set_of_two: World) -> None:
    world = set_of_two
    world.do(Action.SELL, "CAM-1")
    world.pass_time(days=30)
    (verdict,) = world.do(Action.MAINTAIN, "L-1", reason="cleaned")
    assert verdict.accepted
    assert [event["action"] for event in world.history("L-1")][-1] == "maintain"
    assert "maintain" not in [event["action"] for event in world.history("CAM-1")]
    replace(world, "CAM-1", "L-2", "L-3")
    # The component that came later is sold later: its warranty is its own.
    assert world.unit("L-3")["sold_at"] == micros(world.now)
    assert world.unit("L-1")["sold_at"] < world.unit("L-3")["sold_at"]
    whole(world)


def test_a_block_of_a_part_blocks_its_kit_until_no_part_carries_it(set_of_two: World) -> None:
    world = set_of_two
    world.receive("CAM-9")
    assemble(world, "CAM-9", "CAM-1")
    for serial in ("L-1", "L-2"):
        world.do(Action.HOLD, serial, hold_kind="recall", hold_reference="R-1")
    assert [world.unit(each)["blocks"] for each in ("L-1", "CAM-1", "CAM-9")] == [1, 1, 1]
    assert orjson.loads(world.history("CAM-1")[-1]["details"])["serial"] == "L-1"
    (verdict,) = world.do(Action.SELL, "CAM-9")
    assert verdict.code == "UNIT_BLOCKED"
    (verdict,) = world.do(Action.UNBLOCK, "CAM-9", hold_kind="recall")
    assert (verdict.code, "a part of the kit" in (verdict.message or "")) == (
        "STEP_NOT_ALLOWED",
        True,
    )
    world.do(Action.UNBLOCK, "L-1", hold_kind="recall")
    assert world.unit("CAM-9")["blocks"] == 1
    world.do(Action.UNBLOCK, "L-2", hold_kind="recall")
    assert [world.unit(each)["blocks"] for each in ("L-2", "CAM-1", "CAM-9")] == [0, 0, 0]
    (verdict,) = world.do(Action.SELL, "CAM-9")
    assert verdict.accepted
    assert standing(world, "L-1") == [("in_kit", "CUSTOMER")]
    whole(world)


def test_a_kits_own_block_is_not_taken_back_with_that_of_a_part(set_of_two: World) -> None:
    world = set_of_two
    world.do(Action.HOLD, "CAM-1", hold_kind="quality")
    world.do(Action.HOLD, "L-1", hold_kind="quality")
    world.do(Action.UNBLOCK, "L-1", hold_kind="quality")
    assert world.unit("CAM-1")["blocks"] == 1
    world.do(Action.UNBLOCK, "CAM-1", hold_kind="quality")
    assert world.unit("CAM-1")["blocks"] == 0
    whole(world)


def test_a_blocked_part_that_leaves_takes_its_block_with_it(set_of_two: World) -> None:
    world = set_of_two
    world.do(Action.HOLD, "L-1", hold_kind="quality")
    assert world.unit("CAM-1")["blocks"] == 1
    (verdict,) = disassemble(world, "CAM-1", "L-1", restock=True)
    assert verdict.status == "returned"  # blocked: it is not for sale
    assert [world.unit(each)["blocks"] for each in ("CAM-1", "L-1")] == [0, 1]
    whole(world)


@pytest.mark.req("R125")
def test_replacing_a_component_keeps_both_histories(set_of_two: World) -> None:
    world = set_of_two
    world.do(Action.SELL, "CAM-1")
    before = micros(world.now)
    world.pass_time(days=100)
    left, entered = replace(world, "CAM-1", "L-2", "L-3")
    assert (left.status, entered.status) == ("returned", "in_kit")
    assert standing(world, "L-2", "L-3") == [("returned", "RETURNS"), ("in_kit", "CUSTOMER")]
    rows = links(world, "CAM-1")
    assert {row["role"] for row in rows} == {"lens"}  # the new one takes the old one's role

    def parts(instant: int | None) -> set[str]:
        return {row["child_id"] for row in kit_reports.at(rows, instant)}

    ids = {serial: world.unit(serial)["id"] for serial in ("L-1", "L-2", "L-3")}
    assert parts(before) == {ids["L-1"], ids["L-2"]}
    assert parts(micros(world.now)) == parts(None) == {ids["L-1"], ids["L-3"]}
    assert parts(0) == set()
    (was,) = links(world, "L-2")
    assert (was["left_at"], was["parent_id"]) == (micros(world.now), world.unit("CAM-1")["id"])
    assert [event["action"] for event in world.history("L-2")][-2:] == ["follow_kit", "leave_kit"]
    assert world.unit("CAM-1")["members"] == 2
    whole(world)


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        ("L-3", "L-3", UnknownReference),  # is no part
        ("L-1", "L-2", StepNotAllowed),  # is a part already
        ("L-1", "L-4", UnitPromised),
        ("L-1", "NOBODY-9", Refused),
    ],
)
def test_a_replacement_happens_wholly_or_not_at_all(
    set_of_two: World, old: str, new: str, refusal: type[Refused]
) -> None:
    world = set_of_two
    world.receive("L-4", sku="LENS")
    world.do(Action.ALLOCATE, "L-4", hold_reference="cart")
    events = world.value("SELECT COUNT(*) FROM event")
    with pytest.raises(refusal):
        replace(world, "CAM-1", old, new)
    assert world.value("SELECT COUNT(*) FROM event") == events
    assert world.unit("CAM-1")["members"] == 2


def test_a_kit_is_taken_apart_and_its_parts_are_for_sale_again(set_of_two: World) -> None:
    world = set_of_two
    verdicts = disassemble(world, "CAM-1", restock=True)
    assert [verdict.status for verdict in verdicts] == ["in_stock", "in_stock"]
    assert (world.unit("CAM-1")["members"], world.unit("L-1")["kit_id"]) == (0, None)
    assert world.history("CAM-1")[-1]["action"] == "disassemble"
    with pytest.raises(StepNotAllowed, match="no parts"):
        disassemble(world, "CAM-1")
    whole(world)


def test_only_parts_of_the_kit_are_taken_out_and_each_once(set_of_two: World) -> None:
    world = set_of_two
    verdicts = disassemble(world, "CAM-1", "L-1", "L-3", "L-1", "NOBODY-9")
    assert [verdict.code for verdict in verdicts] == [
        None,
        "UNKNOWN_REFERENCE",
        "STEP_NOT_ALLOWED",
        "UNKNOWN_UNIT",
    ]
    assert world.unit("CAM-1")["members"] == 1
    whole(world)


@pytest.mark.parametrize("action", [Action.LOSE, Action.TRANSFER_OUT])
def test_a_kit_that_is_not_in_hand_can_not_be_changed(set_of_two: World, action: Action) -> None:
    world = set_of_two
    world.do(action, "CAM-1", place="SHOP")
    with pytest.raises(StepNotAllowed, match="can not be changed"):
        disassemble(world, "CAM-1")
    with pytest.raises(StepNotAllowed, match="can not be changed"):
        assemble(world, "CAM-1", "L-3")


@pytest.mark.req("R128")
def test_a_set_that_comes_back_is_checked_serial_by_serial(set_of_two: World) -> None:
    world = set_of_two
    world.do(Action.SELL, "CAM-1")
    (unseen,) = world.do(Action.ACCEPT_RETURN, "CAM-1", place="RETURNS")
    assert (unseen.code, "scan them" in (unseen.message or "")) == ("STEP_NOT_ALLOWED", True)
    with pytest.raises(StepNotAllowed, match=r"1 missing \(L-2\), 2 foreign \(L-3, NOBODY-9\)"):
        give_back(world, "CAM-1", ["CAM-1", "L-1", "L-3", "NOBODY-9"])
    assert standing(world, "CAM-1") == [("sold", "CUSTOMER")]
    found, (verdict,) = give_back(world, "CAM-1", ["CAM-1", "l 1", "L-2"])
    assert (found.complete, verdict.status) == (True, "returned")
    assert world.value("SELECT COUNT(*) FROM exception_case") == 0
    whole(world)


@pytest.mark.req("R128")
def test_a_set_that_comes_back_incomplete_is_accepted_on_request_and_the_rest_is_missing(
    set_of_two: World,
) -> None:
    world = set_of_two
    world.do(Action.SELL, "CAM-1")
    found, _ = give_back(world, "CAM-1", ["L-1", "L-3"], accept_incomplete=True)
    assert found.missing == (world.unit("L-2")["id"],)
    assert standing(world, "CAM-1", "L-1", "L-2") == [
        ("returned", "RETURNS"),
        ("in_kit", "RETURNS"),
        ("missing", "RETURNS"),
    ]
    assert world.unit("CAM-1")["members"] == 1
    (case,) = world.rows("SELECT * FROM exception_case")
    assert (case["kind"], case["subject"]) == ("suspect_return", "CAM-1")
    assert orjson.loads(case["details"])["missing"] == ["L-2"]
    whole(world)


def test_only_a_kit_that_was_sold_comes_back_as_a_kit(set_of_two: World) -> None:
    world = set_of_two
    with pytest.raises(StepNotAllowed, match="accept return"):
        give_back(world, "CAM-1", ["L-1", "L-2"])
    with pytest.raises(StepNotAllowed, match="no kit"):
        give_back(world, "L-3", ["L-1"])
    unit_id = world.unit("CAM-1")["id"]
    with pytest.raises(InvalidInput, match="at most"):
        world.read(lambda tx: kit_returns.check(tx, unit_id, [Scan("x")] * 1_001))


@pytest.mark.req("R126")
def test_stock_is_reported_by_set_and_by_component(set_of_two: World) -> None:
    world = set_of_two
    world.receive("CAM-2", place="SHOP")
    world.receive("L-4", sku="LENS", place="SHOP")
    assemble(world, "CAM-2", "L-4")
    world.do(Action.SELL, "CAM-2")

    def report(level: Level, **more: Any) -> list[tuple[Any, ...]]:
        rows = world.read(lambda tx: kit_reports.report(tx, level, first=10, after=None, **more))
        names = ("sku", "units", "loose", "parts", "available", "with_customers")
        return [tuple(row[name] for name in names) for row in rows]

    assert report(Level.SET) == [("CAM", 2, 0, 3, 1, 1)]
    assert report(Level.COMPONENT) == [("LENS", 3, 1, 0, 1, 1)]
    assert report(Level.SET, location="WH") == [("CAM", 1, 0, 2, 1, 0)]
    assert report(Level.COMPONENT, location="WH-A1") == []
    assert report(Level.COMPONENT, sku="SAW") == []


def test_many_kits_move_with_as_many_statements_as_two(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.receive(*(f"CAM-{number}" for number in range(30)))
    world.receive(*(f"L-{number}" for number in range(30)), sku="LENS")
    for number in range(30):
        assemble(world, f"CAM-{number}", f"L-{number}")
    kind = type(world.write(lambda tx: tx))
    ask, asked = kind.rows, []

    def rows(tx: Transaction, statement: str, **values: Any) -> list[Row]:
        asked.append(statement)
        return ask(tx, statement, **values)

    monkeypatch.setattr(kind, "rows", rows)
    world.do(Action.MOVE, "CAM-0", "CAM-1", place="WH-A1")  # one is found and locked in one go
    two = len(asked)
    asked.clear()
    world.do(Action.MOVE, *(f"CAM-{number}" for number in range(2, 30)), place="WH-A1")
    assert len(asked) == two
    assert {place for _, place in standing(world, "L-0", "L-1", "L-29")} == {"WH-A1"}
    whole(world)


@pytest.mark.req("R124")
def test_two_people_who_take_the_same_part_get_it_once(world: World) -> None:
    world.receive("CAM-1", "CAM-2")
    world.receive("L-1", sku="LENS")

    async def race() -> list[list[Verdict]]:
        def work(kit: str) -> Any:
            return lambda tx: kits.assemble(
                Work(tx, world.context(), new_id()), Scan(kit), [Part(Scan("L-1"))]
            )

        return await asyncio.gather(
            *(world.database.write(work(kit)) for kit in ("CAM-1", "CAM-2") * 4)
        )

    answers = [verdict.accepted for verdicts in asyncio.run(race()) for verdict in verdicts]
    assert sorted(answers) == [False] * 7 + [True]
    whole(world)


@pytest.mark.req("R124")
def test_a_kit_that_moves_while_a_part_is_blocked_ends_whole(set_of_two: World) -> None:
    world = set_of_two

    async def race() -> None:
        def one(tx: Transaction, action: Action, serial: str, **given: Any) -> Any:
            return ledger.record(
                Work(tx, world.context(captured_by=CaptureMethod.SCAN), new_id()),
                UnitCommand(action=action, **given),
                [Scan(serial)],
            )

        places = [world.read(lambda tx, c=c: catalogue.location(tx, c)) for c in ("WH", "WH-A1")]
        await asyncio.gather(
            *(
                world.database.write(
                    lambda tx, place=place: one(tx, Action.MOVE, "CAM-1", location=place)
                )
                for place in places * 3
            ),
            *(
                world.database.write(
                    lambda tx, serial=serial, action=action: one(
                        tx, action, serial, hold_kind="quality"
                    )
                )
                for action in (Action.HOLD, Action.UNBLOCK)
                for serial in ("L-1", "L-2")
            ),
        )

    asyncio.run(race())
    whole(world)


COOKED = {
    "a part that names another kit": "UPDATE unit SET kit_id = 'nobody' WHERE serial = 'L-1'",
    "a part whose membership vanished": "UPDATE kit_membership SET left_at = 1",
    "a part that is somewhere else": (
        "UPDATE unit SET location_id = (SELECT id FROM location WHERE code = 'SHOP') "
        "WHERE serial = 'L-1'"
    ),
    "a part that is for sale by itself": "UPDATE unit SET status = 'sold' WHERE serial = 'L-1'",
    "a kit that miscounts": "UPDATE unit SET members = 3 WHERE serial = 'CAM-1'",
}


@pytest.mark.req("R124")
@pytest.mark.parametrize("what", COOKED)
def test_a_kit_that_does_not_add_up_is_found_out(set_of_two: World, what: str) -> None:
    set_of_two.write(lambda tx: tx.run(COOKED[what]))
    found = set_of_two.read(conservation.check)
    assert Law.KIT in {breach.law for breach in found.breaches}


def test_a_unit_enters_a_kit_by_name_only(world: World) -> None:
    world.receive("L-1", sku="LENS")
    (verdict,) = world.do(Action.ENTER_KIT, "L-1", place="WH")
    assert verdict.code == "INVALID_INPUT"


@pytest.mark.req("R127")
def test_the_sale_of_a_set_is_registered_with_the_maker_of_each_component(world: World) -> None:
    maker = world.value("SELECT id FROM manufacturer WHERE code = 'BOLT'")
    world.channel("bolt", "warranty_rest", capabilities=["register_warranty"])
    world.write(lambda tx: tx.run("UPDATE channel SET manufacturer_id = :m", m=maker))
    world.receive("CAM-1")
    world.receive("S-1", sku="SAW")
    assemble(world, "CAM-1", "S-1")
    world.do(Action.SELL, "CAM-1")
    (fact,) = world.rows("SELECT topic, subject FROM outbox")
    assert (fact["topic"], fact["subject"]) == ("registration", world.unit("S-1")["id"])
