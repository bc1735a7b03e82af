"""What a channel lists and the hub does not know becomes products, many at once."""

from typing import Any

import pytest

from api_client import Caller, Hub, play
from hub.access.keys import Scope as Right
from hub.reconciliation import listing_imports
from hub.reconciliation.kinds import Scope
from hub.storage.sql import Row
from jobs.runtime import Runtime
from reconciling import Shop, run
from recording import stage
from world import World

IMPORT = """mutation($tracking: Tracking! = SERIAL, $skus: [String!], $maker: String! = "ACME",
    $channel: String! = "rec", $key: String! = "NEW") {
  done: importListings(idempotencyKey: $key, channel: $channel, manufacturer: $maker,
    tracking: $tracking, skus: $skus) { __typename
    ... on ListingsImported { registered refused { sku reason } }
    ... on InvalidInput { field } ... on UnknownReference { field } } }"""


def shop(world: World, *skus: str) -> tuple[Shop, Runtime, Row]:
    connector, runtime, channel = stage(world, Shop)
    assert isinstance(connector, Shop)
    connector.listed = {f"{number:03}": (sku, 5) for number, sku in enumerate(skus)}
    run(world, runtime, channel, Scope.LEVELS)
    return connector, runtime, channel


def maker(world: World) -> str:
    return str(world.value("SELECT code FROM manufacturer ORDER BY code LIMIT 1"))


def ask(world: World, **given: Any) -> Any:
    told: list[Any] = []

    async def story(hub: Hub) -> None:
        admin: Caller = await hub.caller(Right.ADMIN)
        told.append((await admin.ask(IMPORT, **{"maker": maker(world)} | given))["done"])

    play(world, story)
    return told[0]


def states(world: World) -> list[tuple[str, str, str]]:
    rows = world.rows("SELECT subject, kind, state FROM reconciliation_difference ORDER BY id")
    return [(row["subject"], row["kind"], row["state"]) for row in rows]


def test_unknown_listings_become_products_that_the_next_run_binds(world: World) -> None:
    connector, runtime, channel = shop(world, "LENS-1", "LENS-2")
    assert {kind for _, kind, _ in states(world)} == {"unknown_listing"}
    done = ask(world)
    assert (done["registered"], done["refused"]) == (["LENS-1", "LENS-2"], [])
    (product,) = world.rows("SELECT * FROM product WHERE sku = 'LENS-1'")
    assert (product["name"], product["tracking"]) == ("LENS-1", "serial")
    again = ask(world)
    assert (again["registered"], again["refused"]) == ([], [])
    run(world, runtime, channel, Scope.LEVELS)
    assert [(kind, state) for _, kind, state in states(world)] == [
        ("unknown_listing", "superseded"),
        ("unknown_listing", "superseded"),
        ("unbound_listing", "healed"),
        ("unbound_listing", "healed"),
    ]
    assert world.open_cases() == []
    assert connector.shows() == {"000": 0, "001": 0}  # there are no units of them


def test_products_without_a_kept_quantity_leave_the_channel_as_it_is(world: World) -> None:
    connector, runtime, channel = shop(world, "CABLE")
    ask(world, tracking="NONE")
    last, _ = run(world, runtime, channel, Scope.LEVELS)
    assert states(world) == [("CABLE", "unknown_listing", "closed")]
    assert (last["not_kept"], connector.shows()) == (1, {"000": 5})


def test_what_cannot_be_a_product_is_refused_and_stops_no_other(world: World) -> None:
    long = "X" * 101
    shop(world, "cam ", "ca m", "TUBE", "tube", "TUBE", "", long)
    done = ask(world)
    assert done["registered"] == ["TUBE"]
    reasons = {each["sku"]: each["reason"] for each in done["refused"]}
    assert reasons["cam"] == "its SKU begins or ends with a blank"
    assert reasons["ca m"] == "its SKU differs from CAM only in case and blanks"
    assert reasons["tube"] == "its SKU differs from TUBE only in case and blanks"
    assert reasons[""] == "it has no SKU"
    assert "100 characters" in reasons[long]
    assert len(done["refused"]) == 5
    named = "SELECT COUNT(*) FROM product WHERE LOWER(sku) LIKE '%tube%'"
    assert world.value(named) == 1


def test_only_named_skus_are_imported_and_a_product_is_never_overwritten(world: World) -> None:
    shop(world, "LENS-1", "LENS-2", "ÄB-1")
    assert ask(world, skus=["LENS-2", "NONE"])["registered"] == ["LENS-2"]
    assert ask(world, skus=["ÄB-1"])["registered"] == ["ÄB-1"]
    world.write(lambda tx: tx.run("UPDATE product SET name = 'Ours' WHERE sku = 'ÄB-1'"))
    assert ask(world)["registered"] == ["LENS-1"]
    assert world.value("SELECT name FROM product WHERE sku = 'ÄB-1'") == "Ours"
    assert ask(world, skus=[])["field"] == "skus"
    assert ask(world, skus=["X"] * 501)["field"] == "skus"
    assert ask(world, maker="NOBODY")["__typename"] == "UnknownReference"
    assert ask(world, channel="none")["__typename"] == "UnknownReference"


def test_an_import_goes_on_where_the_last_one_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_imports, "IMPORTED_MAX", 2)
    shop(world, "LENS-1", "LENS-2", "LENS-3", "LENS-4", "LENS-5")
    taken = [ask(world, key=f"K{number}")["registered"] for number in range(4)]
    assert taken == [["LENS-1", "LENS-2"], ["LENS-3", "LENS-4"], ["LENS-5"], []]
