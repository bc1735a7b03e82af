"""The scorecard reports every installed connector what holds, what fails, and what it has not."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from connectors import PushedLevel, registry
from connectors.medusa.connector import Medusa
from connectors.medusa.driver import MedusaDriver
from connectors.registry import installed
from connectors.testing import scorecard
from connectors.testing.conformance import CASES
from connectors.testing.scorecard import (
    ANSWERS,
    OFFICIAL,
    OFFICIAL_ROWS,
    Card,
    Column,
    Result,
    Verdict,
    as_markdown,
    driver_of,
    score,
    score_one,
)
from contracts import HOW, SPECS
from hub.vocabulary import StockLevel
from serial_hub.cli import main

OFFICIAL_NAMES = [name for name, _ in OFFICIAL_ROWS]
# So many requests of each were once held against official contracts: never fewer.
HELD_MIN = {
    "lightspeed": 555,
    "shopify": 538,
    "square": 279,
    "bigcommerce": 259,
    "vendure": 235,
    "medusa": 206,
    "ebay": 141,
    "epcis": 85,
    "amazon": 54,
    "saleor": 17,
}


class WritesOver(Medusa):
    """Never compares: what somebody sold meanwhile is returned."""

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        return await super().push_stock([replace(each, expected=None) for each in levels])


class FallsOver(Medusa):
    """Has a bug."""

    async def pull_orders(self, cursor: str) -> Any:
        raise KeyError("orders")


def column(**results: Verdict) -> Column:
    made = Column("medusa")
    for name in (*(case.name for case in CASES), *OFFICIAL_NAMES):
        verdict = results.get(name.replace("-", "_"), Verdict.PASS)
        made.add(Result(name, verdict, "because" if verdict is not Verdict.PASS else ""))
    return made


def failed(made: Column) -> set[str]:
    return {name for name, each in made.results.items() if each.verdict is Verdict.FAIL}


def test_a_connector_without_a_driver_is_not_said_to_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorecard, "entry_points", lambda **_: EntryPoints(()))
    (made,) = score(["medusa"]).columns
    assert made.count(Verdict.NOT_RUN) == len(CASES) + 2
    assert "serial_hub.drivers" in made.results["check-passes"].detail
    assert "| not run (1) |" in as_markdown(Card((made,)))


@pytest.mark.slow
@pytest.mark.parametrize("key", sorted(installed()))
def test_every_connector_passes_every_row_that_concerns_it(key: str) -> None:
    driver = driver_of(key)
    if driver is None:
        pytest.skip(f"{key} has no driver: it is not scored")
    (made,) = score([key], SPECS if SPECS.exists() else None).columns
    assert failed(made) == set(), made.results
    assert made.count(Verdict.PASS) >= 10
    for result in made.results.values():
        assert result.verdict is Verdict.PASS or result.detail, f"{result.case} gives no reason"
    may_send = made.results[OFFICIAL]
    if driver.official and not SPECS.exists():
        pytest.skip(f"all but the official contract: none at {SPECS}: {HOW}")
    wanted = Verdict.PASS if driver.official else Verdict.NOT_APPLICABLE
    assert may_send.verdict is wanted, may_send.detail
    assert made.results[ANSWERS].verdict is wanted, made.results[ANSWERS].detail
    if driver.official:
        requests, operations = map(int, re.findall(r"\d+", may_send.detail)[:2])
        assert requests >= HELD_MIN.get(key, 0)
        assert operations >= (10 if key == "walmart" else 1)


def test_a_connector_that_writes_over_a_sale_fails_the_rows_about_it_and_no_other() -> None:
    made = score_one(WritesOver, MedusaDriver)
    assert failed(made) == {"foreign-edits-are-seen", "a-repeated-push-undoes-nothing"}
    assert "None, not Conflict" in made.results["foreign-edits-are-seen"].detail
    assert not Card((made,)).passed


def test_a_bug_of_a_connector_is_a_row_that_it_fails() -> None:
    made = score_one(FallsOver, MedusaDriver)
    assert made.results["same-cursor-twice"].detail == "KeyError('orders')"
    assert "quantities-are-set" not in failed(made)


def test_a_package_that_can_not_be_loaded_fails_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = EntryPoints(
        EntryPoint(name, value, registry.GROUP)
        for name, value in (
            ("broken", "no.such:Thing"),
            ("medusa", "connectors.medusa.connector:Medusa"),
        )
    )
    monkeypatch.setattr(registry, "entry_points", lambda group: points.select(group=group))
    broken, sound = score().columns
    assert broken.count(Verdict.FAIL) == len(CASES) + 2
    assert "ModuleNotFoundError" in broken.results["check-passes"].detail
    assert failed(sound) == set()


def test_a_contract_that_is_not_there_is_told(tmp_path: Path) -> None:
    (elsewhere,) = score(["medusa"], tmp_path).columns
    assert elsewhere.results[OFFICIAL].verdict is Verdict.NOT_RUN
    assert "medusa-admin-v2-trimmed.json is not there" in elsewhere.results[OFFICIAL].detail


def test_a_request_that_breaks_the_contract_fails_the_card(tmp_path: Path) -> None:
    (tmp_path / "medusa").mkdir()
    nothing = {"paths": {"/admin/orders": {"get": {"operationId": "GetOrders"}}}}
    (tmp_path / "medusa" / "medusa-admin-v2-trimmed.json").write_text(json.dumps(nothing))
    may_send = score_one(Medusa, MedusaDriver, tmp_path).results[OFFICIAL]
    assert may_send.verdict is Verdict.FAIL
    assert "not in the contract" in may_send.detail


def test_the_table_gives_a_reason_for_everything_that_is_no_pass() -> None:
    text = as_markdown(
        Card((column(check_passes=Verdict.FAIL, plain_key=Verdict.NOT_APPLICABLE), column()))
    )
    assert "| `check-passes` | **FAIL** (1) | pass |" in text
    assert "| `plain-key` | n/a (1) | pass |" in text
    assert "1. because" in text
    for case in CASES:
        assert f"- `{case.name}`: {case.promise}" in text


def test_the_command_writes_json_and_ends_with_1_where_a_row_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "card.json"
    command = ["connectors", "score", "medusa", "--format", "json", "--out", str(out)]
    main(command)
    reported = json.loads(out.read_text())
    assert reported["passed"] is True
    assert [each["key"] for each in reported["connectors"]] == ["medusa"]
    assert [each["name"] for each in reported["rows"]] == [
        *(case.name for case in CASES),
        *OFFICIAL_NAMES,
    ]
    results = reported["connectors"][0]["results"]
    assert results["foreign-edits-are-seen"] == {"verdict": "pass", "detail": ""}
    assert results["an-event-is-pushed-once"]["detail"] == "not able to push events"
    broken = Card((column(check_passes=Verdict.FAIL),))
    monkeypatch.setattr("connectors.testing.command.score", _always(broken))
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 1
    assert json.loads(out.read_text())["passed"] is False


def test_the_command_names_a_connector_that_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["connectors", "score", "etsy"])
    assert ended.value.code == 2
    assert "'etsy'" in capsys.readouterr().err


def test_without_an_action_the_connectors_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["connectors"])
    assert (
        "medusa: pull_orders, pull_returns, cancel_orders, refund_orders" in capsys.readouterr().out
    )


def test_two_packages_claiming_one_driver_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        EntryPoint("medusa", value, scorecard.DRIVERS) for value in ("a:Driver", "b:Driver")
    )
    monkeypatch.setattr(scorecard, "entry_points", lambda **asked: points.select(**asked))
    with pytest.raises(ValueError, match="several installed packages claim the driver"):
        driver_of("medusa")


def _always(card: Card) -> Callable[..., Card]:
    return lambda *_: card


@pytest.mark.slow
def test_the_command_needs_neither_pytest_nor_anything_of_the_tests(tmp_path: Path) -> None:
    without = "import sys; sys.modules['pytest'] = None; from serial_hub.cli import main; main()"
    command = [sys.executable, "-I", "-c", without, "connectors", "score", "notice_rest"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| `a-message-goes-out-once` | pass |" in done.stdout
