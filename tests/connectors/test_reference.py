"""The reference of the connector contract in docs/ is the one that the code generates."""

from pathlib import Path

from connectors.testing.reference import reference

PAGE = Path(__file__).parents[2] / "docs/connectors/contract.md"


def test_the_committed_reference_equals_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run serial-hub connectors reference"
