"""Hold what a connector sends against the official contract of its channel, under pytest.

The contracts are not part of this repository: `Contract.at` skips a test that finds none, and says
how to bring them.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from connectors.testing import official_contracts

SHARED = Path(__file__).parents[1].parent / "shared"
SPECS = Path(os.environ.get("SERIAL_HUB_SPECS", SHARED / "specs"))
EXAMPLES = SPECS.parent / "examples"
HOW = "set SERIAL_HUB_SPECS to the folder that holds the channels' official contracts"


def example(*parts: str) -> Any:
    """Read an official example, or skip the test that wants it."""
    path = EXAMPLES.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no examples at {path}: {HOW}")
    return json.loads(path.read_text())


class Contract(official_contracts.Contract):
    """One OpenAPI 3 file. `checked` names the operations that were held against it."""

    @classmethod
    def at(cls, *parts: str) -> "Contract":
        """Read a contract, or skip the test that wants it."""
        path = SPECS.joinpath(*parts)
        if not path.exists():
            pytest.skip(f"no contract at {path}: {HOW}")
        return cls(json.loads(path.read_text()))
