"""The import contracts of pyproject.toml hold, and each one breaks when it is violated."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
# Where to plant which import, and the contract that it must break.
VIOLATIONS = {
    "layers": ("hub/clock.py", "import connectors.errors"),
    "hub-is-sql-only": ("hub/orders/lines.py", "import httpx"),
    "connectors-know-the-vocabulary": ("connectors/square/mapping.py", "from hub import cases"),
    "connectors-keep-no-state": ("connectors/ebay/auth.py", "import sqlalchemy"),
    "simulators-serve-http": ("connectors/walmart/stock.py", "import starlette.requests"),
    "connectors-are-independent": (
        "connectors/square/mapping.py",
        "from connectors.amazon.mapping import money",
    ),
    "one-scheduler": ("jobs/maintenance/sweep.py", "import apscheduler"),
    "no-cycles": ("hub/catalogue/__init__.py", "import hub.ledger.units"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    run = "from importlinter.cli import lint_imports_command as c; c()"
    return subprocess.run(
        [sys.executable, "-c", run, "--no-cache", "--no-logo"],
        cwd=tree,
        env={"PYTHONPATH": f"{tree}:{tree / 'graphql'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the packages, so that a violation can be planted."""
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("serial_hub", "hub", "connectors", "jobs", "graphql"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_has_a_planted_violation_and_ignores_nothing() -> None:
    assert {each["id"] for each in CONTRACTS["contracts"]} == set(VIOLATIONS)
    assert [each["id"] for each in CONTRACTS["contracts"] if "ignore_imports" in each] == []


def test_the_vocabulary_is_all_that_connectors_see_of_hub() -> None:
    """A new module of hub is named in the contract, so that it is protected from its first day."""
    (contract,) = (
        each for each in CONTRACTS["contracts"] if each["id"] == "connectors-know-the-vocabulary"
    )
    modules = {f"hub.{each.stem}" for each in (ROOT / "hub").glob("*.py")}
    packages = {f"hub.{each.parent.name}" for each in (ROOT / "hub").glob("*/__init__.py")}
    protected = (modules | packages) - {"hub.__init__", "hub.vocabulary"}
    assert set(contract["protected_modules"]) == protected


def test_every_connector_is_in_the_contract_of_independence() -> None:
    (contract,) = (
        each for each in CONTRACTS["contracts"] if each["id"] == "connectors-are-independent"
    )
    packages = {each.parent.name for each in (ROOT / "connectors").glob("*/__init__.py")}
    shared = {"toolkit", "testing", "template"}
    assert set(contract["modules"]) == {f"connectors.{each}" for each in packages - shared}


def test_the_contracts_hold(copy: Path) -> None:
    checked = lint(copy)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_planted_violation_breaks_its_contract(copy: Path, contract: str) -> None:
    file, violation = VIOLATIONS[contract]
    planted = copy / file
    planted.write_text(f"{planted.read_text()}\n\n{violation}\n")
    (name,) = (each["name"] for each in CONTRACTS["contracts"] if each["id"] == contract)
    checked = lint(copy)
    assert checked.returncode == 1, checked.stdout
    assert f"{name} BROKEN" in checked.stdout
