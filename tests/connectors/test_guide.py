"""The guide for connector authors names everything that an author has to know."""

import re
from pathlib import Path

from connectors import errors
from connectors.contract import CAPABILITIES
from connectors.testing.simulator_driver import SimulatorDriver

GUIDE = (Path(__file__).parents[2] / "docs/connectors/writing.md").read_text()
CODE = set(re.findall(r"`([A-Za-z_.]+)", GUIDE))


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_every_capability_is_named_with_what_is_to_be_written() -> None:
    for capability in CAPABILITIES:
        assert capability.__name__ in CODE
        wanted: frozenset[str] = getattr(capability, "__abstractmethods__", frozenset())
        assert wanted, capability
        assert wanted <= CODE, f"{capability.__name__}: {wanted - CODE}"


def test_every_method_and_fact_of_a_driver_is_named() -> None:
    assert public(SimulatorDriver) - {"key"} <= CODE


def test_every_flag_of_the_contract_is_named() -> None:
    flags = {
        name
        for capability in CAPABILITIES
        for name, value in vars(capability).items()
        if isinstance(value, bool)
    }
    assert flags <= CODE
    assert len(flags) == 19, "the guide speaks of nineteen"


def test_every_error_is_named_with_what_happens_next() -> None:
    six = {
        name
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, errors.ConnectorError)
    }
    assert {name for name in six if f"| `{name}` |" in GUIDE} == six - {"ConnectorError"}
