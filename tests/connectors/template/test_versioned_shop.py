"""How much an author writes: a connector and its twin that pass the kit, and how long they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from connectors.testing import ConnectorSuite

from .versioned_connector import Versioned
from .versioned_twin import VersionedDriver, VersionedTwin

HERE = Path(__file__).parent
CONNECTOR_LINES_MAX, TWIN_LINES_MAX = 200, 120


class TestVersioned(ConnectorSuite):
    connector = Versioned
    driver = VersionedDriver
    settings = VersionedTwin().settings("https://shop.test")
    level_remote: ClassVar[Mapping[str, str]] = {"entry_id": "1"}
    empty_page: ClassVar[Mapping[str, Any]] = {"results": [], "total": 0, "access_token": "t"}


def lines_of(name: str) -> int:
    """Count lines of code: neither empty ones nor comments and docstrings."""
    text = (HERE / name).read_text()
    documented = text.split('"""')[::2]  # what stands between the quotes is documentation
    lines = [line.strip() for part in documented for line in part.splitlines()]
    return sum(bool(line) and not line.startswith("#") for line in lines)


def test_a_connector_and_its_twin_are_short() -> None:
    assert lines_of("versioned_connector.py") < CONNECTOR_LINES_MAX
    assert lines_of("versioned_twin.py") < TWIN_LINES_MAX
