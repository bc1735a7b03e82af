"""Two records of one unit are merged, and split again: by events, and true at every instant."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from api_client import Hub, play
from correcting import never
from hub import imports, kits
from hub.access.keys import Scope
from hub.capture import bulk, capture
from hub.capture.answers import CaptureCode, Purpose
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import CannotMerge, Refused, StepNotAllowed
from hub.history import as_of, corrections
from hub.history.corrections import Changes
from hub.history.replay import Declaration
from hub.ledger import hash_chain
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.proof import checkpoints, conservation
from hub.proof.checkpoints import Signer
from hub.recalls import Resolution
from hub.sync import bindings, listings
from hub.unit_records import costs, further_identifiers, licenses, merging
from hub.unit_records.licenses import License
from recalling import caught, open_recall, resolve
from world import NOON, World

HOUR = timedelta(hours=1)
IMEI = "490154203237518"
RESULT = """__typename
  ... on CommandResult { replayed results { accepted identifier unitId status version } }
  ... on CannotMerge { code message reasons otherWay }
  ... on Problem { code message }"""
MERGE = f"""mutation($key: String!, $keep: UnitInput!, $absorb: UnitInput!,
  $reason: String! = "two labels") {{ done: mergeUnits(idempotencyKey: $key, keep: $keep,
    absorb: $absorb, reason: $reason) {{ {RESULT} }} }}"""
SPLIT = f"""mutation($key: String!, $unit: UnitInput!, $other: OtherUnitInput,
  $reason: String! = "two units") {{ done: splitUnit(idempotencyKey: $key, unit: $unit,
    other: $other, reason: $reason) {{ {RESULT} }} }}"""


def merge(world: World, keep: str = "SN-1", absorb: str = "SN-2", **more: Any) -> None:
    context = world.context(reason="two labels", **more)
    world.write(lambda tx: merging.merge(Work(tx, context, new_id()), Scan(keep), Scan(absorb)))


def split(world: World, identifier: str = "SN-2") -> None:
    context = world.context(reason="two units")
    world.write(lambda tx: merging.split(Work(tx, context, new_id()), Scan(identifier)))


def whole(world: World) -> None:
    balance = world.read(conservation.check)
    assert balance.holds, balance.breaches
    assert world.read(hash_chain.verify).breaks == ()


def counted(world: World, hours: float, **more: Any) -> int:
    """Count the units of an instant by its trial balance, which has to add up."""
    at = NOON + hours * HOUR
    found = world.read(partial(as_of.trial_balance, at=at, **more))
    assert found.adds_up
    place = world.read(partial(as_of.stock_as_of, location="WH", at=at, first=50, **more))
    assert len(place) == found.existed
    return found.existed


def value(world: World, hours: float) -> tuple[int, int, int]:
    """Return units, units without an acquisition, and the amount of an instant."""
    at = NOON + hours * HOUR
    found = world.read(partial(costs.valuation, at=at, by=costs.By.PRODUCT))
    return found.units, found.uncosted, sum(each.amount for each in found.lines)


def pay(world: World, serial: str, kind: costs.CostKind, amount: int) -> None:
    line = costs.Cost(Scan(serial), kind, amount, "EUR")
    world.write(lambda tx: costs.record(tx, world.context(), [line]))


def link(world: World, serial: str, scheme: str, text: str) -> None:
    world.write(
        lambda tx: further_identifiers.link(
            Work(tx, world.context(), new_id()), Scan(serial), scheme, text
        )
    )


def two(world: World) -> tuple[str, str]:
    """Receive two records, an hour before anything else; return their ids."""
    world.receive("SN-1")
    world.receive("SN-2", identifiers=(("imei", IMEI), ("asset", "A-2")))
    world.pass_time(hours=1)
    return world.unit("SN-1")["id"], world.unit("SN-2")["id"]


@pytest.mark.req("R36", "R39")
def test_two_records_of_one_unit_become_one_by_events(world: World) -> None:
    kept, absorbed = two(world)
    product = world.unit("SN-1")["product_id"]
    channel = world.channel()
    world.list_product(channel)
    wanted = "SELECT wanted_version FROM listing_level"
    before = world.value(wanted)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        given = {"key": "k-1", "keep": {"identifier": "SN-1"}, "absorb": {"identifier": IMEI}}
        done = (await ops.ask(MERGE, **given))["done"]
        assert [(each["unitId"], each["status"]) for each in done["results"]] == [
            (kept, "IN_STOCK"),
            (absorbed, "MERGED"),
        ]
        again = (await ops.ask(MERGE, **given))["done"]
        assert again == done | {"replayed": True}
        shown = await ops.ask(
            '{ unit(identifier: "sn2") { id serial identifiers { scheme } '
            "absorbed { id serial status allowedActions history { action } mergedInto { id } } } }"
        )
        unit = shown["unit"]
        assert (unit["id"], unit["serial"]) == (kept, "SN-1")
        assert [each["scheme"] for each in unit["identifiers"]] == ["imei", "asset"]
        (record,) = unit["absorbed"]
        assert (record["serial"], record["mergedInto"]["id"]) == ("SN-2", kept)
        assert record["allowedActions"] == []
        assert [each["action"] for each in record["history"]] == ["RECEIVE", "PUT_AWAY", "MERGE"]
        scanner = await hub.caller(Scope.SCANNER)
        answer = (await scanner.ask(MERGE, **given | {"key": "k-2"}))["done"]
        assert answer["code"] == "FORBIDDEN"

    play(world, story)
    assert world.value(wanted) > before
    assert (counted(world, 0.5), counted(world, 1.5)) == (2, 1)
    assert counted(world, 1.5, recorded_by=NOON) == 2
    assert world.read(
        partial(listings.available, channel=channel, product_ids=[product], now=world.now)
    ) == {product: 1}
    event = world.history("SN-1")[-1]
    assert (event["action"], event["reason"]) == ("absorb", "two labels")
    assert orjson.loads(event["details"])["absorbed"] == absorbed
    signer = Signer(world.vault)
    world.write(lambda tx: checkpoints.make(tx, signer, world.now))
    assert not world.read(lambda tx: checkpoints.verify(tx, {signer.public_key})).breaks
    whole(world)


NAMES = ("SN-2", "sn 2", IMEI, "A-2", "]C101040063813339312" + "1SN-2", "ID")


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_absorbed_record_leads_to_the_unit(world: World, name: str) -> None:
    kept, absorbed = two(world)
    merge(world)
    name = absorbed if name == "ID" else name
    assert world.unit(name)["id"] == kept
    found = world.read(partial(capture, readings=[name], purpose=Purpose.FIND))
    assert found.unit is not None
    assert (found.unit["id"], found.unit["serial"]) == (kept, "SN-1")
    (tag,) = world.read(partial(bulk.read_tags, reads=[name]))
    assert tag.unit is not None
    assert tag.unit["id"] == kept
    (verdict,) = world.do(Action.MOVE, name, place="WH-A1")
    assert (verdict.unit_id, verdict.accepted) == (kept, True)
    two_names = world.do(Action.COUNT, name, "SN-1")
    assert {each.unit_id for each in two_names} == {kept}
    assert world.do(Action.SELL, name)[0].accepted
    whole(world)


def test_its_names_are_received_imported_and_returned_as_those_of_the_unit(
    world: World, tmp_path: Path
) -> None:
    kept, _ = two(world)
    merge(world)
    assert world.receive("SN-2")[0].code == "DUPLICATE_SERIAL"
    said = world.read(partial(capture, readings=["SN-2"], purpose=Purpose.RECEIVE, product="CAM"))
    assert said.code is CaptureCode.DUPLICATE
    world.do(Action.RETURN_TO_SUPPLIER, "SN-2")
    path = tmp_path / "again.csv"
    path.write_text("serial,sku\nsn-2,CAM\nSN-1,CAM\n")
    run = imports.begin(world.database, world.context(), path, imports.Plan(location="WH"))
    run = imports.carry_out(world.database, world.context(), run)
    assert (run.accepted, run.refused) == (1, 1)  # the second row is the same unit
    assert (world.unit("SN-1")["id"], world.unit("SN-1")["status"]) == (kept, "in_stock")
    world.do(Action.SELL, "SN-1")
    assert world.do(Action.ACCEPT_RETURN, "SN-2", place="RETURNS")[0].unit_id == kept
    whole(world)


def test_a_split_makes_both_records_true_again_at_every_instant(world: World) -> None:
    kept, absorbed = two(world)
    world.do(Action.HOLD, "SN-2", hold_kind="quality", hold_reference="Q-7")
    merge(world)
    assert world.unit("SN-1")["blocks"] == 1
    world.pass_time(hours=1)
    world.do(Action.MOVE, "SN-2", place="WH-A1")  # of the unit, by either name
    assert counted(world, 1.5) == 1
    known = world.now
    world.pass_time(hours=1)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        wrong = (await ops.ask(SPLIT, key="k-1", unit={"identifier": "SN-1"}))["done"]
        assert wrong["code"] == "STEP_NOT_ALLOWED"
        done = (await ops.ask(SPLIT, key="k-2", unit={"identifier": "SN-2"}))["done"]
        assert [(each["unitId"], each["status"]) for each in done["results"]] == [
            (kept, "IN_STOCK"),
            (absorbed, "IN_STOCK"),
        ]

    play(world, story)
    assert (world.unit("SN-2")["id"], world.unit(IMEI)["id"]) == (absorbed, absorbed)
    assert (world.unit("SN-1")["id"], world.unit("SN-1")["location_code"]) == (kept, "WH-A1")
    assert (world.unit("SN-1")["blocks"], world.unit("SN-2")["blocks"]) == (0, 1)
    whole(world)
    balance = partial(as_of.trial_balance, at=NOON + 1.5 * HOUR)
    assert world.read(balance).existed == 2  # by what is known now
    assert world.read(partial(balance, recorded_by=known)).existed == 1
    assert world.read(partial(as_of.trial_balance, at=world.now)).existed == 2
    merge(world, "SN-2", "SN-1")  # the other way, after all
    assert world.unit("SN-1")["id"] == absorbed
    whole(world)


def test_what_the_kept_record_needs_since_stays_after_a_split(world: World) -> None:
    two(world)
    world.do(Action.HOLD, "SN-2", hold_kind="fraud")
    merge(world)
    world.do(Action.UNBLOCK, "SN-1", hold_kind="fraud")
    world.pass_time(hours=1)
    world.do(Action.HOLD, "SN-1", hold_kind="fraud")
    world.write(
        lambda tx: further_identifiers.retire(
            Work(tx, world.context(), new_id()), Scan("SN-1"), "asset", "A-2"
        )
    )
    split(world)
    assert (world.unit("SN-1")["blocks"], world.unit("SN-2")["blocks"]) == (1, 1)
    assert world.unit(IMEI)["serial"] == "SN-2"
    with pytest.raises(Refused):
        world.unit("A-2")
    whole(world)


def test_one_unit_was_bought_once(world: World) -> None:
    two(world)
    pay(world, "SN-1", costs.CostKind.ACQUISITION, 100)
    pay(world, "SN-2", costs.CostKind.ACQUISITION, 90)
    pay(world, "SN-2", costs.CostKind.FREIGHT, 7)
    world.pass_time(hours=1)
    merge(world)
    assert value(world, 1.5) == (2, 0, 197)
    assert value(world, 2.5) == (1, 0, 107)
    # What ends with the record is what the unit does not bear.
    events = world.read(partial(costs.booked_after, transaction_id=0, seq=0, limit=50))
    assert events[-1]["action"] == "merge"
    assert events[-1]["costs"] == {"EUR": 90}
    # The acquisition that was wrong is reversed: that of the other record counts.
    line = world.value("SELECT id FROM unit_cost WHERE amount = 100")
    world.write(lambda tx: costs.reverse(tx, world.context(), line))
    assert value(world, 2.5) == (1, 0, 97)
    split(world)
    assert value(world, 2.5) == (2, 1, 97)
    whole(world)


def test_an_announced_unit_that_came_under_another_name(world: World) -> None:
    world.receive("SN-1")
    world.receive("SN-2")
    world.do(Action.LOSE, "SN-2")
    with pytest.raises(CannotMerge) as refusal:
        merge(world, "SN-2", "SN-1")  # the unit is where the other record is
    assert refusal.value.details == {"reasons": ["status"], "other_way": True}
    merge(world)
    assert counted(world, 1) == 1
    whole(world)


def promised(world: World) -> None:
    world.do(Action.ALLOCATE, "SN-2", hold_reference="cart")


def sold(world: World) -> None:
    world.do(Action.SELL, "SN-2")


def listed(world: World) -> None:
    channel = world.channel()
    unit = world.unit("SN-2")
    world.write(
        lambda tx: bindings.bind(
            tx, channel["id"], unit["product_id"], "ONE", {}, world.now, unit_id=unit["id"]
        )
    )


def stolen(world: World) -> None:
    world.do(Action.REPORT_STOLEN, "SN-2")


def licensed(world: World) -> None:
    given = License(reference="K-1", provider="Soft")
    world.write(lambda tx: licenses.link(Work(tx, world.context(), new_id()), Scan("SN-2"), given))


def in_a_kit(world: World) -> None:
    world.receive("BODY", sku="SAW")
    parts = [kits.Part(Scan("SN-2"))]
    world.write(lambda tx: kits.assemble(Work(tx, world.context(), new_id()), Scan("BODY"), parts))


def absorbing(world: World) -> None:
    world.receive("SN-3")
    merge(world, "SN-2", "SN-3")


@pytest.mark.parametrize(
    ("tie", "reasons"),
    [
        (promised, ["promise"]),
        (sold, ["sale"]),
        (listed, ["listing"]),
        (stolen, ["status"]),
        (licensed, ["entitlement"]),
        (in_a_kit, ["kit"]),
        (absorbing, ["merged"]),
    ],
)
def test_a_record_that_something_depends_on_does_not_end(
    world: World, tie: Callable[[World], None], reasons: list[str]
) -> None:
    world.receive("SN-1", "SN-2")
    tie(world)
    events = world.value("SELECT COUNT(*) FROM event")

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        given = {"keep": {"identifier": "SN-1"}, "absorb": {"identifier": "SN-2"}}
        answer = (await ops.ask(MERGE, key="k-1", **given))["done"]
        assert (answer["code"], answer["reasons"]) == (
            "CANNOT_MERGE",
            [each.upper() for each in reasons],
        )
        assert answer["otherWay"] is (tie is not stolen)
        assert world.value("SELECT COUNT(*) FROM event") == events
        if answer["otherWay"]:
            exchanged = {"keep": given["absorb"], "absorb": given["keep"]}
            assert (await ops.ask(MERGE, key="k-1", **exchanged))["done"]["results"]

    play(world, story)
    whole(world)


def test_two_units_are_not_one(world: World) -> None:
    world.client("KEPT")
    world.receive("SN-1")
    world.receive("SN-2", sku="LENS", client="KEPT")
    for serial in ("SN-1", "SN-2"):
        world.do(Action.ALLOCATE, serial, hold_reference="cart")
    with pytest.raises(CannotMerge) as refusal:
        merge(world)
    assert refusal.value.details == {"reasons": ["product", "owner", "promise"], "other_way": False}
    with pytest.raises(Refused, match="one record already"):
        merge(world, "SN-1", "sn1")
    whole(world)


def test_a_recall_by_the_name_of_an_absorbed_record_catches_the_unit(world: World) -> None:
    two(world)
    open_recall(world, serials=["SN-2"])
    merge(world)
    assert caught(world) == ["SN-1", "SN-2"]
    assert (
        world.value("SELECT resolution FROM recall_unit WHERE resolution IS NOT NULL") == "merged"
    )
    assert world.unit("SN-2")["blocks"] == 1
    open_recall(world, "R-2", serials=["SN-2"])
    assert caught(world, "R-2") == ["SN-1"]
    assert resolve(world, Resolution.MERGED, "SN-1")[0].code == "STEP_NOT_ALLOWED"
    whole(world)
    split(world)
    assert (world.unit("SN-1")["blocks"], world.unit("SN-2")["blocks"]) == (0, 1)
    assert caught(world, "R-2") == ["SN-1", "SN-2"]  # one was cleared
    open_ones = "SELECT unit_id FROM recall_unit WHERE resolution IS NULL"
    assert {row["unit_id"] for row in world.rows(open_ones)} == {world.unit("SN-2")["id"]}
    whole(world)


def test_a_merge_is_undone_by_a_split_only_and_early_events_can_be_corrected(world: World) -> None:
    two(world)
    merge(world)
    with pytest.raises(StepNotAllowed, match="split the unit"):
        never(world, "SN-1", 3)
    merged = (
        "SELECT event.id FROM event JOIN unit ON unit.id = unit_id WHERE unit.status = 'merged'"
    )
    event = world.value(f"{merged} AND event.version = 2")
    wrong_place = Changes(location="WH-A1")
    context = world.context(reason="another bin")
    world.write(
        lambda tx: corrections.correct(
            Work(tx, context, new_id()),
            event,
            reason=Declaration.INCORRECT_DATA,
            changes=wrong_place,
        )
    )
    whole(world)
    split(world)
    assert world.unit("SN-2")["location_code"] == "WH-A1"
    whole(world)


@pytest.mark.parametrize("action", ["merge", "absorb"])
def test_a_merge_that_was_split_is_brought_back_by_no_correction(world: World, action: str) -> None:
    two(world)
    merge(world)
    earlier = Changes(occurred_at=world.now - timedelta(minutes=1))
    with pytest.raises(StepNotAllowed, match="two records"):
        correct(world, action, changes=earlier)
    split(world)
    for changes in (Changes(), Changes(reason="after all")):
        with pytest.raises(StepNotAllowed, match="declared not to have occurred"):
            correct(world, action, changes=changes)
    assert world.unit("SN-2")["serial"] == "SN-2"
    whole(world)


def correct(world: World, action: str, changes: Changes) -> None:
    event = world.value("SELECT id FROM event WHERE action = :action", action=action)
    context = world.context(reason="x")
    reason = Declaration.INCORRECT_DATA
    world.write(
        lambda tx: corrections.correct(
            Work(tx, context, new_id()), event, reason=reason, changes=changes
        )
    )


def test_an_exact_serial_leads_to_its_own_unit(world: World) -> None:
    world.receive("SN-1", "SN-2")
    merge(world)
    world.receive("SN-2", sku="SAW")
    assert world.read(partial(capture, readings=["SN-2"], purpose=Purpose.FIND)).unit is None
    assert world.do(Action.COUNT, Scan("SN-2", "CAM"))[0].unit_id == world.unit("SN-1")["id"]
    assert world.do(Action.COUNT, Scan("SN-2", "SAW"))[0].accepted
    whole(world)


def test_the_unit_takes_no_serial_that_is_its_absorbed_record_s(world: World) -> None:
    two(world)
    merge(world)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        answer = await ops.ask(
            'mutation { done: correctIdentity(idempotencyKey: "k", unit: { identifier: "SN-1" }, '
            'serial: "SN-2", reason: "x") { ... on CommandResult { results { problem { code } } } '
            "} }"
        )
        assert answer["done"]["results"][0]["problem"]["code"] == "DUPLICATE_SERIAL"

    play(world, story)
    whole(world)


def test_a_wrong_further_name_gets_a_unit_of_its_own(world: World) -> None:
    world.receive("SN-1", identifiers=(("imei", IMEI),))
    first = world.unit("SN-1")["id"]
    other = {"scheme": "imei", "value": IMEI, "serial": "SN-9", "location": "SHOP"}

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        for change, code in (
            ({"value": "A-1", "scheme": "asset"}, "UNKNOWN_REFERENCE"),
            ({"serial": "SN-1"}, "DUPLICATE_SERIAL"),
            ({"location": "NOWHERE"}, "UNKNOWN_REFERENCE"),
        ):
            unit = {"identifier": "SN-1"}
            done = (await ops.ask(SPLIT, key="k-1", unit=unit, other=other | change))["done"]
            assert done["code"] == code, done
        assert world.unit(IMEI)["id"] == first
        done = (await ops.ask(SPLIT, key="k-1", unit={"identifier": IMEI}, other=other))["done"]
        assert [each["status"] for each in done["results"]] == ["IN_STOCK", "RECEIVED"]

    play(world, story)
    assert world.unit(IMEI)["serial"] == "SN-9"
    assert orjson.loads(world.history("SN-9")[-1]["details"])["split_from"] == first
    whole(world)
    merge(world, "SN-1", "SN-9")  # and back
    assert world.unit(IMEI)["id"] == first
    whole(world)
