"""What breaks clients of a released schema is named; what was deprecated there may go."""

from pathlib import Path

import pytest

from hub_api.schema import schema
from hub_api.schema_changes import breaking_changes
from serial_hub.cli import print_schema

RELEASED = """
type Query {
  unit(identifier: String!, sku: String): Unit
  oldUnit: OldUnit @deprecated(reason: "Ask unit.")
}
type OldUnit { serial: String! }
type Unit {
  serial: String!
  grade: String @deprecated(reason: "Ask condition.")
  status: Status!
}
enum Status { IN_STOCK SOLD LEGACY @deprecated(reason: "Never was.") }
"""


def test_what_was_deprecated_may_go_and_what_only_it_led_to() -> None:
    current = """
    type Query { unit(identifier: String!, sku: String): Unit }
    type Unit { serial: String! status: Status! condition: String }
    enum Status { IN_STOCK SOLD }
    """
    assert breaking_changes(RELEASED, current) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("serial: String!\n  grade", "number: String!\n  grade", "Field Unit.serial was removed."),
        (", sku: String", "", "Argument Query.unit(sku:) was removed."),
        (", sku: String", ", sku: String!", "changed type from String to String!"),
        ("IN_STOCK SOLD", "SOLD", "Enum value Status.IN_STOCK was removed."),
        ("status: Status!", "status: String!", "changed type from Status! to String!"),
        ("sku: String)", "sku: String, site: String!)", "required argument Query.unit(site:)"),
    ],
)
def test_any_other_breaking_change_is_named(before: str, after: str, said: str) -> None:
    changes = breaking_changes(RELEASED, RELEASED.replace(before, after, 1))

    assert any(said in each for each in changes), changes


def test_the_command_names_what_breaks_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released = tmp_path / "released.graphql"
    released.write_text(schema.as_str())
    print_schema(public=False, check=str(released))
    assert capsys.readouterr().out == ""

    released.write_text(schema.as_str().replace("  reconcile(", "  reconcileOnce(", 1))
    with pytest.raises(SystemExit, match="1"):
        print_schema(public=False, check=str(released))
    assert "reconcileOnce" in capsys.readouterr().out
