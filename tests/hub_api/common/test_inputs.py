"""The converter of inputs that come in masses gives what Strawberry's own gives."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from strawberry.types.arguments import convert_argument

from hub_api.common.command_inputs import ArrivalInput, FactInput, IdentifierInput, UnitInput
from hub_api.schema import schema

QUICK = (UnitInput, ArrivalInput, IdentifierInput, FactInput)
TEXTS = st.none() | st.text(max_size=5)
UNITS = st.fixed_dictionaries(
    {"identifier": st.text(max_size=5)},
    optional={"sku": TEXTS, "expectedVersion": st.none() | st.integers()},
)
ARRIVALS = st.fixed_dictionaries(
    {"serial": st.text(max_size=5)},
    optional={
        "product": st.text(max_size=5),
        "lot": TEXTS,
        "purchaseOrder": TEXTS,
        "identifiers": st.lists(
            st.fixed_dictionaries({"scheme": st.text(max_size=3), "value": st.text(max_size=3)})
        ),
        "history": st.lists(
            st.fixed_dictionaries({"what": st.text(max_size=3)}, optional={"reference": TEXTS})
        ),
    },
)


def by_strawberry(type_: Any, value: Any) -> Any:
    """Convert a value as Strawberry does where a class has no converter of its own."""
    converter, quick = schema.schema_converter, {}
    for each in QUICK:
        quick[each], each.__strawberry_definition__.from_input = (
            each.__strawberry_definition__.from_input,
            None,
        )
    try:
        return convert_argument(value, type_, converter.scalar_registry, converter.config)
    finally:
        for each, own in quick.items():
            each.__strawberry_definition__.from_input = own


def by_ours(type_: Any, value: Any) -> Any:
    converter = schema.schema_converter
    return convert_argument(value, type_, converter.scalar_registry, converter.config)


@given(UNITS)
def test_a_unit_is_the_same(value: dict[str, Any]) -> None:
    assert by_ours(UnitInput, value) == by_strawberry(UnitInput, value)


@given(ARRIVALS)
def test_an_arrival_is_the_same(value: dict[str, Any]) -> None:
    assert by_ours(ArrivalInput, value) == by_strawberry(ArrivalInput, value)


def test_lists_of_two_rows_are_two_lists() -> None:
    first, second = (by_ours(ArrivalInput, {"serial": serial}) for serial in "AB")
    assert first.identifiers == []
    assert first.identifiers is not second.identifiers
