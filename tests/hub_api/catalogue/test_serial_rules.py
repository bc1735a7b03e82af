"""Rules for serials are data: none of them takes longer than its text, and a bad one is refused."""

import asyncio
import time

import pytest

from api_client import Hub, play
from hub.access.keys import Scope
from jobs.maintenance import quality
from world import World

REGISTER = """mutation($makers: [ManufacturerInput!], $products: [ProductInput!]) {
  registerCatalogue(idempotencyKey: "NEW", manufacturers: $makers, products: $products) {
  __typename ... on InvalidInput { field message } } }"""
CAPTURE = """query($read: [String!]!, $for: CapturePurpose!) {
  capture(readings: $read, purpose: $for, product: "SLOW") { signal code } }"""


@pytest.mark.parametrize("pattern", ["(A+)+B", "(A|AA)+B", "(?:A*)*B", "(A|A)*B"])
def test_no_rule_takes_longer_than_its_text(world: World, pattern: str) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        card = {"manufacturer": "ACME", "name": "x", "sku": "SLOW", "serialPattern": pattern}
        done = await admin.ask(REGISTER, products=[card])
        assert done["registerCatalogue"]["__typename"] == "CatalogueChanged"
        began = time.perf_counter()
        units = [{"serial": "A" * 27, "product": "SLOW"}, {"serial": "AAAB", "product": "SLOW"}]
        received = await admin.command("receiveUnits", units, key="k-1", location="WH")
        assert [each["accepted"] for each in received["results"]] == [False, True]
        for purpose in ("RECEIVE", "FIND"):
            shown = await admin.ask(CAPTURE, **{"read": ["A" * 22], "for": purpose})
            assert shown["capture"]["signal"] == "REFUSE"
        assert time.perf_counter() - began < 2

    play(world, story)


@pytest.mark.parametrize("pattern", ["(", r"(A)\1", "(?=A)B", "(?<!A)B", "((A{99}){99}){99}"])
def test_a_rule_that_cannot_be_matched_in_linear_time_is_refused(
    world: World, pattern: str
) -> None:
    async def story(hub: Hub) -> None:
        admin = await hub.caller(Scope.ADMIN)
        product = {"manufacturer": "ACME", "name": "x", "sku": "SLOW", "serialPattern": pattern}
        maker = {"code": "ACME", "name": "ACME", "serialPattern": pattern}
        for given in ({"products": [product]}, {"makers": [maker]}):
            answer = (await admin.ask(REGISTER, **given))["registerCatalogue"]
            assert (answer["__typename"], answer["field"]) == ("InvalidInput", "serialPattern")
            assert "regular expression" in answer["message"]

    play(world, story)


def test_a_rule_stored_by_other_means_checks_nothing_and_opens_a_case(world: World) -> None:
    def store(pattern: str) -> None:
        world.write(
            lambda tx: tx.run(
                "UPDATE product SET serial_pattern = :pattern WHERE sku = 'CAM'", pattern=pattern
            )
        )

    store(r"(S)N-\1")
    assert world.receive("SN-1")[0].accepted
    assert "unusable_rule 1" in asyncio.run(quality.examine(world.runtime()))
    assert world.open_cases() == [("unusable_rule", "CAM")]
    store(r"SN-\d")
    assert not world.receive("SN-12")[0].accepted
    asyncio.run(quality.examine(world.runtime()))
    assert world.open_cases() == []
