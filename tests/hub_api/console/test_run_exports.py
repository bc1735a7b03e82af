"""A run as a file and on paper: all of it, nothing that runs, and what can be done about many."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from browser.console_shop import HOSTILE, Shop
from browser.console_visits import Visitor, text_of, visit
from hub.reconciliation import findings, runs
from hub.reconciliation.kinds import (
    Cause,
    Difference,
    Fix,
    Kind,
    Proof,
    Totals,
    different,
    not_compared,
)
from hub.reconciliation.kinds import Scope as Comparison
from hub.storage.sql import Transaction
from hub.sync import channels
from hub_api.console import run_export
from hub_api.console.run_export import cell

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, NOW)
    yield made.fill()
    made.database.close()


def unknown(number: int) -> Difference:
    return Difference(
        kind=Kind.UNKNOWN_LISTING,
        about=f"id-{number}",
        subject=f"sku-{number}",
        ledger={},
        remote={},
        cause=Cause.MAPPING_GAP,
        evidence="",
        fix=Fix.ASK,
    )


def listings(shop: Shop, *found: Difference) -> str:
    """Store a run of the point of sale that found differences; return its address."""
    shop.write(
        lambda tx: shop._run(tx, "mitte-pos", Comparison.LEVELS, Totals(matched=5), found) and None
    )
    return f"/console/runs/{shop.ids['mitte-pos-levels']}"


def test_a_run_is_a_sheet_that_runs_nothing(shop: Shop) -> None:
    async def work(visitor: Visitor) -> None:
        run = shop.ids["northwind-levels"]
        answer = await visitor.client.get(f"/console/runs/{run}.csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        name = 'filename="reconciliation-northwind-levels-2026-11-21.csv"'
        assert name in answer.headers["content-disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert [row["subject"] for row in rows] == ["AX-200", "'=HYPERLINK(1)"]
        assert rows[0]["ledger"] == '{"quantity":21}'
        assert rows[0]["state"] == "Healed"
        assert rows[0]["cause"] == "Somebody edited it on the channel"

    visit(shop, work)


def test_a_long_run_is_a_whole_sheet(shop: Shop) -> None:
    home = listings(shop, *map(unknown, range(450)))

    async def work(visitor: Visitor) -> None:
        answer = await visitor.client.get(f"{home}.csv")
        rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert [row["subject"] for row in rows] == [f"sku-{number}" for number in range(450)]

    visit(shop, work)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1"])
def test_a_cell_that_would_run_is_marked_as_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(("value", "shown"), [(None, ""), (12, "12"), ("AX-200", "AX-200")])
def test_a_harmless_cell_stays_as_it_is(value: object, shown: str) -> None:
    assert cell(value) == shown


def proved(shop: Shop) -> str:
    """Store a run of orders with a window, a reason, a proof and a dismissal; return its id."""

    def work(tx: Transaction) -> str:
        run = runs.start(tx, channels.get(tx, "northwind"), Comparison.ORDERS, "ann", NOW)
        runs.note_window(tx, run, NOW - timedelta(days=3), NOW)
        proof = Proof(record="inbox", id="d-1", at=NOW - timedelta(hours=1), text=HOSTILE)
        gone = replace(unknown(1), kind=Kind.UNKNOWN_ORDER, proofs=(proof,), surplus=-2)
        totals = Totals(matched=3)
        outcomes = [
            different(gone),
            different(replace(unknown(2), evidence="=1+1")),
            not_compared("id-3", "#1099", f"it cannot be read {HOSTILE}"),
        ]
        rows = findings.settle(tx, run, outcomes, NOW, totals)
        tx.run(
            "UPDATE reconciliation_difference SET state = 'dismissed', resolved_by = 'ann', "
            "resolution = 'a test order', closed_at = 1 WHERE id = :id",
            id=rows[1]["id"],
        )
        runs.finish(tx, run, totals, NOW + timedelta(seconds=9))
        return run.id

    made: list[str] = []
    shop.write(lambda tx: made.append(work(tx)))
    return made[0]


def test_a_sheet_has_proofs_decisions_and_times(shop: Shop) -> None:
    home = f"/console/runs/{proved(shop)}"

    async def work(visitor: Visitor) -> None:
        answer = await visitor.client.get(f"{home}.csv")
        gone, other = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
        assert gone["proofs"] == f"2026-11-21T13:00:00+00:00 {HOSTILE} (inbox d-1)"
        assert (gone["units more there"], gone["scope"], gone["runs"]) == ("-2", "Orders", "1")
        assert (gone["reference"], gone["state"], gone["closed"]) == ("id-1", "Open", "")
        assert (other["state"], other["resolved by"]) == ("Dismissed", "ann")
        assert (other["resolution"], other["evidence"]) == ("a test order", "'=1+1")
        assert other["closed"].startswith("1970-01-01")

    visit(shop, work)


def test_a_whole_run_is_json(shop: Shop) -> None:
    run = proved(shop)
    home = listings(shop, *map(unknown, range(450)))

    async def work(visitor: Visitor) -> None:
        answer = await visitor.client.get(f"/console/runs/{run}.json")
        assert answer.headers["content-type"] == "application/json"
        name = 'filename="reconciliation-northwind-orders-2026-11-21.json"'
        assert name in answer.headers["content-disposition"]
        told = answer.json()
        assert told["run"]["scope"] == "ORDERS"
        assert told["run"]["windowFrom"] == "2026-11-18T14:00:00+00:00"
        assert told["run"]["skipped"] == [
            {"subject": "#1099", "reason": f"it cannot be read {HOSTILE}"}
        ]
        totals = ("compared", "matched", "differencesFound", "notCompared")
        assert [told["run"][name] for name in totals] == [5, 3, 2, 1]
        assert {each["kind"] for each in told["run"]["groups"]} == {
            "UNKNOWN_ORDER",
            "UNKNOWN_LISTING",
        }
        gone = told["differences"][0]
        assert gone["proofs"] == [
            {
                "record": "inbox",
                "recordId": "d-1",
                "at": "2026-11-21T13:00:00+00:00",
                "text": HOSTILE,
            }
        ]
        long = orjson.loads((await visitor.client.get(f"{home}.json")).content)
        found = [each["subject"] for each in long["differences"]]
        assert found == [f"sku-{number}" for number in range(450)]
        empty = (await visitor.client.get(f"/console/runs/{shop.ids['failed']}.json")).json()
        assert empty["differences"] == []
        assert empty["run"]["error"] == "authentication: 401 Unauthorized"
        await visitor.get("/runs/nothing.json", 404)

    visit(shop, work)


def test_a_run_is_printed_by_kind_and_runs_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = proved(shop)
    home = listings(shop, *map(unknown, range(450)))

    async def work(visitor: Visitor) -> None:
        answer = await visitor.client.get(f"/console/runs/{run}/print")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert HOSTILE not in answer.text
        assert "<script" not in answer.text
        assert " style=" not in answer.text
        page = text_of(answer.text)
        for shown in (
            "Orders of Northwind Online",
            "Begin 2026-11-21 14:00:00 UTC",
            "End 2026-11-21 14:00:09 UTC",
            "Orders from 2026-11-18 14:00:00 UTC",
            "5 compared = 3 matched + 0 in flight + 0 explained + 2 differences.",
            "Not compared: 1",
            "#1099",
            "Order gone there: 1",
            "Unknown listing: 1",
            "a test order",
            "2026-11-21 13:00:00 UTC",
        ):
            assert shown in page, shown
        whole = text_of((await visitor.client.get(f"{home}/print")).text)
        assert "Unknown listing: 450" in whole
        assert all(f"sku-{number} " in whole for number in range(450))
        monkeypatch.setattr(run_export, "PRINTED_MAX", 210)
        cut = text_of((await visitor.client.get(f"{home}/print")).text)
        assert "sku-209 " in cut
        assert "sku-210 " not in cut
        assert "240 more differences are not printed" in cut
        await visitor.get("/runs/nothing/print", 404)

    visit(shop, work)


def test_a_run_shows_its_window_and_what_was_not_compared(shop: Shop) -> None:
    run = proved(shop)

    async def work(visitor: Visitor) -> None:
        html = await visitor.get(f"/runs/{run}")
        assert HOSTILE not in html
        page = text_of(html)
        assert "Orders from 18 Nov 2026, 14:00 UTC to 21 Nov 2026, 14:00 UTC." in page
        assert "Not compared: 1" in page
        assert "#1099 it cannot be read" in page
        assert "0 differences of earlier runs were found no more." in page
        assert "Unknown listing: 1 · Order gone there: 1" in page

    visit(shop, work)


def test_all_of_a_kind_are_healed_or_dismissed_at_once(shop: Shop) -> None:
    pushed = [
        replace(unknown(number), kind=Kind.QUANTITY, fix=Fix.PUSH_LEVEL, surplus=3)
        for number in range(3)
    ]
    other = replace(unknown(20), kind=Kind.LISTING_RENAMED, fix=Fix.PUSH_LEVEL)
    listings(shop, *pushed, other, *map(unknown, range(10, 14)))
    fields = {"channel": "mitte-pos", "kind": "QUANTITY"}

    async def work(visitor: Visitor) -> None:
        html = await visitor.get("/differences?channel=mitte-pos")
        page = text_of(html)
        assert "Quantity differs: 3 Mitte POS" in page
        assert "Unknown listing: 4 Mitte POS" in page
        assert "9 offered too many, 0 too few" in page
        assert "Send our quantity again (all 3)" in html
        only = text_of(await visitor.get("/differences?channel=mitte-pos&kind=QUANTITY"))
        assert "sku-10" not in only
        healed = text_of(await visitor.post("/differences/heal", **fields, fix="PUSH_LEVEL"))
        assert "The fix is applied to 3; 3 are seen to be healed." in healed
        assert shop.services.healed_kinds == [Kind.QUANTITY]
        assert "SKU changed there: 1 Mitte POS" in healed  # of another kind: it stays
        again = text_of(await visitor.post("/differences/heal", **fields, fix="PUSH_LEVEL"))
        assert "No open difference is settled by this fix." in again
        wrong = text_of(await visitor.post("/differences/heal", **fields, fix="ASK"))
        assert "INVALID_INPUT" in wrong
        many = {"channel": "mitte-pos", "kind": "UNKNOWN_LISTING"}
        silent = text_of(await visitor.post("/differences/dismiss", **many, reason=" "))
        assert "INVALID_INPUT" in silent
        done = text_of(await visitor.post("/differences/dismiss", **many, reason="cables"))
        assert "4 dismissed." in done
        explained = text_of(await visitor.get("/differences?state=DISMISSED&channel=mitte-pos"))
        assert "Unknown listing: 4 Mitte POS" in explained
        assert "Dismiss all" not in explained

    visit(shop, work)
