"""What a recall describes: exactly the units that fit, however their serials are written."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub import catalogue
from hub.clock import new_id
from hub.commands.work import Work
from hub.errors import InvalidInput, Refused, UnknownReference
from hub.inbound import receiving
from hub.inbound.receiving import Arrival
from hub.recalls import recall_predicates
from recalling import preview
from world import NOON, World


def arrive(world: World, *arrivals: Arrival) -> None:
    verdicts = world.write(
        lambda tx: receiving.receive(
            Work(tx, world.context(), new_id()),
            arrivals,
            catalogue.location(tx, "WH"),
            put_away=True,
        )
    )
    assert all(verdict.accepted for verdict in verdicts), verdicts


def fits(world: World, **predicate: Any) -> list[str]:
    def read(tx: Any) -> list[str]:
        checked = recall_predicates.parse(tx, predicate)
        assert recall_predicates.words(checked)
        # What was checked once is the same when it is read again.
        assert recall_predicates.parse(tx, checked) == checked
        found = recall_predicates.condition(checked)
        rows = tx.rows(f"SELECT serial FROM unit WHERE {found.sql} ORDER BY serial", **found.values)
        return [row["serial"] for row in rows]

    return world.read(read)


@pytest.mark.req("R111", "R122")
@pytest.mark.parametrize(
    ("first", "last", "fitting"),
    [
        ("SN-0099", "sn 0101", ["SN-0099", "SN-0100", "SN0101"]),  # padded: four digits
        ("SN-99", "SN-101", ["SN-100", "SN-99"]),  # not padded: of any length
        ("SN-7", "SN-7", ["SN-7"]),
        ("0100", "0101", ["0100"]),
    ],
)
def test_a_range_compares_the_number_at_the_end_of_serials(
    world: World, first: str, last: str, fitting: list[str]
) -> None:
    world.receive(
        "SN-0099", "SN-0100", "SN0101", "SN-0102", "SN-99", "SN-100", "SN-7", "SN-102", "0100",
        "SN-100A", "XSN-0100", "SN-00100", "SN-1000",
    )  # fmt: skip
    assert fits(world, ranges=[{"first": first, "last": last}]) == fitting


PRINTED = (
    "LT-2024-A4K7-9B2X", "LT-2025-A4K7-9B2W", "LT-2025-A4K7-9B2X", "LT-2025-A4K7-9B30",
    "LT-2025-B001-0000", "LT-2025-B001-0001", "LT-2025-A4K7-9B2X1", "TV-8K-2025-X4M9",
    "TV-8K-2025-X4N0", "LT 2025 A4K7 9B2Z", "LT-2025-A4K7-9B!Y",
)  # fmt: skip


@pytest.mark.parametrize(
    ("first", "last", "fitting"),
    [
        (
            "LT-2025-A4K7-9B2X",
            "LT-2025-B001-0000",
            ["LT 2025 A4K7 9B2Z", "LT-2025-A4K7-9B2X", "LT-2025-A4K7-9B30", "LT-2025-B001-0000"],
        ),
        ("LT-2025-A4K7-9B2X", "LT-2025-A4K7-9B2X", ["LT-2025-A4K7-9B2X"]),
        ("TV-8K-2025-X4M9", "TV-8K-2025-X4N0", ["TV-8K-2025-X4M9", "TV-8K-2025-X4N0"]),
        ("LT-2025-B001-0001", "LT-2025-B001-0001", ["LT-2025-B001-0001"]),
    ],
)
def test_a_range_of_digits_and_letters_counts_at_every_place(
    world: World, first: str, last: str, fitting: list[str]
) -> None:
    world.receive(*PRINTED)
    assert fits(world, ranges=[{"first": first, "last": last}]) == fitting


@pytest.mark.parametrize(
    ("first", "last", "fitting"),
    [
        ("RH-01", "RH-0100", ["RH-0099", "RH-01", "RH-0100", "RH-050", "RH-99"]),
        ("RH-0099", "RH-100", ["RH-0099", "RH-0100", "RH-100"]),
        ("RH-1", "RH-100", ["RH-1", "RH-100", "RH-99"]),
        ("RH-01", "RH-99", ["RH-01", "RH-99"]),
        ("RH-00", "RH-01", ["RH-00", "RH-01"]),
    ],
)
def test_a_maker_fills_up_its_numbers_as_it_likes(
    world: World, first: str, last: str, fitting: list[str]
) -> None:
    world.receive(
        "RH-00", "RH-01", "RH-1", "RH-050", "RH-99", "RH-0099", "RH-100", "RH-0100", "RH-101",
        "RH-999", "RH-0101", "RH-00100", "RI-50",
    )  # fmt: skip
    if first == "RH-01" and last == "RH-0100":
        fitting = sorted([*fitting, "RH-100"])
    assert fits(world, ranges=[{"first": first, "last": last}]) == sorted(fitting)


def test_letters_may_follow_nine_where_the_maker_counts_so(world: World) -> None:
    world.receive("9B19", "9B1A", "9B1Z", "9B20", "9B21", "9B22")
    ends = {"first": "9B19", "last": "9B21"}
    assert fits(world, ranges=[ends]) == ["9B19", "9B20", "9B21"]
    assert fits(world, ranges=[ends | {"letters": True}]) == [
        "9B19", "9B1A", "9B1Z", "9B20", "9B21",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("predicate", "fitting"),
    [
        ({"prefixes": ["lt-2025-a4", "TV"]},
         ["LT 2025 A4K7 9B2Z", "LT-2025-A4K7-9B!Y", "LT-2025-A4K7-9B2W", "LT-2025-A4K7-9B2X",
          "LT-2025-A4K7-9B2X1", "LT-2025-A4K7-9B30", "TV-8K-2025-X4M9", "TV-8K-2025-X4N0"]),
        ({"patterns": ["LT-####-@###-####"]}, ["LT-2025-B001-0000", "LT-2025-B001-0001"]),
        ({"patterns": ["lt-2025-????-9b2@"]},
         ["LT 2025 A4K7 9B2Z", "LT-2025-A4K7-9B2W", "LT-2025-A4K7-9B2X"]),
        ({"patterns": ["TV-#K*"]}, ["TV-8K-2025-X4M9", "TV-8K-2025-X4N0"]),
        ({"segments": [{"start": 3, "first": "2025", "last": "2026"},
                       {"start": 7, "first": "B", "last": "B"}]},
         ["LT-2025-B001-0000", "LT-2025-B001-0001"]),
        ({"prefixes": ["LT"], "segments": [{"start": 3, "first": "2023", "last": "2024"}]},
         ["LT-2024-A4K7-9B2X"]),
    ],
)  # fmt: skip
def test_serials_are_described_by_their_parts(
    world: World, predicate: dict[str, Any], fitting: list[str]
) -> None:
    world.receive(*PRINTED)
    assert fits(world, **predicate) == sorted(fitting)


LETTER = st.text(st.sampled_from("019AZ"), min_size=1, max_size=3)


@given(ends=st.tuples(LETTER, LETTER), serials=st.sets(LETTER, min_size=1, max_size=12))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.slow
def test_a_range_holds_what_lies_between_its_ends(
    world: World, ends: tuple[str, str], serials: set[str]
) -> None:
    first, last = sorted(f"X{each}" for each in ends)
    world.receive(*(f"X{each}" for each in serials))  # again, most of them: they are refused
    known = {row["serial"] for row in world.rows("SELECT serial FROM unit")}
    try:
        found = fits(world, ranges=[{"first": first, "last": last, "letters": True}])
    except InvalidInput:
        assert len(first) != len(last)
        return
    assert found == sorted(
        each for each in known if len(each) == len(first) and first <= each <= last
    )


@pytest.mark.req("R111", "R112", "R113", "R122")
def test_units_are_described_by_what_is_known_of_them(world: World) -> None:
    day = NOON.date()
    arrive(
        world,
        Arrival(serial="A-1", product="CAM", lot="L1", produced_on=day, supplier="S1"),
        Arrival(
            serial="A-2", product="CAM", lot="L2", produced_on=day - timedelta(days=9),
            purchase_order="PO-1", identifiers=(("imei", "490154203237518"),),
        ),
    )  # fmt: skip
    world.pass_time(days=1)
    arrive(world, Arrival(serial="B-1", product="SAW", lot="L1"))
    before = {"received_to": NOON.isoformat()}
    for predicate, expected in (
        ({"lots": ["L1"]}, ["A-1", "B-1"]),
        ({"lots": ["L1"], "products": ["CAM"]}, ["A-1"]),
        ({"manufacturer": "BOLT"}, ["B-1"]),
        ({"serials": ["a1", "b 1", "no-such"]}, ["A-1", "B-1"]),
        ({"serials": ["490154203237518"]}, ["A-2"]),
        ({"produced_from": str(day - timedelta(days=1)), "produced_to": str(day)}, ["A-1"]),
        (before, ["A-1", "A-2"]),
        ({"received_from": (NOON + timedelta(hours=1)).isoformat()}, ["B-1"]),
        ({"suppliers": ["S1"]}, ["A-1"]),
        ({"purchase_orders": ["PO-1"]}, ["A-2"]),
        ({"any": [{"lots": ["L2"]}, {"products": ["SAW"]}]}, ["A-2", "B-1"]),
        ({"all": [{"lots": ["L1"]}, before]}, ["A-1"]),
        ({"products": ["CAM"], "any": [{"lots": ["L1"]}, {"serials": ["B-1"]}]}, ["A-1"]),
    ):
        assert fits(world, **predicate) == expected, predicate


@pytest.mark.parametrize(
    "predicate",
    [
        {},
        {"colour": "red"},
        {"any": []},
        {"all": [{}]},
        {"lots": []},
        {"lots": "L1"},
        {"lots": [7]},
        {"serials": [" "]},
        {"ranges": [{"first": "A-1"}]},
        {"ranges": [{"first": "A-1", "last": "B-22"}]},
        {"ranges": [{"first": "A-1", "last": "Ä-2"}]},
        {"ranges": [{"first": "B-2", "last": "A-1"}]},
        {"ranges": [{"first": "A-0", "last": "A-00"}, {"first": "A-00", "last": "A-0"}]},
        {"ranges": [{"first": "A-1", "last": "A-2", "letter": True}]},
        {"prefixes": []},
        {"prefixes": [" "]},
        {"patterns": ["*"]},
        {"patterns": ["##??"]},
        {"patterns": ["A*B"]},
        {"segments": [{"start": 0, "first": "1", "last": "2"}]},
        {"segments": [{"start": 1, "first": "1", "last": "22"}]},
        {"segments": [{"start": 1, "first": "2", "last": "1"}]},
        {"segments": [{"start": True, "first": "1", "last": "2"}]},
        {"ranges": [{"first": "A-9", "last": "A-1"}]},
        {"ranges": [{"first": "A-X", "last": "A-ZZ"}]},
        {"produced_from": "yesterday"},
        {"produced_from": "2026-02-01", "produced_to": "2026-01-01"},
        {"received_from": "2026-02-01T00:00:00"},
        {"deliveries": [{"ref": "1"}]},
        {"products": ["NONE"]},
        {"manufacturer": "NONE"},
        {"deliveries": [{"supplier": "X", "ref": "1"}]},
        {"component": {"products": ["NONE"]}},
        {"component": {"component": {"component": {"component": {"lots": ["1"]}}}}},
        {"any": [{"lots": ["1"]}] * 40},
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_written(
    world: World, predicate: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refusal:
        preview(world, **predicate)
    assert isinstance(refusal.value, InvalidInput | UnknownReference)


def test_the_products_that_can_be_meant_are_known() -> None:
    skus = recall_predicates.skus
    assert skus({"lots": ["1"]}) is None
    assert skus({"products": ["A", "B"], "all": [{"products": ["B", "C"]}]}) == {"B"}
    assert skus({"any": [{"products": ["A"]}, {"products": ["B"]}]}) == {"A", "B"}
    assert skus({"any": [{"products": ["A"]}, {"lots": ["1"]}]}) is None
