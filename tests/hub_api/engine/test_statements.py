"""Lists whose fields read more take as many statements for fifty objects as for five."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from api_client import Counter, Hub, play
from hub.access.keys import Scope
from hub.after_sales import warranty_answers
from hub.reconciliation import findings, questions, runs
from hub.reconciliation.kinds import Cause, Difference, Fix, Kind, Totals, different
from hub.reconciliation.kinds import Scope as Comparison
from hub.storage.sql import Transaction
from hub.vocabulary import Warranty, WarrantyStatus
from world import World

FEW, MANY = 5, 50


def channels(world: World, count: int) -> None:
    have = int(world.value("SELECT COUNT(*) FROM channel"))
    for number in range(have, count):
        channel = world.channel(f"shop-{number}")
        world.list_product(channel)


def reconciled(world: World, count: int) -> None:
    channel = world.channel("shop") if not world.rows("SELECT 1 FROM channel") else None
    row = channel or world.rows("SELECT * FROM channel")[0]
    have = int(world.value("SELECT COUNT(*) FROM reconciliation_run"))

    def work(tx: Transaction) -> None:
        for number in range(have, count):
            run = runs.start(tx, row, Comparison.LEVELS, "test", world.now)
            found = [
                different(
                    Difference(
                        kind=Kind.QUANTITY,
                        about=f"id={each}",
                        subject=f"SKU-{each}",
                        ledger={"quantity": number},
                        remote={"quantity": each},
                        cause=Cause.FOREIGN_EDIT,
                        evidence="edited",
                        fix=Fix.PUSH_LEVEL,
                    )
                )
                for each in range(3)
            ]
            totals = Totals()
            questions.ask(tx, run, findings.settle(tx, run, found, world.now, totals), world.now)
            runs.finish(tx, run, totals, world.now)

    world.write(work)


def covered(world: World, count: int) -> None:
    channel = world.rows("SELECT * FROM channel") or [world.channel("maker")]
    have = int(world.value("SELECT COUNT(*) FROM unit"))
    serials = [f"SN-{number}" for number in range(have, count)]
    world.receive(*serials)

    def work(tx: Transaction) -> None:
        for serial in serials:
            answer = Warranty(
                serial=serial,
                status=WarrantyStatus.COVERED,
                registered=True,
                ends_on=date(2030, 1, 1),
            )
            unit = tx.value("SELECT id FROM unit WHERE serial = :serial", serial=serial)
            warranty_answers.remember(tx, str(unit), channel[0]["id"], answer, world.now)

    world.write(work)


LISTS: dict[str, tuple[Callable[[World, int], None], str]] = {
    "channels": (
        channels,
        """{ found: channels { code lag { levelsWaiting dead lastSuccessAt }
           streams { name } circuit { state } } }""",
    ),
    "runs": (
        reconciled,
        """{ found: reconciliationRuns(first: 50) { nodes { id
           differences { nodes { subject sku } } groups { kind number } } } }""",
    ),
    "units": (
        covered,
        "{ found: units(first: 50) { nodes { serial warranty { status endsOn } } } }",
    ),
}


def nodes(data: Any) -> list[Any]:
    found = data["found"]
    return list(found["nodes"] if isinstance(found, dict) else found)


@pytest.mark.parametrize("name", LISTS)
def test_fifty_objects_take_as_many_statements_as_five(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fill, document = LISTS[name]
    counter = Counter(monkeypatch)

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        fill(world, FEW)
        few, few_statements = await counter.of(ops, document)
        fill(world, MANY)
        many, many_statements = await counter.of(ops, document)
        assert (len(nodes(few)), len(nodes(many))) == (FEW, MANY)
        assert many_statements == few_statements
        assert None not in nodes(many)[0].values()

    play(world, story)


def test_each_run_has_its_own_differences_and_pages(world: World) -> None:
    reconciled(world, 3)
    document = """query($after: String) { reconciliationRuns { nodes {
      differences(first: 2, after: $after) { nodes { subject ledgerClaim }
      pageInfo { hasNextPage endCursor } } } } }"""

    async def story(hub: Hub) -> None:
        ops = await hub.caller(Scope.OPS)
        found = (await ops.ask(document))["reconciliationRuns"]["nodes"]
        claims = [
            {each["ledgerClaim"]["quantity"] for each in run["differences"]["nodes"]}
            for run in found
        ]
        assert claims == [{2}, {1}, {0}]
        assert all(run["differences"]["pageInfo"]["hasNextPage"] for run in found)
        after = found[0]["differences"]["pageInfo"]["endCursor"]
        newest = (await ops.ask(document, after=after))["reconciliationRuns"]["nodes"][0]
        assert [each["subject"] for each in newest["differences"]["nodes"]] == ["SKU-2"]

    play(world, story)
