"""Amounts are the decimals that the remote wrote, and None where it wrote none."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.toolkit.amounts import (
    amount,
    currency_code,
    decimal_of,
    from_minor,
    listed,
    per_unit,
    promised_time,
    scaled,
    total,
)


@pytest.mark.parametrize("written", ["0.1", "0.3", "19.99", "1e-05", "1234567.89", "0", "-0.07"])
def test_a_json_number_is_what_the_remote_wrote(written: str) -> None:
    assert decimal_of(json.loads(written)) == Decimal(written)
    assert decimal_of(written) == Decimal(written)


def test_amounts_are_written_out_in_full() -> None:
    assert str(decimal_of("1E+3")) == "1000"
    assert str(decimal_of(0.00001)) == "0.00001"
    assert str(decimal_of("0.10")) == "0.10"
    assert str(decimal_of("-0.0")) == "0.0"


@pytest.mark.parametrize(
    "value",
    [None, "", " ", "free", "1,50", "1.2.3", True, {}, [], "NaN", "Infinity", float("nan"),
     float("inf"), "1e999999999", "1e-999999999", "9" * 40, "٣", "0x10", "1_000"],
)  # fmt: skip
def test_what_is_no_amount_is_none(value: Any) -> None:
    assert decimal_of(value) is None
    assert from_minor(value, "EUR") is None


@pytest.mark.parametrize(
    ("units", "currency", "written"),
    [
        (10, "EUR", "0.10"),
        (10, "JPY", "10"),
        (10, "KWD", "0.010"),
        (10, "CLF", "0.0010"),
        (-250, "USD", "-2.50"),
        ("199", "GBP", "1.99"),
    ],
)
def test_smallest_units_follow_the_currency(units: Any, currency: str, written: str) -> None:
    assert str(from_minor(units, currency)) == written


def test_half_a_smallest_unit_or_no_currency_is_no_amount() -> None:
    assert from_minor(10.5, "EUR") is None
    assert from_minor(10, None) is None
    assert scaled(Decimal(1000), 3) == 1
    assert scaled(Decimal(1000), -1) is None


@pytest.mark.parametrize(
    ("line", "quantity", "unit"),
    [("0.30", 3, "0.10"), ("10.00", 3, "3.333333"), ("0.01", 4, "0.0025"), ("100", 8, "12.5")],
)
def test_the_price_of_one_unit(line: str, quantity: int, unit: str) -> None:
    assert str(per_unit(Decimal(line), quantity)) == unit
    assert per_unit(Decimal(line), 0) is None
    assert per_unit(None, quantity) is None


def test_paths_end_where_something_else_stands() -> None:
    record = {"money": {"amount": "1.10", "currency": "eur"}, "list": [{"a": 1}, 2], "text": "x"}
    assert amount(record, "money", "amount") == Decimal("1.10")
    assert currency_code(record, "money", "currency") == "EUR"
    for path in (("money",), ("text", "amount"), ("list", "amount"), ("gone", "amount")):
        assert amount(record, *path) is None
        assert currency_code(record, *path) is None
    assert listed(record, "list") == [{"a": 1}]
    assert listed(record, "text") == listed(record, "gone", "deep") == []


def test_sums_leave_out_what_is_not_known() -> None:
    assert total((Decimal("0.1"), None, Decimal("0.2"))) == Decimal("0.3")
    assert total((None, None)) is None


def test_a_promised_day_ends_with_its_last_second() -> None:
    record = {"at": "2026-01-31T10:00:00+01:00", "day": "2026-01-31", "bad": "soon", "n": 5}
    assert promised_time(record, "at") == datetime(2026, 1, 31, 9, tzinfo=UTC)
    assert promised_time(record, "day") == datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    for name in ("bad", "n", "gone"):
        assert promised_time(record, name) is None
