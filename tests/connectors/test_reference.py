"""The reference of the connector contract in docs/ is the one that the code generates."""

import re
from pathlib import Path

import pytest

from connectors.testing.conformance import CASES
from connectors.testing.reference import reference
from connectors.testing.rows_page import rows_page

PAGE = Path(__file__).parents[2] / "docs/connectors/contract.md"


def test_the_committed_reference_equals_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run serial-hub connectors reference"


def test_the_committed_page_of_rows_equals_the_generated_one() -> None:
    page = PAGE.with_name("rows.md")
    assert page.read_text(encoding="utf-8") == rows_page(), "run serial-hub connectors rows"


def test_the_page_of_rows_has_every_row_and_what_it_asks() -> None:
    text = rows_page()
    assert [case.name for case in CASES if f"### `{case.name}`" not in text] == []
    entry = text.partition("### `packed-is-not-shipped`")[2].partition("###")[0]
    assert "- concerns: `PullOrders`" in entry
    assert "`pack_order`" in entry
    assert "`place_order_of`" in entry  # by a helper of the row
    held = text.partition("### `held-orders-are-held`")[2].partition("###")[0]
    assert "not where `states_holds` is empty" in held


@pytest.mark.parametrize(
    "name",
    [
        *("Remote", "RemoteApi", "IncrementalCursor", "KeysetPosition", "TimeWindow"),
        *("OAuth", "TokenAuth", "BearerTokenAuth", "HmacAuth", "RecordReader", "Page"),
        *("Simulator", "RecordTwin", "Records", "TwinDriver", "Door", "SimulatorDriver"),
        *("ConnectorSuite", "Harness", "PushedLevel", "ReceiveQueue"),
    ],
)
def test_every_public_name_of_an_author_has_its_entry(name: str) -> None:
    assert re.search(rf"#### class `{name}\b", reference())
